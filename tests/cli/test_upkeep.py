"""`stats`, `vacuum` and `copy`, as a person calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from yggdrasil.cli import exits


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "yggdrasil", *words]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def told(folder: Path, *words: str) -> list[Any]:
    done = call(folder, *words, "--json")
    assert done.returncode == exits.DONE.code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose world `garden` keeps 3 ticks and has lived 20."""
    folder = tmp_path_factory.mktemp("project")
    assert call(folder, "new", "garden").returncode == 0
    project = folder / "garden"
    file = project / "worlds" / "garden" / "world.yaml"
    text = file.read_text()
    assert "\nexecution:\n" in text
    file.write_text(text.replace("\nexecution:\n", "\nexecution:\n  keep: {last: 3, every: 10}\n"))
    done = call(project, "run", "garden", "--ticks", "20")
    assert done.returncode == 0, done.stderr
    return project


def test_stats_vacuum_and_copy(lived: Path) -> None:
    before, total = told(lived, "stats", "garden")
    assert (before["name"], before["first"], before["forks"], before["holder"]) == ("garden", 1, 0, "")
    assert total["store"] == "sqlite:///garden.db"
    assert total["on_disk"] == (lived / "garden.db").stat().st_size + sum(
        file.stat().st_size for file in lived.glob("garden.db.blobs/*/*")
    )

    [done] = told(lived, "vacuum", "garden")
    assert done["pruned"] == {"garden": 17}
    after, _ = told(lived, "stats", "--store", "sqlite:///garden.db")
    assert after["records"] < before["records"] / 2
    assert told(lived, "vacuum", "garden")[0]["pruned"] == {}

    copied = told(lived, "copy", "sqlite:///garden.db", "sqlite:///copy.db")
    assert copied[0]["stream"] == "garden"
    assert copied[0]["records"] == after["records"]
    for store in ("garden", "copy"):
        assert call(lived, "run", "garden", "--ticks", "3", "--store", f"sqlite:///{store}.db").returncode == 0
    hashes = [told(lived, "show", "garden", "--store", f"sqlite:///{store}.db")[0] for store in ("garden", "copy")]
    assert hashes[0]["tick"] == 23
    assert hashes[0]["tick_hash"] == hashes[1]["tick_hash"]
    again = call(lived, "copy", "sqlite:///garden.db", "sqlite:///copy.db")
    assert (again.returncode, "stream garden" in again.stderr) == (exits.STORE.code, True), "it lived on by itself"


def test_for_people(lived: Path) -> None:
    shown = call(lived, "stats", "garden").stdout
    assert shown.splitlines()[0].split() == ["stream", "records", "bytes", "snapshots", "forks", "holder"]
    assert "on disk" in shown
    assert "of blobs went" in call(lived, "vacuum", "--store", "sqlite:///garden.db").stdout
    assert "garden: " in call(lived, "copy", "sqlite:///garden.db", "sqlite:///another.db").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("stats",), exits.INVALID, "which store"),
        (("stats", "--store", "sqlite:///none.db"), exits.INVALID, "no store sqlite:///none.db"),
        (("copy", "sqlite:///none.db", "sqlite:///x.db"), exits.INVALID, "no store"),
    ],
)
def test_what_is_wrong(tmp_path: Path, words: tuple[str, ...], code: exits.Exit, said: str) -> None:
    done = call(tmp_path, *words)
    assert (done.returncode, done.stdout) == (code.code, "")
    assert said in done.stderr
    assert [*tmp_path.iterdir()] == [], "asking makes no file"


def test_a_world_that_runs_is_not_pruned(lived: Path) -> None:
    hold = (
        "import anyio\nfrom yggdrasil.storage.sqlite import SqliteStore\n"
        "async def main():\n"
        "    async with SqliteStore('garden.db') as store:\n"
        "        await store.acquire('garden', 'Kara', seconds=100)\n"
        "        print('held', flush=True)\n"
        "        await anyio.sleep(100)\n"
        "anyio.run(main)\n"
    )
    words = [sys.executable, "-c", hold]
    with subprocess.Popen(words, cwd=lived, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            [done] = told(lived, "vacuum", "garden")
            assert "Kara" in done["pruned"]["garden"]
            assert told(lived, "stats", "garden")[0]["holder"] == "Kara"
        finally:
            holder.kill()
