"""What agents do in threads, processes and subprocesses, for the tests of cancellation; importable by name."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import anyio.from_thread

from yggdrasil import tool


@tool(killable=True)
def grind(file: str) -> str:
    """Work in a worker process until the end of time; its process id is in `file`."""
    import os

    Path(file).write_text(str(os.getpid()))
    while True:
        time.sleep(0.01)


@tool(blocking=True)
def looking(file: str) -> str:
    """Work in a thread that looks whether it should go on."""
    while True:
        Path(file).write_text(str(time.monotonic()))
        time.sleep(0.02)
        anyio.from_thread.check_cancelled()


@tool(blocking=True)
def deaf(seconds: float) -> str:
    """Work in a thread that never looks."""
    time.sleep(seconds)
    return "done"


@tool
async def child(file: str) -> str:
    """Run a subprocess."""
    command = [sys.executable, "-c", f"import os,time; open({file!r},'w').write(str(os.getpid())); time.sleep(60)"]
    await anyio.run_process(command, stdout=subprocess.DEVNULL)
    return "done"


@tool(killable=True)
def double(number: int) -> int:
    """Double it, elsewhere."""
    return number * 2
