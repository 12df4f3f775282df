"""A block: anything that computes, with typed ports, knowing nothing of the graph around it."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.ports import MISSING, Spec
from yggdrasil.core.result import T
from yggdrasil.errors import ConfigError, close_names


class Keeper(Protocol):
    """How blocks are written to disk and read back. `levels/saving.py` is the one there is."""

    def save(self, what: Runnable, path: str | Path) -> Any:
        """Write it; what was written."""
        ...

    def load(self, kind: type[Runnable], path: str | Path) -> Any:
        """Read one of `kind`."""
        ...


_keeper: list[Keeper] = []


def install_keeper(keeper: Keeper) -> None:
    """Set what `save` and `load` of a block go through; `yggdrasil` does it once, when it is imported."""
    _keeper[:] = [keeper]


class Block(Runnable[T]):
    """Subclass it with a `spec` and an `execute`; keep every `__init__` argument as an attribute of its name.

    `config` then rebuilds the block empty (JSON, never weights), and `state_dict` carries the rest
    (weights, an agent's memory). Blocks without parameters have neither.

        class Scale(Block):
            block_type = "demo/scale"
            spec = Spec.declare({"x": float}, {"y": float})

            def __init__(self, factor: float = 2.0) -> None:
                self.factor = factor

            async def execute(self, inputs, ctx):
                return {"y": inputs["x"] * self.factor}
    """

    block_type: str = ""
    block_id: str = ""

    @property
    @abstractmethod
    def spec(self) -> Spec:
        """The ports."""

    @property
    def role(self) -> str:
        """The part of `block_type` before the slash: what default edges go by."""
        return self.block_type.partition("/")[0]

    @property
    def label(self) -> str:
        """What a path calls it when no node names it."""
        return self.block_id or self.block_type.rpartition("/")[2] or type(self).__name__.lower()

    @property
    def config(self) -> dict[str, Any]:
        """The `__init__` arguments that differ from their defaults, as JSON values."""
        found: dict[str, Any] = {}
        for parameter in inspect.signature(type(self)).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            value = getattr(self, parameter.name, MISSING)
            if value is MISSING:
                raise ConfigError(
                    f"{type(self).__name__} does not keep its argument {parameter.name!r}, so it cannot be saved",
                    hint=f"self.{parameter.name} = {parameter.name}",
                )
            if value is not parameter.default and value != parameter.default:
                found[parameter.name] = value
        return found

    def children(self) -> Mapping[str, Runnable]:
        """Sub-blocks by name: saved, loaded and trained with this one."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What config does not say: tensors, or JSON values. Empty for most."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`; ConfigError for keys this block does not have."""
        if state:
            raise ConfigError(f"{self.block_type or self.label} has no state; got {close_names('', state)}")

    def save(self, path: str | Path) -> Any:
        """Write its config (.yaml, .yml, .json), or a checkpoint with its state: a folder, or a .ygg archive."""
        return _keeper[0].save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A block from what `save` wrote; ConfigError when it is of another class."""
        made = _keeper[0].load(cls, path)
        if not isinstance(made, cls):
            raise ConfigError(f"this is a {type(made).__name__}, not a {cls.__name__}", path=str(path))
        return made

    def trainable_parameters(self) -> Iterable[Any]:
        """The parameters that may be trained, each once. Empty for blocks without any."""
        return ()
