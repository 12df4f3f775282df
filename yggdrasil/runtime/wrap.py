"""Retry, timeout, gate, cache and limit: each a wrapper that is itself runnable."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import anyio

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.events import NodeRetried, NodeSkipped
from yggdrasil.core.ports import Port, Spec, port
from yggdrasil.errors import (
    AgentError,
    BudgetError,
    ConfigError,
    ModelAuthError,
    ModelRequestError,
    ModelTransientError,
    PortError,
    RunTimeoutError,
    SpecError,
    StoreError,
    WorldError,
)
from yggdrasil.runtime.fingerprint import fingerprint
from yggdrasil.runtime.limits import Limits

WHEN = "when"
"""The input that a gate adds."""

NEVER_RETRIED = (SpecError, BudgetError, AgentError, ModelAuthError, ModelRequestError, StoreError, WorldError)
"""What another try cannot mend."""


def may_be_mended(error: Exception) -> bool:
    """Whether another try could do better."""
    return not isinstance(error, NEVER_RETRIED)


class Wrapper(Runnable):
    """Something runnable around another one, with the same ports."""

    def __init__(self, inner: Runnable) -> None:
        self.inner = inner

    @property
    def spec(self) -> Spec:
        """The inner one's ports."""
        return self.inner.spec

    @property
    def label(self) -> str:
        """The inner one's name."""
        return self.inner.label

    @property
    def block_type(self) -> str:
        """The inner one's type."""
        return self.inner.block_type


class On(Wrapper):
    """Compute on a device: neural blocks in it are there."""

    def __init__(self, inner: Runnable, device: str) -> None:
        super().__init__(inner)
        self.device = device

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run there."""
        return await self.inner.execute(inputs, ctx.on(self.device))


class Retry(Wrapper):
    """Try again, at most `attempts` times in all, waiting 0.1, 0.2, 0.4 ... s with jitter, up to `longest` seconds.

    Honours a provider's Retry-After. What another try cannot mend (wrong input, a spent budget, a refused
    key) is raised at once; `when` says of an error whether that is so. In a durable run effects
    already recorded are not repeated.
    """

    def __init__(
        self,
        inner: Runnable,
        attempts: int = 3,
        *,
        first: float = 0.1,
        longest: float = 30.0,
        when: Callable[[Exception], bool] = may_be_mended,
    ) -> None:
        super().__init__(inner)
        self._when = when
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
            raise ConfigError(f"retry is {attempts!r}", hint="retry: 3")
        self.attempts, self.first, self.longest = attempts, first, longest

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run, and again after a failure that may pass."""
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

        backoff = wait_random_exponential(multiplier=self.first, max=self.longest)

        def wait(state: Any) -> float:
            error = state.outcome.exception()
            asked = error.retry_after if isinstance(error, ModelTransientError) else None
            return float(asked if asked is not None else backoff(state))

        def told(state: Any) -> None:
            error, pause = state.outcome.exception(), state.next_action.sleep
            values = {"error": str(error), "error_type": type(error).__name__}
            ctx.emit(NodeRetried, attempt=state.attempt_number, wait=pause, **values)

        effects = ctx.run.effects
        mark = effects.mark(ctx.path) if effects is not None else None
        kept = None if ctx.run.kept is None else dict(ctx.run.kept)
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(self.attempts),
            retry=retry_if_exception(lambda e: isinstance(e, Exception) and self._when(e)),
            wait=wait,
            sleep=anyio.sleep,
            before_sleep=told,
            reraise=True,
        ):
            with attempt:
                if effects is not None and attempt.retry_state.attempt_number > 1:
                    effects.rewind(ctx.path, mark)
                    _remember_as_before(ctx, kept)
                outputs = await self.inner.execute(inputs, ctx)
        return outputs


def _remember_as_before(ctx: RunContext, kept: Mapping[str, Any] | None) -> None:
    """What agents below remember is again as before the attempt that failed, so that they ask the same."""
    there = ctx.run.kept
    if there is None or kept is None:
        return
    for path in [path for path in there if path == ctx.path or path.startswith(f"{ctx.path}/")]:
        if path in kept:
            there[path] = kept[path]
        else:
            del there[path]


class Timeout(Wrapper):
    """RunTimeoutError after `seconds`; whatever ran inside is cancelled."""

    def __init__(self, inner: Runnable, seconds: float) -> None:
        super().__init__(inner)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
            raise ConfigError(f"timeout is {seconds!r}", hint="timeout: 60   # seconds")
        self.seconds = float(seconds)

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run for so long at most."""
        with anyio.move_on_after(self.seconds):
            return await self.inner.execute(inputs, ctx)
        sentence = f"it took longer than {self.seconds:g} s"
        raise RunTimeoutError(sentence, path=ctx.path, hint=f"timeout: {self.seconds * 4:g}")


class Limit(Wrapper):
    """Run while holding one unit of a named resource."""

    def __init__(self, inner: Runnable, resource: str, limits: Limits) -> None:
        super().__init__(inner)
        self.resource, self.limits = resource, limits

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Wait for the resource, then run."""
        async with self.limits.held(self.resource):
            return await self.inner.execute(inputs, ctx)


class Cache(Wrapper):
    """Give back earlier outputs for equal inputs and seed; the newest `size` are kept, in memory."""

    def __init__(self, inner: Runnable, size: int = 256) -> None:
        super().__init__(inner)
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ConfigError(f"cache is {size!r}", hint="cache: true, or how many outputs to keep")
        self.size = size
        self._kept: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """From the cache, or run and keep. Inputs without a stable signature are not cached, with a warning."""
        try:
            key = fingerprint([dict(inputs), ctx.seed])
        except PortError as error:
            ctx.warn(f"not cached: {error.sentence}")
            return await self.inner.execute(inputs, ctx)
        if key in self._kept:
            self._kept.move_to_end(key)
            ctx.emit(NodeSkipped, reason="cached")
            return self._kept[key]
        outputs = await self.inner.execute(inputs, ctx)
        self._kept[key] = outputs
        if len(self._kept) > self.size:
            self._kept.popitem(last=False)
        return outputs


def gated(spec: Spec, name: str = "") -> Spec:
    """The ports of something behind a gate."""
    if WHEN in spec.inputs:
        raise ConfigError(f"{name} has an input {WHEN!r} already, so it cannot be gated")
    outputs = {n: Port(n, p.type, optional=True, doc=p.doc) for n, p in spec.outputs.items()}
    return Spec({**spec.inputs, WHEN: port(WHEN, bool)}, outputs, spec.doc)


class Gate(Wrapper):
    """Adds the input `when`: only when it is true does the inner one run. Its outputs are then optional."""

    @property
    def spec(self) -> Spec:
        """The inner one's ports and `when`."""
        return gated(self.inner.spec, self.inner.label)

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run when the gate is open."""
        if not inputs[WHEN]:
            ctx.emit(NodeSkipped, reason="its gate is shut")
            return {}
        return await self.inner.execute({k: v for k, v in inputs.items() if k != WHEN}, ctx)
