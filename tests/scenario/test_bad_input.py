"""Files that are wrong: told on one screen with the place, the reason and the line to write, and nothing is lost.

Each case breaks a world that has lived two ticks. `validate`, `run` and the Python API must refuse it alike, leave
every byte where it was, and the mended world must go on as if nothing had happened.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from yggdrasil import ConfigError, SecretError, SpecError, UnknownTypeError, ValidationError, World
from yggdrasil.cli import exits
from yggdrasil.cli.failure import LINES

if TYPE_CHECKING:
    from tests.scenario.conftest import Command
Break = Callable[[Path], object]

SECRET = "sk-ant-donotshowmeanywhere0123456789"
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


def edit(file: str, old: str, new: str) -> Break:
    """Replace some words in a file of the world."""

    def change(world: Path) -> None:
        text = (world / file).read_text()
        assert old in text
        (world / file).write_text(text.replace(old, new))

    return change


def put(file: str, text: str) -> Break:
    """Write a file of the world."""
    return lambda world: (world / file).write_text(text)


def lead_out(file: str) -> Break:
    """Make a file or folder of the world a symbolic link to a copy that lies outside of the project."""

    def change(world: Path) -> None:
        outside = world.parents[2] / "outside" / file
        outside.parent.mkdir(parents=True, exist_ok=True)
        if (world / file).exists():
            shutil.move(world / file, outside)
        else:
            outside.write_text("open('RAN', 'w').close()\n")
        (world / file).symlink_to(outside)

    return change


@dataclass(frozen=True)
class Case:
    """What is done to the world, and what must be said: the place, the reason, the line to write."""

    name: str
    harm: Break
    place: str
    reason: str
    line: str
    kind: type[SpecError] = ConfigError
    apart: bool = False  # Python is loaded once in a process: this needs another one


CASES = [
    Case(
        "broken YAML",
        edit("world.yaml", "author: {type: tiny/author}", "author: {type: tiny/author"),
        "worlds/tiny/world.yaml:9:16",
        "not YAML",
        "close the bracket",
    ),
    Case(
        "broken YAML in a stage",
        edit("stages/creator.yaml", "reads: [blueprint]", "reads: [blueprint"),
        "worlds/tiny/stages/creator.yaml:6",
        "not YAML",
        "close the bracket",
    ),
    Case("a tab", edit("world.yaml", "  stages:", "\tstages:"), "world.yaml:6:1", "not YAML", "never with tabs"),
    Case(
        "not text",
        lambda world: (world / "world.yaml").write_bytes(b"kind: \xff\xfe\x00"),
        "worlds/tiny/world.yaml:1",
        "not UTF-8",
        "save the file as UTF-8",
    ),
    Case("empty", put("world.yaml", ""), "worlds/tiny/world.yaml", "is empty", "kind:"),
    Case(
        "an unknown type",
        edit("world.yaml", "tiny/architect", "tiny/architekt"),
        "world.yaml: execution/stages/architect",
        "no block type 'tiny/architekt'; did you mean 'tiny/architect'?",
        "type: tiny/architect",
        UnknownTypeError,
    ),
    Case(
        "an unknown type in a pipeline's graph",
        edit("pipelines/draw.yaml", "tiny/colour", "tiny/color"),
        "draw.yaml: nodes/colour/nodes/brush",
        "no block type 'tiny/color'; did you mean 'tiny/colour'",
        "type: tiny/colour",
        UnknownTypeError,
    ),
    Case(
        "a type clash",
        edit(
            "pipelines/draw.yaml",
            "nodes: {brush: {type: tiny/colour}}",
            "nodes: {n: {type: tiny/count}, brush: {type: tiny/colour}}, edges: [n.number -> brush.lines]",
        ),
        "draw.yaml: nodes/colour/edges/0: n.number -> brush.lines",
        "n.number gives int, brush.lines takes list[text]",
        "register_cast(int, list[text], function)",
        ValidationError,
    ),
    Case(
        "a cycle in a pipeline",
        edit(
            "pipelines/draw.yaml",
            "  - sketch.lines -> colour.lines",
            "  - sketch.lines -> colour.lines\n  - colour.artifacts -> sketch.blueprint",
        ),
        "creator/draw/colour -> sketch -> colour",
        "a cycle is not allowed here",
        "take one of these edges out",
        ValidationError,
    ),
    Case(
        "a stage that reads a block nobody fills",
        edit("world.yaml", "architect: {type: tiny/architect}", "architect: {type: tiny/author}"),
        "architect",
        "it reads 'description', which nobody fills before it in the cycle",
        "reads: [intent]",
        ValidationError,
    ),
    Case(
        "a stage that reads a block there is not",
        edit("stages/creator.yaml", "reads: [blueprint]", "reads: [bluprint]"),
        "creator/bluprint",
        "no state block 'bluprint'",
        "did you mean 'blueprint'?",
        ValidationError,
    ),
    Case(
        "no stage",
        edit("world.yaml", "    architect: {type: tiny/architect}\n", ""),
        "architect",
        "the cycle has no stage 'architect'",
        'add_stage("architect"',
        ValidationError,
    ),
    Case(
        "a misspelt key",
        edit("world.yaml", "execution:", "exection:"),
        "world.yaml",
        "there is no 'exection' here",
        "did you mean 'execution'?",
    ),
    Case(
        "a policy that is none",
        edit("world.yaml", "{type: tiny/architect}", "{type: tiny/architect, retry: many}"),
        "world.yaml: execution/stages/architect",
        "retry is 'many'",
        "retry: 3",
    ),
    Case("no seed", edit("world.yaml", "execution:", "execution:\n  seed: x"), "world.yaml", "seed is 'x'", "seed: 7"),
    Case("a newer format", edit("world.yaml", "version: 1", "version: 99"), "world.yaml", "version 99", "pip install"),
    Case(
        "an api key in a node",
        edit("pipelines/draw.yaml", "{type: tiny/pen}", f"{{type: llm/anthropic, api_key: {SECRET}}}"),
        "worlds/tiny/pipelines/draw.yaml: nodes.sketch.nodes.pen.api_key",
        "secrets come from the environment only",
        "export ANTHROPIC_API_KEY=...",
        SecretError,
    ),
    Case(
        "an api key in the content",
        put("content/days.yaml", f"count: 0\nnote: use {SECRET} for it\n"),
        "worlds/tiny/content/days.yaml: note",
        "looks like a secret",
        "export ANTHROPIC_API_KEY=...",
        SecretError,
    ),
    Case(
        "an api key in broken YAML",
        edit("world.yaml", "version: 1", f"version: 1\napi_key: {SECRET} : ["),
        "worlds/tiny/world.yaml:4",
        "not YAML",
        "in quotes",
    ),
    Case(
        "a password in a store",
        edit("world.yaml", "execution:", f"execution:\n  store: postgres://me:{SECRET}@host/x"),
        "worlds/tiny/world.yaml: execution.store",
        "looks like a secret",
        "export",
        SecretError,
    ),
    Case(
        "a ref that climbs out",
        edit("world.yaml", "ref: stages/creator.yaml", "ref: ../../../outside.yaml"),
        "worlds/tiny/world.yaml",
        "ref: ../../../outside.yaml leads out of the project",
        "copy the file into the project",
    ),
    Case(
        "a ref from the root",
        edit("world.yaml", "ref: stages/creator.yaml", "ref: /etc/hostname"),
        "worlds/tiny/world.yaml",
        "not relative",
        "copy the file into the project",
    ),
    Case(
        "content that climbs out",
        edit("world.yaml", "ref: content/", "ref: ../../.."),
        "worlds/tiny/world.yaml",
        "leads out of the project",
        "copy the file into the project",
    ),
    Case(
        "a stage behind a link",
        lead_out("stages/creator.yaml"),
        "worlds/tiny/world.yaml",
        "ref: stages/creator.yaml leads out of the project",
        "copy the file",
    ),
    Case(
        "a section behind a link",
        lead_out("content/days.yaml"),
        "worlds/tiny/content/days.yaml",
        "a symbolic link leads out",
        "copy the file",
    ),
    Case(
        "code behind a link",
        lead_out("blocks/more.py"),
        "worlds/tiny/blocks/more.py",
        "a symbolic link leads out of the project",
        "copy the file",
        apart=True,
    ),
    Case("a world behind a link", lead_out("."), "worlds/tiny/world.yaml", "a symbolic link leads out", "copy it into"),
    Case(
        "refs in a circle",
        edit("stages/creator.yaml", "../pipelines/draw.yaml", "creator.yaml"),
        "creator.yaml: nodes/draw",
        "its refs go round in a circle",
        "creator.yaml -> creator.yaml",
    ),
    Case("a YAML bomb", put("content/days.yaml", BOMB), "content/days.yaml:6", "more than 1,000,000", "fewer aliases"),
    Case("a deep one", put("content/days.yaml", "[" * 9999), "content/days.yaml:1", "nested deeper than", "ref:"),
    Case(
        "a Python tag",
        edit("world.yaml", "name: tiny", "name: !!python/object/apply:os.system ['touch RAN']"),
        "worlds/tiny/world.yaml:4:7",
        "a config never runs code",
        "@register",
    ),
    Case(
        "broken Python",
        put("blocks/stages.py", "def day(:\n"),
        "worlds/tiny/blocks/stages.py:1",
        "cannot be loaded: SyntaxError",
        "",
        apart=True,
    ),
    Case(
        "a store that is none",
        edit("world.yaml", "execution:", 'execution:\n  store: "memory:"'),
        "world.yaml: execution: store",
        "'memory:' is no store",
        "memory://",
    ),
]


def everything(folder: Path) -> dict[str, Any]:
    """What lies below a folder; databases by their records, since opening one to read may tidy its log away."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts or path.name.endswith(("-wal", "-shm")) or not path.is_file():
            continue
        if path.suffix == ".db":
            with sqlite3.connect(path) as base:
                found[str(path)] = base.execute("SELECT place, kind, data FROM record ORDER BY place").fetchall()
            base.close()
        else:
            found[str(path)] = path.read_bytes()
    return found


