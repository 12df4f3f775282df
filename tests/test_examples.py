"""Every example runs in a process of its own, from outside the checkout, and prints the lines its docstring says.

Those of agents print these lines and no others.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
AGENTS = [path for path in EXAMPLES if path.parent.name == "agents"]


def test_there_is_one_for_each_level_and_use() -> None:
    there = {path.stem: path.read_text(encoding="utf-8").count("\n") for path in EXAMPLES if path not in AGENTS}
    whole = {"train_neural_midgard"}  # a program of its own
    assert {
        "blocks_only", "graph", "pipeline", "stage", "loop_until", "agent_only", "llm_only", "neural_block_only",
        "detector_only", "diffusion_only", "llm_and_diffusion", "lora_world",
    } <= there.keys()  # fmt: skip
    assert not {name: lines for name, lines in there.items() if lines >= 60 and name not in whole}


def test_the_agents_are_short_enough_to_copy() -> None:
    assert len(AGENTS) >= 10
    for path in AGENTS:
        text = path.read_text(encoding="utf-8")
        assert 15 <= text.count("\n") <= 40, f"{path.name} has {text.count(chr(10))} lines"
        changed = re.search(r"^For (a real model|real models): ", text, re.MULTILINE)
        assert changed, f"{path.name} does not say which line to change for a real model"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, tmp_path: Path) -> None:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    expected = [line.removeprefix("Prints: ") for line in doc.splitlines() if line.startswith("Prints: ")]
    assert expected, f"{path.name} does not say `Prints: ...` in its docstring"
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(path)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    if path in AGENTS:
        assert done.stdout.splitlines() == expected
        return
    printed = iter(done.stdout.splitlines())
    for line in expected:
        assert line in printed, f"{line!r} is not printed, or not in this order:\n{done.stdout}"
