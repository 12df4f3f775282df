"""World files: short and long form, refs, overlays, End Worlds, and what is wrong with the others."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import (
    ConfigError,
    EndWorldError,
    SecretError,
    UnknownTypeError,
    ValidationError,
    World,
    YggdrasilError,
    block,
    register,
)
from yggdrasil.core.retention import Keep
from yggdrasil.levels.stage import Stage
from yggdrasil.storage.files import to_yaml

pytestmark = pytest.mark.anyio


@block("toyfile/say")
def say(intent: Any = None, artifacts: Any = None, description: Any = None, *, word: str = "word") -> str:
    return f"{word} {intent if isinstance(intent, str) else ''}".strip()


@block("toyfile/begin")
def begin(world: dict[str, Any], action: str | None = None) -> str:
    return action or f"day {world['count']['n']}"


@block("toyfile/make")
def make(blueprint: str, *, slot: str = "texts") -> dict[str, Any]:
    return {slot: [blueprint]}


@block("toyfile/change")
def change(chronicle: str, world: dict[str, Any]) -> list[dict[str, Any]]:
    n = world["count"]["n"] + 1
    return [
        {"op": "replace", "path": "/count/n", "value": n},
        {"op": "add", "path": "/history/-", "value": {"n": n, "text": chronicle}},
    ]


register("toyfile/plain")(lambda **config: say)

DOCUMENT: dict[str, Any] = {
    "kind": "world",
    "version": 1,
    "name": "filed",
    "execution": {
        "stages": {
            "philosopher": {"type": "toyfile/say", "word": "seen"},
            "author": {"type": "toyfile/say", "word": "told"},
            "environment": {"update": {"type": "toyfile/change"}, "development": {"type": "toyfile/begin"}},
            "architect": {"type": "toyfile/say", "word": "plan", "retry": 2},
            "creator": {"type": "toyfile/make"},
        },
        "seed": 5,
        "keep": {"last": 50},
    },
    "content": {"count": {"n": 0}, "style": {"voice": "dry"}, "history": [{"text": "In the beginning."}]},
}


async def lived(world: World, ticks: int = 3) -> str:
    async with World.open(world) as live:
        await live.run(ticks=ticks)
        return live.tick_hash


def changed(**execution: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    document["execution"] |= execution
    return document


async def test_a_document_lives_and_comes_back() -> None:
    world = World.from_config(DOCUMENT)
    assert world.validate() == []
    assert (world.seed, world.keep) == (5, Keep(last=50))
    assert world.to_config() == DOCUMENT
    assert World.from_config(json.loads(json.dumps(world.to_config()))).to_config() == DOCUMENT
    async with World.open(DOCUMENT) as live:
        await live.run(ticks=2, action="sing")
        assert live.seed == 5
        history = await live.history()
        assert [entry["text"] for entry in history] == ["In the beginning.", "told sing"]


async def test_files_with_refs(tmp_path: Path) -> None:
    folder = tmp_path / "worlds" / "filed"
    (folder / "content").mkdir(parents=True)
    (folder / "stages").mkdir()
    for name, value in DOCUMENT["content"].items():
        (folder / "content" / f"{name}.yaml").write_text(to_yaml(value))
    stage = {
        "kind": "stage", "version": 1, "name": "author", "reads": ["intent"], "fills": "chronicle",
        "nodes": {"voice": {"type": "toyfile/say", "word": "told"}},
        "inputs": {"intent": "voice.intent"}, "outputs": {"chronicle": "voice.output"},
    }  # fmt: skip
    (folder / "stages" / "author.yaml").write_text(to_yaml(stage))
    document = changed(stages=DOCUMENT["execution"]["stages"] | {"author": {"ref": "stages/author.yaml"}})
    document["content"] = {"ref": "content/"}
    (folder / "world.yaml").write_text(to_yaml(document))
    (folder / "loud.yaml").write_text(
        to_yaml({"execution": {"stages": {"author": None, "creator": {"slot": "songs"}}, "seed": 6}})
    )
    world = World.load(folder / "world.yaml")
    assert isinstance(world.nodes["author"].block, Stage)
    assert await lived(world) == await lived(World.from_config(DOCUMENT))
    assert world.to_config(refs=True) == document
    world.save(tmp_path / "flat.json")
    assert await lived(World.load(tmp_path / "flat.json")) == await lived(world)
    loud = World.load(folder / "world.yaml", overlay="loud")
    assert loud.seed == 6
    assert "author" not in loud.nodes
    with pytest.raises(UnknownTypeError, match="did you mean 'loud'"):
        World.load(folder / "world.yaml", overlay="laud")
    document["execution"]["stages"]["author"] = {"ref": "../../../author.yaml"}
    (folder / "world.yaml").write_text(to_yaml(document))
    with pytest.raises(ConfigError, match="leads out of"):
        World.load(folder / "world.yaml")


async def test_the_canons_long_form() -> None:
    stages = DOCUMENT["execution"]["stages"]

    def long(name: str, data: dict[str, Any]) -> dict[str, Any]:
        kind = data["type"]
        config = {key: value for key, value in data.items() if key not in ("type", "retry")}
        ports = {
            "toyfile/say": (["intent"], "output"),
            "toyfile/begin": (["world", "action"], "output"),
            "toyfile/change": (["chronicle", "world"], "output"),
            "toyfile/make": (["blueprint"], "output"),
        }[kind]
        fills = {"philosopher": "description", "author": "chronicle", "update": "patch", "development": "intent",
                 "architect": "blueprint", "creator": "artifacts"}[name]  # fmt: skip
        inner = {
            "graph_id": "only",
            "nodes": [{"node_id": "node", "block_type": kind, "config": config}],
            "edges": [],
            "exposed_inputs": [{"node_id": "node", "port_name": port, "name": port} for port in ports[0]],
            "exposed_outputs": [{"node_id": "node", "port_name": ports[1], "name": fills}],
        }
        return {
            "stage_id": name,
            "pipelines": [{"pipeline_id": "pipeline", "graphs": [inner],
                           "exposed_inputs": [{"graph_id": "only", "port_name": p, "name": p} for p in ports[0]],
                           "exposed_outputs": [{"graph_id": "only", "port_name": fills, "name": fills}]}],
            "exposed_inputs": [{"pipeline_id": "pipeline", "port_name": p, "name": p} for p in ports[0]],
            "exposed_outputs": [{"pipeline_id": "pipeline", "port_name": fills, "name": fills}],
            "state_contract": {"fills": fills},
        }  # fmt: skip

    document = {
        "world_id": "filed",
        "schema_version": 1,
        "cycle": ["philosopher", "author", "environment", "architect", "creator"],
        "stages": [
            *(long(name, stages[name]) for name in ("philosopher", "author", "architect", "creator")),
            {"stage_id": "environment", "subnodes": {
                name: long(name, data) for name, data in stages["environment"].items()}},
        ],
        "run_params": {"seed": 5},
        "retention": {"last": 50},
        "initial_world": DOCUMENT["content"],
    }  # fmt: skip
    world = World.from_config(document)
    assert [p for p in world.validate() if p.level == "error"] == []
    assert await lived(world) == await lived(World.from_config(DOCUMENT))


def test_a_stage_that_reads_what_nobody_fills() -> None:
    document = changed(cycle=["environment", "creator", "architect", "philosopher", "author"])
    with pytest.raises(ValidationError, match="creator: it reads 'blueprint', which nobody fills before it"):
        World.from_config(document).validate(strict=True)


async def test_conditions_and_schema_in_a_file() -> None:
    document = changed(conditions={"architect": ["intent"], "author": "author"}, schema={"blocks": {"mood": {}}})
    world = World.from_config(document)
    assert world.cycle.step("architect").needs == ("intent",)
    assert world.to_config()["execution"]["conditions"] == {"architect": ["intent"], "author": "author"}
    assert World.from_config(world.to_config()).to_config() == world.to_config()
    world.set_execution_condition("architect", lambda state: True)
    with pytest.raises(ConfigError, match="a predicate cannot be saved"):
        world.to_config()


async def test_an_end_world_is_read_and_never_written() -> None:
    document = {"kind": "world", "version": 1, "name": "ended", "content": DOCUMENT["content"]}
    world = World.from_config(document)
    assert world.ended
    assert world.validate() == []
    assert world.to_config() == document
    async with World.open(document) as live:
        assert live.content["style"] == {"voice": "dry"}
        assert live.content["history"]["length"] == 1
        assert await live.export_content() == DOCUMENT["content"]
        for write in (live.run(), live.act("x"), live.command("stop"), live.abandon()):
            with pytest.raises(EndWorldError):
                await write
    for refused in (world.run(), world.run(ticks=3, action="x")):
        with pytest.raises(EndWorldError):
            await refused
    with pytest.raises(EndWorldError):
        list(world.dry_order())


def broken(**top: Any) -> dict[str, Any]:
    return {**copy.deepcopy(DOCUMENT), **top}


@pytest.mark.parametrize(
    ("document", "kind", "said"),
    [
        (changed(stagez={}), ConfigError, "did you mean 'stages'"),
        (broken(contents={}), ConfigError, "did you mean 'content'"),
        (broken(version=9), ConfigError, "format version 9"),
        (broken(content=[1]), ConfigError, "content is no mapping"),
        (broken(content={"history": 3}), ConfigError, "a list of entries"),
        (broken(execution=[]), ConfigError, "execution is no mapping"),
        (changed(stages={"author": 3}), ConfigError, "stage author is int"),
        (changed(stages={"author": {"type": "toyfile/sai"}}), UnknownTypeError, "did you mean 'toyfile/say'"),
        (changed(stages={"author": {"type": "toyfile/say", "wort": "x"}}), ConfigError, "wort"),
        (changed(stages={"environment": {"updat": {}}}), ConfigError, "two parts: update and development"),
        (changed(cycle="canonn"), ConfigError, "cycle is 'canonn'"),
        (changed(conditions={"author": 7}), ConfigError, "is no condition"),
        (changed(seed="x"), ConfigError, "seed is 'x'"),
        (changed(seed=True), ConfigError, "seed is True"),
        (changed(durability="fast"), ConfigError, "durability is 'fast'"),
        (changed(schema={"blocks": {"patch": {}}}), ConfigError, "cannot be called 'patch'"),
        (changed(stages={"author": {"type": "toyfile/say", "api_key": "sk-" + "a" * 40}}), SecretError, "api_key"),
        (changed(stages={"author": {"ref": "x.yaml"}}), ConfigError, "comes from none"),
        (broken(content={"ref": "content/"}), ConfigError, "comes from none"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(document: dict[str, Any], kind: type[YggdrasilError], said: str) -> None:
    with pytest.raises(kind) as caught:
        World.from_config(document).validate(strict=True)
    assert said in str(caught.value)
    assert "aaaa" not in str(caught.value), "a secret is never shown"
    assert len(str(caught.value).splitlines()) < 20
