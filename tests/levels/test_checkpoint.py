"""Checkpoints: every level, as folder and archive; sharing kept; only changes written; bad ones refused whole."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tests.levels import tiny_modules as tiny
from yggdrasil import (
    Agent,
    Block,
    ConfigError,
    CorruptError,
    FormatError,
    Graph,
    Pipeline,
    UnknownTypeError,
    World,
    YggdrasilError,
    run_sync,
)
from yggdrasil.core.blob import Blob
from yggdrasil.levels.checkpoint import load_checkpoint, read_extra, restore, save_checkpoint
from yggdrasil.runtime.pool import POOL, Key

pytestmark = pytest.mark.anyio

X = torch.linspace(-1, 1, 8).reshape(2, 4)


def module(level: Any, node: str) -> Any:
    """The module at a node; `first/a` goes down."""
    for step in node.split("/"):
        level = level.nodes[step].block
    (only,) = level.modules().values()
    return only


def record(path: Path) -> dict[str, Any]:
    return json.loads((path / "checkpoint.json").read_text())  # type: ignore[no-any-return]


def size_of(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    said = record(path)
    change(said)
    (path / "checkpoint.json").write_text(json.dumps(said))


def replace_file(path: Path, data: bytes, number: int = 0) -> None:
    """Put other bytes in the place of a record's weights, with a digest and a size that fit."""

    def change(said: dict[str, Any]) -> None:
        file = said["weights"][number]["files"][0]
        file["file"] = f"weights/{sha256(data).hexdigest()}.safetensors"
        file["size"] = len(data)
        (path / file["file"]).write_bytes(data)

    rewrite(path, change)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    tiny.sharing().save(tmp_path / "saved")
    return tmp_path / "saved"


# --- every level, in every form


@pytest.mark.parametrize("ending", ["", ".ygg"])
@pytest.mark.parametrize("make", [tiny.sharing, tiny.pipeline, tiny.stage], ids=["graph", "pipeline", "stage"])
async def test_levels_come_back(tmp_path: Path, make: Callable[[], Any], ending: str) -> None:
    level = make()
    path = tmp_path / f"here{ending}"
    assert level.save(path).written == size_of(tmp_path)
    again = type(level).load(path)
    assert again.to_config() == level.to_config()
    before, after = await level.run(X), await again.run(X)
    assert torch.equal(before["x"], after["x"])


def test_a_document_has_no_weights(tmp_path: Path) -> None:
    graph = tiny.sharing()
    for ending in (".yaml", ".yml", ".json"):
        graph.save(tmp_path / f"graph{ending}")
        again = Graph.load(tmp_path / f"graph{ending}")
        assert again.to_config() == graph.to_config()
        assert not torch.equal(module(again, "a").first.weight, module(graph, "a").first.weight)


@pytest.mark.parametrize("path", ["alone", "alone.ygg", "alone.yaml"])
def test_a_block_alone(tmp_path: Path, path: str) -> None:
    block = tiny.tiny(3)
    block.save(tmp_path / path)
    again = type(block).load(tmp_path / path)
    (one,), (other,) = again.modules().values(), block.modules().values()
    equal = torch.equal(one.state_dict()["first.weight"], other.state_dict()["first.weight"])
    assert equal is (path != "alone.yaml")
    with pytest.raises(ConfigError, match="not a Keeping"):
        tiny.Keeping.load(tmp_path / path)
    with pytest.raises(ConfigError, match=r"this is a block, not a graph|kind is 'block'"):
        Graph.load(tmp_path / path)


async def test_an_agent_remembers(tmp_path: Path) -> None:
    agent = Agent(model="scripted:echo", memory=True)
    await agent.run("The ford is deep.")
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert again.state_dict() == agent.state_dict()
    assert "The ford is deep." in json.dumps(again.state_dict())
    graph = Graph("talk")
    graph.add("one", agent)
    graph.add("two", Agent(model="scripted:echo", memory=True))
    graph.save(tmp_path / "graph.ygg")
    both = Graph.load(tmp_path / "graph.ygg").state_dict()
    assert both == graph.state_dict()
    assert both["one"] != both["two"]


