"""A stage: pipelines that turn some blocks of a world's state into another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from yggdrasil.core.state import BLOCKS
from yggdrasil.errors import ConfigError, Problem, close_names
from yggdrasil.levels.container import Child, Container
from yggdrasil.levels.node import Node

WORLD, ACTION, PROPOSAL = "world", "action", "proposal"
"""The read-only inputs a stage may have besides state blocks."""


_SPECIAL = (WORLD, ACTION, PROPOSAL)


class Stage(Container):
    """One transformation of world state.

    reads       the state blocks it sees; by default its inputs that are named like blocks
    fills       the block it fills (`patch` for world update); by default its output of that name
    ports       block -> port, where a port is named otherwise
    execution_condition   the blocks that must be filled before it runs, a preset's name, or a predicate over
                          the state (which cannot be saved)
    """

    kind: ClassVar[str] = "stage"

    def __init__(self, name: str = "", **options: Any) -> None:
        super().__init__(name, **options)
        self._reads: tuple[str, ...] | None = None
        self._fills: str | None = None
        self.ports: dict[str, str] = {}
        self.execution_condition: Sequence[str] | str | Callable[[Mapping[str, Any]], bool] | None = None

    def add_pipeline(self, what: Child, child: Child | None = None, /, **options: Any) -> Node:
        """Add a pipeline, its config or its path; see `add`."""
        return self.add(what, child, **options)

    def set_state_contract(
        self, reads: Sequence[str] | None = None, fills: str | None = None, ports: Mapping[str, str] | None = None
    ) -> None:
        """Say which state blocks it reads, which one it fills, and which port stands for which block."""
        self._reads = tuple(reads) if reads is not None else self._reads
        self._fills = fills or self._fills
        self.ports = {**self.ports, **(ports or {})}

    def set_execution_condition(self, condition: Sequence[str] | str | Callable[[Mapping[str, Any]], bool]) -> None:
        """Say when it runs: blocks that must be filled, a preset's name, or a predicate over the state."""
        self.execution_condition = condition

    @property
    def reads(self) -> tuple[str, ...]:
        """The state blocks it sees."""
        if self._reads is not None:
            return self._reads
        inputs = self.spec.inputs
        named = (n for n in inputs if n not in self.ports.values())
        mapped = (b for b, p in self.ports.items() if p in inputs)
        return tuple(b for b in (*named, *mapped) if b not in _SPECIAL)

    @property
    def fills(self) -> str:
        """The block it fills."""
        if self._fills is not None:
            return self._fills
        outputs = self.spec.outputs
        named = [b for b in (*BLOCKS, "patch") if self.ports.get(b, b) in outputs]
        if len(named) == 1:
            return named[0]
        if len(outputs) == 1:
            return next(iter(outputs))
        raise ConfigError(
            f"stage {self.name!r} gives {', '.join(outputs) or 'nothing'}: which is its block?",
            path=self.name,
            hint='set_state_contract(fills="chronicle"), or fills: chronicle in its file',
        )

    def inputs_for(
        self, state: Mapping[str, Any], world: Any = None, action: str | None = None, proposal: Any = None
    ) -> dict[str, Any]:
        """Its inputs out of a state, the content, the user's action, a dropped proposal: what it has ports for."""
        ports = self.spec.inputs
        found = {}
        for block in self.reads:
            port = self.ports.get(block, block)
            if port in ports and state.get(block) is not None:
                found[port] = state[block]
        for name, value in ((WORLD, world), (ACTION, action), (PROPOSAL, proposal)):
            if value is not None and self.ports.get(name, name) in ports:
                found[self.ports.get(name, name)] = value
        return found

    def block_from(self, outputs: Mapping[str, Any]) -> Any:
        """The value of the block it fills, out of its outputs; None when it did not come."""
        return outputs.get(self.ports.get(self.fills, self.fills))

    def accept(self, value: Any) -> Any:
        """A whole state may be handed in: `stage.run(state, action=...)` takes the blocks it reads out of it."""
        ports = self.spec.inputs
        if not isinstance(value, Mapping) or not value or not value.keys() <= {*BLOCKS, *_SPECIAL, *self.reads, *ports}:
            return value
        own = {k: v for k, v in value.items() if k in ports and (v is not None or k not in BLOCKS)}
        return own | self.inputs_for(value, *(value.get(name) for name in _SPECIAL))

    def _level_problems(self) -> list[Problem]:
        problems = []
        for block, port in self.ports.items():
            if port not in self.spec.inputs and port not in self.spec.outputs:
                known = [*self.spec.inputs, *self.spec.outputs]
                problems.append(Problem(f"ports.{block}", f"there is no port {port!r}", close_names(port, known)))
        try:
            port = self.ports.get(self.fills, self.fills)
        except ConfigError as error:
            return [*problems, Problem("fills", error.sentence, error.hint)]
        if port not in self.spec.outputs:
            hint = close_names(port, self.spec.outputs) + f'; expose_output("node.port", name="{port}")'
            problems.append(Problem("fills", f"nothing gives {port!r}", hint))
        inputs = self.spec.inputs
        return problems + [
            Problem(f"reads.{b}", f"no input takes the block {b!r}", close_names(b, inputs), "warning")
            for b in self._reads or ()
            if self.ports.get(b, b) not in inputs
        ]
