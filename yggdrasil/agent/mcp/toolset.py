"""`MCP.stdio(...)` and `MCP.http(...)`: the tools, resources and prompts of a Model Context Protocol server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import anyio

from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.toolset import Toolset
from yggdrasil.agent.mcp.content import messages_of, part_of, resource_piece
from yggdrasil.agent.mcp.endpoint import Address, Command, Endpoint
from yggdrasil.agent.mcp.server import Elicit, Sample, Server
from yggdrasil.agent.mcp.tool import ServerTool
from yggdrasil.core.messages import Audio, File, Image, Message, Text
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, ToolServerError
from yggdrasil.runtime.function import FunctionBlock

_MOST_PAGES = 100

Listing = Callable[[Any, str | None], Awaitable[Any]]


class Resource(Value):
    """Something a server lets be read. `uri` has {parameters} in a template; `size` in bytes where it is known."""

    uri: str
    name: str
    description: str = ""
    media_type: str = ""
    size: int | None = None
    template: bool = False


class Prompt(Value):
    """A prompt a server offers. `arguments` are the names it takes, `required` those it needs."""

    name: str
    description: str = ""
    arguments: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


class MCP(Toolset):
    """A server of tools: `Agent(..., tools=[MCP.stdio("npx", "-y", "@scope/server")])`.

    It is connected to on first use and left when the last user leaves; `async with server:` keeps it in between.
    It may be used from any task. A server that died is started anew by the next call.

    timeout    seconds for one call, unless the tool has its own
    patience   seconds it may take to start (`npx -y` may have to download it)
    elicit     answers what the server asks a person (see `Elicitation`); refused when there is none
    sample     answers what the server asks a model; refused when there is none
    resources_as_tools   two tools more: list_resources, and read_resource(uri)
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float = 300.0,
        patience: float = 60.0,
        elicit: Elicit | None = None,
        sample: Sample | None = None,
        resources_as_tools: bool = False,
    ) -> None:
        for name, seconds in (("timeout", timeout), ("patience", patience)):
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
                raise ConfigError(f"{name} is {seconds!r}", hint=f"{name}=60   # seconds")
        self.endpoint = endpoint
        self.timeout = timeout
        self.resources_as_tools = resources_as_tools
        self._server = Server(endpoint, patience, elicit, sample)

    @classmethod
    def stdio(
        cls,
        *command: str,
        env: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        **options: Any,
    ) -> Self:
        """A server that is started as a process: `MCP.stdio("npx", "-y", "@scope/server", env=["GITHUB_TOKEN"])`.

        env         names of variables of our environment that it is given ("NAME=OURS" under another name)
        variables   plain settings for its environment; SecretError for a secret
        cwd         the folder it runs in
        options     as `MCP` takes them: timeout, patience, elicit, sample, resources_as_tools
        """
        return cls(Command(command, env, variables or {}, cwd), **options)

    @classmethod
    def http(cls, url: str, *, bearer: str | None = None, headers: Sequence[str] = (), **options: Any) -> Self:
        """A server that runs already, over streamable HTTP: `MCP.http("https://host/mcp", bearer="MY_TOKEN")`.

        bearer    the variable of our environment that holds the token
        headers   "X-Api-Key=MY_VARIABLE": other headers, each from a variable
        options   as `MCP` takes them: timeout, patience, elicit, sample, resources_as_tools
        """
        return cls(Address(url, bearer, headers), **options)

    # --- being open

    async def __aenter__(self) -> Self:
        self._server.here.hold()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        await self._server.here.release(hurry=kind is not None and issubclass(kind, anyio.get_cancelled_exc_class()))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sequence[Runnable]]:
        """The tools, for as long as the context lasts."""
        async with self:
            yield await self.tools()

    # --- what it has

    async def tools(self) -> list[Runnable]:
        """Its tools as they are now. They may be called later too, whether the server is held open or not."""
        async with self:
            listed = await self._tools()
        tools: list[Runnable] = [ServerTool(each, self._call) for each in listed]
        if self.resources_as_tools:
            tools += self._reading()
        return tools

    async def _tools(self) -> list[Any]:
        life = await self._server.here.life()
        if life.tools is None:
            found: list[Any] = []

            async def ask(client: Any) -> bool:
                found[:] = await _pages("tools", client.list_tools)
                # only a server that tells of changes spares us asking again
                return bool(_can(client, "tools").list_changed) and not _is_modern(client)

            if await self._server.here.ask(_having("tools", ask, False), again=True):
                life.tools = found
            return found
        return life.tools

    async def resources(self) -> list[Resource]:
        """What can be read: resources, then templates of them."""

        async def ask(client: Any) -> list[Resource]:
            found = [
                Resource(str(r.uri), r.title or r.name, r.description or "", r.mime_type or "", r.size)
                for r in await _pages("resources", client.list_resources)
            ]
            return found + [
                Resource(t.uri_template, t.title or t.name, t.description or "", t.mime_type or "", template=True)
                for t in await _pages("resource_templates", client.list_resource_templates)
            ]

        return list(await self._ask(_having("resources", ask, [])))

    async def read_resource(self, uri: str) -> tuple[Text | Image | Audio | File, ...]:
        """A resource as parts of a message: `user("Sum it up.", *await server.read_resource(uri))`."""
        result = await self._ask(lambda client: client.read_resource(uri))
        return tuple(part_of(resource_piece(each)) for each in result.contents)

    async def prompts(self) -> list[Prompt]:
        """The prompts it offers."""

        async def ask(client: Any) -> list[Prompt]:
            return [
                Prompt(
                    p.name,
                    p.description or p.title or "",
                    tuple(a.name for a in p.arguments or ()),
                    tuple(a.name for a in p.arguments or () if a.required),
                )
                for p in await _pages("prompts", client.list_prompts)
            ]

        return list(await self._ask(_having("prompts", ask, [])))

    async def prompt(self, name: str, /, **arguments: str) -> list[Message]:
        """A prompt with its arguments filled in, as messages for an agent."""
        result = await self._ask(lambda client: client.get_prompt(name, arguments))
        return messages_of(result.messages)

    # --- asking

    async def _ask(self, work: Callable[[Any], Awaitable[Any]], *, again: bool = True) -> Any:
        async with self:
            return await self._server.here.ask(_timed(work, self.timeout, self.endpoint.label), again=again)

    async def _call(
        self, name: str, arguments: dict[str, Any], meta: Mapping[str, Any] | None, progress: Any, again: bool
    ) -> Any:
        async with self:
            return await self._server.here.ask(
                lambda client: client.call_tool(
                    name,
                    arguments,
                    read_timeout_seconds=self.timeout,
                    progress_callback=progress,
                    meta=dict(meta) if meta is not None else None,
                ),
                again=again,
            )

    def _reading(self) -> list[Runnable]:
        async def list_resources() -> list[dict[str, Any]]:
            """List what can be read here, by URI."""
            return [r.values() for r in await self.resources()]

        async def read_resource(uri: str) -> Any:
            """Read a resource.

            Args:
                uri: Its URI, as list_resources gives it.
            """
            pieces = [p.text if isinstance(p, Text) else p.blob for p in await self.read_resource(uri)]
            return pieces[0] if len(pieces) == 1 else pieces

        return [FunctionBlock(list_resources), FunctionBlock(read_resource)]