@pytest.mark.parametrize("ending", ["", ".ygg"])
async def test_a_world(tmp_path: Path, ending: str) -> None:
    world = tiny.world()
    name = "environment/development"
    await world.nodes[name].block.nodes["graph"].block.nodes["write"].block.run("a storm")  # type: ignore[attr-defined]
    path = tmp_path / f"small{ending}"
    world.save(path)
    again = World.load(path)
    assert again.to_config() == world.to_config()
    for stage in (name, "creator"):
        one, other = (w.nodes[stage].block.nodes["graph"].block for w in (again, world))  # type: ignore[attr-defined]
        assert torch.equal(module(one, "paint").first.weight, module(other, "paint").first.weight)
    writer = again.nodes[name].block.nodes["graph"].block.nodes["write"].block  # type: ignore[attr-defined]
    assert "a storm" in json.dumps(writer.state_dict())
    async with World.open(path) as live:
        assert (await live.run(action="a horn"))["state"]["intent"] == "a horn"
    with pytest.raises(ConfigError, match="neither overlays nor parameters"):
        World.load(path, overlay="neural")


def test_the_wrong_kind_is_refused_before_anything_is_built(saved: Path) -> None:
    with pytest.raises(ConfigError, match="this is a graph, not a pipeline"):
        Pipeline.load(saved)
    with pytest.raises(ConfigError, match="this is a graph, not a world"):
        World.load(saved)
    with pytest.raises(ConfigError, match="this is a graph, not a block"):
        Block.load(saved)
    with pytest.raises(ConfigError, match=r"\.pt is no ending"):
        tiny.sharing().save(saved.parent / "model.pt")
    (saved.parent / "project").mkdir()
    (saved.parent / "project" / "config.yaml").write_text("mine: true\n")
    with pytest.raises(ConfigError, match=r"config.yaml of its own"):
        tiny.sharing().save(saved.parent / "project")
    assert (saved.parent / "project" / "config.yaml").read_text() == "mine: true\n"


# --- one record for one instance


def test_shared_modules_are_written_once_and_shared_again(tmp_path: Path) -> None:
    level = Pipeline("two")
    graph = tiny.sharing()
    level.add("first", graph)
    level.add("second", graph)
    level.add("third", tiny.sharing())
    module(level, "third/d").first = module(level, "first/d").first  # a part of a module, in two modules
    level.save(tmp_path / "saved")
    said = record(tmp_path / "saved")
    assert [sorted(w["users"]) for w in said["weights"]] == [
        ["first/a", "first/b", "first/c", "second/a", "second/b", "second/c"],
        ["first/d", "second/d"],
        ["third/a", "third/b", "third/c"],
        ["third/d"],
    ]
    assert len(list((tmp_path / "saved" / "weights").iterdir())) == 4
    assert said["weights"][3]["ties"] == {f"first.{n}": {"record": 1, "name": f"first.{n}"} for n in ("weight", "bias")}
    again = Pipeline.load(tmp_path / "saved")
    assert again.nodes["first"].block is again.nodes["second"].block
    assert module(again, "first/a") is module(again, "second/c")
    assert module(again, "first/a") is not module(again, "third/a")
    assert module(again, "first/d").first.weight is module(again, "third/d").first.weight
    assert len(again.trainable_parameters()) == len(level.trainable_parameters())


def test_tied_weights_of_one_module(tmp_path: Path) -> None:
    block = tiny.tiny(4, tied=True)
    block.save(tmp_path / "saved")
    (weights,) = record(tmp_path / "saved")["weights"]
    assert weights["ties"] == {"second.weight": {"record": 0, "name": "first.weight"}}
    again = Block.load(tmp_path / "saved").modules()["module"]  # type: ignore[attr-defined]
    assert again.second.weight is again.first.weight
    (before,) = block.modules().values()
    assert torch.equal(again.first.weight, before.state_dict()["first.weight"])


def test_modes_dtypes_and_what_is_frozen_come_back(tmp_path: Path) -> None:
    graph = Graph("g")
    graph.add("a", tiny.dropping())
    graph.add("b", tiny.dropping())
    graph.add("c", tiny.tiny())
    module(graph, "a").eval()
    module(graph, "b")[1].eval()
    graph.nodes["a"].block.freeze()  # type: ignore[attr-defined]
    module(graph, "c").first.bias.requires_grad_(False)
    module(graph, "b").to(torch.bfloat16)
    graph.save(tmp_path / "saved")
    again = Graph.load(tmp_path / "saved")
    assert [m.training for m in module(again, "a").modules()] == [False] * 3
    assert [m.training for m in module(again, "b").modules()] == [True, True, False]
    assert not any(p.requires_grad for p in module(again, "a").parameters())
    assert [n for n, p in module(again, "c").named_parameters() if not p.requires_grad] == ["first.bias"]
    assert module(again, "b")[0].weight.dtype == torch.bfloat16
    assert torch.equal(module(again, "b")[0].weight, module(graph, "b")[0].weight)


