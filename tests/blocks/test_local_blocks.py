"""Local models as blocks: the ports of those behind an API, weights that are trained and saved, adapters, devices."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from transformers import AutoModel, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

from tests.blocks import tiny_language as tiny
from yggdrasil import Agent, Graph
from yggdrasil.blocks.llm.block import LocalLanguage, LocalSeeing
from yggdrasil.blocks.llm.embedding import LocalEmbedding
from yggdrasil.blocks.llm.model import LocalModel
from yggdrasil.blocks.tokenizer.transformers import Tokenizer
from yggdrasil.core.blob import Blob
from yggdrasil.core.events import Token
from yggdrasil.core.messages import Request, user
from yggdrasil.core.model_ports import EMBEDDING, LANGUAGE, SEEING
from yggdrasil.errors import BudgetError, ConfigError, ContextTooLongError, ModelRequestError, PortError
from yggdrasil.runtime.registry import REGISTRY

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.saved(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def seer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.seeing(tmp_path_factory.mktemp("seer"))


def picture(color: int) -> Blob:
    pixels = np.full((8, 8, 3), color, dtype=np.uint8)
    pixels[:4] = 255 - color
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return Blob(buffer.getvalue(), "image/png")


# --- llm/local


async def test_a_block_answers_as_the_model_does(folder: str) -> None:
    block = REGISTRY.build("llm/local", {"model": folder, "params": {"max_tokens": 12}})
    assert isinstance(block, LocalLanguage)
    assert block.spec is LANGUAGE
    assert REGISTRY.build("llm/local", block.config).config == block.config  # type: ignore[attr-defined]
    events: list[Any] = []
    found = await block.run("hello", hooks=[events.append])
    plain = await LocalModel(folder).reply(tiny_request("hello", 12))
    assert found["text"] == plain.message.text
    assert "".join(e.text for e in events if isinstance(e, Token)) == found["text"]
    assert found["usage"].output_tokens == 12
    again = await block.run({"messages": [user("hello")], "params": {"max_tokens": 5}})
    assert again["usage"].output_tokens == 5
    with pytest.raises(PortError, match="nothing to answer"):
        await block.run({"system": "be brief"})
    with pytest.raises(ModelRequestError, match="no parameter 'max_token'"):
        await block.run({"prompt": "x", "params": {"max_token": 5}})
    with pytest.raises(BudgetError):  # the first spends it all
        await two_in_a_row(block).run(prompt="hello", budget={"tokens": 1})


def tiny_request(text: str, tokens: int, **params: Any) -> Request:
    return Request([user(text)], params={"max_tokens": tokens, **params})


def two_in_a_row(block: LocalLanguage) -> Graph:
    graph = Graph("twice")
    graph.add_node("first", block)
    graph.add_node("second", block)
    graph.add_edge("first.text", "second.prompt")
    return graph


async def test_seeds_differ_by_place_and_repeat(folder: str) -> None:
    block = LocalLanguage(folder, params={"max_tokens": 15, "temperature": 1.2})
    graph = Graph("two")
    graph.add_node("a", block)
    graph.add_node("b", block)
    graph.expose_input("a.prompt", name="prompt")
    graph.add_edge("a.text", "b.prompt")
    graph.expose_output("a.text", name="first")
    graph.expose_output("b.text", name="second")
    one, again, other = [await graph.run(prompt="hello", seed=seed) for seed in (1, 1, 2)]
    assert dict(one) == dict(again)
    assert one["first"] != other["first"]


async def test_what_is_run_by_itself_has_the_seed_of_the_run_as_it_is(folder: str) -> None:
    params = {"max_tokens": 15, "temperature": 1.2}
    expected = (await LocalModel(folder).reply(tiny_request("hello", 15, temperature=1.2, seed=7))).message.text
    assert (await LocalLanguage(folder, params=params).run("hello", seed=7))["text"] == expected
    agent = Agent(f"local:{folder}", params=params)
    assert (await agent.run("hello", seed=7)).output == expected
    assert (await agent.run("hello", seed=8)).output != expected


async def test_wrappers_hand_the_place_on(folder: str, tmp_path: Path) -> None:
    from yggdrasil.models.fallback import FallbackModel
    from yggdrasil.models.recording import RecordingModel
    from yggdrasil.models.retry import Retrying

    params = {"max_tokens": 15, "temperature": 1.2}
    local = LocalModel(folder)
    expected = (await Agent(local, params=params).run("hello", seed=7)).output
    recording = RecordingModel(local, tmp_path / "calls.jsonl")
    for model in (FallbackModel([local, "scripted:echo"]), recording, Retrying(local), f"react:local:{folder}"):
        agent = Agent(model, params=params)
        assert (await agent.run("hello", seed=7)).output == expected
        assert [type(child) for child in agent.children().values()] == [LocalLanguage]


async def test_weights_are_those_of_any_neural_block(folder: str) -> None:
    block, other = LocalLanguage(folder), LocalLanguage(folder)
    parameters = block.trainable_parameters()
    assert {id(p) for p in parameters} == {id(p) for p in other.trainable_parameters()}
    block.freeze()
    assert not other.trainable_parameters()
    block.freeze(False)
    state = {name: value.clone() for name, value in block.state_dict().items()}
    assert "model.layers.0.self_attn.q_proj.weight" in state
    own = LocalLanguage(folder, share=False)
    own.load_state_dict({name: value * 2 for name, value in state.items()})
    assert torch.equal(own.state_dict()["model.norm.weight"], 2 * state["model.norm.weight"])
    assert torch.equal(block.state_dict()["model.norm.weight"], state["model.norm.weight"])
    with pytest.raises(ConfigError, match="was given a module that lies nowhere"):
        _ = LocalLanguage((tiny.llama(tiny.tokenizer()), tiny.tokenizer())).config


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
async def test_an_adapter_is_an_argument_of_the_call(folder: str, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    words = AutoTokenizer.from_pretrained(folder)
    base = tiny.llama(words)
    adapted = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "pack")
    prompt = words.apply_chat_template(
        [{"role": "user", "content": "hello"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    made = adapted.eval().generate(**prompt, max_new_tokens=20)
    expected = words.decode(made[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    block, params = LocalLanguage(folder), {"max_tokens": 20}
    plain = (await block.run({"prompt": "hello", "params": params}))["text"]
    pack = str(tmp_path / "pack")
    changed = await block.run({"prompt": "hello", "params": params}, adapters={"**": [pack]})
    assert changed["text"] == expected != plain
    assert (await block.run({"prompt": "hello", "params": params}))["text"] == plain
    agent = Agent(f"local:{folder}", params=params)
    assert (await agent.run("hello", adapters={"**/llm": [pack]})).output == expected
    assert (await agent.run("hello")).output == plain


async def test_an_agent_has_the_weights_of_its_model_below_it(folder: str) -> None:
    agent = Agent(f"local:{folder}")
    (block,) = agent.children().values()
    assert isinstance(block, LocalLanguage)
    assert len(block.trainable_parameters()) == 21
    assert not Agent("scripted:echo").children()


async def test_a_graph_with_a_local_agent_is_saved_and_loaded(folder: str, tmp_path: Path) -> None:
    graph = Graph("talk")
    graph.add_node("first", {"type": "agent/llm", "model": f"local:{folder}", "params": {"max_tokens": 10}})
    graph.add_node("second", {"type": "llm/local", "model": folder, "params": {"max_tokens": 10}})
    graph.add_edge("first.response", "second.prompt")
    before = await graph.run(prompt="hello")
    graph.save(tmp_path / "talk")
    loaded = Graph.load(tmp_path / "talk")
    assert dict(await loaded.run(prompt="hello"))["text"] == before["text"]
    files = list((tmp_path / "talk").rglob("*.safetensors"))
    assert len(files) == 1, "one ref is one record"


# --- vlm/local


async def test_a_block_sees(seer: str) -> None:
    block = REGISTRY.build("vlm/local", {"model": seer, "params": {"max_tokens": 12}})
    assert isinstance(block, LocalSeeing)
    assert block.spec is SEEING
    module, processor = AutoModelForImageTextToText.from_pretrained(seer), AutoProcessor.from_pretrained(seer)
    texts = []
    for color in (10, 200):
        image = PIL.Image.open(io.BytesIO(picture(color).data))
        chat = [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": "what?"}]}]
        prompt = processor.apply_chat_template(
            chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
        made = module.generate(**prompt, max_new_tokens=12)
        expected = processor.decode(made[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
        found = await block.run({"prompt": "what?", "image": picture(color)})
        assert found["text"] == expected
        texts.append(expected)
    assert texts[0] != texts[1]
    with pytest.raises(ModelRequestError, match="cannot be read as a picture"):
        await block.run({"prompt": "what?", "image": Blob(b"none", "image/png")})


async def test_a_model_without_eyes_refuses_pictures(folder: str) -> None:
    with pytest.raises(ModelRequestError, match="cannot be sent this Image: it takes nothing but text"):
        await Agent(f"local:{folder}").run(["what?", picture(1)])


# --- embedding/local


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
async def test_vectors_equal_those_of_the_encoder(encoder: str, pooling: str) -> None:
    texts = ["hello", "a longer one in the inn", "x"]
    block = REGISTRY.build("embedding/local", {"model": encoder, "pooling": pooling, "batch": 2})
    assert set(EMBEDDING.outputs) <= set(block.spec.outputs)
    assert block.spec.inputs == EMBEDDING.inputs
    module, words = AutoModel.from_pretrained(encoder), AutoTokenizer.from_pretrained(encoder)
    found = await block.run({"prompt": texts})
    for text, vector in zip(texts, found["vectors"], strict=True):
        states = module(**words(text, return_tensors="pt")).last_hidden_state[0]
        pooled = {"mean": states.mean(0), "cls": states[0], "last": states[-1]}[pooling]
        expected = pooled / pooled.norm()
        assert torch.allclose(torch.tensor(vector), expected, atol=1e-5)
        assert sum(n * n for n in vector) == pytest.approx(1, abs=1e-5)
    assert found["usage"].input_tokens == sum(len(words(text)["input_ids"]) for text in texts)
    assert (await block.run("hello"))["vectors"][0] == pytest.approx(found["vectors"][0], abs=1e-5)


async def test_what_an_encoder_refuses(encoder: str) -> None:
    block = LocalEmbedding(encoder)
    with pytest.raises(ContextTooLongError, match="reads 64"):
        await block.run({"prompt": ["fine", "x" * 300]})
    with pytest.raises(PortError, match="no parameters of a call: dimensions"):
        await block.run({"prompt": "x", "params": {"dimensions": 3}})
    assert (await block.run({"prompt": []}))["vectors"] == []
    with pytest.raises(ConfigError, match="pooling"):
        LocalEmbedding(encoder, pooling="max")  # type: ignore[arg-type]


async def test_gradients_go_through_an_embedding(encoder: str) -> None:
    block = LocalEmbedding(encoder, share=False)
    found = await block.run("hello", training=True)
    found["embedding"][0, 0].backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in block.trainable_parameters())


# --- tokenizer/transformers


async def test_text_to_tokens_and_back(folder: str) -> None:
    words = AutoTokenizer.from_pretrained(folder)
    there = REGISTRY.build("tokenizer/transformers", {"model": folder})
    back = REGISTRY.build("tokenizer/transformers", {"model": folder, "task": "decode"})
    found = await there.run(["hello there", "x"])
    expected = words(["hello there", "x"], padding=True, return_tensors="pt")
    assert torch.equal(found["token_ids"], expected["input_ids"])
    assert torch.equal(found["attention_mask"], expected["attention_mask"])
    assert (await back.run(found["token_ids"]))["text"] == ["hello there", "x"]
    fixed = await Tokenizer(folder, length=4).run("hello there")
    assert fixed["token_ids"].shape == (1, 4)
    graph = Graph("both")
    graph.add_node("there", there)
    graph.add_node("back", back)
    graph.add_edge("there.token_ids", "back.token_ids")
    assert (await graph.run(text="the thin man"))["text"] == "the thin man"


async def test_the_words_are_saved_with_the_graph(folder: str, tmp_path: Path) -> None:
    copy = tmp_path / "words"
    AutoTokenizer.from_pretrained(folder).save_pretrained(copy)
    graph = Graph("tokens")
    graph.add_node("words", Tokenizer(str(copy)))
    before = (await graph.run(text="the thin man"))["token_ids"]
    graph.save(tmp_path / "saved")
    for path in copy.iterdir():
        path.unlink()
    copy.rmdir()
    loaded = Graph.load(tmp_path / "saved")
    assert torch.equal((await loaded.run(text="the thin man"))["token_ids"], before)
    with pytest.raises(ConfigError, match=r"no file of a tokenizer|no file's name"):
        Tokenizer(folder).load_state_dict({"tokenizer.json": "{}", "../x.json": "{}"})
    with pytest.raises(ConfigError, match="cannot be loaded as a tokenizer"):
        Tokenizer(folder).load_state_dict({"tokenizer.json": "{}"})


def test_a_tokenizer_serves_many_threads(folder: str) -> None:
    block, model = Tokenizer(folder, length=16), LocalModel(folder)
    failed: list[Exception] = []

    def work(n: int) -> None:
        try:
            for _ in range(30):
                assert block._encode({"text": "hello " * n})["token_ids"].shape == (1, 16)
                model.weights.words("hello there")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
