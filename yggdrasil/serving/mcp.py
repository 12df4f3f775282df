"""Agents, graphs, tools and worlds as a server of the Model Context Protocol, over stdio or streamable HTTP."""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import anyio
import sniffio

from yggdrasil.abc.hook import Hook
from yggdrasil.agent.toolbox import AnyTool
from yggdrasil.core.events import Event, Progress, TickFinished
from yggdrasil.core.toolspec import ArgumentsError
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.runtime.group import first_failure
from yggdrasil.serving.content import failure, failure_of, result_of
from yggdrasil.serving.guard import security, token_guard
from yggdrasil.serving.served import Book, as_json, open_book

_NOTES = 256
_GRACE = 1
_JSON = "application/json"


async def serve_mcp(
    *served: AnyTool,
    name: str = "yggdrasil",
    http: int | None = None,
    host: str = "127.0.0.1",
    hosts: Sequence[str] = (),
    bearer: str | None = None,
    store: str | None = None,
    call_timeout: float | None = None,
) -> None:
    """Serve agents, graphs, tools and worlds until cancelled, or over stdio until the client leaves.

    http      the port, over streamable HTTP at http://HOST:PORT/mcp; without it over standard input and output
    host      the address to listen on; beyond loopback `hosts` and `bearer` are needed
    hosts     the names it is called by ("tools.example.org:8000"), checked against rebinding
    bearer    the variable of the environment that holds the token a client must show
    store     where a World that is not open yet is kept; its own by default
    call_timeout   seconds for one call
    """
    async with server(*served, name=name, store=store, call_timeout=call_timeout) as made:
        if http is None:
            await serve_stdio(made)
        else:
            async with serve_http(made, port=http, host=host, hosts=hosts, bearer=bearer):
                await anyio.sleep_forever()


@asynccontextmanager
async def server(
    *served: AnyTool, name: str = "yggdrasil", store: str | None = None, call_timeout: float | None = None
) -> AsyncIterator[Any]:
    """An `mcp.server.lowlevel.Server` that offers what is given; worlds stay open as long as the context.

    A runnable is a tool with the schema of its ports. A world is two tools, `run` and `look` (with its name before
    them beside others), and resources `world://NAME/content|state|status|chronicle`.
    """
    async with AsyncExitStack() as stack:
        book = await open_book(served, store, call_timeout, stack)
        yield _lowlevel(name, book)


async def serve_stdio(server: Any) -> None:
    """Serve one client over standard input and output until it leaves. What tools print goes to standard error."""
    from mcp.server.stdio import stdio_server

    from yggdrasil.serving.stdin import private_stdin

    with private_stdin() as lines:
        async with stdio_server(stdin=lines) as (read, write):
            await server.run(read, write, server.create_initialization_options())


