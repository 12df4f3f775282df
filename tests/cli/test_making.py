"""The commands for those who build: new, draw, schema, and completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.cli.conftest import ROOT
from yggdrasil.cli import exits
from yggdrasil.cli.schema import KINDS, schema_of
from yggdrasil.levels.world_file import EXECUTION, TOP

if TYPE_CHECKING:
    from tests.cli.conftest import Command

GRAPH = """
kind: graph
version: 1
name: answer
nodes:
  reader: {type: agent/llm, model: "openai:gpt-5"}
  search: {type: tool/dice}
  polish: {type: llm/anthropic, model_id: claude-haiku-4-5}
edges: [reader.response -> polish.prompt]
calls: [reader -> search]
"""


# --- new


def test_a_new_project_runs_and_passes_its_test(
    yggdrasil: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = json.loads(yggdrasil("new", "grove", "--json").out)
    assert made["folder"] == str(here / "grove")
    assert sorted(made["files"]) == sorted(
        str(path.relative_to(here / "grove")) for path in (here / "grove").rglob("*") if path.is_file()
    )
    assert not any("NAME" in path.read_text() for path in (here / "grove").rglob("*") if path.is_file())
    monkeypatch.chdir(here / "grove")
    run = yggdrasil("run", "grove", "--ticks", "2")
    assert (run.code, run.err) == (0, "")
    for name in ("grove", "gardener", "moon"):
        assert yggdrasil("validate", name).code == 0
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert "2 passed" in tests.stdout


@pytest.mark.parametrize("name", ["Grove", "9a", "a-b", "../a", "class", "", "a" * 50])
def test_what_is_no_name(name: str, yggdrasil: Command, here: Path) -> None:
    done = yggdrasil("new", name)
    assert done.code == exits.INVALID.code
    assert "yggdrasil new " in done.err
    assert not list(here.iterdir())


def test_nothing_is_written_over(yggdrasil: Command, here: Path) -> None:
    (here / "grove").mkdir()
    (here / "grove" / "mine.txt").write_text("mine")
    done = yggdrasil("new", "grove")
    assert done.code == exits.INVALID.code
    assert "something is there already" in done.err
    assert [p.name for p in (here / "grove").iterdir()] == ["mine.txt"]


# --- draw


def test_draw_a_world(yggdrasil: Command, here: Path) -> None:
    text = yggdrasil("draw", "midgard").out
    assert text.startswith("flowchart LR\n")
    assert '|"blueprint"|' in text
    drawn = json.loads(yggdrasil("draw", "midgard", "--json", "--depth", "1").out)
    assert [box["id"] for box in drawn["boxes"]] == [
        "philosopher", "author", "environment/update", "environment/development", "architect", "creator", "content",
    ]  # fmt: skip
    assert {"source": "creator", "target": "philosopher", "label": "artifacts", "kind": "back"} in drawn["arrows"]
    assert all(box["inner"] is None for box in drawn["boxes"])


def test_draw_a_graph_in_every_format(yggdrasil: Command, here: Path) -> None:
    (here / "g.yaml").write_text(GRAPH)
    drawn = json.loads(yggdrasil("draw", "g.yaml", "--json").out)
    assert {(box["id"], box["kind"]) for box in drawn["boxes"]} >= {
        ("reader", "agent"), ("search", "tool"), ("polish", "block"),
    }  # fmt: skip
    assert {"source": "reader", "target": "search", "label": "", "kind": "call"} in drawn["arrows"]
    assert {"source": "reader", "target": "polish", "label": "response > prompt", "kind": "edge"} in drawn["arrows"]
    svg = ElementTree.fromstring(yggdrasil("draw", "g.yaml", "--format", "svg").out)
    texts = {each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"answer (graph)", "reader", "agent/llm", "response > prompt"} <= texts
    done = yggdrasil("draw", "g.yaml", "--output", "g.png")
    assert (done.code, done.out, done.err) == (0, "", "written: g.png\n")
    with Image.open("g.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 600
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 20
    assert yggdrasil("draw", "g.yaml", "--output", "g.svg").code == 0
    ElementTree.parse("g.svg")
    assert yggdrasil("draw", "g.yaml", "--format", "gif").code == exits.USAGE.code
    assert yggdrasil("draw", "nothing").code == exits.INVALID.code
    assert yggdrasil("draw", "chronicler").code == 0


# --- schema


@pytest.mark.parametrize("kind", KINDS)
def test_schema(kind: str, yggdrasil: Command) -> None:
    done = yggdrasil("schema", kind)
    schema = json.loads(done.out)
    assert schema == schema_of(kind) == json.loads(yggdrasil("schema", kind, "--json").out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["properties"]["kind"] == {"const": kind}
    assert schema["additionalProperties"] is False


def test_schemas_know_what_the_readers_know(yggdrasil: Command) -> None:
    world = schema_of("world")["properties"]
    assert set(TOP) == set(world)
    assert set(EXECUTION) == set(world["execution"]["properties"])
    import yaml

    for file in (ROOT / "agents").glob("*/agent.yaml"):
        assert set(yaml.safe_load(file.read_text())) <= set(schema_of("agent")["properties"])
    done = yggdrasil("schema", "wrold")
    assert done.code == exits.INVALID.code
    assert "'world'" in done.err


# --- completion


def test_names_are_completed(start: Callable[..., subprocess.Popen[str]]) -> None:
    asked = {"_YGGDRASIL_COMPLETE": "complete_bash", "COMP_WORDS": "yggdrasil run mid", "COMP_CWORD": "2"}
    with start(**asked) as process:
        out, err = process.communicate(timeout=60)
    assert (out.split(), err) == (["midgard"], "")
    with start(_YGGDRASIL_COMPLETE="source_zsh") as process:
        assert "compdef" in process.communicate(timeout=60)[0]
