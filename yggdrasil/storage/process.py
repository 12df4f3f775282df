"""Which process holds a lease, and whether it is still alive."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told apart from any other that has its number.

    host      name of the machine
    machine   boot id and process namespace where /proc tells them, else ""
    started   clock ticks between boot and the start of the process (proc(5), field 22), else 0
    """

    pid: int
    host: str
    machine: str
    started: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    def gone(self) -> bool:
        """Whether it surely does not run any more. Of another machine, or without /proc, nothing is sure."""
        me = this_process()
        if not self.machine or (self.host, self.machine) != (me.host, me.machine):
            return False
        if self.pid == me.pid:
            return self.started != me.started
        started = _started(self.pid)
        return _absent(self.pid) if started is None else started != self.started


def this_process() -> Process:
    """The running process (asked for again after a fork)."""
    return _this_process(os.getpid())


@lru_cache(maxsize=1)
def _this_process(pid: int) -> Process:
    started = _started(pid)
    machine = _machine() if started is not None else ""
    return Process(pid, socket.gethostname(), machine, started or 0)


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _absent(pid: int) -> bool:
    # /proc may hide the processes of other users; a signal that is never sent tells them from none.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _state(pid) in ("Z", "X", "x")


def _state(pid: int) -> str:
    return (_stat(pid) or [""])[0]


def _started(pid: int) -> int | None:
    """When a process started; None when there is none, or only its corpse (a zombie)."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZXx" else int(fields[19])


def _stat(pid: int) -> list[str] | None:
    """What /proc tells of a process, from the field `state` on; None when it tells nothing."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold anything, so count from its end: state is field 3, start time 22.
    return text.rpartition(")")[2].split()