def test_a_module_from_a_ref(tmp_path: Path) -> None:
    graph = Graph("g")
    graph.add("a", tiny.Pooled("stock"))
    graph.add("b", tiny.Pooled("stock"))
    stock = module(graph, "a")
    graph.save(tmp_path / "plain")
    (weights,) = record(tmp_path / "plain")["weights"]
    assert weights["origin"] == {"kind": "demo.Linear", "ref": "stock"}
    again = Graph.load(tmp_path / "plain")
    assert module(again, "a") is module(again, "b") is stock  # untrained: the pool's own

    with torch.no_grad():
        kept = stock.weight.clone()
        stock.weight.add_(1)
    graph.save(tmp_path / "trained")
    with torch.no_grad():
        stock.weight.copy_(kept)
    trained = Graph.load(tmp_path / "trained")
    assert module(trained, "a") is module(trained, "b") is not stock
    assert torch.equal(module(trained, "a").weight, kept + 1)
    assert torch.equal(stock.weight, kept)  # whoever else uses the ref has what the ref says
    assert POOL.key_of(stock) == Key.of("demo.Linear", "stock")


# --- states


class Odd:
    pass


def test_nested_states_with_tensors(tmp_path: Path) -> None:
    shared = torch.arange(3)
    value = {
        "tensors": [
            torch.rand(2, 3),
            {"deep": (torch.tensor(7, dtype=torch.int64), torch.empty(0, 5))},
            shared,
            shared,
        ],
        "array": numpy.arange(6, dtype=numpy.int16).reshape(2, 3),
        "half": torch.rand(3).to(torch.bfloat16),
        "bytes": b"\x00\xff",
        "blob": Blob(b"picture", "image/png"),
        "numbers": [1, 2.5, float("inf"), True, None, numpy.float32(0.5)],
        "keys": {0: "zero", (1, 2): "pair", "$tensor": "no tensor"},
        "random": random.Random(3).getstate(),
        "text": "Wörter \u2603",
    }
    graph = Graph("g")
    block = tiny.Keeping()
    block.kept = value
    graph.add("a", block)
    for path in (tmp_path / "saved", tmp_path / "saved.ygg"):
        graph.save(path)
        again = Graph.load(path).nodes["a"].block.kept  # type: ignore[attr-defined]
        tensors = again["tensors"]
        assert torch.equal(tensors[0], value["tensors"][0])  # type: ignore[index]
        assert isinstance(tensors[1]["deep"], tuple)
        assert tensors[1]["deep"][0].dtype == torch.int64
        assert tensors[1]["deep"][0].item() == 7
        assert tensors[1]["deep"][1].shape == (0, 5)
        assert torch.equal(again["half"], value["half"])  # type: ignore[arg-type]
        assert again["array"].dtype == numpy.int16
        assert (again["array"] == value["array"]).all()
        for key in ("bytes", "blob", "numbers", "keys", "random", "text"):
            assert again[key] == value[key], key
    block.kept = Odd()
    with pytest.raises(ConfigError, match="Odd"):
        graph.save(tmp_path / "odd")
    block.kept = [value]
    block.kept.append(block.kept)
    with pytest.raises(ConfigError, match="holds itself"):
        graph.save(tmp_path / "odd")
    assert not (tmp_path / "odd").exists()


def test_what_a_trainer_hands_over(tmp_path: Path) -> None:
    def trained(graph: Graph, steps: int, optimizer: Any, noise: torch.Generator) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            x = torch.rand(2, 4, generator=noise)
            module(graph, "d")(module(graph, "a")(x)).square().sum().backward()
            optimizer.step()

    def fresh(graph: Graph) -> Any:
        graph.set_trainable()
        return torch.optim.AdamW(graph.trainable_parameters(), lr=0.01)

    graph = tiny.sharing()
    optimizer, noise = fresh(graph), torch.Generator().manual_seed(5)
    trained(graph, 3, optimizer, noise)
    extra = {"optimizer": optimizer.state_dict(), "rng": {"torch": noise.get_state(), "step": 3}}
    save_checkpoint(graph, tmp_path / "step", extra=extra)
    trained(graph, 3, optimizer, noise)

    resumed = tiny.sharing()
    found = restore(resumed, tmp_path / "step")
    other, again = fresh(resumed), torch.Generator()
    other.load_state_dict(found["optimizer"])
    again.set_state(found["rng"]["torch"])
    trained(resumed, 3, other, again)
    for name, value in module(graph, "a").state_dict().items():
        assert torch.equal(value, module(resumed, "a").state_dict()[name]), name
    assert read_extra(tmp_path / "step")["rng"]["step"] == 3
    assert Graph.load(tmp_path / "step").to_config() == graph.to_config()


