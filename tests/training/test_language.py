"""A tiny language model learns to answer, and nothing but the answers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from yggdrasil import ConfigError, fit
from yggdrasil.blocks.adapter.lora import LoRA
from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.training.language import IGNORED, answering, conversations, padded

pytestmark = pytest.mark.anyio

WORDS = [
    "<pad>", "<end>", "<user>", "<assistant>", "<system>",
    "what", "is", "red", "blue", "a", "colour", "berry", "sky", "?", "the", "be", "brief",
]  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}> {{ m.content }} <end> {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)
ROWS = [
    {"prompt": "what is red ?", "answer": "a berry"},
    {"prompt": "what is blue ?", "answer": "the sky", "system": "be brief"},
    {
        "messages": [
            {"role": "user", "content": "red ?"},
            {"role": "assistant", "content": "a colour"},
            {"role": "user", "content": "blue ?"},
            {"role": "assistant", "content": "a colour"},
        ]
    },
]


def tokenizer() -> Any:
    plain = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<pad>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", eos_token="<end>")
    made.chat_template = TEMPLATE
    return made


def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, pad_token_id=0, eos_token_id=1, bos_token_id=None,
        )
    )  # fmt: skip


def said(tokens: torch.Tensor) -> str:
    return " ".join(WORDS[int(token)] for token in tokens)


def test_only_what_the_assistant_says_is_learned() -> None:
    rows = conversations(ROWS, tokenizer())
    first = rows[0]
    assert said(first["input_ids"]) == "<user> what is red ? <end> <assistant> a berry <end>"
    assert said(first["labels"][first["labels"] != IGNORED]) == "a berry <end>"
    assert said(rows[2]["labels"][rows[2]["labels"] != IGNORED]) == "a colour <end> a colour <end>"
    batch = padded(tokenizer())(rows)
    assert {name: tuple(value.shape) for name, value in batch.items()} == dict.fromkeys(batch, (3, 16))
    assert batch["attention_mask"].sum(1).tolist() == [10, 14, 16]
    assert (batch["labels"][batch["attention_mask"] == 0] == IGNORED).all()


def test_rows_with_nothing_to_learn_are_refused() -> None:
    for rows, sentence in (
        ([{"prompt": "red ?"}], "row 0 has prompt"),
        ([ROWS[0], {"messages": [{"role": "user", "content": "red ?"}]}], "row 1 has nothing to learn"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            conversations(rows, tokenizer())
    with pytest.raises(ConfigError, match="row 0 has nothing to learn within 6 tokens"):
        conversations(ROWS, tokenizer(), length=6)
    forgetful = tokenizer()
    forgetful.chat_template = TEMPLATE.replace("in messages", "in messages[-3:]")
    with pytest.raises(ConfigError, match="row 2: the chat template writes message 1 otherwise"):
        conversations(ROWS, forgetful)


async def test_it_learns_to_answer() -> None:
    language, words = model(), tokenizer()
    graph = answering(Holding(language))
    fitted = await fit(
        graph, conversations(ROWS, words), losses={"loss": "mean"}, collate=padded(words), select="**/llm", lr=0.01,
        steps=60, batch_size=3,
    )  # fmt: skip
    assert fitted.loss < 0.1 < fitted.losses[0]
    asked = words.apply_chat_template(
        [{"role": "user", "content": "what is red ?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    answer = language.generate(**asked, max_new_tokens=3, do_sample=False)[0, asked["input_ids"].shape[1] :]
    assert said(answer) == "a berry <end>"


async def test_an_adapter_learns_alone() -> None:
    language, words = model(), tokenizer()
    before = {name: value.clone() for name, value in language.state_dict().items()}
    lora = LoRA.new({"model": language}, rank=4, select="**.q_proj|**.v_proj|**.down_proj")
    fitted = await fit(
        answering(Holding(language)), conversations(ROWS, words), losses={"loss": "mean"}, collate=padded(words),
        adapters={"**/llm": lora}, lr=0.02, steps=30, batch_size=3,
    )  # fmt: skip
    assert fitted.loss < 0.9 * fitted.losses[0]
    assert all(torch.equal(value, before[name]) for name, value in language.state_dict().items())


class Holding(NeuralBlock):
    """A block with a language model, as those of blocks/llm are."""

    def __init__(self, language: torch.nn.Module) -> None:
        super().__init__(lambda text: text, name="local")
        self._language = language

    def modules(self, device: str | None = None) -> dict[str, torch.nn.Module]:
        return {"model": self._language}


def test_a_block_without_a_language_model_is_refused() -> None:
    graph = answering(NeuralBlock(torch.nn.Linear(4, 4)))
    with pytest.raises(ConfigError, match="which one is the language model"):
        graph.nodes["llm"].block.modules()  # type: ignore[attr-defined]