def _can(client: Any, what: str) -> Any:
    return getattr(client.server_capabilities, what)


def _is_modern(client: Any) -> bool:
    """Whether changes are told only to those who subscribe."""
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS

    return client.protocol_version in MODERN_PROTOCOL_VERSIONS


def _having(what: str, ask: Callable[[Any], Awaitable[Any]], otherwise: Any) -> Callable[[Any], Awaitable[Any]]:
    """`ask`, or `otherwise` where the server has no such thing."""

    async def work(client: Any) -> Any:
        return otherwise if _can(client, what) is None else await ask(client)

    return work


def _timed(work: Callable[[Any], Awaitable[Any]], seconds: float, label: str) -> Callable[[Any], Awaitable[Any]]:
    async def timed(client: Any) -> Any:
        with anyio.move_on_after(seconds) as scope:
            return await work(client)
        assert scope.cancelled_caught
        raise ToolServerError(f"{label} did not answer within {seconds:g} s")

    return timed


async def _pages(what: str, ask: Callable[..., Awaitable[Any]]) -> list[Any]:
    """Every item of a list that comes in pages."""
    items: list[Any] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await ask(cursor=cursor)
        items += getattr(page, what)
        last, cursor = cursor, page.next_cursor
        if cursor is None or cursor == last:
            return items
    raise ToolServerError(f"the server's list of {what} does not end")
