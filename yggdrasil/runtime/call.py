"""The door: how `run` and `stream` open a call on any level. `run` is a fold over what `stream` yields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

import anyio

from yggdrasil.abc.context import Run, RunContext
from yggdrasil.abc.hook import Hook, Observer
from yggdrasil.abc.runnable import Runnable, Stream
from yggdrasil.core.binding import RESERVED, bind, check_outputs
from yggdrasil.core.budget import Budget
from yggdrasil.core.events import Event, NodeFinished, NodeStarted, RunFailed, RunFinished, RunStarted
from yggdrasil.core.result import Result, T
from yggdrasil.errors import BlockError, ConfigError, PortError, RunTimeoutError, StoreError, YggdrasilError
from yggdrasil.runtime.group import first_failure
from yggdrasil.runtime.stream import RunStream
from yggdrasil.runtime.watching import opened, watching

_LEVEL_OPTIONS = frozenset({"ticks", "thread", "store", "durability", "dry_run"})


class CallDoor:
    """The one implementation of `abc.runnable.Door`."""

    async def run(self, what: Runnable, inputs: Any, named: dict[str, Any]) -> Result:
        """Run to the end and return the Result."""
        options = {k: named.pop(k) for k in RESERVED & named.keys()} if named else {}
        return await _call(what, inputs, named, options)

    def stream(self, what: Runnable, inputs: Any, named: dict[str, Any]) -> Stream:
        """Run in a task of its own, giving its events."""
        options = {k: named.pop(k) for k in RESERVED & named.keys()}

        async def work(hear: Hook) -> None:
            await _call(what, inputs, named, {**options, "hooks": (*_hooks(options.get("hooks")), hear)})

        return RunStream(work, what.label)


def fold(events: Iterable[Event]) -> Result:
    """The Result of a run from its events: `fold(stream()) == run()`."""
    for event in reversed(list(events)):
        if isinstance(event, RunFinished):
            result: Result = event.result
            return result
    raise PortError("these events hold no finished run")


async def _call(what: Runnable, inputs: Any, named: Mapping[str, Any], options: dict[str, Any]) -> Result:
    if options:
        options = {k: v for k, v in options.items() if v is not None and v is not False}
    if not options and not watching():
        ctx = RunContext(Run(), what.label)
        return await _execute(what, bind(what.spec, what.accept(inputs), named, ctx.name), ctx)
    profile = _Profile() if options.get("profile") else None
    hooks, watches = opened(_hooks(options.get("hooks")), alone=options.get("context") is None)
    ctx = _context(what, options, hooks if profile is None else (*hooks, profile))
    values = bind(what.spec, what.accept(inputs), named, ctx.path)
    try:
        result = await _within(options.get("timeout"), _performer(what, options), what, values, ctx)
    except BaseException as error:
        for watch in watches:
            watch.close(error, ctx.run.clock())
        raise
    finally:
        if ctx.parent is not None and ctx.run is not ctx.parent.run:
            ctx.parent.run.absorb(ctx.run)
    if profile is not None:
        result.profile, result.events = profile.seconds, tuple(profile.events)
    return result


Performer = Callable[[Runnable, Mapping[str, Any], RunContext], Awaitable[Result]]


def _performer(what: Runnable, options: Mapping[str, Any]) -> Performer:
    if "store" in options and "thread" not in options and not what.keeps_itself:
        raise PortError(f"{what.label} keeps nothing by itself", hint='run(..., thread="t1", store=...)')
    if "durability" in options:
        if "thread" not in options or what.keeps_itself:
            own = "set_durability(...)" if what.keeps_itself else 'run(..., thread="t1", store=..., durability="step")'
            raise PortError("durability is for the run of a thread; a world has its own", path=what.label, hint=own)
        if options["durability"] not in ("effect", "step"):
            raise PortError(f"durability is {options['durability']!r}", hint='durability="step"   # or "effect"')
    return _durably if "thread" in options and not what.keeps_itself and "dry_run" not in options else _perform


async def _within(
    seconds: float | None, perform: Performer, what: Runnable, values: Mapping[str, Any], ctx: RunContext
) -> Result:
    if seconds is None:
        return await perform(what, values, ctx)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise PortError(f"timeout is {seconds!r}", path=ctx.path, hint="timeout=60   # seconds")
    with anyio.move_on_after(seconds) as scope:
        return await perform(what, values, ctx)
    assert scope.cancelled_caught
    raise RunTimeoutError(f"the run took longer than {seconds:g} s", path=ctx.path, hint=f"timeout={seconds * 4:g}")


def _context(what: Runnable, options: Mapping[str, Any], hooks: tuple[Hook, ...]) -> RunContext:
    """The place of the call: of its own, or below `context`, in a run that differs in what the options say."""
    changed = {k: v for k, v in (("seed", options.get("seed")), ("device", options.get("device"))) if v is not None}
    if "seed" in changed and (not isinstance(changed["seed"], int) or changed["seed"] is True):
        raise PortError(f"seed is {type(changed['seed']).__name__}, not int", hint="seed=7")
    if options.get("training"):
        changed["training"] = True
    if "approve" in options:
        if not callable(options["approve"]):
            raise PortError(f"approve is {type(options['approve']).__name__}", hint="approve=ask_me   # a function")
        changed["approve"] = options["approve"]
    if "adapters" in options:
        given = options["adapters"]
        changed["adapters"] = given if isinstance(given, Mapping) else {"**": given}
    steps = options.get("num_loop_steps")
    if steps is not None:
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise PortError(f"num_loop_steps is {steps!r}", hint="num_loop_steps=30")
        changed["loop_steps"] = steps
    level = {k: v for k, v in options.items() if k in _LEVEL_OPTIONS}
    try:
        budget = Budget.of(options.get("budget"))
    except ConfigError as error:
        raise PortError(error.sentence, hint=error.hint) from None
    parent = options.get("context")
    if parent is None:
        return RunContext(Run(hooks=hooks, options=level, **changed), what.label, None, budget)
    if not isinstance(parent, RunContext):
        raise PortError(f"context is {type(parent).__name__}, not a RunContext", hint="context=ctx")
    run = parent.run
    if hooks or level or changed:
        run = run.under(hooks=(*run.hooks, *hooks), options={**run.options, **level}, **changed)
    return RunContext(run, what.label, parent, parent.budget if budget is None else budget.under(parent.budget))


def _hooks(hooks: Any) -> tuple[Hook | Observer, ...]:
    """The hooks of a call: one, or several."""
    listed = tuple(hooks or ()) if hooks is None or isinstance(hooks, Iterable) else (hooks,)
    for hook in listed:
        if not callable(hook) and not isinstance(hook, Observer):
            raise PortError(f"a hook is {type(hook).__name__}, which cannot be called", hint="hooks=[print]")
    return listed


async def _perform(what: Runnable, values: Mapping[str, Any], ctx: RunContext) -> Result:
    if not ctx.run.hooks:
        return await _execute(what, values, ctx)
    ctx.emit(RunStarted, block=what.block_type, thread=str(ctx.run.options.get("thread", "")))
    try:
        result = await _execute(what, values, ctx)
    except Exception as error:
        ctx.emit(RunFailed, error=str(error), error_type=type(error).__name__)
        raise
    ctx.emit(RunFinished, result=result)
    return result


async def _durably(what: Runnable, values: Mapping[str, Any], ctx: RunContext) -> Result:
    """Run as the thread that the options name: effects are recorded, and a run under way is taken up."""
    from yggdrasil.runtime.thread import open_thread

    options = ctx.run.options
    try:
        turns = options.get("durability") == "step"
        asked = _told_apart(what, values)
        async with open_thread(options.get("thread"), options.get("store"), asked, turns=turns) as thread:
            ctx.run.effects = thread.effects
            ctx.run.kept = thread.kept
            ctx.run.scope = f"run:{thread.number}"
            if ctx.budget is not None and thread.began is not None:
                ctx.budget.started = thread.began
            result = await _perform(what, values, ctx)
            await thread.finish()
            return result
    except BaseExceptionGroup as failures:
        error = first_failure(failures)
        raise error from error.__cause__


def _told_apart(what: Runnable, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The inputs by which a durable run is known again: what tools are given may be a handle of this process."""
    ports = what.spec.inputs
    return {name: value for name, value in values.items() if not (name in ports and ports[name].given)}


