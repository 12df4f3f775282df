"""Standard input for the protocol alone, and read so that a cancelled server need not wait for another line."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import anyio

_CHUNK = 65536


@contextmanager
def private_stdin() -> Iterator[Any]:
    """The lines of standard input, as `stdio_server` takes them; meanwhile others who read it find it empty.

    None where it cannot be waited for (a file, Windows): then the protocol's own way is used.
    """
    if sys.platform == "win32" or not _waits(0):
        yield None
        return
    private = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    try:
        yield _lines(private)
    finally:
        os.dup2(private, 0)
        os.close(private)


def _waits(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)


async def _lines(fd: int) -> AsyncIterator[str]:
    buffer = bytearray()
    looked = 0
    while True:
        await anyio.wait_readable(fd)
        chunk = os.read(fd, _CHUNK)
        if not chunk:
            break
        buffer += chunk
        while (end := buffer.find(b"\n", looked)) >= 0:
            yield buffer[: end + 1].decode("utf-8", "replace")
            del buffer[: end + 1]
            looked = 0
        looked = len(buffer)
    if buffer:
        yield buffer.decode("utf-8", "replace")
