"""Lines typed by a person, without holding the event loop: read in a thread, given out as they come."""

from __future__ import annotations

import asyncio
import sys
import threading

PASTE = 0.03
"""Seconds in which further lines are taken for one paste."""


class Lines:
    """Standard input as an async source of lines. The thread ends with the process, at the latest."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._terminal = sys.stdin.isatty()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                line = sys.stdin.readline()
            except (OSError, ValueError):
                line = ""
            try:
                self._loop.call_soon_threadsafe(self._queue.put_nowait, line or None)
            except RuntimeError:  # the loop has ended
                return
            if not line:
                return

    def drop(self) -> None:
        """Forget what a person typed before they saw the question; what comes through a pipe stays."""
        while self._terminal and not self._queue.empty():
            if self._queue.get_nowait() is None:
                self._queue.put_nowait(None)
                return

    async def next(self) -> str | None:
        """The next line, or lines that were pasted together; None at the end."""
        line = await self._queue.get()
        if line is None:
            self._queue.put_nowait(None)  # the end stays the end
            return None
        if self._terminal:
            await asyncio.sleep(PASTE)
            while not self._queue.empty():
                more = self._queue.get_nowait()
                if more is None:
                    self._queue.put_nowait(None)
                    break
                line += more
        return line.rstrip("\n")
