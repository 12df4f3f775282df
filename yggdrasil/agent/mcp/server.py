"""A server as its users see it: opened on first use, held by whoever uses it, started anew when it died."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import RunVar

from yggdrasil.agent.mcp.content import reply_to_mcp, request_of
from yggdrasil.agent.mcp.endpoint import Endpoint
from yggdrasil.agent.mcp.life import Life, UnsentError, Work
from yggdrasil.core.messages import Reply, Request
from yggdrasil.core.value import Value
from yggdrasil.errors import ToolServerError

HEALTHY = 10.0
"""Seconds after which a connection counts as one that worked, so that the next one is opened without waiting."""

LONGEST_WAIT = 10.0
_FIRST_WAIT = 0.1
_TRIES = 3


class Elicitation(Value):
    """What a server asks a person for in the middle of a call.

    schema   the JSON Schema of the answer; url: where the person is to go instead
    """

    message: str
    schema: Mapping[str, Any] | None = None
    url: str = ""


Elicit = Callable[[Elicitation], Any]
"""Answers an Elicitation: a mapping (accepted), True for a url that was visited, or None (declined); may be async."""

Sample = Callable[[Request], Awaitable[Reply]]
"""Answers a server's wish for a model: `lambda request: model.reply(request)`."""


class Server:
    """Connections to one endpoint, one in each event loop that uses it."""

    def __init__(self, endpoint: Endpoint, patience: float, elicit: Elicit | None, sample: Sample | None) -> None:
        self.endpoint, self._patience, self._elicit, self._sample = endpoint, patience, elicit, sample

    @property
    def here(self) -> Connection:
        """The connection of the running event loop."""
        connections = _connections.get(None)
        if connections is None:
            connections = WeakKeyDictionary()
            _connections.set(connections)
        if self not in connections:
            connections[self] = Connection(self)
        return connections[self]

    def live(self, wait: float) -> Life:
        """A new life."""
        return Life(self.endpoint, self._options, wait, self._patience)

    def _options(self, life: Life) -> Mapping[str, Any]:
        from mcp_types import Implementation, ToolListChangedNotification

        async def hear(message: Any) -> None:
            if isinstance(message, ToolListChangedNotification):
                life.tools = None

        found: dict[str, Any] = {
            "message_handler": hear,
            "client_info": Implementation(name="yggdrasil", version="1"),
        }
        if self._elicit is not None:
            found["elicitation_callback"] = self._answer_elicitation
        if self._sample is not None:
            found["sampling_callback"] = self._answer_sampling
        return found

    async def _answer_elicitation(self, context: Any, params: Any) -> Any:
        from mcp_types import ElicitResult

        assert self._elicit is not None
        schema = getattr(params, "requested_schema", None)
        try:
            answer = self._elicit(Elicitation(params.message, schema, getattr(params, "url", "")))
            if inspect.isawaitable(answer):
                answer = await answer
        except Exception as error:  # what went wrong here is not the server's to know
            return _failed(error)
        if answer is None or answer is False:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content=dict(answer) if isinstance(answer, Mapping) else None)

    async def _answer_sampling(self, context: Any, params: Any) -> Any:
        assert self._sample is not None
        try:
            return reply_to_mcp(await self._sample(request_of(params)))
        except Exception as error:  # what went wrong here is not the server's to know
            return _failed(error)


def _failed(error: Exception) -> Any:
    from mcp_types import INTERNAL_ERROR, ErrorData

    return ErrorData(code=INTERNAL_ERROR, message=f"the client could not answer ({type(error).__name__})")


class Connection:
    """The connection to a server within one event loop: closed for good when its last user leaves."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._users = 0
        self._life: Life | None = None
        self._lives: list[Life] = []
        self._failures = 0

    def hold(self) -> None:
        """One user more."""
        self._users += 1

    async def release(self, *, hurry: bool = False) -> None:
        """One user less; the last one closes it and waits until it is gone."""
        self._users -= 1
        if self._users == 0:
            lives, self._lives, self._life = self._lives, [], None
            for life in lives:
                life.leave(hurry=hurry)
            for life in lives:
                await life.gone()

    async def ask(self, work: Work, *, again: bool = False) -> Any:
        """What `work` gives on the connection that stands. `again`: asking twice does no harm.

        ToolServerError when the server cannot be reached, refuses, or went away while it was asked.
        """
        for attempt in range(_TRIES):
            life = self._alive()
            await life.ready()
            try:
                return await life.ask(work)
            except UnsentError:
                continue
            except ToolServerError as error:
                if not (again and error.lost and attempt == 0):
                    raise
        raise ToolServerError(f"{self._server.endpoint.label} went away {_TRIES} times before it could be asked")

    async def life(self) -> Life:
        """The life that stands now."""
        life = self._alive()
        await life.ready()
        return life

    def _alive(self) -> Life:
        life = self._life
        if life is None or life.over:
            self._life = life = self._server.live(self._wait(life))
            self._lives = [*(each for each in self._lives if not each.ended), life]
        return life

    def _wait(self, last: Life | None) -> float:
        """How long to wait before the server is started again: longer each time it dies young."""
        if last is None:
            self._failures = 0
            return 0.0
        young = last.failed or anyio.current_time() - last.began < HEALTHY
        self._failures = self._failures + 1 if young else 0
        # the first time may be chance
        return min(_FIRST_WAIT * 2.0 ** (self._failures - 2), LONGEST_WAIT) if self._failures > 1 else 0.0


_connections: RunVar[WeakKeyDictionary[Server, Connection]] = RunVar("yggdrasil tool servers")
