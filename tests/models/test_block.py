"""Language models as blocks: the same ports for every provider, only the config changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from yggdrasil import Blob, ConfigError, PortError, ScriptedModel, SecretError, UnknownTypeError
from yggdrasil.abc.block import Block
from yggdrasil.core.events import ModelCalled, ModelReplied, Token
from yggdrasil.core.messages import assistant, user
from yggdrasil.core.model_ports import LANGUAGE
from yggdrasil.models.block import AnthropicBlock, ApiBlock, OpenAIBlock, ScriptedBlock
from yggdrasil.runtime.registry import REGISTRY
from yggdrasil.testing import check_runnable

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["llm/scripted", "llm/openai", "llm/anthropic", "llm/api openai", "llm/api scripted"])
def build(request: pytest.FixtureRequest) -> Callable[..., Block]:
    """A block of each type, from its config alone."""
    kind, _, provider = request.param.partition(" ")
    config: dict[str, Any] = {"provider": provider} if provider else {}
    config["model_id"] = "echo" if "scripted" in request.param else "test-model"
    if "scripted" not in request.param:
        server = request.getfixturevalue("llmock")
        config["endpoint_url"] = server.base_url(provider or kind.partition("/")[2])

    def make(**more: Any) -> Any:
        return REGISTRY.build(kind, {**config, **more})

    return make


async def test_one_call(build: Callable[..., Block]) -> None:
    model = build(params={"max_tokens": 9})
    result = await model.run("Hello", system="Be brief.")
    assert result["text"]
    assert result["message"] == assistant(result["text"])
    assert result["usage"].requests == result.usage.requests == 1
    assert model.spec is LANGUAGE
    assert model.role == "llm"
    assert list(model.trainable_parameters()) == []


async def test_a_dialogue_and_nothing(build: Callable[..., Block]) -> None:
    model = build()
    result = await model.run({"messages": [user("a"), assistant("b")], "prompt": "c"})
    assert result["text"]
    for nothing in ({}, {"system": "Be brief."}, {"messages": []}):
        with pytest.raises(PortError, match="nothing to answer"):
            await model.run(nothing)


async def test_a_stream_tells_the_words(build: Callable[..., Block]) -> None:
    events = [event async for event in build().stream("Hello there, whoever you are.")]
    kinds = [type(e) for e in events]
    assert kinds.count(ModelCalled) == kinds.count(ModelReplied) == 1
    text = "".join(e.text for e in events if isinstance(e, Token))
    assert text == events[-1].result["text"]  # type: ignore[attr-defined]


async def test_a_config_rebuilds_it(build: Callable[..., Block]) -> None:
    model = build(params={"temperature": 0.5})
    config = json.loads(json.dumps(model.config))
    assert config["params"] == {"temperature": 0.5}
    assert REGISTRY.build(model.block_type, config).config == config  # type: ignore[attr-defined]


async def test_the_contract_of_what_runs(build: Callable[..., Block], anyio_backend: str) -> None:
    if anyio_backend == "asyncio":
        await check_runnable(build, {"prompt": "Hello", "system": "Be brief."})


async def test_pictures_are_seen_by_anthropic_as_well(llmock: Any) -> None:
    config = {"provider": "anthropic", "model_id": "m", "endpoint_url": llmock.base_url("anthropic")}
    seeing: Any = REGISTRY.build("vlm/api", config)
    assert (await seeing.run({"prompt": "What is it?", "image": Blob(b"\x89PNG", "image/png")}))["text"]
    sent = llmock.last_request.body["messages"][0]["content"]
    assert [part["type"] for part in sent] == ["image", "text"]


async def test_what_is_sent(llmock: Any) -> None:
    url = llmock.base_url("openai")
    await OpenAIBlock("m", endpoint_url=url).run(
        {"prompt": "c", "system": "s", "messages": [user("a"), assistant("b")]}
    )
    sent = llmock.last_request.body["messages"]
    assert [(m["role"], m["content"]) for m in sent] == [
        ("system", "s"),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "c"),
    ]


async def test_the_providers_own_options(llmock: Any) -> None:
    url, price = llmock.base_url("anthropic"), {"input": 1, "output": 2}
    config = {"model_id": "m", "endpoint_url": url, "options": {"cache": False, "price": price, "timeout": 30}}
    made: Any = REGISTRY.build("llm/anthropic", config)
    usage = (await made.run("Hello")).usage
    assert usage.cost == pytest.approx((usage.input_tokens + 2 * usage.output_tokens) / 1e6)
    assert "cache_control" not in json.dumps(llmock.last_request.body)
    assert made.config["options"] == config["options"]


async def test_a_script_of_ones_own() -> None:
    model = ScriptedModel(["one", "two"])
    node = ScriptedBlock(model)
    assert [(await node.run("x"))["text"] for _ in range(2)] == ["one", "two"]
    assert model.requests[0].messages == [user("x")]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: ApiBlock("opnai", "m"), UnknownTypeError),
        (lambda: ApiBlock("openai:m", "m"), ConfigError),
        (lambda: ApiBlock("openai", ""), ConfigError),
        (lambda: ApiBlock("openai", "m", options={"speed": 3}), ConfigError),
        (lambda: ApiBlock("openai", "m", options={"endpoint_url": "http://127.0.0.1:1"}), ConfigError),
        (lambda: ApiBlock(model="openai:m", options={"endpoint_url": "http://127.0.0.1:1"}), ConfigError),
        (lambda: OpenAIBlock("m", attempts=0), ConfigError),
        (lambda: OpenAIBlock("m", options={"attempts": 3}), ConfigError),
        (lambda: OpenAIBlock("m", options={"cache": True}), ConfigError),
        (lambda: AnthropicBlock("m", endpoint_url="http://me:secret@127.0.0.1"), SecretError),
        (lambda: ScriptedBlock("nobody"), UnknownTypeError),
        (lambda: REGISTRY.build("llm/openai", {"model": "m"}), ConfigError),
    ],
)
def test_configs_that_are_refused(make: Callable[[], Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        make()
