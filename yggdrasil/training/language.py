"""Supervised fine-tuning of local language models: dialogues to tokens, of which only the answers are learned.

rows = conversations([{"prompt": "2 + 2?", "answer": "4"}, ...], tokenizer)
await fit(answering(block), rows, losses={"loss": "mean"}, collate=padded(tokenizer), select="**/llm")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.neural import Neural
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError
from yggdrasil.levels.graph import Graph

IGNORED = -100
"""The label of a token that is not learned, as torch's cross entropy has it."""


def conversations(
    rows: Sequence[Mapping[str, Any]], tokenizer: Any, *, length: int | None = None
) -> list[dict[str, torch.Tensor]]:
    """Rows as `input_ids` and `labels` (whole numbers, [T]), by the tokenizer's chat template.

    rows    {"messages": [{"role": ..., "content": ...}, ...], "tools": [...]?}, or {"prompt": ..., "answer": ...,
            "system": ...?}. What the assistant says is learned, the end of its turn too; the rest is read only
    length  at most so many tokens of each; what comes after is cut off

    ConfigError names the row in which nothing is left to learn, or where a template writes a turn otherwise once
    another one follows it.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ConfigError("the tokenizer has no chat template", hint="tokenizer.chat_template = ...")
    return [
        _tokens(_messages(row, number), row.get("tools"), tokenizer, length, number) for number, row in enumerate(rows)
    ]


def _messages(row: Mapping[str, Any], number: int) -> list[dict[str, Any]]:
    if "messages" in row:
        return [dict(message) for message in row["messages"]]
    if not isinstance(row.get("prompt"), str) or not isinstance(row.get("answer"), str):
        hint = '{"prompt": "...", "answer": "..."} or {"messages": [...]}'
        raise ConfigError(f"row {number} has {', '.join(row) or 'nothing'}", hint=hint)
    before = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    return [*before, {"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["answer"]}]


def _tokens(
    messages: list[dict[str, Any]], tools: Any, tokenizer: Any, length: int | None, number: int
) -> dict[str, torch.Tensor]:
    def written(upto: int, *, ask: bool = False) -> list[int]:
        given = tokenizer.apply_chat_template(
            messages[:upto], tools=tools, add_generation_prompt=ask, tokenize=True, return_dict=True
        )
        found: list[int] = list(given["input_ids"])
        return found

    whole = written(len(messages))
    labels = [IGNORED] * len(whole)
    for turn, message in enumerate(messages):
        if message.get("role") != "assistant":
            continue
        before, after = written(turn, ask=True), written(turn + 1)
        if whole[: len(after)] != after or after[: len(before)] != before:
            sentence = f"row {number}: the chat template writes message {turn} otherwise once there is more"
            raise ConfigError(sentence, hint="one row for each answer, with the messages before it")
        labels[len(before) : len(after)] = after[len(before) :]
    whole, labels = whole[:length], labels[:length]
    if all(label == IGNORED for label in labels):
        within = f" within {length} tokens" if length is not None else ""
        raise ConfigError(f"row {number} has nothing to learn{within}", hint='{"role": "assistant", "content": "..."}')
    return {"input_ids": torch.tensor(whole), "labels": torch.tensor(labels)}


def padded(tokenizer: Any) -> Callable[[list[Any]], dict[str, torch.Tensor]]:
    """What makes a batch of rows of several lengths: `fit(..., collate=padded(tokenizer))`.

    input_ids, labels and attention_mask, each [B, the longest T], filled up on the right.
    """
    filler = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0

    def collate(rows: list[Any]) -> dict[str, torch.Tensor]:
        def joined(values: list[torch.Tensor], value: int) -> torch.Tensor:
            return torch.nn.utils.rnn.pad_sequence(values, batch_first=True, padding_value=value)

        ids = [row["input_ids"] for row in rows]
        return {
            "input_ids": joined(ids, filler),
            "labels": joined([row["labels"] for row in rows], IGNORED),
            "attention_mask": joined([torch.ones_like(one) for one in ids], 0),
        }

    return collate


class Answers(Neural):
    """How sure a causal language model is of given answers: the mean cross entropy of the tokens with a label.

    block   holds the model, as one of its `modules()`; `module` names which, where there are several
    """

    block_type = "loss/answers"

    def __init__(self, block: Neural, module: str = "") -> None:
        self.block, self.module = block, module

    @property
    def spec(self) -> Spec:
        """In: input_ids, labels, attention_mask?. Out: loss, tokens (how many were learned)."""
        return SPEC

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The block's; ConfigError where there is no causal language model among them."""
        there = self.block.modules(device)
        self._chosen(there)
        return there

    def _chosen(self, there: Mapping[str, torch.nn.Module]) -> torch.nn.Module:
        named = [self.module] if self.module else [n for n, m in there.items() if _speaks(m)]
        if len(named) != 1 or named[0] not in there:
            found = ", ".join(there) or "no modules"
            sentence = f"{self.block.label} has {found}: which one is the language model?"
            raise ConfigError(sentence, path=self.block.label, hint='answering(block, module="model")')
        return there[named[0]]

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """The model reads all; each labelled token is asked for at the one before (logits t against label t + 1)."""
        model = self._chosen(self.block.modules(ctx.device))
        where = next(model.parameters()).device
        ids, labels = inputs["input_ids"].to(where), inputs["labels"].to(where)
        mask = inputs.get("attention_mask")
        given = model(input_ids=ids, attention_mask=None if mask is None else mask.to(where), use_cache=False)
        logits, wanted = given.logits[:, :-1].float(), labels[:, 1:]
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)
        return {"loss": loss, "tokens": int((wanted != IGNORED).sum())}


SPEC = Spec.declare(
    [
        port("input_ids", torch.Tensor, doc="[B, T]"),
        port("labels", torch.Tensor, doc="[B, T]; -100 where nothing is learned"),
        port("attention_mask", torch.Tensor, optional=True, doc="[B, T]; 0 for what only fills up"),
    ],
    [port("loss", torch.Tensor), port("tokens", int)],
    doc="The loss of a causal language model.",
)


def _speaks(module: torch.nn.Module) -> bool:
    """Whether a module gives scores over tokens, as transformers' causal models do."""
    head = getattr(module, "get_output_embeddings", None)
    return head is not None and head() is not None


def answering(block: Neural, *, name: str = "llm", module: str = "") -> Graph:
    """A graph that trains the language model of a block: its one node is `name`, which globs and adapters go by."""
    graph = Graph("answering")
    graph.add(name, Answers(block, module))
    return graph
