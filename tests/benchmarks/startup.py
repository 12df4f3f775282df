"""Cold starts, each in a process of its own, in turn.

python -m tests.benchmarks startup
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from tests.benchmarks.measure import heading, line

BASE = "from pydantic import BaseModel; import anyio"
CASES = (
    ("import Agent, Graph, World, tool", ["-c", "from yggdrasil import Agent, Graph, World, tool"], 2.0),
    ("yggdrasil --help", ["-m", "yggdrasil", "--help"], 4.0),
)


def seconds(arguments: list[str]) -> float:
    """Wall seconds of one process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure(rounds: int = 11) -> None:
    """Print the figures."""
    heading("Start-up (bare: `" + BASE + "`)")
    walls: dict[str, list[float]] = {}
    for _ in range(rounds):
        walls.setdefault("base", []).append(seconds(["-c", BASE]))
        for name, arguments, _ in CASES:
            walls.setdefault(name, []).append(seconds(arguments))
    base = statistics.median(walls["base"][1:])
    for name, _, bound in CASES:
        ours = statistics.median(walls[name][1:])
        ratio = ours / base
        line(name, f"{ours:.3f} s", f"{base:.3f} s", f"{ratio:.2f}", f"at most {bound:g}", kept=ratio <= bound)


if __name__ == "__main__":
    measure()
