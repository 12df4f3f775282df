"""A seat: what runs in one place of the cycle, and how it meets the state. A Stage, or anything with fitting ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.core.binding import check_inputs, check_outputs, with_defaults
from yggdrasil.core.cycle import CANON, DEVELOPMENT, PATCH, UPDATE, Condition, Step
from yggdrasil.core.frozen import shown, thaw
from yggdrasil.core.patience import Patience, transient
from yggdrasil.core.ports import fits, misfit, port_type
from yggdrasil.core.state import BLOCKS, StateSchema, filled
from yggdrasil.errors import ConfigError, PortError, Problem, close_names
from yggdrasil.levels.node import Node
from yggdrasil.levels.stage import ACTION, PROPOSAL, WORLD, Stage
from yggdrasil.runtime.limits import Limits
from yggdrasil.runtime.wrap import Retry

_SPECIAL = (WORLD, ACTION, PROPOSAL)
_CANON = {step.name: step for step in CANON}


class Seat:
    """One node of a world. `step` says which block it fills and when; the node's policies wrap the run."""

    def __init__(
        self,
        name: str,
        node: Node,
        limits: Limits,
        condition: Condition | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.name, self.node = name, node
        self.block = node.block
        self.stage = node.block if isinstance(node.block, Stage) else None
        self._runnable = node.runnable(limits)
        if patience is not None and patience.retry > 1 and node.retry is None:
            self._runnable = Retry(
                self._runnable, patience.retry, first=patience.first, longest=patience.longest, when=transient
            )
        canon = _CANON.get(name)
        self.fills = self._fills(canon)
        if condition is None and self.stage is not None:
            condition = self.stage.execution_condition
        if condition is None:
            condition = canon.condition if canon is not None else self.reads
        self.step = Step(name, self.fills, condition)

    def _fills(self, canon: Step | None) -> str:
        if self.stage is not None and (self.stage._fills is not None or canon is None):
            return self.stage.fills
        if canon is not None:
            return canon.fills
        outputs = list(self.block.spec.outputs)
        if len(outputs) != 1:
            raise ConfigError(
                f"which block does {self.name} fill? It gives {', '.join(outputs) or 'nothing'}",
                path=self.name,
                hint=f'a Stage with set_state_contract(fills="{(outputs or ["style"])[0]}")',
            )
        return outputs[0]

    @property
    def reads(self) -> tuple[str, ...]:
        """The state blocks it sees."""
        if self.stage is not None:
            return self.stage.reads
        return tuple(name for name in self.block.spec.inputs if name not in _SPECIAL)

    @property
    def port(self) -> str:
        """The output port that gives its block."""
        if self.stage is not None:
            return self.stage.ports.get(self.fills, self.fills)
        outputs = self.block.spec.outputs
        if self.fills in outputs:
            return self.fills
        return next((n for n in ("output", "response") if n in outputs), next(iter(outputs), ""))

    def takes(self, name: str) -> bool:
        """Whether it has an input for `world`, `action` or `proposal`."""
        ports = self.stage.ports if self.stage is not None else {}
        return ports.get(name, name) in self.block.spec.inputs

    def inputs(self, state: Mapping[str, Any], world: Any, action: str | None, proposal: Any) -> dict[str, Any]:
        """Its inputs: only what it has ports for, and copies of its own."""
        state, proposal = {block: shown(value) for block, value in state.items()}, shown(proposal)
        if self.stage is not None:
            found = self.stage.inputs_for(state, world, action, proposal)
        else:
            ports = self.block.spec.inputs
            values = {**state, WORLD: world, ACTION: action, PROPOSAL: proposal}
            found = {name: values[name] for name in ports if values.get(name) is not None}
        check_inputs(self.block.spec, found, self.name)
        return with_defaults(self.block.spec, found)

    async def run(self, inputs: Mapping[str, Any], ctx: RunContext) -> Any:
        """The value of the block it fills; None when it did not come."""
        outputs = await self._runnable.execute(inputs, ctx)
        check_outputs(self.block.spec, outputs, ctx.path)
        return thaw(outputs.get(self.port))  # a copy: it may hold on to what it gave

    @property
    def requires(self) -> tuple[str, ...]:
        """The state blocks it cannot do without: their ports have no default."""
        ports = self.stage.ports if self.stage is not None else {}
        found = {block: self.block.spec.inputs.get(ports.get(block, block)) for block in self.reads}
        return tuple(block for block, port in found.items() if port is None or port.required)

    def check(self, value: Any, schema: StateSchema, path: str) -> None:
        """PortError or RunError when a value cannot be the block it fills, whoever gives it."""
        reason = misfit(self.block.spec.outputs[self.port].type, value)
        if reason:
            raise PortError(f"{self.fills!r} {reason}", path=path)
        if self.fills != PATCH:
            if not filled(value):
                raise PortError(f"{self.fills!r} would be empty", path=path, hint="--skip leaves it empty")
            schema.check_block(self.fills, value, path)

    def problems(self, schema: StateSchema) -> list[Problem]:
        """What is wrong with it in this seat."""
        found = []
        known = (*schema.blocks, *_SPECIAL)
        for name, port in self.block.spec.inputs.items():
            if self.stage is not None and name in self.stage.ports.values():
                continue
            if name not in known and port.required:
                found.append(
                    Problem(f"{self.name}/{name}", f"nothing in a world feeds {name!r}; {close_names(name, known)}")
                )
        for block in self.reads:
            if block not in schema.blocks and block in (self.stage.reads if self.stage is not None else ()):
                close = close_names(block, schema.blocks)
                found.append(Problem(f"{self.name}/{block}", f"there is no state block {block!r}; {close}"))
        if self.fills not in (*schema.blocks, PATCH):
            close = close_names(self.fills, schema.blocks)
            found.append(
                Problem(self.name, f"it fills {self.fills!r}, which is no state block; {close}", "schema: [style]")
            )
        return found + self._nothing_reaches_it(known) + self._output_problems()

    def _nothing_reaches_it(self, known: Sequence[str]) -> list[Problem]:
        """An agent with its own ports: its prompt is no state block, so it would be asked nothing."""
        inputs = self.block.spec.inputs
        if self.stage is not None or "prompt" not in inputs or set(inputs) & set(known):
            return []
        sentence = f"nothing of the world reaches it: its inputs are {', '.join(inputs)}"
        hint = 'a Stage around it: stage.add_node("ask", agent); stage.expose_input("ask.prompt", name="intent")'
        return [Problem(self.name, sentence, hint)]

    def _output_problems(self) -> list[Problem]:
        outputs = self.block.spec.outputs
        if self.port not in outputs:
            named = ", ".join(outputs) or "nothing"
            return [Problem(self.name, f"it must give {self.fills!r}, and gives {named}")]
        found = []
        if self.name == UPDATE and not fits(outputs[self.port].type, port_type(list[dict[str, Any]])):
            kind = outputs[self.port].type
            found.append(Problem(f"{self.name}/{self.port}", f"a patch is a list of operations, not {kind}"))
        if self.name == DEVELOPMENT and not self.takes(ACTION):
            found.append(Problem(self.name, "it has no input 'action': what users do is ignored", level="warning"))
        elif self.name != DEVELOPMENT and self.takes(ACTION):
            found.append(Problem(f"{self.name}/action", "only environment/development is given the action"))
        if self.stage is not None:
            found += [Problem(f"{self.name}/{p.path}", p.sentence, p.hint, p.level) for p in self.stage.validate()]
        return found


def as_condition(value: Any, path: str) -> Condition:
    """A condition from a file or a call: a list of blocks, a preset's name, or a predicate. ConfigError otherwise."""
    if callable(value) or isinstance(value, str):
        return value  # type: ignore[no-any-return]
    if isinstance(value, Sequence) and all(isinstance(block, str) for block in value):
        return tuple(value)
    raise ConfigError(f"{value!r} is no condition", path=path, hint=f"a list of blocks: [{', '.join(BLOCKS[:2])}]")
