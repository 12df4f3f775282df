"""What a test may leave behind, as the system sees it: processes, sockets, pipes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import anyio


def children() -> set[int]:
    """The processes that this one started and that are not gone."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            found |= {int(pid) for pid in (task / "children").read_text().split()}
        except FileNotFoundError:  # the thread ended
            continue
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs: not gone, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def channels() -> set[str]:
    """The sockets and pipes this process holds."""
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        try:
            found.add(os.readlink(fd))
        except FileNotFoundError:
            continue
    return {name for name in found if name.startswith(("socket:", "pipe:"))}


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something outside has happened; AssertionError when it does not."""
    deadline = anyio.current_time() + seconds
    while anyio.current_time() < deadline:
        if holds():
            return
        await anyio.sleep(0.01)
    raise AssertionError("it did not happen")
