"""Every benchmark, each in a process of its own: `python -m tests.benchmarks [NAME ...]`."""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "engine", "agent", "durable", "postgres", "world", "worlds", "startup", "observe", "memory", "scale", "size",
    "past", "weights",
)  # fmt: skip


def main() -> int:
    """Run the named benchmarks, or all; the exit status says whether each of them ran."""
    names = sys.argv[1:] or NAMES
    unknown = [n for n in names if n not in NAMES]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    return max(subprocess.run([sys.executable, "-m", f"tests.benchmarks.{n}"], check=False).returncode for n in names)


if __name__ == "__main__":
    sys.exit(main())
