"""Calls of one neural block that come at the same time are computed as one: micro-batching."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import anyio
import anyio.lowlevel
import numpy as np
import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.blocks.adapter.active import chosen
from yggdrasil.blocks.neural import Neural
from yggdrasil.core.arrays import array_kind
from yggdrasil.core.canonical import canonical
from yggdrasil.core.ports import Port
from yggdrasil.errors import BlockError, ConfigError, PortError, YggdrasilError
from yggdrasil.runtime.limits import event_loop
from yggdrasil.runtime.spawn import spawn
from yggdrasil.runtime.threads import in_thread
from yggdrasil.runtime.wrap import Wrapper


class Batched(Wrapper):
    """Compute concurrent calls of a neural block together: `Batched(block, max_batch=16, max_wait=0.005)`.

    max_batch  at most so many rows (the length of dimension 0, summed over the calls) in one call of the block; a
               single call with more of them goes through as it is
    max_wait   seconds for which a call waits for others; 0: only what waits already is taken along, so that nothing is
               later than without

    Calls go together when their tensors have the same shapes but for dimension 0, which is as long in all tensors of
    one call, the same dtypes and devices, and when everything else is equal: other inputs, adapters, device, training.
    A tensor whose port says a number for dimension 0 (`tensor[31]`) belongs to "everything else". What cannot be
    stacked goes alone. One call of the block runs at a time; whatever comes meanwhile is the next batch. Blocks of one
    ref and config (`from_ref`) share one queue in an event loop, in whatever nodes, graphs and worlds they are.

    Results are those of single calls up to rounding: the bits may differ, since a library may choose another kernel for
    another batch. A failure goes to every caller of its batch; a cancelled caller leaves the others alone. The block
    must compute each row by itself (no statistics over a batch) and draw no random numbers: the seed of a batch whose
    callers have different ones cannot be asked for (BlockError).
    """

    def __init__(self, inner: Runnable, max_batch: int = 16, max_wait: float = 0.0) -> None:
        super().__init__(inner)
        if not isinstance(inner, Neural):
            kind = type(inner).__name__
            raise ConfigError(
                f"{kind} is no neural block, so its calls cannot be stacked", hint="Batched(NeuralBlock(...))"
            )
        if not isinstance(max_batch, int) or isinstance(max_batch, bool) or max_batch < 1:
            raise ConfigError(f"max_batch is {max_batch!r}", hint="max_batch: 16   # rows")
        number = isinstance(max_wait, int | float) and not isinstance(max_wait, bool)
        if not number or not 0 <= max_wait < math.inf:
            raise ConfigError(f"max_wait is {max_wait!r}", hint="max_wait: 0.005   # seconds")
        self.block = inner
        self.max_batch, self.max_wait = max_batch, float(max_wait)
        self._config = ""

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Compute, with others where that can be."""
        call = _Call.of(self, inputs, ctx)
        if call is None:
            return await self.block.execute(inputs, ctx)
        identity, queues = self._identity(), _queues.setdefault(event_loop(), {})
        queue = queues.get(identity)
        if queue is None:
            queue = queues[identity] = _Queue(lambda: queues.pop(identity, None))
        return await queue.give(call)

    def _identity(self) -> tuple[Any, ...]:
        """Who computes the same: blocks of one config with the weights of its ref. Others are only themselves."""
        if not self.block.from_ref:
            return (id(self.block),)
        if not self._config:
            try:
                config = self.block.config
                self._config = canonical(config) if config.get("share", True) else str(id(self.block))
            except ConfigError:  # a module that was given
                self._config = str(id(self.block))
        return (type(self.block), self._config)


