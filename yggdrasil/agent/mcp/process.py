"""A server as a process of its own: started in its own session, talked to over its pipes, ended with all it started."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import ByteReceiveStream, Process

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one message; a server that sends a longer one is ended."""

_KEPT = 4000
_TERM = 0.3
_KILL = 2.0
_PAUSE = 0.01


class Tail:
    """The last words of a stream."""

    def __init__(self) -> None:
        self._bytes = b""

    def add(self, data: bytes) -> None:
        """Remember `data`, and forget what is far back."""
        self._bytes = (self._bytes + data)[-_KEPT:]

    @property
    def text(self) -> str:
        """What is remembered."""
        return self._bytes.decode("utf-8", "replace").strip()


@asynccontextmanager
async def process_transport(
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: str | None,
    tail: Tail,
    gone: Callable[[], None],
    grace: Callable[[], float],
) -> AsyncGenerator[tuple[Any, Any], None]:
    """The two streams of messages of a new process, for `mcp.Client`.

    tail    takes what it writes to standard error, and lines on standard output that are no messages
    gone    called when it closes its output: it died, or is about to
    grace   seconds it has to leave by itself once its input is closed; then it is killed with all it started

    OSError when it cannot be started.
    """
    process = await anyio.open_process(list(command), env=dict(env), cwd=cwd, start_new_session=True)
    # no await before the task group: a cancellation there would leave the process behind
    incoming, read = anyio.create_memory_object_stream[Any](0)
    write, outgoing = anyio.create_memory_object_stream[Any](0)
    async with anyio.create_task_group() as group:
        group.start_soon(_read, process, incoming, tail, gone)
        group.start_soon(_write, process, outgoing)
        group.start_soon(_listen, process.stderr, tail)
        try:
            yield read, write
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process, grace())
                for stream in (incoming, read, write, outgoing):
                    await stream.aclose()
            group.cancel_scope.cancel()


async def _read(process: Process, incoming: Any, tail: Tail, gone: Callable[[], None]) -> None:
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    assert process.stdout is not None
    try:
        async for line in _lines(process.stdout):
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError:
                tail.add(line + b"\n")
                continue
            await incoming.send(SessionMessage(message))
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        tail.add(b"(its output broke off)\n")
    finally:
        gone()
        incoming.close()


async def _lines(stream: ByteReceiveStream) -> AsyncGenerator[bytes, None]:
    buffer, looked = bytearray(), 0
    async for chunk in stream:
        buffer += chunk
        while (end := buffer.find(b"\n", looked)) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            looked = 0
            if line.strip():
                yield line
        looked = len(buffer)
        if looked > LONGEST_LINE:
            raise OSError(f"a message of more than {LONGEST_LINE} bytes")


async def _write(process: Process, outgoing: Any) -> None:
    assert process.stdin is not None
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):  # the reader sees that it died
        async for message in outgoing:
            line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            await process.stdin.send(line.encode() + b"\n")
    await outgoing.aclose()


async def _listen(stream: ByteReceiveStream | None, tail: Tail) -> None:
    assert stream is not None
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        async for chunk in stream:
            tail.add(chunk)


async def _end(process: Process, grace: float) -> None:
    """Close its input and wait; then SIGTERM and SIGKILL to its whole session."""
    assert process.stdin is not None
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        await process.stdin.aclose()
    if not await _left(process, grace):
        _signal(process, signal.SIGTERM)
        await _left(process, _TERM)
    _signal(process, signal.SIGKILL)  # those it started may still be there when it is not
    await _left(process, _KILL)
    # asyncio keeps the pipes open as long as any descendant holds one, and nothing public closes them
    transport = getattr(getattr(process, "_process", None), "_transport", None)
    if transport is not None:
        transport.close()
        await anyio.lowlevel.checkpoint()
    else:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                await stream.aclose()


async def _left(process: Process, seconds: float) -> bool:
    """Whether it ended in time. Polled: on asyncio waiting would wait for its pipes too, which others may hold."""
    deadline = anyio.current_time() + seconds
    while process.returncode is None:
        if anyio.current_time() >= deadline:
            return False
        await anyio.sleep(_PAUSE)
    return True


def _signal(process: Process, what: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, what)
