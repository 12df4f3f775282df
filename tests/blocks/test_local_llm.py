"""A language model that runs here: equal to transformers' `generate`, and as good for an agent as one behind an API."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.blocks import tiny_language as tiny
from yggdrasil import Agent, tool
from yggdrasil.blocks.llm.model import LocalModel
from yggdrasil.core.events import ModelReplied, Token
from yggdrasil.core.messages import Message, Reply, Request, Text, ToolSpec, assistant, system, user
from yggdrasil.errors import ConfigError, ContextTooLongError, ModelReplyError, ModelRequestError
from yggdrasil.runtime.pool import POOL, Key
from yggdrasil.runtime.threads import in_thread

pytestmark = pytest.mark.anyio

ROLL = ToolSpec("roll", "Roll dice.", {"type": "object", "properties": {"sides": {"type": "integer"}}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.saved(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.taught(tmp_path_factory.mktemp("taught"))


def keys() -> list[Key]:
    """What the pool holds."""
    return POOL.keys()


def theirs(folder: str, text: str, *, seed: int | None = None, tokens: int = 40, **options: Any) -> str:
    """What transformers by itself makes of it."""
    module, words = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    chat = [{"role": "user", "content": text}]
    prompt = words.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    if seed is not None:
        torch.manual_seed(seed)
        options["do_sample"] = True
    if "stop_strings" in options:
        options["tokenizer"] = words
    found = module.generate(**prompt, max_new_tokens=tokens, **options)
    return str(words.decode(found[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True))


async def ours(model: LocalModel, text: str, **params: Any) -> tuple[Reply, str]:
    """Our reply, and what was streamed of it."""
    pieces: list[str] = []
    request = Request([user(text)], params={"max_tokens": 40, **params})
    reply = await model.reply(request, delta=lambda part, piece: pieces.append(piece))
    return reply, "".join(pieces)


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, {}),
        ({"temperature": 0, "seed": 5}, {"do_sample": False}),
        ({"repetition_penalty": 1.3}, {"repetition_penalty": 1.3}),
        ({"temperature": 1.0, "seed": 3}, {"seed": 3}),
        ({"temperature": 0.7, "top_p": 0.9, "seed": 11}, {"temperature": 0.7, "top_p": 0.9, "seed": 11}),
        ({"temperature": 1.5, "top_k": 7, "seed": 12}, {"temperature": 1.5, "top_k": 7, "seed": 12}),
        ({"top_k": 0, "min_p": 0.03, "seed": 13}, {"top_k": 0, "min_p": 0.03, "seed": 13}),
    ],
)
async def test_equals_generate(folder: str, params: dict[str, Any], options: dict[str, Any]) -> None:
    expected = theirs(folder, "hello there", **options)
    before = torch.random.get_rng_state()
    reply, streamed = await ours(LocalModel(folder), "hello there", **params)
    assert reply.message.text == expected
    assert streamed == expected
    assert len(expected) > 10
    assert torch.equal(torch.random.get_rng_state(), before), "the generator of the process was touched"


async def test_the_generation_config_of_the_model_counts(tmp_path: Path) -> None:
    words = tiny.tokenizer()
    module = tiny.llama(words)
    module.generation_config.update(do_sample=True, temperature=0.6, top_k=11, top_p=0.8, repetition_penalty=1.1)
    module.save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    reply, _ = await ours(LocalModel(str(tmp_path)), "hello", seed=21)
    assert reply.message.text == theirs(str(tmp_path), "hello", seed=21)
    greedy, _ = await ours(LocalModel(str(tmp_path)), "hello", temperature=0)
    assert greedy.message.text == theirs(str(tmp_path), "hello", do_sample=False)


async def test_a_stop_string_ends_it_and_is_left_out(folder: str) -> None:
    whole = theirs(folder, "hello there")
    stop = re.findall("[a-z]{2,}", whole)[-1]
    cut = theirs(folder, "hello there", stop_strings=[stop])
    reply, streamed = await ours(LocalModel(folder), "hello there", stop=[stop, "never said"])
    assert cut != whole
    assert reply.message.text == streamed == whole[: whole.index(stop)]
    assert cut.startswith(reply.message.text + stop)
    assert reply.finish == "stop"
    assert reply.usage.output_tokens < 40


async def test_counts_and_finish(folder: str) -> None:
    module, words = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    reply, _ = await ours(LocalModel((module, words)), "hello")
    assert (reply.usage.output_tokens, reply.usage.requests, reply.finish) == (40, 1, "length")
    chat = [{"role": "user", "content": "hello"}]
    assert reply.usage.input_tokens == len(words.apply_chat_template(chat, add_generation_prompt=True)["input_ids"])
    module.generation_config.eos_token_id = words("hello", add_special_tokens=False)["input_ids"] + list(range(200))
    ended, _ = await ours(LocalModel((module, words)), "hello")
    assert ended.finish == "stop"
    assert ended.usage.output_tokens < 40


async def test_runs_side_by_side_are_what_each_is_alone(folder: str) -> None:
    model = LocalModel(folder)
    alone = [(await ours(model, "hello", temperature=1.2, seed=n))[0].message.text for n in range(4)]
    together: dict[int, str] = {}

    async def one(n: int) -> None:
        together[n] = (await ours(model, "hello", temperature=1.2, seed=n))[0].message.text

    async with anyio.create_task_group() as group:
        for n in range(4):
            group.start_soon(one, n)
    assert [together[n] for n in range(4)] == alone
    assert len(set(alone)) == 4


async def test_one_ref_is_one_instance_and_is_given_back(folder: str) -> None:
    first, second, own = LocalModel(folder), LocalModel(folder), LocalModel(folder, share=False)
    modules = [await in_thread(m.weights.module) for m in (first, second, own)]
    assert modules[0] is modules[1]
    assert modules[0] is not modules[2]
    mine = [key for key in keys() if key.ref == folder]
    assert len(mine) == 2
    del first, second, own, modules
    assert not [key for key in keys() if key.ref == folder]


async def test_an_agent_calls_a_tool_and_answers_from_its_result(taught: str) -> None:
    for rolled in tiny.ROLLS:
        asked: list[tuple[int, int]] = []

        @tool
        def roll(sides: int, count: int = 1) -> list[int]:
            """Roll dice."""
            asked.append((sides, count))  # noqa: B023
            return rolled  # noqa: B023

        events: list[Any] = []
        found = await Agent(f"local:{taught}", tools=[roll]).run(tiny.QUESTION, hooks=[events.append])
        assert asked == [(6, 2)]
        assert found.output == f"It is {json.dumps(rolled)}."
        said = "".join(e.text for e in events if isinstance(e, Token) and e.part == "text")
        assert said == found.output
        assert [e.finish for e in events if isinstance(e, ModelReplied)] == ["tool_calls", "stop"]
        assert found.usage.requests == 2
        assert found.usage.output_tokens > 10


async def test_the_seed_of_a_run_is_the_seed_of_its_answers(folder: str) -> None:
    agent = Agent(f"local:{folder}", params={"temperature": 1.1, "max_tokens": 20})
    first, again, other = [(await agent.run("hello", seed=seed)).output for seed in (7, 7, 8)]
    assert first == again != other


async def test_a_cancelled_call_ends_with_the_next_token(folder: str) -> None:
    words = AutoTokenizer.from_pretrained(folder)
    module = tiny.llama(words, context=100_000)
    forwards = 0
    gone = threading.Event()

    def count(*_: Any) -> None:
        nonlocal forwards
        forwards += 1

    module.register_forward_hook(count)
    model = LocalModel((module, words))
    request = Request([user("hello")], params={"max_tokens": 50_000})
    with anyio.move_on_after(20) as scope:
        await model.reply(request, delta=lambda part, text: scope.cancel())
    assert scope.cancelled_caught
    seen = forwards
    await anyio.to_thread.run_sync(gone.wait, 0.3)
    assert forwards <= seen + 2
    assert forwards < 200


async def test_a_model_of_a_hub_comes_out_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--norns--tiny"
    tiny.saved(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "v1").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    expected = theirs(str(repository / "snapshots" / commit), "hello")
    for model in (LocalModel("hf://norns/tiny@v1"), LocalModel("norns/tiny", revision="v1")):
        assert (await ours(model, "hello"))[0].message.text == expected
    with pytest.raises(ConfigError, match=r"hf://norns/tiny@v2 cannot be had"):
        await ours(LocalModel("hf://norns/tiny@v2"), "hello")


# --- what is refused, before anything is computed


async def test_a_prompt_that_is_too_long(folder: str) -> None:
    with pytest.raises(ContextTooLongError, match=r"tokens, and local:.* reads 512 in all"):
        await ours(LocalModel(folder), "x" * 600)
    reply, _ = await ours(LocalModel(folder), "x" * 490, max_tokens=400)
    assert reply.usage.input_tokens + reply.usage.output_tokens == 512
    assert reply.finish == "length"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"temprature": 1}, r"no parameter 'temprature'; did you mean 'temperature'"),
        ({"temperature": -1}, r"temperature for local:.* is -1; it is a number, 0"),
        ({"top_p": 0}, "top_p"),
        ({"top_k": 2.5}, "top_k"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": "x"}, "seed"),
        ({"stop": [""]}, "stop"),
    ],
)
async def test_bad_parameters(folder: str, params: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelRequestError, match=said):
        await ours(LocalModel(folder), "hello", **params)


async def test_without_a_chat_template(folder: str) -> None:
    module, words = AutoModelForCausalLM.from_pretrained(folder), tiny.tokenizer(template=None)
    model = LocalModel((module, words))
    reply, _ = await ours(model, "once upon")
    prompt = words("once upon", return_tensors="pt")["input_ids"]
    assert reply.message.text == words.decode(module.generate(prompt, max_new_tokens=40)[0, prompt.shape[1] :])
    with pytest.raises(ModelRequestError, match="no chat template, so it cannot be told of tools"):
        await model.reply(Request([user("hello")], tools=(ROLL,)))
    with pytest.raises(ModelRequestError, match="knows of no dialogue"):
        await model.reply(Request([system("be brief"), user("hello")]))
    deaf = LocalModel((module, words), chat_template="{{ messages[0].content }}")
    with pytest.raises(ModelRequestError, match="no place for tools"):
        await deaf.reply(Request([user("hello")], tools=(ROLL,)))
    strict = LocalModel((module, words), chat_template="{{ raise_exception('no system here') }}")
    with pytest.raises(ModelRequestError, match="no system here"):
        await strict.reply(Request([user("hello")]))


async def test_a_ref_that_is_none(tmp_path: Path) -> None:
    for ref, said in ((str(tmp_path / "nowhere"), "no folder"), (str(tmp_path), "cannot be loaded")):
        with pytest.raises(ConfigError, match=said):
            await Agent(f"local:{ref}").run("hello")
    with pytest.raises(ConfigError, match="no option 'revison'; did you mean 'revision'"):
        Agent({"name": "local:x/y", "revison": "main"})
    with pytest.raises(ConfigError, match="a ref or \\(module, tokenizer\\)"):
        LocalModel(3)  # type: ignore[arg-type]
    assert not [key for key in keys() if key.ref.startswith(str(tmp_path))]


async def test_weights_that_are_a_pickle_are_refused(tmp_path: Path) -> None:
    tiny.saved(tmp_path)
    weights = tmp_path / "model.safetensors"
    torch.save(tiny.llama(tiny.tokenizer()).state_dict(), tmp_path / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(ConfigError, match="as a pickle"):
        await ours(LocalModel(str(tmp_path)), "hello")
    (tmp_path / "pytorch_model.bin").rename(weights)
    with pytest.raises(ConfigError, match="this is a pickle"):
        await ours(LocalModel(str(tmp_path)), "hello")


async def test_weights_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save, save_file

    def broken(called: str, change: Any) -> str:
        """A folder whose weights are something else. A file of its own: weights that are loaded are mapped."""
        folder = tmp_path / called
        tiny.saved(folder)
        path = folder / "model.safetensors"
        tensors = {k: v.clone() for k, v in load_file(path).items()}
        path.unlink()
        written = change(tensors)
        if isinstance(written, bytes):
            path.write_bytes(written)
        else:
            save_file(written, path, metadata={"format": "pt"})
        return str(folder)

    name = "model.layers.1.mlp.up_proj.weight"
    bad: dict[str, tuple[Any, str]] = {
        "missing": (lambda t: {k: v for k, v in t.items() if k != name}, f"{name} is missing"),
        "misshapen": (lambda t: {**t, name: torch.zeros(3, 3)}, "up_proj"),
        "truncated": (lambda t: save(t, {"format": "pt"})[:5000], "cut off"),
        "hostile": (lambda t: b"\xff" * 5000, "safetensors"),
    }
    for called, (change, said) in bad.items():
        with pytest.raises(ConfigError, match=said):
            await ours(LocalModel(broken(called, change)), "hello")
    assert not [key for key in keys() if "CausalLM" in key.kind and key.ref.startswith(str(tmp_path))]
    nan = broken("nan", lambda t: {**t, name: t[name] * float("nan")})
    with pytest.raises(ModelReplyError, match="scores that are no numbers"):
        await ours(LocalModel(nan), "hello")


async def test_a_typed_answer_is_asked_for_in_words(folder: str) -> None:
    told: list[Any] = []
    module, words = AutoModelForCausalLM.from_pretrained(folder), tiny.tokenizer()
    words.chat_template = tiny.TEMPLATE
    model = LocalModel((module, words))
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    request = Request([user("hello")], output=schema, params={"max_tokens": 5})
    module.register_forward_pre_hook(
        lambda _, args, given: told.append(words.decode(given["input_ids"][0])), with_kwargs=True
    )
    await model.reply(request)
    assert told[0].startswith("<|system|>Your final answer must be nothing but JSON")
    assert '"age"' in told[0]


async def test_a_talk_with_tools_goes_back_through_the_template(folder: str) -> None:
    from yggdrasil.core.messages import ToolCall, ToolResult

    model = LocalModel(folder)
    talk = [
        user("hello"),
        Message("assistant", (Text("wait"), ToolCall("c1", "roll", {"sides": 6}))),
        Message("tool", (ToolResult("c1", "roll", "4"),)),
        assistant("four"),
        user("again"),
    ]
    reply = await model.reply(Request(talk, tools=(ROLL,), params={"max_tokens": 1}))
    words = AutoTokenizer.from_pretrained(folder)
    written = (
        "<|system|>tools: roll<|end|><|user|>hello<|end|>"
        '<|assistant|>wait<tool_call>{"name": "roll", "arguments": {"sides": 6}}</tool_call><|end|>'
        "<|tool|>4<|end|><|assistant|>four<|end|><|user|>again<|end|><|assistant|>"
    )
    assert reply.usage.input_tokens == len(words(written, add_special_tokens=False)["input_ids"])
