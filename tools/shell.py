"""Shell: a command, in a process of its own with bounds on time, memory and output; a person is asked first."""

from __future__ import annotations

from yggdrasil import RunContext, tool
from yggdrasil.agent.tools import subprocess
from yggdrasil.agent.tools.subprocess import MEMORY, OUTPUT, SECONDS, Limits


@tool(approval=True, idempotent=False)
async def shell(
    command: str,
    ctx: RunContext,
    *,
    folder: str = "",
    seconds: float = SECONDS,
    memory: int = MEMORY,
    output: int = OUTPUT,
) -> str:
    """Run a command in a shell (bash where there is one) and give what it says, with its exit code.

    It reads no input, has no keys in its environment, and ends with everything it started: nothing goes on in the
    background. Very long output is shortened in the middle.
    """
    # Not a sandbox: it can do what this user can. `folder` is where it runs, for each call a fresh one without it.
    return await subprocess.shell(command, ctx, folder, Limits(seconds, memory, output))
