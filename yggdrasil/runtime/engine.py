"""The engine: a plan compiled once to flat arrays, then a tight loop. It knows no agents, no remotes, no levels.

Every value lives in one table: slot 0 holds the level's inputs, slot i what node i gave (None: it did not run).
A step starts the moment what it needs is there. A lone ready step is awaited in place; a task is spawned only
where two or more are ready. Finishing order cannot change results: each step writes only its own slot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any

import anyio.lowlevel

from yggdrasil.abc.context import RunContext, Turn
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.binding import check_outputs, check_shapes, has_shapes
from yggdrasil.core.events import LoopIterated, NodeFailed, NodeFinished, NodeSkipped, NodeStarted
from yggdrasil.core.merge import merge
from yggdrasil.core.plan import Binding, LoopStep, NodeStep, Plan
from yggdrasil.core.ports import MISSING, misfit
from yggdrasil.core.topology import OUTSIDE, Endpoint
from yggdrasil.core.value import Value
from yggdrasil.errors import PortError, RunError
from yggdrasil.runtime.call import located
from yggdrasil.runtime.fingerprint import fingerprint
from yggdrasil.runtime.group import concurrently

Table = list[Any]
Until = Callable[[Mapping[str, Any]], bool]
Call = Callable[[Mapping[str, Any], RunContext], Awaitable[Mapping[str, Any]]]


_NONE: Mapping[str, int] = {}


class LoopBound(Value):
    """When loops end: after `steps` iterations, or when `until` (an output that is true, or a predicate) holds.

    `own`: the schedule lengths that nodes bring along, used where nothing else is said.
    """

    steps: int | None = None
    until: Endpoint | Until | None = None
    own: Mapping[str, int] = _NONE


class Program:
    """A compiled plan; reusable, and safe for concurrent runs."""

    __slots__ = ("_line", "_loops", "_outputs", "_size", "_steps")

    def __init__(self, plan: Plan, runnables: Mapping[str, Runnable], bound: LoopBound) -> None:
        slots = {OUTSIDE: 0, **{node: i for i, node in enumerate(plan.order, 1)}}
        self._size = len(slots)
        self._steps: tuple[_Step, ...] = tuple(
            _Loop(step, runnables, slots, bound) if isinstance(step, LoopStep) else _Node(step, runnables, slots)
            for step in plan.steps
        )
        self._line = link(self._steps, [s.after for s in plan.steps])
        self._loops = tuple(s for s in self._steps if isinstance(s, _Loop))
        self._outputs = [(name, slots[end.node], end.port) for name, end in plan.outputs.items()]

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> dict[str, Any]:
        """Run all steps; the outputs that came."""
        for loop in self._loops:
            loop.total(ctx)  # a loop without a bound is refused before anything is spent
        table: Table = [None] * self._size
        table[0] = inputs
        if self._line:
            for step in self._steps:
                await step.run(table, ctx, table, False)
        else:
            await _run_wide(self._steps, table, ctx, table, False)
        found = {}
        for name, slot, port in self._outputs:
            outputs = table[slot]
            if outputs is not None and port in outputs:
                found[name] = outputs[port]
        return found


class _Step:
    __slots__ = ("need", "next")
    need: int
    next: tuple[int, ...]

    async def run(self, table: Table, ctx: RunContext, previous: Table, first: bool) -> None:
        """Read what is needed from `table` (and `previous`), write the own slots."""
        raise AssertionError("abstract")


def link(steps: Sequence[_Step], after: Sequence[tuple[int, ...]]) -> bool:
    """Tell each step its successors; whether the steps form one line, each waiting for the one before."""
    following: list[list[int]] = [[] for _ in steps]
    for i, before in enumerate(after):
        steps[i].need = len(before)
        for b in before:
            following[b].append(i)
    for step, successors in zip(steps, following, strict=True):
        step.next = tuple(successors)
    return all(i == 0 or i - 1 in before for i, before in enumerate(after))


async def _run_wide(steps: Sequence[_Step], table: Table, ctx: RunContext, previous: Table, first: bool) -> None:
    waiting = [step.need for step in steps]
    roots = [i for i, need in enumerate(waiting) if not need]

    async def work(i: int) -> None:
        while True:
            step = steps[i]
            await step.run(table, ctx, previous, first)
            onward = -1
            for j in step.next:
                waiting[j] -= 1
                if not waiting[j]:
                    if onward < 0:
                        onward = j
                    else:
                        spawn(work, j)
            if onward < 0:
                return
            i = onward

    async with concurrently() as spawn:
        for root in roots[1:]:
            spawn(work, root)
        if roots:
            await work(roots[0])


class _Node(_Step):
    __slots__ = (
        "_call", "_constants", "_first", "_later", "_name", "_plain", "_runnable", "_slot", "_trusted", "_type",
    )  # fmt: skip

    def __init__(self, step: NodeStep, runnables: Mapping[str, Runnable], slots: Mapping[str, int]) -> None:
        runnable = runnables[step.node]
        self._runnable = runnable
        self._call: Call = runnable.execute
        self._name = step.node
        self._slot = slots[step.node]
        self._type = runnable.block_type
        # what builds its outputs from its own spec need not be checked again
        self._trusted = getattr(runnable, "trusted", False)
        if has_shapes(runnable.spec):
            self._call, self._trusted = _within_shapes(runnable), True
        self._later = tuple(_Feed(b, slots) for b in step.bindings)
        self._first = tuple(_Feed(b, slots) for b in step.first)
        self._constants = {f.name: f.default for f in self._later if f.constant}
        fed = [f for f in self._later if not f.constant]
        simple = all(f.simple for f in fed) and step.first == step.bindings
        # the common case: every input from one source as it is, or a default
        self._plain = tuple((f.name, *f.sources[0][:2]) for f in fed) if simple else None

    async def run(self, table: Table, ctx: RunContext, previous: Table, first: bool) -> None:
        """Gather the inputs, call the block, keep its outputs."""
        here = RunContext(ctx.run, self._name, ctx, ctx.budget)
        try:
            if self._plain is None:
                inputs = self._gather(table, here, previous, first)
            else:
                try:
                    inputs = {name: table[slot][port] for name, slot, port in self._plain}
                    if self._constants:
                        inputs |= self._constants
                except (KeyError, TypeError):  # something did not come
                    inputs = self._gather(table, here, previous, first)
            if inputs is None:
                table[self._slot] = None
                return
            if ctx.run.hooks:
                here.emit(NodeStarted, block=self._type)
            outputs = await self._call(inputs, here)
            if not self._trusted:
                check_outputs(self._runnable.spec, outputs, here.path)
        except Exception as error:
            if ctx.run.hooks:
                here.emit(NodeFailed, error=str(error), error_type=type(error).__name__)
            failure = located(error, here.path)
            if failure is error:
                raise
            raise failure from failure.__cause__
        table[self._slot] = outputs
        if ctx.run.hooks:
            here.emit(NodeFinished, outputs=tuple(outputs))

    def _gather(self, table: Table, here: RunContext, previous: Table, first: bool) -> dict[str, Any] | None:
        """What the block is given; None when something it needs did not come."""
        inputs = {}
        for feed in self._first if first else self._later:
            value = feed.value(table, previous, here)
            if value is not MISSING:
                inputs[feed.name] = value
            elif feed.required:
                here.emit(NodeSkipped, reason=f"nothing came for {feed.name}")
                return None
        return inputs


def _within_shapes(runnable: Runnable) -> Call:
    """Call it where its ports say shapes: all tensors that go in and come out have them, and agree."""

    async def call(inputs: Mapping[str, Any], here: RunContext) -> Mapping[str, Any]:
        check_shapes(runnable.spec, inputs, here.path)
        outputs = await runnable.execute(inputs, here)
        check_outputs(runnable.spec, outputs, here.path, inputs)
        return outputs

    return call


class _Feed:
    """What fills one input: its sources as (slot, port, cast, from the previous iteration, type to check, id)."""

    __slots__ = ("constant", "default", "many", "name", "optional", "required", "simple", "sources")

    def __init__(self, binding: Binding, slots: Mapping[str, int]) -> None:
        port = binding.port
        self.name = port.name
        self.many = binding.many
        self.default = port.default
        self.required = port.required
        self.optional = port.optional or port.default is None
        self.sources = [
            (slots[s.end.node], s.end.port, s.cast, s.previous, s.unsure, str(s.end)) for s in binding.sources
        ]
        only = binding.sources[0] if len(binding.sources) == 1 else None
        self.constant = not binding.sources
        self.simple = (
            only is not None
            and only.cast is None
            and only.unsure is None
            and not only.previous
            and self.many in ("single", "first")
        )

    def value(self, table: Table, previous: Table, here: RunContext) -> Any:
        """The value, the default, or MISSING."""
        found = []
        for slot, port, cast, back, unsure, name in self.sources:
            outputs = (previous if back else table)[slot]
            if outputs is not None and port in outputs:
                value = outputs[port]
                if unsure is not None and not (value is None and self.optional):
                    reason = misfit(unsure, value)
                    if reason:
                        raise PortError(f"input {self.name!r} {reason} (from {name})", path=here.path)
                found.append((name, value if cast is None else cast(value)))
        if not found:
            return self.default
        return found[0][1] if self.many == "single" else merge(self.many, found, here.path)


class _Loop(_Step):
    __slots__ = ("_body", "_carried", "_given", "_line", "_nodes", "_own", "_slots", "_steps", "_until")

    def __init__(
        self, step: LoopStep, runnables: Mapping[str, Runnable], slots: Mapping[str, int], bound: LoopBound
    ) -> None:
        self._body = tuple(_Node(s, runnables, slots) for s in step.body)
        self._line = link(self._body, [s.after for s in step.body])
        self._nodes = tuple(sorted(step.nodes))
        self._steps = bound.steps
        self._own = next((bound.own[n] for n in self._nodes if n in bound.own), None)
        until = bound.until
        # an output ends the loop that it is in; a predicate ends any
        self._until = None if isinstance(until, Endpoint) and until.node not in self._nodes else until
        self._slots = {node: slots[node] for node in self._nodes}
        names = {slot: node for node, slot in slots.items()}
        read = [s for n in self._body for feed in (*n._first, *n._later) for s in feed.sources]
        self._carried = sorted({(names[slot], port) for slot, port, _, back, *_ in read if back})
        self._given = sorted({(slot, port) for slot, port, *_ in read if names[slot] not in self._slots})

    async def run(self, table: Table, ctx: RunContext, previous: Table, first: bool) -> None:
        """Iterate; back edges read what the iteration before left in the table."""
        total = self.total(ctx)
        turns = None if ctx.run.effects is None else ctx.run.effects.turns
        start, given = 0, ""
        if turns is not None:
            given = self._digest(table, ctx, total)
            found = await turns.last_turn(ctx, self._nodes, given)
            if found is not None:
                start = found[0] + 1
                for node, outputs in found[1].items():
                    table[self._slots[node]] = outputs
        for iteration in count(start):
            if total is not None and iteration >= total:
                break
            ctx.emit(LoopIterated, iteration=iteration, total=total)
            before = list(table)
            turn = Turn(ctx, iteration)
            if self._line:
                for step in self._body:
                    await step.run(table, turn, before, iteration == 0)
            else:
                await _run_wide(self._body, table, turn, before, iteration == 0)
            if self._ended(table):
                break
            if turns is not None and (total is None or iteration + 1 < total):
                await turns.keep_turn(ctx, self._nodes, given, iteration, self._carry(table))
            await anyio.lowlevel.checkpoint()  # a loop of blocks that never wait can still be cancelled

    def _digest(self, table: Table, ctx: RunContext, total: int | None) -> str:
        """What tells this run of the loop from one that began with something else."""
        values = [(slot, port, (table[slot] or {}).get(port)) for slot, port in self._given]
        try:
            return fingerprint([values, ctx.run.seed, total])
        except PortError as error:
            sentence = f"what the loop of {', '.join(self._nodes)} begins with cannot be told apart: {error.sentence}"
            hint = "durability: effect; or plain values, tensors and Blobs"
            raise PortError(sentence, path=ctx.path, hint=hint) from error

    def _carry(self, table: Table) -> dict[str, dict[str, Any]]:
        """What the next iteration reads of this one, by node and port."""
        found: dict[str, dict[str, Any]] = {}
        for node, port in self._carried:
            outputs = table[self._slots[node]]
            if outputs is not None and port in outputs:
                found.setdefault(node, {})[port] = outputs[port]
        return found

    def total(self, ctx: RunContext) -> int | None:
        """From the run call, else the graph, else a node's own schedule; none of them is an error without `until`."""
        total = ctx.run.loop_steps if ctx.run.loop_steps is not None else self._steps
        if total is None and self._until is None:
            total = self._own
        if total is None and self._until is None:
            names = ", ".join(self._nodes)
            raise RunError(f"the loop of {names} has no bound", path=ctx.path, hint="run(..., num_loop_steps=30)")
        return total

    def _ended(self, table: Table) -> bool:
        until = self._until
        if until is None:
            return False
        if isinstance(until, Endpoint):
            outputs = table[self._slots[until.node]]
            return bool(outputs is not None and outputs.get(until.port))
        values = {f"{n}.{port}": value for n in self._nodes for port, value in (table[self._slots[n]] or {}).items()}
        return bool(until(values))