def undisturbed() -> dict[str, Any]:
    """The hashes after three ticks of the same world, in memory."""

    async def live() -> dict[str, Any]:
        async with World.open("tiny") as world:
            await world.run(ticks=3)
            return {"tick": world.tick, "content_hash": world.content_hash, "tick_hash": world.tick_hash}

    return anyio.run(live)


async def open_it() -> None:
    """The Python API's way to run it."""
    async with World.open("tiny", store="sqlite:///another.db") as world:
        await world.run()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_file(
    case: Case, tiny: Path, yggdrasil: Command, apart: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = apart if case.apart else yggdrasil
    assert yggdrasil("run", "tiny", "--ticks", "2").code == 0
    kept = tiny.parent / "kept"
    shutil.copytree(tiny / "worlds" / "tiny", kept)
    case.harm(tiny / "worlds" / "tiny")
    before = everything(tiny)
    said = {command: ask(command, "tiny") for command in ("validate", "run")}
    said["run elsewhere"] = ask("run", "tiny", "--store", "sqlite:///new.db")
    monkeypatch.setenv("YGGDRASIL_TRACEBACK", "1")
    traced = ask("run", "tiny")
    for command, done in said.items():
        told = done.out + done.err
        assert done.code == exits.INVALID.code, f"{command}: {told}"
        assert done.out == ""
        assert done.err.startswith("error: ")
        assert len(done.err.splitlines()) <= LINES
        for words in (case.place, case.reason, case.line):
            assert words in told, f"{command} does not say {words!r}: {told}"
        assert "Traceback" not in told
        assert "fault of yggdrasil" not in told
    assert "Traceback" in traced.err
    assert SECRET not in str([said, traced])
    if not case.apart:
        with pytest.raises(case.kind) as caught:
            anyio.run(open_it)
        assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    assert everything(tiny) == before, "a file was written, or one was lost"

    shutil.rmtree(tiny / "worlds" / "tiny", ignore_errors=True)
    (tiny / "worlds" / "tiny").unlink(missing_ok=True)
    shutil.copytree(kept, tiny / "worlds" / "tiny")
    assert not (tiny / "RAN").exists()
    assert yggdrasil("run", "tiny").code == 0
    shown = json.loads(yggdrasil("show", "tiny", "--json").out)
    assert undisturbed().items() <= shown.items()
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in tiny.glob("tiny.db*") if path.is_file())
