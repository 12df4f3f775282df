"""A durable run: the process is killed in the middle, the same line is run again and goes on; nothing is done twice.

For a real model: model = "openai:gpt-5".
Prints: first try: killed
Prints: second try: All three sails are set.
Prints: in the log: main sail, fore sail, jib
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from yggdrasil import Agent, ScriptedModel, ToolCall, run_sync, tool

TURNS = [ToolCall(s, "set_sail", {"sail": s}) for s in ("main sail", "fore sail", "jib")] + ["All three sails are set."]
model = ScriptedModel(lambda request: TURNS[sum(m.role == "tool" for m in request.messages)])
log = Path("sails.log")


@tool
def set_sail(sail: str) -> str:
    """Set a sail."""
    if sail == "jib" and not Path("killed").exists():
        Path("killed").touch()
        os._exit(9)  # the power fails
    log.write_text((log.read_text() + ", " if log.exists() else "") + sail)
    return "set"


if __name__ == "__main__":
    if sys.argv[1:] == ["sail"]:
        print(run_sync(Agent(model, tools=[set_sail]), "Set sail!", thread="t1", store="sqlite:///runs.db").output)
    else:
        tries = [subprocess.run([sys.executable, __file__, "sail"], stdout=-1, text=True) for _ in range(2)]
        print("first try:", "killed" if tries[0].returncode == 9 else tries[0])
        print("second try:", tries[1].stdout.strip())
        print("in the log:", log.read_text())
