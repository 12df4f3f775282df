"""The door: how `run` and `stream` open a call on any level. `run` is a fold over what `stream` yields."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio

from yggdrasil.abc.context import Run, RunContext
from yggdrasil.abc.hook import Hook
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.binding import RESERVED, bind, check_outputs
from yggdrasil.core.budget import Budget
from yggdrasil.core.events import Event, NodeFinished, NodeStarted, RunFailed, RunFinished, RunStarted
from yggdrasil.core.result import Result
from yggdrasil.errors import BlockError, PortError, RunTimeoutError, YggdrasilError
from yggdrasil.runtime.group import first_failure
from yggdrasil.runtime.spawn import spawn

_LEVEL_OPTIONS = frozenset({"ticks", "thread", "store", "dry_run"})


class CallDoor:
    """The one implementation of `abc.runnable.Door`."""

    async def run(self, what: Runnable, inputs: Any, named: dict[str, Any]) -> Result:
        """Run to the end and return the Result."""
        options = {k: named.pop(k) for k in RESERVED & named.keys()} if named else {}
        return await _call(what, inputs, named, options)

    async def stream(self, what: Runnable, inputs: Any, named: dict[str, Any]) -> AsyncIterator[Event]:
        """Run in a task of its own, yielding events; leaving the loop early cancels the run."""
        options = {k: named.pop(k) for k in RESERVED & named.keys()}
        events: deque[Event] = deque()
        wake = _Wake()
        failure: list[BaseException] = []

        def hear(event: Event) -> None:
            events.append(event)
            wake.set()

        async def work() -> None:
            try:
                hooks = (*options.pop("hooks", ()), hear)
                await _call(what, inputs, named, {**options, "hooks": hooks})
            except Exception as error:
                failure.append(error)
            finally:
                wake.finish()

        handle = spawn(work)
        try:
            while True:
                while events:
                    yield events.popleft()
                if wake.finished:
                    break
                await wake.wait()
            if failure:
                raise failure[0]
        finally:
            with anyio.CancelScope(shield=True):
                await handle.stop()


class _Wake:
    """Set by the run, waited for by the reader of its events."""

    def __init__(self) -> None:
        self._event = anyio.Event()
        self.finished = False

    def set(self) -> None:
        self._event.set()

    def finish(self) -> None:
        self.finished = True
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        if not self.finished:
            self._event = anyio.Event()


def fold(events: list[Event]) -> Result:
    """The Result of a run from its events: `fold(stream()) == run()`."""
    for event in reversed(events):
        if isinstance(event, RunFinished):
            result: Result = event.result
            return result
    raise PortError("these events hold no finished run")


async def _call(what: Runnable, inputs: Any, named: Mapping[str, Any], options: dict[str, Any]) -> Result:
    if not options:
        ctx = RunContext(Run(), what.label)
        return await _perform(what, bind(what.spec, what.accept(inputs), named, ctx.name), ctx)
    profile = _Profile() if options.get("profile") else None
    ctx = _context(what, options, profile)
    values = bind(what.spec, what.accept(inputs), named, ctx.path)
    seconds = options.get("timeout")
    if "store" in options and "thread" not in options and not what.keeps_itself:
        raise PortError(f"{what.label} keeps nothing by itself", hint='run(..., thread="t1", store=...)')
    perform = _durably if "thread" in options and not what.keeps_itself else _perform
    if seconds is None:
        result = await perform(what, values, ctx)
    else:
        try:
            with anyio.fail_after(seconds):
                result = await perform(what, values, ctx)
        except TimeoutError as error:
            raise RunTimeoutError(
                f"the run took longer than {seconds:g} s", path=ctx.path, hint=f"timeout={seconds * 4:g}"
            ) from error
    if profile is not None:
        result.profile, result.events = profile.seconds, tuple(profile.events)
    return result


def _context(what: Runnable, options: Mapping[str, Any], profile: _Profile | None) -> RunContext:
    parent: RunContext | None = options.get("context")
    budget = options.get("budget")
    if isinstance(budget, Mapping):
        budget = Budget(**budget)
    if parent is not None:
        ctx = parent.child(what.label)
        return ctx.within(budget) if budget is not None else ctx
    hooks: tuple[Hook, ...] = tuple(options.get("hooks") or ())
    if profile is not None:
        hooks = (*hooks, profile)
    seed = options.get("seed")
    if seed is not None and not isinstance(seed, int):
        raise PortError(f"seed is {type(seed).__name__}, not int", hint="seed=7")
    run = Run(
        seed=seed,
        device=options.get("device"),
        training=bool(options.get("training")),
        hooks=hooks,
        loop_steps=options.get("num_loop_steps"),
        options={k: v for k, v in options.items() if k in _LEVEL_OPTIONS and v is not None},
    )
    return RunContext(run, what.label, None, budget)


async def _perform(what: Runnable, values: Mapping[str, Any], ctx: RunContext) -> Result:
    if not ctx.run.hooks:
        return await _execute(what, values, ctx)
    ctx.emit(RunStarted)
    try:
        result = await _execute(what, values, ctx)
    except Exception as error:
        ctx.emit(RunFailed, error=str(error))
        raise
    ctx.emit(RunFinished, result=result)
    return result


async def _durably(what: Runnable, values: Mapping[str, Any], ctx: RunContext) -> Result:
    """Run as the thread that the options name: effects are recorded, and a run under way is taken up."""
    from yggdrasil.runtime.thread import open_thread

    options = ctx.run.options
    try:
        async with open_thread(options.get("thread"), options.get("store"), values) as thread:
            ctx.run.effects = thread.effects
            ctx.run.scope = f"run:{thread.number}"
            result = await _perform(what, values, ctx)
            await thread.finish()
            return result
    except BaseExceptionGroup as failures:
        error = first_failure(failures)
        raise error from error.__cause__


async def _execute(what: Runnable, values: Mapping[str, Any], ctx: RunContext) -> Result:
    if "dry_run" in ctx.run.options:
        return Result({"order": dry_order(what)}, path=ctx.path)
    try:
        outputs = await what.execute(values, ctx)
    except Exception as error:
        failure = located(error, ctx.path)
        if failure is error:
            raise
        raise failure from error
    check_outputs(what.spec, outputs, ctx.name)
    return Result(outputs, usage=ctx.run.usage, path=ctx.path)


def dry_order(what: Runnable) -> list[str]:
    """The paths a run would visit, in canonical order, after checking every contract; no block is called."""
    order = getattr(what, "dry_order", None)
    return list(order()) if order is not None else [what.label]


def located(error: Exception, path: str) -> Exception:
    """The error with its path; what a block raised becomes a BlockError around the original."""
    if isinstance(error, YggdrasilError):
        if not error.path:
            error.path = path
        return error
    return BlockError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, path=path)


class _Profile:
    """A hook that sums the seconds between each node's start and end, by path."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[int, float]] = {}
        self.events: list[Event] = []
        self._open: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, NodeStarted):
            self._open[event.path] = event.time
        elif isinstance(event, NodeFinished):
            calls, seconds = self.seconds.get(event.path, (0, 0.0))
            self.seconds[event.path] = calls + 1, seconds + event.time - self._open.pop(event.path, event.time)


def run_sync(what: Runnable, inputs: Any = None, /, **named: Any) -> Result:
    """`run` for code that is not async: the one helper, on every level. Not from inside an event loop."""
    import sniffio

    try:
        sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return anyio.run(lambda: what.run(inputs, **named))
    raise BlockError("run_sync was called inside an event loop", hint=f"await {what.label}.run(...)")
