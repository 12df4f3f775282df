"""Every example runs in a process of its own, from outside the checkout, and prints the line its docstring says."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_there_is_one_for_each_level_and_use() -> None:
    assert {"blocks_only", "graph", "pipeline", "stage", "loop_until", "agent_only", "llm_only"} <= {
        path.stem for path in EXAMPLES
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, tmp_path: Path) -> None:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    expected = [line.removeprefix("Prints: ") for line in doc.splitlines() if line.startswith("Prints: ")]
    assert len(expected) == 1, f"{path.name} does not say `Prints: ...` in its docstring"
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PYTHONWARNINGS": "error"}
    command = [sys.executable, str(path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert expected[0] in done.stdout.splitlines(), done.stdout
