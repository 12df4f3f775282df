"""The command as a person types it, in this process (quick) or in one of its own, and a small world to break."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from yggdrasil.cli import main

ROOT = Path(__file__).resolve().parents[2]

BLOCKS = """
    import time
    from pathlib import Path
    from yggdrasil import block

    @block("tiny/development", outputs={"intent": str})
    def development(world: dict, action: str | None = None) -> str:
        return action or f"day {world['days']['count']}"

    @block("tiny/architect", outputs={"blueprint": dict})
    def architect(intent: str) -> dict:
        return {"of": intent}

    @block("tiny/pen", outputs={"lines": list[str]}, blocking=True)
    def pen(blueprint: dict) -> list[str]:
        while Path("slow").exists():
            time.sleep(0.02)
        return [blueprint["of"]] * 3

    @block("tiny/count", outputs={"number": int})
    def count(text: str) -> int:
        return len(text)

    @block("tiny/colour", outputs={"artifacts": dict})
    def colour(lines: list[str]) -> dict:
        return {"texts": lines}

    @block("tiny/philosopher", outputs={"description": str})
    def philosopher(artifacts: dict) -> str:
        return "It shows: " + artifacts["texts"][0]

    @block("tiny/author", outputs={"chronicle": str})
    def author(description: str) -> str:
        return "So it went. " + description

    @block("tiny/update", outputs={"patch": list[dict]})
    def update(chronicle: str, world: dict) -> list[dict]:
        days = {"op": "replace", "path": "/days/count", "value": world["days"]["count"] + 1}
        return [days, {"op": "add", "path": "/history/-", "value": chronicle}]
"""
WORLD = """
    kind: world
    version: 1
    name: tiny
    execution:
      stages:
        philosopher: {type: tiny/philosopher}
        author: {type: tiny/author}
        environment:
          update: {type: tiny/update}
          development: {type: tiny/development}
        architect: {type: tiny/architect}
        creator: {ref: stages/creator.yaml}
    content: {ref: content/}
"""
CREATOR = """
    kind: stage
    version: 1
    name: creator
    reads: [blueprint]
    fills: artifacts
    nodes:
      draw: {ref: ../pipelines/draw.yaml}
    inputs: {blueprint: draw.blueprint}
    outputs: {artifacts: draw.artifacts}
"""
DRAW = """
    kind: pipeline
    version: 1
    name: draw
    nodes:
      sketch: {kind: graph, nodes: {pen: {type: tiny/pen}}}
      colour: {kind: graph, nodes: {brush: {type: tiny/colour}}}
    edges:
      - sketch.lines -> colour.lines
    inputs: {blueprint: sketch.blueprint}
    outputs: {artifacts: colour.artifacts}
"""


@dataclass(frozen=True)
class Done:
    """What a command left."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with one small world in it, to stand in; a file `slow` there makes its Creator wait."""
    home = tmp_path / "home"
    world = home / "worlds" / "tiny"
    for folder in ("blocks", "content", "stages", "pipelines"):
        (world / folder).mkdir(parents=True)
    files = {
        "world.yaml": WORLD,
        "blocks/stages.py": BLOCKS,
        "stages/creator.yaml": CREATOR,
        "pipelines/draw.yaml": DRAW,
        "content/days.yaml": "count: 0\n",
    }
    for name, text in files.items():
        (world / name).write_text(dedent(text))
    (home / "yggdrasil.toml").write_text("")
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def yggdrasil(monkeypatch: pytest.MonkeyPatch) -> Command:
    """`yggdrasil WORDS...` in this process and the current folder."""

    def call(*words: str) -> Done:
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["yggdrasil", *words])
        code: object = 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main()
            except SystemExit as leaving:
                code = leaving.code or 0
            out.flush()
        assert isinstance(code, int)
        return Done(code, out.buffer.getvalue().decode(), err.getvalue())  # type: ignore[attr-defined]

    return call


@pytest.fixture
def start() -> Iterator[Start]:
    """`yggdrasil WORDS...` as a process of its own, in the current folder; ended with the test."""
    processes: list[subprocess.Popen[str]] = []

    def call(*words: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "yggdrasil", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield call
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def apart(start: Start) -> Command:
    """The command in a process of its own, waited for."""

    def call(*words: str, **variables: str) -> Done:
        process = start(*words, **variables)
        out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err)

    return call


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faults of a machine, to be loaded into a process: faults/shim.c."""
    made = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).parent / "faults" / "shim.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl", "-lpthread"], check=True)
    return made
