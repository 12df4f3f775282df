"""One life of a connection: one task opens it, makes its calls and closes it. Others reach it through a queue."""

from __future__ import annotations

import contextvars
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import anyio.to_thread

from yggdrasil.agent.mcp.endpoint import Endpoint, Signs
from yggdrasil.errors import RunTimeoutError, ToolServerError, YggdrasilError
from yggdrasil.runtime.group import first_failure
from yggdrasil.runtime.spawn import spawn

CLOSING = 5.0
"""Seconds a connection may take to close; what then remains is cancelled."""

_TERMINATED = "Session terminated"

Work = Callable[[Any], Awaitable[Any]]
"""What is done with the `mcp.Client` of a connection that stands."""


class UnsentError(Exception):
    """The server was gone before it was asked: asking again is safe."""


class _Call:
    """One piece of work for the connection's task, and its outcome."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.context = contextvars.copy_context()
        self.done = anyio.Event()
        self.result: Any = None
        self.error: Exception | None = None
        self.begun = False
        self._scope: anyio.CancelScope | None = None
        self._dropped = False

    async def perform(self, client: Any) -> None:
        """Do it; a call that is cancelled from outside is settled by its life."""
        with anyio.CancelScope() as self._scope:
            if self._dropped:
                self._scope.cancel()
            self.begun = True
            try:
                self.result = await self.work(client)
            except Exception as error:  # it is the caller's
                self.error = error
            self.done.set()

    def fail(self, error: Exception) -> None:
        """Settle it, if it is not settled."""
        if not self.done.is_set():
            self.error = error
            self.done.set()

    def drop(self) -> None:
        """Nobody waits for it any more: the server is told that it is cancelled."""
        self._dropped = True
        if self._scope is not None:
            self._scope.cancel()


class Life:
    """A connection from its opening to its end; `over` when it takes no more calls.

    options   what `mcp.Client` is made with besides the transport
    wait      seconds before it is opened
    patience  seconds it may take to open
    """

    def __init__(
        self, endpoint: Endpoint, options: Callable[[Life], Mapping[str, Any]], wait: float, patience: float
    ) -> None:
        self.endpoint = endpoint
        self.signs = Signs(self._gone)
        self.tools: list[Any] | None = None
        self.over = self.ended = self.failed = False
        self._options, self._wait, self._patience = options, wait, patience
        self._ready, self._ended, self._dead = anyio.Event(), anyio.Event(), anyio.Event()
        self._failure: Exception | None = None
        self._calls: set[_Call] = set()
        self._closing = self._draining = False
        self._opening: anyio.CancelScope | None = None
        self._serving: anyio.CancelScope | None = None
        self._inbox, self._queue = anyio.create_memory_object_stream[_Call](math.inf)
        self.began = anyio.current_time() + wait
        self._task = spawn(self._own)

    async def ready(self) -> None:
        """Wait until it stands; ToolServerError or ConfigError when it cannot."""
        await self._ready.wait()
        if self.failed:
            raise self._told(self._failure)

    async def ask(self, work: Work) -> Any:
        """What `work` gives. UnsentError when the server was gone before, ToolServerError when it went meanwhile."""
        call = _Call(work)
        if self.over:
            raise UnsentError
        self._calls.add(call)
        self._inbox.send_nowait(call)
        try:
            await call.done.wait()
        except BaseException:
            call.drop()
            raise
        finally:
            self._calls.discard(call)
        if call.error is not None:
            raise self._meaning(call.error) from call.error
        return call.result

    def retire(self) -> None:
        """Take no more calls, and close."""
        if not self.over:
            self.over = True
            self._inbox.close()

    def leave(self, *, hurry: bool = False) -> None:
        """Close it; in a hurry its process has less time to leave by itself."""
        if hurry:
            self.signs.grace = 0.3
        self._closing = True
        self.retire()
        for scope in (self._opening, self._serving):
            if scope is not None:
                scope.cancel()

    async def gone(self) -> None:
        """Wait until it is gone, its process with it, whoever is cancelled meanwhile."""
        with anyio.CancelScope(shield=True):
            await self._ended.wait()

    def _gone(self) -> None:
        self._dead.set()
        self.retire()

    # --- the task

    async def _own(self) -> None:
        failure: Exception | None = None
        opened = False
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + self._wait + self._patience) as scope:
                self._opening = scope
                if self._closing:
                    scope.cancel()
                if self._wait:
                    await anyio.sleep(self._wait)
                # mcp takes a second to import, which the loop must not be held for
                made = await anyio.to_thread.run_sync(self._client, abandon_on_cancel=True)
                async with made as client:
                    opened, self._opening = True, None
                    scope.deadline = math.inf
                    self._ready.set()
                    await self._serve(client)
                    scope.deadline = anyio.current_time() + CLOSING
            if scope.cancelled_caught and not opened:
                failure = TimeoutError(f"it did not answer within {self._patience:g} s")
        except Exception as error:  # told to whoever asked
            failure = _innermost(error)
        finally:
            self.failed = not opened
            self._failure = failure
            self.retire()
            self._queue.close()
            for call in tuple(self._calls):
                call.fail(self._lost(failure) if call.begun and not _refused(failure) else UnsentError())
            self.ended = True
            self._ready.set()
            self._ended.set()

    def _client(self) -> Any:
        from mcp import Client

        transport: AbstractAsyncContextManager[Any] = self.endpoint.transport(self.signs)
        return Client(transport, **self._options(self))

    async def _serve(self, client: Any) -> None:
        async with anyio.create_task_group() as group:
            self._serving = group.cancel_scope
            async for call in self._queue:
                if self._dead.is_set():
                    call.fail(UnsentError())
                else:
                    # what the caller's context holds (a trace) holds for its call
                    call.context.run(group.start_soon, call.perform, client)
            if not self._draining:
                group.cancel_scope.cancel()

    # --- errors

    def _lost(self, cause: Exception | None) -> ToolServerError:
        said = self._said(cause)
        return ToolServerError(
            f"{self.endpoint.label} went away during the call, which may or may not have had its effect{said}",
            lost=True,
        )

    def _told(self, cause: Exception | None) -> Exception:
        """Why it does not stand. A new error each time: several may wait for it."""
        if isinstance(cause, YggdrasilError):
            return type(cause)(cause.sentence, hint=cause.hint)
        return ToolServerError(f"{self.endpoint.label} cannot be reached{self._said(cause)}")

    def _said(self, cause: Exception | None) -> str:
        why = f": {type(cause).__name__}: {cause}".rstrip(": ") if cause is not None else ""
        words = f"; it said: {self.signs.tail.text}" if self.signs.tail.text else ""
        return self.endpoint.scrub(why + words)

    def _meaning(self, error: Exception) -> Exception:
        """What an error of a call is to its caller."""
        if isinstance(error, YggdrasilError | UnsentError):
            return error
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT

        if not isinstance(error, MCPError):
            what = _innermost(error)
            return ToolServerError(
                self.endpoint.scrub(f"{self.endpoint.label} answered amiss: {type(what).__name__}: {what}")
            )
        if error.code == CONNECTION_CLOSED:
            return self._lost(None)
        if error.code == REQUEST_TIMEOUT:
            return RunTimeoutError(f"{self.endpoint.label} did not answer in time", hint="MCP.stdio(..., timeout=600)")
        if error.message == _TERMINATED:
            self._draining = True  # it does not know us any more, and did nothing; the other calls learn it too
            self.retire()
            return UnsentError()
        return ToolServerError(self.endpoint.scrub(f"{self.endpoint.label} refused: {error.message}"))


def _innermost(error: BaseException) -> Exception:
    found = first_failure(error) if isinstance(error, BaseExceptionGroup) else error
    return found if isinstance(found, Exception) else ToolServerError(type(found).__name__)


def _refused(error: Exception | None) -> bool:
    """Whether nothing was sent: no connection came about."""
    return any(kind.__name__ in ("ConnectError", "ConnectTimeout") for kind in type(error).__mro__)