class _Call:
    """One caller: what it gave, in which group it can go, and what came of it."""

    def __init__(self, wrapper: Batched, inputs: Mapping[str, Any], ctx: RunContext) -> None:
        self.block, self.inputs, self.ctx = wrapper.block, inputs, ctx
        self.max_batch, self.max_wait = wrapper.max_batch, wrapper.max_wait
        self.since = anyio.current_time()
        self.done = anyio.Event()
        self.gone = False
        self.outputs: Mapping[str, Any] = {}
        self.error: BaseException | None = None
        self.rows = 0
        self.stacked: list[Any] = []
        self.equal: list[Any] = []
        self.group: tuple[Any, ...] = ()
        self.adapters: list[Any] = []

    @classmethod
    def of(cls, wrapper: Batched, inputs: Mapping[str, Any], ctx: RunContext) -> _Call | None:
        """The call; None where nothing in it can be stacked, or not everything together."""
        call = cls(wrapper, inputs, ctx)
        ports = wrapper.spec.inputs
        form = tuple(
            (name, call._read(inputs[name], name in ports and _is_fixed(ports[name]))) for name in sorted(inputs)
        )
        lengths = {len(tensor) for tensor in call.stacked}
        if len(lengths) != 1 or not (rows := lengths.pop()):
            return None
        call.rows = rows
        call.adapters = chosen(ctx.run.adapters, ctx.path) if ctx.run.adapters else []
        asked = tuple((id(adapter), *how) for adapter, *how in call.adapters)
        kinds = tuple((tuple(t.shape[1:]), t.dtype, getattr(t, "device", None)) for t in call.stacked)
        call.group = (form, kinds, ctx.run.training, ctx.run.options.get("precision"), ctx.device, asked)
        return call

    def _read(self, value: Any, fixed: bool) -> Any:
        """Take a value apart; its form."""
        if type(value) is dict:
            return (dict, tuple((key, self._read(value[key], fixed)) for key in sorted(value, key=str)))
        if type(value) in (list, tuple):
            return (type(value), tuple(self._read(item, fixed) for item in value))
        rows = bool(array_kind(value)) and value.ndim > 0 and not fixed
        (self.stacked if rows else self.equal).append(value)
        return rows

    def fits(self, other: _Call) -> bool:
        """Whether the two can be computed in one."""
        return self.group == other.group and all(map(_equal, self.equal, other.equal))


def _is_fixed(port: Port) -> bool:
    """Whether its tensor begins with a dimension of a known length, which is no batch."""
    shape = port.type.shape
    return shape is not None and isinstance(next(iter(shape.dims), None), int)


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    kind = array_kind(one)
    if kind != array_kind(other) or type(one) is not type(other):
        return False
    if kind:
        same = one.shape == other.shape and one.dtype == other.dtype
        return same and bool((torch.equal if kind == "tensor" else np.array_equal)(one, other))
    return (one == other) is True


class _Queue:
    """The calls of one set of modules in one event loop. A task works while there are any."""

    def __init__(self, emptied: Callable[[], Any]) -> None:
        self._emptied = emptied
        self._waiting: list[_Call] = []
        self._running: list[_Call] = []
        self._scope: anyio.CancelScope | None = None
        self._more = anyio.Event()
        self._busy = False

    async def give(self, call: _Call) -> Mapping[str, Any]:
        """Wait until it is computed."""
        self._waiting.append(call)
        self._more.set()
        if not self._busy:
            self._busy = True
            spawn(self._work)
        try:
            await call.done.wait()
        except BaseException:
            self._leave(call)
            raise
        if call.error is not None:
            raise call.error
        return call.outputs

    def _leave(self, call: _Call) -> None:
        call.gone = True
        if call in self._waiting:
            self._waiting.remove(call)
            self._more.set()
        if self._scope is not None and self._running and all(c.gone for c in self._running):
            self._scope.cancel()

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                batch, _ = self._together()
                self._waiting = [c for c in self._waiting if c not in batch]
                if batch:
                    await self._run(batch)
        except Exception as error:  # inputs that cannot even be compared
            self._give_up(error)
        finally:
            self._busy = False
            self._emptied()
            self._give_up(BlockError("the event loop came down"))

    def _give_up(self, error: Exception) -> None:
        for call in (*self._running, *self._waiting):
            _fail(call, _copied(error, "", call.ctx.path))
        self._running, self._waiting = [], []

    async def _gather(self) -> None:
        """Wait for what comes in this very moment, and for what may come within the time of the first."""
        await anyio.lowlevel.checkpoint()
        while self._waiting:
            first = self._waiting[0]
            left = first.since + first.max_wait - anyio.current_time()
            if left <= 0 or self._together()[1]:
                return
            self._more = anyio.Event()
            with anyio.move_on_after(left):
                await self._more.wait()

    def _together(self) -> tuple[list[_Call], bool]:
        """Those that go with the first, in the order of their coming, and whether there is no room for more."""
        batch: list[_Call] = []
        rows, room = 0, math.inf
        for call in self._waiting:
            if batch and not batch[0].fits(call):
                continue
            room = min(room, call.max_batch)
            if batch and rows + call.rows > room:
                return batch, True
            batch.append(call)
            rows += call.rows
        return batch, rows >= room

    async def _run(self, batch: list[_Call]) -> None:
        self._running = batch
        with anyio.CancelScope() as self._scope:
            try:
                results = await _compute(batch)
            except Exception as error:  # whatever it is, every caller gets it
                for call in batch:
                    _fail(call, error if call is batch[0] else _copied(error, batch[0].ctx.path, call.ctx.path))
            else:
                for call, outputs in zip(batch, results, strict=True):
                    call.outputs = outputs
                    call.done.set()
        self._scope, self._running = None, []


