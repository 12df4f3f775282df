"""A node: a place in a level, with one block and the policies of that place."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.ports import Spec
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.runtime.function import FunctionBlock
from yggdrasil.runtime.limits import Limits
from yggdrasil.runtime.wrap import Cache, Gate, Limit, On, Retry, Timeout, gated


@dataclass
class Node:
    """A place. `block` may sit in several nodes; the policies are this place's own.

    retry      how many attempts in all
    timeout    seconds for one attempt
    cache      keep outputs by input signature: True, or how many
    limit      the named resource it holds while it runs
    gate       gives it an input `when` that must be true
    max_batch  of a neural block: concurrent calls are computed together, so many rows at most (see `Batched`)
    max_wait   seconds for which such a call waits for others
    trainable  whether training may change its block; None: not said
    device, endpoint_url   where it runs
    ref        the file it was read from, written back when saved
    """

    node_id: str
    block: Runnable
    retry: int | None = None
    timeout: float | None = None
    cache: bool | int = False
    limit: str | None = None
    gate: bool = False
    max_batch: int | None = None
    max_wait: float | None = None
    trainable: bool | None = None
    device: str | None = None
    endpoint_url: str | None = None
    ref: str | None = None
    auto_connect: bool = field(default=False, repr=False)
    connect: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def role(self) -> str:
        """The block's role."""
        return self.block.role if isinstance(self.block, Block) else self.block.block_type

    @property
    def spec(self) -> Spec:
        """The ports of the place: the block's, and `when` where it is gated."""
        return gated(self.block.spec, self.node_id) if self.gate else self.block.spec

    def runnable(self, limits: Limits, block: Runnable | None = None) -> Runnable:
        """The block in its policies, from inside: timeout (waiting for a resource does not count), limit, retry, ..."""
        made = block if block is not None else self.block
        if self.endpoint_url is not None:
            raise ConfigError(
                f"node {self.node_id!r} runs on {self.endpoint_url}: remote children are not in this version",
                path=self.node_id,
                hint="take endpoint_url out to run it here",
            )
        if self.max_batch is not None:
            from yggdrasil.blocks.batching import Batched

            made = Batched(made, self.max_batch, self.max_wait or 0.0)
        if self.device is not None:
            made = On(made, self.device)
        if self.timeout is not None:
            made = Timeout(made, self.timeout)
        if self.limit is not None:
            made = Limit(made, self.limit, limits)
        if self.retry is not None:
            made = Retry(made, self.retry)
        if self.cache:
            made = Cache(made) if self.cache is True else Cache(made, self.cache)
        return Gate(made) if self.gate else made


POLICIES = frozenset(f.name for f in fields(Node)) - {"node_id", "block"}
"""The keys that are a node's own; the rest of a node's config is its block's."""


_FORMS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "retry": ((int,), "retry: 3"),
    "timeout": ((int, float), "timeout: 60   # seconds"),
    "cache": ((int, bool), "cache: true"),
    "limit": ((str,), "limit: gpu"),
    "gate": ((bool,), "gate: true"),
    "max_batch": ((int,), "max_batch: 16   # rows"),
    "max_wait": ((int, float), "max_wait: 0.005   # seconds, beside max_batch"),
    "trainable": ((bool,), "trainable: false"),
    "device": ((str,), "device: cuda:0"),
    "endpoint_url": ((str,), 'endpoint_url: "http://127.0.0.1:8101"'),
    "ref": ((str,), "ref: graphs/answer.yaml"),
    "auto_connect": ((bool,), "auto_connect: true"),
}


def check_policies(policies: Mapping[str, Any]) -> None:
    """ConfigError for a key that is none, or a value that cannot be."""
    for name, value in policies.items():
        if name not in POLICIES:
            raise ConfigError(f"a node has no {name!r}; {close_names(name, POLICIES)}")
        kinds, hint = _FORMS.get(name, ((object,), ""))
        wrong = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
        few = name in ("retry", "timeout", "max_batch") and not wrong and not value > 0
        if value is not None and (wrong or few):
            raise ConfigError(f"{name} is {value!r}", hint=hint)
    if policies.get("max_wait") is not None and policies.get("max_batch") is None:
        raise ConfigError("max_wait is for nodes with a max_batch", hint="max_batch: 16   # rows")


def as_runnable(what: Any) -> Runnable:
    """What is runnable as it is; a plain function becomes a block. ConfigError for what cannot be a node."""
    if isinstance(what, type):
        raise ConfigError(f"{what.__name__} is a class, not a block", hint=f"{what.__name__}()")
    if not isinstance(what, Runnable) and not callable(what):
        hint = "a block, a level, a function, a config mapping, or a path"
        raise ConfigError(f"{type(what).__name__} cannot be a node", hint=hint)
    made: Runnable = what if isinstance(what, Runnable) else _block(what)
    if isinstance(made, FunctionBlock):
        made.require_config()
    return made


def _block(what: Any) -> Runnable:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(what, torch.nn.Module):
        from yggdrasil.blocks.neural import NeuralBlock

        return NeuralBlock(what)
    return FunctionBlock(what)
