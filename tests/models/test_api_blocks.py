"""Every kind of model behind an API as a block: the real SDK against a server that we did not write."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.aimock import Aimock
from yggdrasil import Blob, Budget, BudgetError, ConfigError, Graph, ModelReplyError, PortError, SecretError
from yggdrasil.abc.block import Block
from yggdrasil.core.events import ModelCalled, ModelReplied
from yggdrasil.core.messages import user
from yggdrasil.core.model_ports import SEEING
from yggdrasil.models.block import ApiBlock, SeeingBlock
from yggdrasil.models.embedding import EmbeddingBlock
from yggdrasil.models.image import ImageBlock, pictures_of
from yggdrasil.models.speech import SpeechBlock
from yggdrasil.models.stream import Loose
from yggdrasil.runtime.registry import REGISTRY
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.testing import check_runnable

pytestmark = pytest.mark.anyio

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE = Blob(PNG, "image/png")
SOUND = Blob(b"ID3 not much of a sound", "audio/mpeg")

KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "llm/api": ({"model_id": "m"}, {"prompt": "Hello"}),
    "vlm/api": ({"model_id": "m"}, {"prompt": "What is it?", "image": PICTURE}),
    "embedding/api": ({"model_id": "text-embedding-3-small"}, {"prompt": ["a ford", "a fjord"]}),
    "image/api": ({"model_id": "gpt-image-1"}, {"prompt": "a fjord"}),
    "image/api edit": ({"model_id": "gpt-image-1"}, {"prompt": "by night", "image": PICTURE, "mask": PICTURE}),
    "speech/api speak": ({"model_id": "tts-1", "task": "speak"}, {"prompt": "Hello"}),
    "speech/api transcribe": ({"model_id": "whisper-1", "task": "transcribe"}, {"audio": SOUND}),
}


@pytest.fixture
def server(aimock: Aimock) -> Aimock:
    """Answers every kind of request."""
    picture = {"image": {"b64Json": base64.b64encode(PNG).decode()}}
    aimock.says(picture, match={"endpoint": "image"})
    aimock.says({"audio": base64.b64encode(SOUND.data).decode(), "format": "mp3"}, match={"endpoint": "speech"})
    aimock.says({"transcription": {"text": "over the ford"}}, match={"endpoint": "transcription"})
    aimock.says({"content": "A ford."}, match={"endpoint": "chat"})
    return aimock


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(kind: str, server: Aimock) -> Callable[..., Block]:
    """A block of this kind, from its config alone."""

    def build(**more: Any) -> Any:
        place = {"provider": "openai", "endpoint_url": server.base_url("openai")}
        return REGISTRY.build(kind.partition(" ")[0], {**place, **KINDS[kind][0], **more})

    return build


async def test_one_call(kind: str, make: Callable[..., Block]) -> None:
    result = await make().run(KINDS[kind][1])
    found = {name: value for name, value in result.items() if name not in ("usage", "message")}
    match kind:
        case "llm/api" | "vlm/api":
            assert found == {"text": "A ford."}
        case "embedding/api":
            assert [len(v) for v in found["vectors"]] == [len(found["vectors"][0])] * 2
            assert found["vectors"][0] != found["vectors"][1]
        case "speech/api speak":
            assert found == {"audio": SOUND}
        case "speech/api transcribe":
            assert found == {"text": "over the ford"}
        case _:
            assert found == {"image": PICTURE}
    assert result.usage.requests == 1
    assert (result.usage.cost, result.usage.unpriced) == (None, 1), "a server of one's own has no known price"


async def test_one_model_in_every_form(kind: str, make: Callable[..., Block]) -> None:
    plain = make()
    config = {name: value for name, value in plain.config.items() if name not in ("provider", "model_id")}
    model_id, url = KINDS[kind][0]["model_id"], config.pop("endpoint_url")
    forms: list[dict[str, Any]] = [
        {"model": f"openai:{model_id}", "endpoint_url": url},
        {"model": {"name": f"openai:{model_id}", "endpoint_url": url}},
        {"provider": "openai", "model_id": model_id, "backend": "api", "endpoint_url": url},
    ]
    for form in forms:
        other: Any = REGISTRY.build(plain.block_type, {**config, **form})
        assert set(await other.run(KINDS[kind][1]))
        again: Any = REGISTRY.build(plain.block_type, json.loads(json.dumps(other.config)))
        assert again.config == other.config


async def test_a_durable_run_asks_once(kind: str, make: Callable[..., Block], server: Aimock) -> None:
    async with MemoryStore() as store:
        graph = Graph("g")
        graph.add("model", make())
        graph.add("fail", fails_once())
        graph.add_edge(f"model.{out_of(kind)}", "fail.value")
        asked = KINDS[kind][1]
        with pytest.raises(Exception, match="not yet"):
            await graph.run(asked, thread="t", store=store)
        again = await graph.run(asked, thread="t", store=store)
    assert len(server.requests) == 1, "what is recorded is not asked for again"
    alone = await make().run(asked)
    assert again["value"] == alone[out_of(kind)]
    assert again.usage.requests == 1, "what was recorded counts"


def out_of(kind: str) -> str:
    role, task = kind.partition("/")[0], kind.partition(" ")[2]
    return {"embedding": "vectors", "image": "image"}.get(role, "audio" if task == "speak" else "text")


def fails_once() -> Any:
    from yggdrasil import block as made

    tries: list[int] = []

    @made(outputs={"value": Any})
    def passes(value: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("not yet")
        return value

    return passes


async def test_a_budget_refuses_before_the_call(kind: str, make: Callable[..., Block], server: Aimock) -> None:
    budget = Budget(steps=1)
    await make().run(KINDS[kind][1], budget=budget)
    with pytest.raises(BudgetError, match="1 steps is spent"):
        await make().run(KINDS[kind][1], budget=budget)
    assert len(server.requests) == 1


async def test_a_said_price_is_the_price(kind: str, make: Callable[..., Block], server: Aimock) -> None:
    price = {"input": 1.0, "output": 2.0}
    more = {"options": {"price": price}} if "llm" in kind or "vlm" in kind else {"price": price}
    usage = (await make(**more).run(KINDS[kind][1])).usage
    if usage.input_tokens:
        assert usage.cost == pytest.approx((usage.input_tokens + 2 * usage.output_tokens) / 1e6)
        assert not usage.unpriced
    else:
        assert (usage.cost, usage.unpriced) == (None, 1), "what nobody has counted has no price"


async def test_it_is_told_as_a_model_call(kind: str, make: Callable[..., Block]) -> None:
    events = [event async for event in make().stream(KINDS[kind][1])]
    kinds = [type(e) for e in events]
    assert kinds.count(ModelCalled) == kinds.count(ModelReplied) == 1


async def test_the_contract_of_what_runs(kind: str, make: Callable[..., Block], anyio_backend: str) -> None:
    if anyio_backend == "asyncio" or kind == "embedding/api":
        await check_runnable(lambda: make(**({"batch": 1} if kind == "embedding/api" else {})), KINDS[kind][1])


# --- pictures to look at


async def test_pictures_go_out_before_the_words(server: Aimock) -> None:
    seeing = SeeingBlock(model="openai:m", endpoint_url=server.base_url("openai"))
    assert seeing.spec is SEEING
    await seeing.run({"prompt": "Which is it?", "image": [PICTURE, PICTURE], "messages": [user("Look.")]})
    sent = server.requests[-1]["body"]["messages"]
    assert [m["role"] for m in sent] == ["user", "user"]
    assert [p["type"] for p in sent[1]["content"]] == ["image_url", "image_url", "text"]
    with pytest.raises(PortError, match="nothing to answer"):
        await seeing.run({"system": "Be brief."})
    assert (await seeing.run({"image": PICTURE}))["text"] == "A ford."


async def test_params_of_a_call_go_over_those_of_the_config(server: Aimock) -> None:
    url = server.base_url("openai")
    block = ApiBlock("openai", "m", endpoint_url=url, params={"temperature": 0.5, "seed": 1})
    await block.run({"prompt": "Hello", "params": {"temperature": 0.9}})
    body = server.requests[-1]["body"]
    assert (body["temperature"], body["seed"]) == (0.9, 1)
    with pytest.raises(ConfigError, match="'n'"):
        await ImageBlock("openai:m", endpoint_url=url).run({"prompt": "x", "params": {"n": 2}})


# --- vectors


async def test_batches_keep_the_order(server: Aimock) -> None:
    url = server.base_url("openai")
    texts = [f"text {n}" for n in range(23)]
    one = await EmbeddingBlock("openai:e", endpoint_url=url).run(texts)
    many = await EmbeddingBlock("openai:e", endpoint_url=url, batch=2).run(texts)
    assert many["vectors"] == one["vectors"]
    assert (one.usage.requests, many.usage.requests) == (1, 12)
    assert (await EmbeddingBlock("openai:e", endpoint_url=url).run([]))["vectors"] == []


async def test_batches_are_recorded_one_by_one(server: Aimock) -> None:
    texts = [f"text {n}" for n in range(10)]
    block = EmbeddingBlock("openai:e", endpoint_url=server.base_url("openai"), batch=2)
    async with MemoryStore() as store:
        first = await block.run(texts, thread="t", store=store)
        done = await store.read("thread:t", kinds=["effect"])
    assert len({r.data["path"] for r in done}) == 5
    assert len(first["vectors"]) == 10


async def test_as_many_numbers_as_asked(server: Aimock) -> None:
    block = EmbeddingBlock("openai:e", endpoint_url=server.base_url("openai"), dimensions=7)
    assert [len(v) for v in (await block.run(["a", "b"]))["vectors"]] == [7, 7]


VECTORS: list[tuple[Any, str]] = [
    ({"data": []}, "0 vectors for 2 texts"),
    ({"data": [{"index": 0, "embedding": [1.0]}] * 2}, "which text"),
    ({"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]}, "1 and 2 numbers"),
    ({"data": [{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": [1.0]}]}, "no list of numbers"),
    ({"data": [{"index": 1, "embedding": []}, {"index": 0, "embedding": []}]}, "no list of numbers"),
    ({}, "no vectors"),
    ([], "no vectors"),
]


@pytest.mark.parametrize(("body", "words"), VECTORS)
async def test_vectors_that_are_none(odd_server: Any, body: Any, words: str) -> None:
    async with odd_server(json.dumps(body).encode()) as url:
        with pytest.raises(ModelReplyError, match=words):
            await EmbeddingBlock("openai:e", endpoint_url=url).run(["a", "b"])


async def test_vectors_in_any_order(odd_server: Any) -> None:
    body = {"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}], "usage": {"prompt_tokens": 4}}
    async with odd_server(json.dumps(body).encode()) as url:
        result = await EmbeddingBlock("openai:e", endpoint_url=url).run(["a", "b"])
    assert (result["vectors"], result["usage"].input_tokens) == ([[1.0], [2.0]], 4)


# --- sounds


SOUNDS = [(b"", "audio/mpeg"), (b'{"a": 1}', "application/json"), (b"<html>", "text/html")]


@pytest.mark.parametrize(("body", "content_type"), SOUNDS)
async def test_sounds_that_are_none(odd_server: Any, body: bytes, content_type: str) -> None:
    async with odd_server(body, content_type=content_type) as url:
        with pytest.raises(ModelReplyError, match="no sound"):
            await SpeechBlock("openai:tts-1", task="speak", endpoint_url=url).run("Hello")


@pytest.mark.parametrize("body", [b"{}", b'{"text": 1}', b"[]", b'"text"'])
async def test_transcripts_that_are_none(odd_server: Any, body: bytes) -> None:
    async with odd_server(body) as url:
        with pytest.raises(ModelReplyError, match="no transcript"):
            await SpeechBlock("openai:whisper-1", task="transcribe", endpoint_url=url).run(SOUND)


async def test_the_kind_of_sound(odd_server: Any) -> None:
    async with odd_server(b"RIFF", content_type="application/octet-stream") as url:
        block = SpeechBlock("openai:tts-1", task="speak", endpoint_url=url, params={"response_format": "wav"})
        assert (await block.run("Hello"))["audio"].media_type == "audio/wav"


# --- pictures


async def test_several_pictures(odd_server: Any) -> None:
    item = {"b64_json": base64.b64encode(PNG).decode()}
    usage = {"input_tokens": 9, "output_tokens": 100, "total_tokens": 109, "input_tokens_details": {"image_tokens": 4}}
    async with odd_server(json.dumps({"created": 1, "data": [item, item], "usage": usage}).encode()) as url:
        result = await ImageBlock("openai:m", endpoint_url=url, count=2).run("fjords")
        with pytest.raises(ModelReplyError, match="2 of 3 pictures"):
            await ImageBlock("openai:m", endpoint_url=url, count=3).run("fjords")
    assert (result["image"], result["images"]) == (PICTURE, [PICTURE, PICTURE])
    assert (result.usage.input_tokens, result.usage.output_tokens) == (9, 100)


@pytest.mark.parametrize(
    ("details", "counts"),
    [
        ({}, {"output_image_tokens": 100}),
        (
            {"input_tokens_details": {"image_tokens": 4}, "output_tokens_details": {"image_tokens": 90}},
            {"input_image_tokens": 4, "output_image_tokens": 90},
        ),
        ({"input_tokens_details": 7, "output_tokens_details": {"image_tokens": "9"}}, {"output_image_tokens": 100}),
    ],
)
def test_tokens_of_pictures_are_counted_apart(details: Any, counts: dict[str, int]) -> None:
    said = {"data": [{"b64_json": base64.b64encode(PNG).decode()}], "usage": {"output_tokens": 100, **details}}
    answer = pictures_of(json.loads(json.dumps(said), object_hook=Loose), "here", 1)
    assert answer.counts == counts
    assert answer.usage.output_tokens == 100


async def test_what_an_edit_sends(server: Aimock) -> None:
    block = ImageBlock("openai:gpt-image-1", endpoint_url=server.base_url("openai"), params={"size": "1024x1024"})
    await block.run({"prompt": "one of both", "image": [PICTURE, Blob(b"\xff\xd8\xff", "image/jpeg")]})
    sent = server.requests[-1]
    assert sent["path"] == "/v1/images/edits"
    assert "one of both" in json.dumps(sent["body"])
    with pytest.raises(PortError, match="mask without an image"):
        await block.run({"prompt": "x", "mask": PICTURE})


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (lambda: EmbeddingBlock("anthropic:m"), ConfigError),
        (lambda: EmbeddingBlock(), ConfigError),
        (lambda: EmbeddingBlock("openai:m", model_id="m"), ConfigError),
        (lambda: EmbeddingBlock("openai:m", backend="local"), ConfigError),
        (lambda: EmbeddingBlock("openai:m", batch=0), ConfigError),
        (lambda: EmbeddingBlock("openai:m", dimensions=True), ConfigError),
        (lambda: EmbeddingBlock("openai:m", requests_per_minute=0), ConfigError),
        (lambda: EmbeddingBlock("openai:m", price={"input": -1, "output": 1}), ConfigError),
        (lambda: EmbeddingBlock("openai:m", price={"in": 1}), ConfigError),
        (lambda: EmbeddingBlock("openai:m", params={"input": "x"}), ConfigError),
        (lambda: SpeechBlock("openai:m", task="sing"), ConfigError),  # type: ignore[arg-type]
        (lambda: SpeechBlock("openai:m", task="transcribe", params={"response_format": "srt"}), ConfigError),
        (lambda: SpeechBlock("openai:m", task="speak", params={"api_key": "x"}), SecretError),
        (lambda: ImageBlock("openai:m", count=0), ConfigError),
        (lambda: ImageBlock("openai:m", attempts=0), ConfigError),
        (lambda: SeeingBlock("openai", "m", model="openai:m"), ConfigError),
        (lambda: SeeingBlock(model="openai:m", backend="local"), ConfigError),
        (lambda: REGISTRY.build("speech/api", {"model": "openai:m"}), ConfigError),
        (lambda: REGISTRY.build("embedding/api", {"model": "openai:m", "batches": 3}), ConfigError),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_made(build: Any, kind: Any) -> None:
    with pytest.raises(kind):
        build()
