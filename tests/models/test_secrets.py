"""Keys come from the environment and are shown nowhere: not in errors, tracebacks, reprs, records or logs."""

from __future__ import annotations

import logging
import pickle
import traceback
from typing import Any

import pytest

from yggdrasil.core.messages import Request, user
from yggdrasil.errors import ModelAuthError, ModelError, SecretError
from yggdrasil.models.secrets import scrub
from yggdrasil.runtime.ask import request_to_json
from yggdrasil.runtime.providers import resolve

KEY = "sk-test-KEEPTHISQUIET-0123456789"
HELLO = Request([user("Hello")])
VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def everything_shown(error: BaseException) -> str:
    """All that a person or a log could see of an error."""
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__) + repr(error.args)
    while error is not None:
        shown += repr(error.__dict__) + str(error)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return shown


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_a_provider_that_echoes_the_key(
    provider: str,
    llmock: Any,
    status: int,
    stream: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(VARIABLES[provider], KEY)
    caplog.set_level(logging.DEBUG)
    llmock.fail(status, message=f"Incorrect API key provided: {KEY}. Also Bearer {KEY} and sk-an***other1.")
    model = resolve(f"{provider}:m", endpoint_url=llmock.base_url(provider), attempts=1)
    with pytest.raises(ModelError) as caught:
        await model.reply(HELLO, delta=(lambda part, text: None) if stream else None)
    shown = everything_shown(caught.value) + repr(model) + repr(vars(model)) + repr(pickle.dumps(caught.value))
    assert "KEEPTHISQUIET" not in shown
    assert "other1" not in shown
    assert "[key hidden]" in str(caught.value)
    assert "KEEPTHISQUIET" not in "".join(r.getMessage() for r in caplog.records if r.name.startswith("yggdrasil"))


@pytest.mark.anyio
async def test_a_missing_key_names_the_line_to_write(
    provider: str, llmock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLES[provider])
    monkeypatch.delenv(f"{provider.upper()}_BASE_URL")
    with pytest.raises(ModelAuthError, match=f"export {VARIABLES[provider]}="):
        await resolve(f"{provider}:m").reply(HELLO)
    assert llmock.requests == []


@pytest.mark.anyio
async def test_a_server_of_ones_own_needs_no_key(llmock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    reply = await resolve("openai:m", endpoint_url=llmock.base_url("openai")).reply(HELLO)
    assert reply.message.text


@pytest.mark.anyio
async def test_the_key_is_read_when_it_is_used(provider: str, llmock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    llmock.limits(rpm=1)  # quotas are per key
    model = resolve(f"{provider}:m", endpoint_url=llmock.base_url(provider), attempts=1)
    for key in ("first-key", "second-key"):
        monkeypatch.setenv(VARIABLES[provider], key)
        assert (await model.reply(HELLO)).message.text


@pytest.mark.parametrize(
    "url", [f"https://user:{KEY}@host/v1", f"https://host/v1?api_key={KEY}", f"https://host/{KEY}/v1"]
)
def test_an_endpoint_that_carries_a_key_is_refused(provider: str, url: str) -> None:
    with pytest.raises(SecretError) as caught:
        resolve(f"{provider}:m", endpoint_url=url)
    assert "KEEPTHISQUIET" not in everything_shown(caught.value).replace(f'url = "{url}"', "")


def test_a_record_of_a_call_holds_no_key(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLES[provider], KEY)
    assert KEY not in repr(request_to_json(resolve(f"{provider}:m").name, HELLO))


def test_scrub_leaves_words_alone() -> None:
    text = "max_tokens: 100000 > 8192; the task-force asked for a risk-free key"
    assert scrub(text, "") == text
    assert scrub("say quiet-word now", "quiet-word") == "say [key hidden] now"