def _fail(call: _Call, error: BaseException) -> None:
    call.error = error
    call.done.set()


def _copied(error: Exception, there: str, here: str) -> Exception:
    """The error for another caller, with that one's path."""
    if isinstance(error, YggdrasilError):
        made = copy.copy(error)
        if error.path == there or error.path.startswith(f"{there}/"):
            made.path = here + error.path[len(there) :]
    else:
        made = BlockError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, path=here)
    made.__cause__ = error
    return made


# --- one call of the block for several callers


class _Shared(RunContext):
    """The place of the first caller, where the callers' seeds differ: none of them is that of the batch."""

    __slots__ = ()

    def __init__(self, ctx: RunContext) -> None:
        super().__init__(ctx.run, ctx.name, ctx.parent, ctx.budget)
        self._path, self.placed, self.key = ctx.path, ctx.placed, ctx.key

    @property
    def seed(self) -> int | None:
        """There is none."""
        sentence = "it draws random numbers, and calls with other seeds are computed together with this one"
        raise BlockError(sentence, path=self.path, hint="take Batched (max_batch) away from this block")


async def _compute(batch: Sequence[_Call]) -> list[Mapping[str, Any]]:
    first = batch[0]
    if len(batch) == 1:
        return [await first.block.execute(first.inputs, first.ctx)]
    alike = all(call.ctx.seed == first.ctx.seed for call in batch[1:])
    stacked = await in_thread(_stacked, batch)
    outputs = await first.block.execute(stacked, first.ctx if alike else _Shared(first.ctx))
    return await in_thread(_split, outputs, batch)


def _stacked(batch: Sequence[_Call]) -> dict[str, Any]:
    with torch.set_grad_enabled(batch[0].ctx.run.training):
        whole = [_joined(tensors) for tensors in zip(*(call.stacked for call in batch), strict=True)]
    rows, rest = iter(whole), iter(batch[0].equal)

    def put(form: Any) -> Any:
        if isinstance(form, bool):
            return next(rows if form else rest)
        kind, items = form
        return {key: put(item) for key, item in items} if kind is dict else kind(put(item) for item in items)

    return {name: put(form) for name, form in batch[0].group[0]}


def _joined(tensors: Sequence[Any]) -> Any:
    return torch.cat(list(tensors)) if array_kind(tensors[0]) == "tensor" else np.concatenate(list(tensors))


def _split(outputs: Mapping[str, Any], batch: Sequence[_Call]) -> list[Mapping[str, Any]]:
    total = sum(call.rows for call in batch)
    parts: list[Mapping[str, Any]] = []
    start = 0
    with torch.set_grad_enabled(batch[0].ctx.run.training):
        for call in batch:
            end = start + call.rows
            parts.append({name: _part(value, start, end, total, name) for name, value in outputs.items()})
            start = end
    return parts


def _part(value: Any, start: int, end: int, total: int, name: str) -> Any:
    """One caller's rows, on their own: what one keeps does not keep the others'."""
    kind = array_kind(value)
    if kind and value.ndim and len(value) == total:
        return value[start:end].clone() if kind == "tensor" else value[start:end].copy()
    if value is None:
        return None
    if type(value) is dict:
        return {key: _part(item, start, end, total, name) for key, item in value.items()}
    if type(value) in (list, tuple):
        if len(value) == total and not any(map(array_kind, value)):
            return value[start:end]
        return type(value)(_part(item, start, end, total, name) for item in value)
    form = f"{kind}{tuple(value.shape)}" if kind else type(value).__name__
    raise PortError(
        f"output {name!r} is {form}, which is not split among {total} rows", hint="take Batched away from it"
    )


_queues: WeakKeyDictionary[Any, dict[tuple[Any, ...], _Queue]] = WeakKeyDictionary()
