"""Python: a program, in a process of its own with bounds on time, memory and output; a person is asked first."""

from __future__ import annotations

from yggdrasil import RunContext, tool
from yggdrasil.agent.tools import subprocess
from yggdrasil.agent.tools.subprocess import MEMORY, OUTPUT, SECONDS, Limits


@tool(approval=True, idempotent=False)
async def python(
    code: str,
    ctx: RunContext,
    *,
    folder: str = "",
    seconds: float = SECONDS,
    memory: int = MEMORY,
    output: int = OUTPUT,
) -> str:
    """Run a Python program and give what it prints, with its exit code.

    Print what you want to see: nothing is kept from one call to the next. It reads no input, has no keys in its
    environment, and ends with everything it started. Very long output is shortened in the middle.
    """
    # Not a sandbox: it can do what this user can. `folder` is where it runs, for each call a fresh one without it.
    return await subprocess.python(code, ctx, folder, Limits(seconds, memory, output))