@asynccontextmanager
async def serve_http(
    server: Any, *, port: int = 0, host: str = "127.0.0.1", hosts: Sequence[str] = (), bearer: str | None = None
) -> AsyncIterator[str]:
    """Serve over streamable HTTP for as long as the context lasts; gives the URL. Port 0 takes a free one.

    Requests are refused whose Host or Origin header names another host, as a page that rebinds its name does.
    ConfigError when the port is taken. On asyncio only: its web server knows no other event loop.
    """
    if sniffio.current_async_library() != "asyncio":
        raise ConfigError("serving over HTTP needs asyncio", hint='anyio.run(main, backend="asyncio")')
    import uvicorn

    guard = token_guard(host, bearer)
    app = server.streamable_http_app(transport_security=security(host, hosts), host=host)
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(f"{host}:{port} cannot be listened on: {error.strerror}", hint="http=0") from error
    # a socket made here does not tell asyncio that it is TCP, which then leaves out what spares 40 ms an answer
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ready = anyio.Event()

    class Web(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            try:
                await super().startup(sockets)
            finally:
                ready.set()

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # they stay with whoever runs the event loop

    web = Web(
        uvicorn.Config(
            guard(app), log_level="critical", access_log=False, lifespan="on", timeout_graceful_shutdown=_GRACE
        )
    )

    async def run() -> None:
        with anyio.CancelScope(shield=True):
            await web.serve(sockets=[listener])

    with listener:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            try:
                await ready.wait()
                yield f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/mcp"
            finally:
                web.should_exit = True


# --- what the protocol asks


def _lowlevel(name: str, book: Book) -> Any:
    import mcp_types as types
    from mcp import MCPError
    from mcp.server.lowlevel import Server

    async def list_tools(ctx: Any, params: Any) -> Any:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.contract.spec.name,
                    description=tool.contract.spec.description,
                    input_schema=dict(tool.contract.spec.parameters),
                    annotations=types.ToolAnnotations(read_only_hint=True) if tool.reads else None,
                )
                for tool in book.tools.values()
            ]
        )

    async def call_tool(ctx: Any, params: Any) -> Any:
        return await _call(book, ctx, params)

    async def list_resources(ctx: Any, params: Any) -> Any:
        return types.ListResourcesResult(
            resources=[
                types.Resource(uri=r.uri, name=r.name, description=r.description, mime_type=_JSON)
                for r in book.resources.values()
            ]
        )

    async def read_resource(ctx: Any, params: Any) -> Any:
        found = book.resources.get(str(params.uri))
        if found is None:
            raise MCPError(
                types.INVALID_PARAMS,
                f"there is no resource {params.uri}; {close_names(str(params.uri), book.resources)}",
            )
        contents = types.TextResourceContents(uri=found.uri, mime_type=_JSON, text=as_json(await found.read()))
        return types.ReadResourceResult(contents=[contents])

    from yggdrasil import __version__

    offered: dict[str, Any] = {"on_list_tools": list_tools, "on_call_tool": call_tool}
    if book.resources:
        offered |= {"on_list_resources": list_resources, "on_read_resource": read_resource}
    return Server(name, version=__version__, **offered)


async def _call(book: Book, ctx: Any, params: Any) -> Any:
    tool = book.tools.get(params.name)
    if tool is None:
        return failure(f"there is no tool {params.name!r}; {close_names(params.name, book.tools)}")
    try:
        inputs = tool.contract.read(params.arguments or {})
    except ArgumentsError as error:
        return failure(str(error))
    try:
        async with _reporting(ctx.session) as hear:
            return result_of(await tool.call(inputs, hear))
    except Exception as error:  # told to the client's model
        cause = first_failure(error) if isinstance(error, ExceptionGroup) else error
        if not isinstance(cause, Exception):
            raise
        return failure_of(cause)


@asynccontextmanager
async def _reporting(session: Any) -> AsyncIterator[Hook]:
    """A hook whose Progress goes to the client, in a task of its own."""
    send, notes = anyio.create_memory_object_stream[tuple[float, float | None, str]](_NOTES)
    count = _Count()

    def hear(event: Event) -> None:
        note = count.of(event)
        if note is not None and send.statistics().current_buffer_used < _NOTES:
            send.send_nowait(note)  # a client that reads too slowly misses some

    async def report() -> None:
        async with notes:
            async for done, total, note in notes:
                await session.report_progress(done, total, note or None)

    async with anyio.create_task_group() as group:
        group.start_soon(report)
        try:
            yield hear
        finally:
            send.close()


class _Count:
    """Progress as the protocol wants it: a number that only rises.

    While one place tells of itself its own numbers are passed on; when others join, what is told is counted.
    """

    def __init__(self) -> None:
        self._last = -math.inf
        self._path: str | None = None
        self._alone = True

    def of(self, event: Event) -> tuple[float, float | None, str] | None:
        """What is told of an event; None for nothing."""
        if isinstance(event, TickFinished):
            return self._told(event.path, math.inf, None, f"tick {event.tick}")
        if isinstance(event, Progress):
            return self._told(event.path, event.done, event.total, event.note)
        return None

    def _told(self, path: str, done: float, total: float | None, note: str) -> tuple[float, float | None, str] | None:
        if self._path is None:
            self._path = path
        self._alone = self._alone and path == self._path and done < math.inf
        if self._alone:
            if not done > self._last:
                return None
            self._last = done
            return done, total, note
        self._last = max(math.floor(self._last), 0) + 1 if self._last > -math.inf else 1
        return self._last, None, note or path


__all__ = ["serve_http", "serve_mcp", "serve_stdio", "server"]