async def _execute(what: Runnable, values: Mapping[str, Any], ctx: RunContext) -> Result:
    if "dry_run" in ctx.run.options:
        return Result({"order": dry_order(what)}, path=ctx.path)
    try:
        outputs = await what.execute(values, ctx)
    except Exception as error:
        failure = located(error, ctx.path)
        if failure is error:
            raise
        raise failure from failure.__cause__
    check_outputs(what.spec, outputs, ctx.path, values)
    return Result(outputs, usage=ctx.run.usage, path=ctx.path)


def dry_order(what: Runnable) -> list[str]:
    """The paths a run would visit, in canonical order, after checking every contract; no block is called."""
    order = getattr(what, "dry_order", None)
    return list(order()) if order is not None else [what.label]


def located(error: Exception, path: str) -> Exception:
    """The error with its path; what a block raised becomes a BlockError, whose cause is the original."""
    if isinstance(error, ExceptionGroup):
        return located(cast("Exception", first_failure(error)), path)
    if isinstance(error, YggdrasilError):
        if not error.path:
            error.path = path
        elif isinstance(error, StoreError):
            pass  # its path is a file or a record, wherever it was written from
        elif error.path != path and not error.path.startswith(f"{path}/"):
            error.path = f"{path}/{error.path}"  # from a run that the block began by itself
        return error
    failure = BlockError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, path=path)
    failure.__cause__ = error
    return failure


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


def run_sync(what: Runnable[T], inputs: Any = None, /, **named: Any) -> Result[T]:
    """`run` for code that is not async: the one helper, on every level. Not from inside an event loop."""
    import sniffio

    try:
        sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return anyio.run(lambda: what.run(inputs, **named))
    raise BlockError("run_sync was called inside an event loop", hint=f"await {what.label}.run(...)")