# --- only what changed


def test_saving_again_writes_only_what_changed(tmp_path: Path) -> None:
    graph = tiny.sharing()
    path = tmp_path / "saved"
    first = graph.save(path)
    times = {f: f.stat().st_mtime_ns for f in path.rglob("*") if f.is_file()}
    assert graph.save(path).written == 0
    assert {f: f.stat().st_mtime_ns for f in path.rglob("*") if f.is_file()} == times
    with torch.no_grad():
        module(graph, "d").first.weight.add_(1)
    second = graph.save(path)
    size = record(path)["weights"][1]["files"][0]["size"]
    assert second.written == size + (path / "checkpoint.json").stat().st_size < first.written
    assert second.kept == 1
    assert len(list((path / "weights").iterdir())) == 2  # what nobody names is gone
    archive = tmp_path / "saved.ygg"
    assert graph.save(archive).written == archive.stat().st_size
    inode = archive.stat().st_ino
    assert graph.save(archive).written == 0
    assert archive.stat().st_ino == inode
    assert all(not f.name.startswith(".") for f in tmp_path.rglob("*"))


def test_large_modules_are_cut(tmp_path: Path) -> None:
    graph = tiny.sharing(16)
    save_checkpoint(graph, tmp_path / "saved", shard=1500)
    files = record(tmp_path / "saved")["weights"][0]["files"]
    assert len(files) == 2
    assert all(load_file(tmp_path / "saved" / f["file"]) for f in files)  # anybody's reader takes them
    again = Graph.load(tmp_path / "saved")
    assert torch.equal(module(again, "a").second.weight, module(graph, "a").second.weight)
    with torch.no_grad():
        module(graph, "a").scale.add_(1)
    assert save_checkpoint(graph, tmp_path / "saved", shard=1500).kept == 3


# --- what does not fit, by name


def test_names_and_shapes_are_told_by_path(tmp_path: Path, saved: Path) -> None:
    wide = tiny.sharing(8)
    kept = {name: value.clone() for name, value in module(wide, "a").state_dict().items()}
    with pytest.raises(ConfigError, match=r"sharing/a: .*first.weight is \(4, 4\), here \(8, 8\)"):
        restore(wide, saved)
    assert all(torch.equal(value, kept[name]) for name, value in module(wide, "a").state_dict().items())
    other = Graph("sharing")
    other.add("a", tiny.tiny())
    with pytest.raises(ConfigError, match="weights for b, which is not here"):
        restore(other, saved)
    more = tiny.sharing()
    more.add("e", tiny.tiny())
    with pytest.raises(ConfigError, match="sharing/e: the weights do not fit: the checkpoint has no weights for it"):
        restore(more, saved)
    config = (saved / "config.yaml").read_text()
    (saved / "config.yaml").write_text(config.replace("width: 4", "width: 8"))
    assert (saved / "config.yaml").read_text() != config
    with pytest.raises(ConfigError, match=r"is \(4,\), here \(8,\)"):
        Graph.load(saved)


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / record(path)["weights"][0]["files"][0]["file"])


