"""A command on a real terminal (a pty), typed at and read as a person would."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Terminal:
    """`yggdrasil WORDS...` in `folder`; `said` is all that it has written."""

    def __init__(self, folder: Path, *words: str, columns: int = 80, **variables: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": str(columns), **variables}
            os.execve(sys.executable, [sys.executable, "-m", "yggdrasil", *words], environment)
        self.said = ""
        self._at = 0

    def until(self, text: str, seconds: float = 20.0) -> str:
        """Read until `text` has come; what came since the last call, up to it. AssertionError when it does not."""
        began = time.monotonic()
        while (found := self.said.find(text, self._at)) < 0:
            assert time.monotonic() - began < seconds, f"{text!r} did not come:\n{self.said[self._at :]}"
            if select.select([self._fd], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self._fd, 65536).decode("utf-8", "replace")
                except OSError:  # the other end is closed
                    assert text in self.said[self._at :], f"it ended without {text!r}:\n{self.said[self._at :]}"
        before, self._at = self._at, found + len(text)
        return self.said[before : self._at]

    def type(self, line: str, end: str = "\n") -> None:
        """Type a line."""
        os.write(self._fd, (line + end).encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.write(self._fd, b"\x03")

    def end(self, seconds: float = 20.0) -> int:
        """Wait until it has ended; its exit code."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self._fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self._fd], [], [], 0.05)[0]:
                try:
                    self.said += os.read(self._fd, 65536).decode("utf-8", "replace")
                except OSError:
                    time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(f"it does not end:\n{self.said[-2000:]}")

    def kill(self) -> None:
        """`kill -9`."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)
