"""Saving that is stopped anywhere, by a kill or a full disk: then the old checkpoint is there, or the new one."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.levels import tiny_modules as tiny
from yggdrasil import ConfigError, ConflictError, Graph, StoreError, StoreFullError
from yggdrasil.levels.checkpoint import save_checkpoint
from yggdrasil.storage import archive

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
SHIM = ROOT / "tests" / "scenario" / "faults" / "shim.c"

SAVING = """
import sys
import torch
from tests.levels.test_checkpoint_crash import numbered
path = sys.argv[1]
print("ready", flush=True)
for number in range(1, 10_000):
    numbered(number).save(path)
    print(number, flush=True)
"""


def numbered(number: int, width: int = 128) -> Graph:
    """A graph all of whose parts say the same number: weights, memory, config."""
    graph = Graph("numbered")
    graph.description = str(number)
    for name in ("a", "b", "c"):
        graph.add(name, tiny.tiny(width))
        with torch.no_grad():
            for parameter in tiny_module(graph, name).state_dict().values():
                parameter.fill_(number)
    graph.add("k", tiny.Keeping())
    graph.nodes["k"].block.kept = {"number": number, "tensor": torch.full((4,), number)}  # type: ignore[attr-defined]
    return graph


def tiny_module(graph: Graph, name: str) -> Any:
    return graph.nodes[name].block.module  # type: ignore[attr-defined]


def number_of(path: Path) -> int:
    """Which one lies at `path`; an error when it is a mix of two."""
    graph = Graph.load(path)
    said = {float(value.unique().item()) for name in "abc" for value in tiny_module(graph, name).state_dict().values()}
    kept = graph.nodes["k"].block.kept  # type: ignore[attr-defined]
    said |= {float(kept["number"]), float(kept["tensor"].unique().item()), float(graph.description)}
    (only,) = said
    return int(only)


def started(path: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SAVING, str(path)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("ending", ["", ".ygg"])
def test_killed_while_saving(tmp_path: Path, ending: str) -> None:
    """One process saves again and again; forks of it are killed at random, twenty times and more."""
    path = tmp_path / f"saved{ending}"
    begin = time.monotonic()
    numbered(0).save(path)
    once = time.monotonic() - begin
    pick, last, moved = random.Random(7), 0, 0
    for kill in range(80):
        if kill >= 20 and moved > 3:
            break
        child = os.fork()
        if not child:
            try:
                for number in range(last + 1, last + 1000):
                    numbered(number).save(path)
            finally:
                os._exit(1)
        time.sleep(pick.uniform(0.2, 4) * once * (1 if kill < 20 else 5))  # other work may slow it
        os.kill(child, 9)
        assert os.waitpid(child, 0)[1] == 9
        found = number_of(path)
        assert found >= last
        moved += found > last
        last = found
    assert moved > 3  # it was killed while it wrote, not before
    numbered(last + 1).save(path)
    assert number_of(path) == last + 1
    left = [f for f in tmp_path.rglob("*") if f.is_file() and f.name.startswith(".") and path in f.parents]
    assert left == []


@pytest.mark.parametrize("ending", ["", ".ygg"])
def test_every_step_of_saving_may_be_the_last(tmp_path: Path, ending: str) -> None:
    """A forked process dies right before its n-th change of the disk, for every n."""
    path = tmp_path / f"saved{ending}"
    found = []
    for steps in range(1, 80):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        numbered(1, 4).save(path)
        child = os.fork()
        if not child:
            left = [steps]

            def trace(event: str, arguments: Any, left: list[int] = left) -> None:
                made = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
                if made or event in ("os.rename", "os.remove", "os.mkdir"):
                    left[0] -= 1
                    if not left[0]:
                        os._exit(9)

            try:
                sys.addaudithook(trace)
                numbered(2, 4).save(path)
            finally:
                os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        found.append(number_of(path))
        if not status:
            break
    assert status == 0
    assert found == sorted(found)
    assert set(found) == {1, 2}


@pytest.mark.parametrize("ending", ["", ".ygg"])
def test_a_full_disk(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"saved{ending}"
    numbered(1).save(path)
    before = sorted((str(f), f.stat().st_size) for f in tmp_path.rglob("*") if f.is_file())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (0, 100, 5_000, 60_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(StoreFullError, match="cannot be written"):
                numbered(2).save(path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert sorted((str(f), f.stat().st_size) for f in tmp_path.rglob("*") if f.is_file()) == before
    assert number_of(path) == 1
    numbered(2).save(path)
    assert number_of(path) == 2


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here")
    made = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, SHIM, "-ldl", "-lpthread"], check=True)
    return made


@pytest.mark.parametrize(
    "fault",
    [{"FAULTS_SPACE": "450000"}, {"FAULTS_SYNC": "25"}],
    ids=str,
)
def test_a_disk_that_fails(tmp_path: Path, shim: Path, fault: dict[str, str]) -> None:
    """The disk is full after so many bytes, or its n-th sync fails."""
    path = tmp_path / "root" / "saved"
    with started(path, LD_PRELOAD=str(shim), FAULTS_ROOT=str(tmp_path / "root"), **fault) as process:
        out, errors = process.communicate(timeout=120)
    said = [int(line) for line in out.split() if line.isdigit()]
    assert process.returncode == 1, errors
    assert "StoreFullError" in errors if "FAULTS_SPACE" in fault else "StoreError" in errors
    assert said
    assert number_of(path) in (said[-1], said[-1] + 1)


def test_two_do_not_save_at_once(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    numbered(1).save(path)
    with archive._alone(path), pytest.raises(ConflictError, match="somebody else is saving"):
        numbered(2).save(path)
    assert number_of(path) == 1
    numbered(3).save(path)
    assert number_of(path) == 3


def test_loading_while_somebody_saves(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    numbered(0, 16).save(path)
    done, failed = threading.Event(), []

    def write() -> None:
        try:
            for number in range(1, 40):
                numbered(number, 16).save(path)
        except StoreError as error:
            failed.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not done.is_set():
        seen.append(number_of(path))
    writer.join()
    assert not failed
    assert seen == sorted(seen)
    assert number_of(path) == 39


def test_weights_that_change_while_they_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    numbered(1).save(path)
    graph = numbered(2)
    weight = tiny_module(graph, "c").first.weight  # the last of three that are alike is written

    class Restless(dict[str, Any]):
        """A memory whose reading trains the weights: after they were hashed, before they are written."""

        def items(self) -> Any:
            with torch.no_grad():
                weight.add_(1)
            return super().items()

    graph.nodes["k"].block.kept = Restless(number=2)  # type: ignore[attr-defined]
    with pytest.raises(ConflictError, match="changed while they were saved"):
        save_checkpoint(graph, path)
    assert number_of(path) == 1
    with pytest.raises(ConfigError):
        save_checkpoint(graph, path / "config.yaml")