def entry(tensor: torch.Tensor, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(tensor.shape)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.pop("first.bias"), "sharing/a: .*first.bias is missing"),
        (
            lambda t: t.update({"first.bia": torch.zeros(4)}),
            "first.bia is not of this block; did you mean",
        ),
        (lambda t: t.update({"first.bias": torch.zeros(4, dtype=torch.int64)}), "first.bias is I64, here F32"),
        (lambda t: t.update({"first.bias": torch.full((4,), torch.nan)}), "first.bias holds NaN or infinity"),
        (lambda t: t.update({"first.bias": torch.zeros(2, 2)}), r"first.bias is \(2, 2\), here \(4,\)"),
    ],
)
def test_weights_that_do_not_fit(saved: Path, change: Callable[[Any], Any], sentence: str) -> None:
    tensors = tensors_of(saved)
    change(tensors)
    save_file(tensors, saved / "new")
    replace_file(saved, (saved / "new").read_bytes())

    def told(said: dict[str, Any]) -> None:
        names = {"torch.float32": "F32", "torch.int64": "I64"}
        said["weights"][0]["tensors"] = {n: entry(t, names[str(t.dtype)]) for n, t in tensors.items()}

    rewrite(saved, told)
    graph = tiny.sharing()
    kept = [v.clone() for v in module(graph, "d").state_dict().values()]
    with pytest.raises(ConfigError, match=sentence):
        restore(graph, saved)
    with pytest.raises(ConfigError, match=sentence):
        Graph.load(saved)
    assert all(torch.equal(a, b) for a, b in zip(module(graph, "d").state_dict().values(), kept, strict=True))


def test_infinite_parameters_are_not_saved_by_accident(tmp_path: Path) -> None:
    graph = tiny.sharing()
    graph.save(tmp_path / "saved")
    before = record(tmp_path / "saved")
    with torch.no_grad():
        module(graph, "d").first.weight[0, 0] = torch.nan
    with pytest.raises(ConfigError, match=r"d: first.weight holds NaN or infinity"):
        graph.save(tmp_path / "saved")
    assert record(tmp_path / "saved") == before
    save_checkpoint(graph, tmp_path / "saved", nonfinite=True)
    assert module(Graph.load(tmp_path / "saved"), "d").first.weight[0, 0].isnan()


def test_a_refused_memory_leaves_everything_as_it_was(tmp_path: Path) -> None:
    graph = Graph("g")
    graph.add("a", tiny.Keeping())
    graph.add("b", Agent(model="scripted:echo", memory=True))
    graph.add("c", tiny.tiny())
    graph.nodes["a"].block.kept = 1  # type: ignore[attr-defined]
    graph.save(tmp_path / "saved")

    def change(said: dict[str, Any]) -> None:
        said["states"][1]["file"] = dict(said["states"][0]["file"])

    rewrite(tmp_path / "saved", change)
    weight = module(graph, "c").first.weight.clone()
    graph.nodes["a"].block.kept = 2  # type: ignore[attr-defined]
    with torch.no_grad():
        module(graph, "c").first.weight.add_(1)
    with pytest.raises(ConfigError, match=r"g/b: .*no state 'kept'"):
        restore(graph, tmp_path / "saved")
    assert graph.nodes["a"].block.kept == 2  # type: ignore[attr-defined]
    assert torch.equal(module(graph, "c").first.weight, weight + 1)


# --- bad files


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("evil"),))


