"""A block that runs another one on each item of a list, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.approval import Approval
from yggdrasil.core.binding import bind, check_outputs
from yggdrasil.core.events import NodeFailed, NodeFinished, NodeStarted
from yggdrasil.core.ports import Port, Spec, port
from yggdrasil.errors import ConfigError, SuspendedError
from yggdrasil.levels.node import Node, as_runnable
from yggdrasil.levels.read import read_child
from yggdrasil.levels.write import block_document
from yggdrasil.runtime.call import located
from yggdrasil.runtime.group import concurrently
from yggdrasil.runtime.limits import Limits

_POLICIES = {"retry", "timeout"}
_AT_ONCE = 8


class Map(Block):
    """Runs `each` on every item of a list, at most `at_once` at a time; the results come in the order of the items.

    each     anything that runs, or its config: {type: agent/llm, ...}; retry and timeout may stand in it, for one item
    at_once  how many run at the same time
    port     the input of `each` that takes an item: by default its only required one, else its first
    output   the output of `each` that is a result: by default its only one that always comes
    The other inputs of `each` are inputs of this too, and the same for every item. The first item that fails ends all;
    one that waits for a person's approval lets the others go on.
    """

    block_type = "flow/map"

    def __init__(
        self,
        each: Runnable | Callable[..., Any] | Mapping[str, Any] | str,
        at_once: int = _AT_ONCE,
        port: str | None = None,
        output: str | None = None,
    ) -> None:
        if not isinstance(at_once, int) or isinstance(at_once, bool) or at_once < 1:
            raise ConfigError(f"at_once is {at_once!r}; it counts what runs at the same time", hint="at_once: 8")
        self.at_once, self.port, self.output = at_once, port, output
        self.each, policies = read_child(each) if isinstance(each, Mapping | str) else (as_runnable(each), {})
        unfit = policies.keys() - _POLICIES
        if unfit:
            raise ConfigError(f"{min(unfit)} cannot stand in `each`", hint="put it on the flow/map node itself")
        self._policies = policies
        self._inner = Node("each", self.each, **policies).runnable(Limits({}))
        spec = self._inner.spec
        self._port = _chosen("port", port, spec.inputs, [n for n, p in spec.inputs.items() if p.required])
        self._output = _chosen("output", output, spec.outputs, [n for n, p in spec.outputs.items() if not p.optional])
        self._spec = _spec(spec, self._port, self._output)

    @property
    def spec(self) -> Spec:
        """The items, and what all of them share; the results."""
        return self._spec

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it. ConfigError when `each` cannot be saved."""
        each = {**block_document(self.each, refs=False), **self._policies}
        said = {"at_once": self.at_once, "port": self.port, "output": self.output}
        return {"each": each, **{name: value for name, value in said.items() if value not in (None, _AT_ONCE)}}

    def children(self) -> Mapping[str, Runnable]:
        """What runs on each item."""
        return {"each": self.each}

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run on all; SuspendedError, once the others have ended, when some wait for a person."""
        items = inputs["items"]
        shared = {name: value for name, value in inputs.items() if name != "items"}
        results: list[Any] = [None] * len(items)
        waiting: list[Approval] = []
        rest = iter(enumerate(items))
        done = 0

        async def work() -> None:
            nonlocal done
            for index, item in rest:
                try:
                    results[index] = await self._one({**shared, self._port: item}, ctx.child(str(index + 1)))
                except SuspendedError as error:
                    waiting.extend(error.pending)
                done += 1
                ctx.progress(done, len(items))

        if len(items) == 1:
            await work()
        else:
            async with concurrently() as spawn:
                for _ in range(min(self.at_once, len(items))):
                    spawn(work)
        if waiting:
            waiting.sort(key=lambda approval: approval.path)
            tools = ", ".join(f"{a.tool} ({a.id})" for a in waiting)
            sentence = f"{len(waiting)} tool calls wait for approval: {tools}"
            raise SuspendedError(sentence, pending=waiting, path=ctx.path)
        return {"results": results}

    async def _one(self, given: Mapping[str, Any], here: RunContext) -> Any:
        inner = self._inner
        try:
            inputs = bind(inner.spec, given, {}, here.path)
            here.emit(NodeStarted, block=inner.block_type)
            outputs = await inner.execute(inputs, here)
            check_outputs(inner.spec, outputs, here.path)
        except Exception as error:
            here.emit(NodeFailed, error=str(error), error_type=type(error).__name__)
            failure = located(error, here.path)
            if failure is error:
                raise
            raise failure from failure.__cause__
        here.emit(NodeFinished, outputs=tuple(outputs))
        return outputs.get(self._output)


def _chosen(what: str, said: str | None, ports: Mapping[str, Port], certain: list[str]) -> str:
    """The port that is meant: the one that was said, else the only certain one, else the first where none is."""
    if said is not None and said in ports:
        return said
    if said is None and len(certain) == 1:
        return certain[0]
    if said is None and ports and not certain:
        return next(iter(ports))
    there = ", ".join(ports) or "none"
    sentence = f"there is no {what} {said!r}" if said is not None else f"which {what}?"
    raise ConfigError(f"{sentence} `each` has {there}", hint=f"{what}: {next(iter(ports), 'NAME')}")


def _spec(each: Spec, item: str, result: str) -> Spec:
    others = {name: shared for name, shared in each.inputs.items() if name != item}
    if "items" in others:
        raise ConfigError("`each` has an input 'items' besides the one that takes an item", hint="port: items")
    kind = each.outputs[result].type.annotation
    results = port("results", list[kind] if kind is not None else list)  # type: ignore[valid-type]
    return Spec({"items": port("items", list), **others}, {"results": results}, f"{each.doc or 'Run'} (on each item)")
