"""The main job in the issue's words, by the command a person types, in an environment with nothing in it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def command(folder: Path, *words: str) -> subprocess.Popen[str]:
    """`yggdrasil WORDS...` in a folder, without keys, home, or anything else in the environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "yggdrasil", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def out_of(folder: Path, *words: str) -> str:
    """What it prints; it must succeed and say nothing else."""
    process = command(folder, *words)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, ""), err
    return out


def records(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """(kind, data) of every record in the journal."""
    with sqlite3.connect(file) as base:
        found = base.execute("SELECT kind, data FROM record ORDER BY place").fetchall()
    base.close()
    return [(kind, json.loads(data)) for kind, data in found]


def test_five_ticks_five_pictures_and_on_at_six(tmp_path: Path) -> None:
    began = time.monotonic()
    first = out_of(tmp_path, "run", "midgard", "--ticks", "5")
    assert time.monotonic() - began < 60
    assert first.startswith("a new world\n")
    assert [line for line in first.splitlines() if line.startswith("tick ")] == [f"tick {n}" for n in range(1, 6)]
    pictures = sorted((tmp_path / "midgard-pictures").iterdir())
    assert [p.name for p in pictures] == [f"tick-000{n}.png" for n in range(1, 6)]
    assert len({p.read_bytes() for p in pictures}) == 5
    assert all(p.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for p in pictures)

    # empty start, five ticks: four full states are saved, since tick 1 ends with the blocks 1-3
    full = [data for kind, data in records(tmp_path / "midgard.db") if kind == "updated"]
    assert [data["tick"] for data in full] == [2, 3, 4, 5]
    for data in full:
        assert set(data["state"]) == {"intent", "blueprint", "artifacts", "description", "chronicle"}
        assert all(data["state"].values())

    second = out_of(tmp_path, "run", "midgard")
    assert second.startswith("goes on after tick 5\n")
    assert [line for line in second.splitlines() if line.startswith("tick ")] == ["tick 6"]
    assert len(list((tmp_path / "midgard-pictures").iterdir())) == 6


def test_events_as_json_each_with_its_tick(tmp_path: Path) -> None:
    lines = out_of(
        tmp_path, "run", "midgard", "--overlay", "text", "--ticks", "2", "--action", "Kara lights the beacon", "--json"
    ).splitlines()
    events = [json.loads(line) for line in lines]
    assert all(isinstance(event, dict) and isinstance(event["tick"], int) for event in events)
    ticks = [event["tick"] for event in events]
    assert ticks == sorted(ticks)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    actions = [event["action"] for event in events if event["event"] == "action_received"]
    assert actions == ["Kara lights the beacon"]
    finished = [event for event in events if event["event"] == "tick_finished"]
    assert [event["tick"] for event in finished] == [1, 2]
    shown = out_of(tmp_path, "show", "midgard", "--overlay", "text", "--json")
    assert len(shown.splitlines()) == 1
    where = json.loads(shown)
    assert {key: where[key] for key in ("tick", "content_hash", "tick_hash")} == {
        key: finished[-1][key] for key in ("tick", "content_hash", "tick_hash")
    }


@pytest.mark.timeout(180)
def test_the_same_content_is_the_same_bytes_in_two_folders_one_of_them_killed(tmp_path: Path) -> None:
    """Two folders, one seed, the same actions; one is killed twice and stopped once on the way."""
    calm, rough = tmp_path / "calm", tmp_path / "rough folder"
    calm.mkdir()
    rough.mkdir()
    options = ("--seed", "11", "--overlay", "text", "--json")
    out_of(calm, "run", "midgard", "--ticks", "3", "--action", "Kara lights the beacon", *options)
    out_of(calm, "run", "midgard", "--ticks", "9", *options)
    out_of(rough, "run", "midgard", "--ticks", "3", "--action", "Kara lights the beacon", *options)
    for sent in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        process = command(rough, "run", "midgard", "--ticks", str(left(rough)), *options)
        assert process.stdout is not None
        for _ in range(33):
            process.stdout.readline()
        process.send_signal(sent)
        process.communicate(timeout=60)
    if left(rough):
        out_of(rough, "run", "midgard", "--ticks", str(left(rough)), *options)
    exports = [out_of(folder, "export", "midgard", "--content", "--json") for folder in (calm, rough)]
    assert exports[0] == exports[1]
    assert len(json.loads(exports[0])["history"]) == 11
    shown = [json.loads(out_of(folder, "show", "midgard", "--json")) for folder in (calm, rough)]
    assert shown[0] == shown[1]
    other = command(calm, "run", "midgard", "--seed", "12")
    err = other.communicate(timeout=60)[1]
    assert other.returncode == 3
    assert "lives with seed 11; it cannot go on with 12" in err
    assert "\n  try: leave the seed out" in err


def left(folder: Path) -> int:
    """Ticks until twelve."""
    return 12 - sum(kind == "finished" for kind, _ in records(folder / "midgard.db"))