def header(text: bytes, data: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text + data


BAD = {
    "a pickle": pickle.dumps(Evil()),
    "torch.save": b"PK\x03\x04" + bytes(60),
    "nothing": b"",
    "short": b"\x10\x00",
    "a long header": (10**12).to_bytes(8, "little") + b"{}",
    "no json": header(b"{nonsense"),
    "overlap": header(
        b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
        bytes(6),
    ),
    "beyond": header(b'{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}', bytes(4)),
    "negative": header(b'{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,-4]}}', bytes(4)),
    "huge": header(b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}'),
    "twice": header(
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        b"1",
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_files_that_are_no_safetensors(saved: Path, bad: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(saved, bad, 1)
    monkeypatch.chdir(saved)
    graph = tiny.sharing()
    kept = module(graph, "a").first.weight.clone()
    with pytest.raises((ConfigError, CorruptError)) as caught:
        restore(graph, saved)
    assert "weights/" in caught.value.path
    assert torch.equal(module(graph, "a").first.weight, kept)
    assert not (saved / "evil").exists()


def only_file(saved: Path) -> Path:
    return saved / str(record(saved)["weights"][0]["files"][0]["file"])


def flipped(saved: Path) -> None:
    data = bytearray(only_file(saved).read_bytes())
    data[-1] ^= 1
    only_file(saved).write_bytes(data)


def linked(saved: Path) -> None:
    only_file(saved).rename(saved.parent / "outside")
    only_file(saved).symlink_to(saved.parent / "outside")


def piped(saved: Path) -> None:
    only_file(saved).unlink()
    os.mkfifo(only_file(saved))


def foldered(saved: Path) -> None:
    only_file(saved).unlink()
    only_file(saved).mkdir()


def linked_folder(saved: Path) -> None:
    (saved / "weights").rename(saved.parent / "elsewhere")
    (saved / "weights").symlink_to(saved.parent / "elsewhere")


def named(name: str) -> Callable[[Path], None]:
    return lambda saved: rewrite(saved, lambda said: said["weights"][0]["files"][0].update(file=name))


@pytest.mark.parametrize(
    ("harm", "kind", "sentence"),
    [
        (flipped, CorruptError, "SHA-256"),
        (lambda s: only_file(s).write_bytes(only_file(s).read_bytes()[:-7]), CorruptError, "SHA-256"),
        (lambda s: only_file(s).unlink(), CorruptError, "cannot be opened"),
        (linked, CorruptError, "symbolic link"),
        (linked_folder, CorruptError, "symbolic link"),
        (piped, CorruptError, "regular"),
        (foldered, CorruptError, "regular"),
        (named("../outside"), CorruptError, "no name of a checkpoint's file"),
        (named("/etc/passwd"), CorruptError, "no name of a checkpoint's file"),
        (named("weights/../../x.safetensors"), CorruptError, "no name of a checkpoint's file"),
        (named("config.yaml"), CorruptError, "no name of a checkpoint's file"),
        (lambda s: rewrite(s, lambda said: said.update(version=2)), FormatError, "format version 2"),
        (lambda s: rewrite(s, lambda said: said.update(more=1)), CorruptError, "no 'more' here"),
        (lambda s: rewrite(s, lambda said: said.update(same=[["a", "d", "x"]])), CorruptError, "no node"),
        (lambda s: (s / "checkpoint.json").write_text("{"), CorruptError, "JSON"),
        (lambda s: (s / "checkpoint.json").write_bytes(b"\xff\xfe"), CorruptError, "text"),
        (lambda s: (s / "checkpoint.json").unlink(), ConfigError, "folder"),
        (lambda s: (s / "config.yaml").unlink(), CorruptError, "cannot be opened"),
    ],
)
def test_harm(saved: Path, harm: Callable[[Path], Any], kind: Any, sentence: str) -> None:
    harm(saved)
    with pytest.raises(kind, match=sentence):
        Graph.load(saved)


@pytest.mark.parametrize(
    ("old", "new", "kind", "sentence"),
    [
        ("backbone/tiny", "backbone/tinny", UnknownTypeError, "backbone/tiny"),
        ("version: 1", "version: 2", (FormatError, ConfigError), "version 2"),
        ("kind: graph", "kind: creature", ConfigError, "creature"),
        ("nodes:", "nodes: {x: {ref: ../secret.yaml}}\nnodez:", ConfigError, "nodez|comes from none"),
    ],
)
def test_configs(saved: Path, old: str, new: str, kind: Any, sentence: str) -> None:
    text = (saved / "config.yaml").read_text()
    assert old in text
    (saved / "config.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(kind, match=sentence):
        Graph.load(saved)


def as_archive(saved: Path, change: Callable[[zipfile.ZipFile, str, bytes], None]) -> Path:
    path = saved.with_suffix(".ygg")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(saved.rglob("*")):
            if file.is_file():
                change(archive, str(file.relative_to(saved)), file.read_bytes())
    return path


def symlinked(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    about = zipfile.ZipInfo(name)
    about.external_attr = 0o120777 << 16
    archive.writestr(about, data)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a, n, d: a.writestr(n, d, zipfile.ZIP_DEFLATED), "compressed"),
        (lambda a, n, d: a.writestr("../" + n, d), "no such file"),
        (lambda a, n, d: a.writestr("/" + n, d), "no such file"),
        (symlinked, "symbolic link"),
        (lambda a, n, d: a.writestr(n, d) if "weights" not in n else None, "not in the archive"),
    ],
)
def test_hostile_archives(saved: Path, change: Callable[..., Any], sentence: str) -> None:
    assert isinstance(Graph.load(as_archive(saved, lambda a, n, d: a.writestr(n, d))), Graph)
    with pytest.raises(CorruptError, match=sentence):
        Graph.load(as_archive(saved, change))


def test_archives_cut_anywhere(saved: Path) -> None:
    tiny.sharing().save(saved.with_suffix(".ygg"))
    whole = saved.with_suffix(".ygg").read_bytes()
    for size in (0, 1, 30, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        saved.with_suffix(".ygg").write_bytes(whole[:size])
        with pytest.raises((CorruptError, FormatError)):
            Graph.load(saved.with_suffix(".ygg"))
    with pytest.raises(ConfigError, match="no such file"):
        Graph.load(saved.with_name("nowhere.ygg"))


# --- anything at all in checkpoint.json

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**20) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from spots(item, (*path, key))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = tiny.sharing()
    graph.add("k", tiny.Keeping())
    graph.nodes["k"].block.kept = {"t": torch.ones(3), "n": (1, 2)}  # type: ignore[attr-defined]
    module(graph, "d").first = module(graph, "a").first
    path = tmp_path_factory.mktemp("whole") / "saved"
    save_checkpoint(graph, path, extra={"rng": {"state": torch.zeros(4, dtype=torch.uint8)}})
    return path


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_checkpoint_json(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "copy"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(whole, path)
    said: Any = record(path)
    place = data.draw(st.sampled_from(sorted(spots(said), key=repr)))
    new = data.draw(ANYTHING | st.sampled_from(["../x", "weights/../checkpoint.json", "a", "k", "first.weight"]))
    if place:
        holder: Any = said
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = new
    else:
        said = new
    (path / "checkpoint.json").write_text(json.dumps(said))
    for read in (load_checkpoint, read_extra):
        with suppress(YggdrasilError):
            read(path)


@settings(max_examples=100, deadline=None)
@given(name=st.text(max_size=40) | st.from_regex(r"(\.\./|/|weights/|state/|\./)[a-z./\\\x00]{0,20}", fullmatch=True))
def test_any_file_name(whole: Path, name: str) -> None:
    from yggdrasil.storage.archive_reading import open_source

    with pytest.raises(CorruptError):
        open_source(whole).checked(name)


# --- any graph, in another process


def random_graph(seed: int) -> Graph:
    """Up to ten nodes, some of them in an inner graph, of a few blocks and modules used here and there."""
    pick = random.Random(seed)
    torch.manual_seed(seed)
    blocks: list[Any] = [tiny.tiny(4, tied=pick.random() < 0.5) for _ in range(pick.randint(1, 3))]
    for block in list(blocks):
        if pick.random() < 0.5:
            twin = tiny.tiny(**block.config)
            twin.adopt(block.modules())
            blocks.append(twin)

    def chain(name: str, depth: int) -> Graph:
        graph = Graph(name)
        names = [f"n{i}" for i in range(pick.randint(1, 4))]
        for one in names:
            nested = depth and pick.random() < 0.4
            graph.add(one, pick.choice(graphs) if nested and graphs else pick.choice(blocks))
        for source, target in itertools.pairwise(names):
            graph.add_edge(f"{source}.x", f"{target}.x")
        graph.expose_input(f"{names[0]}.x", name="x")
        graph.expose_output(f"{names[-1]}.x", name="x")
        return graph

    graphs: list[Graph] = []
    graphs += [chain(f"inner{i}", 0) for i in range(2)]
    return chain("outer", 1)


def sharing_of(graph: Graph) -> list[list[str]]:
    """Which paths hold one block, and which one module."""
    found: dict[int, list[str]] = {}
    for path, node in graph.walk():
        found.setdefault(id(node.block), []).append(path)
        if not isinstance(node.block, Graph):
            for one in node.block.modules().values():  # type: ignore[attr-defined]
                found.setdefault(id(one), []).append(f"{path}:")
    return sorted(found.values())


def outputs_of(graph: Graph) -> Any:
    return run_sync(graph, X)["x"].tolist()


def test_any_graph_in_another_process(tmp_path: Path) -> None:
    expected = {}
    for seed in range(12):
        graph = random_graph(seed)
        path = tmp_path / f"{seed}{'.ygg' if seed % 2 else ''}"
        graph.save(path)
        expected[str(path)] = [outputs_of(graph), sharing_of(graph)]
    code = (
        "import json, sys\n"
        "from tests.levels.test_checkpoint import Graph, outputs_of, sharing_of\n"
        "graphs = {p: Graph.load(p) for p in sys.argv[1:]}\n"
        "print(json.dumps({p: [outputs_of(g), sharing_of(g)] for p, g in graphs.items()}))\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, *expected],
        cwd=root, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected
    assert any(len(group) > 2 for _, groups in expected.values() for group in groups)  # the graphs do share
