"""The past from the command line: at, fork, diff, replay, verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yggdrasil.cli import exits

if TYPE_CHECKING:
    from tests.cli.conftest import Command

TEXT = ("--overlay", "text")


def run(yggdrasil: Command, *words: str) -> list[dict[str, Any]]:
    done = yggdrasil("run", "midgard", *TEXT, "--json", *words)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def hashes(events: list[dict[str, Any]]) -> dict[int, str]:
    return {e["tick"]: e["tick_hash"] for e in events if e["event"] == "tick_finished"}


def test_a_world_is_read_forked_compared_replayed_and_verified(yggdrasil: Command, here: Path) -> None:
    was = hashes(run(yggdrasil, "--ticks", "5"))
    for tick in (1, 3, 5):
        past = json.loads(yggdrasil("at", "midgard", str(tick), *TEXT, "--json").out)
        assert (past["tick"], past["tick_hash"]) == (tick, was[tick])
        assert past["content"]["history"]["length"] == tick - 1
    shown = yggdrasil("at", "midgard", "3", *TEXT)
    assert shown.code == 0
    assert was[3] in shown.out
    gone = yggdrasil("at", "midgard", "9", *TEXT)
    assert (gone.code, "the nearest that is: 5" in gone.err) == (exits.FAILED.code, True)

    made = json.loads(yggdrasil("fork", "midgard", "--at", "3", "--as", "skald", *TEXT, "--json").out)
    assert (made["parent"], made["tick"], made["tick_hash"]) == ("midgard", 3, was[3])
    assert yggdrasil("fork", "midgard", "--as", "skald", *TEXT).code == exits.STORE.code
    told = run(yggdrasil, "--name", "skald", "--action", "Kara lights the beacon")
    assert list(hashes(told)) == [4]

    found = json.loads(yggdrasil("diff", "midgard", "skald", *TEXT, "--json").out)
    assert (found["parted"]["tick"], found["a"]["tick"], found["b"]["tick"]) == (4, 5, 4)
    assert {"content", "history", "state"} <= {change["path"].split("/")[1] for change in found["changes"]}
    lines = yggdrasil("diff", "midgard@4", "skald@4", *TEXT).out.splitlines()
    assert lines[:2] == ["midgard@4 -> skald@4", "they part in tick 4, at what was handed in"]
    same = yggdrasil("diff", "midgard@3", "skald@3", *TEXT)
    assert "equal" in same.out

    again = json.loads(yggdrasil("replay", "midgard", *TEXT, "--json").out)
    assert (again["first"], again["last"], again["tick_hash"]) == (1, 5, was[5])
    part = yggdrasil("replay", "skald", "--from", "4", *TEXT, "--store", "midgard.db")
    assert (part.code, "ticks 4 to 4" in part.out) == (0, True)
    other = yggdrasil("replay", "midgard")  # paints instead of telling
    assert other.code == exits.FAILED.code
    assert "midgard/creator: tick 1" in other.err

    assert yggdrasil("fork", "midgard", "--at", "0", "--as", "unborn", *TEXT).code == 0
    nothing = yggdrasil("replay", "unborn", *TEXT, "--store", "midgard.db")
    assert (nothing.code, "nothing to replay" in nothing.out) == (0, True)

    whole = yggdrasil("verify", "midgard", *TEXT)
    assert whole.code == 0
    assert "midgard is whole" in whole.out
    data = json.loads(yggdrasil("verify", "skald", "--store", "sqlite:///midgard.db", "--json").out)
    assert (data["whole"], data["ticks"], data["problems"]) == (True, 4, [])


def test_damage_is_told_and_is_no_zero(yggdrasil: Command, here: Path) -> None:
    run(yggdrasil, "--ticks", "3")
    text = Path("midgard.db").read_bytes()
    at = text.index(b'"stage":"architect"') if b'"stage":"architect"' in text else text.index(b"architect", 20000)
    Path("midgard.db").write_bytes(text[:at] + b"X" + text[at + 1 :])
    done = yggdrasil("verify", "midgard", *TEXT)
    assert done.code == exits.STORE.code
    assert "damaged: stream midgard / record " in done.out
    assert "midgard is NOT whole" in done.out
    data = json.loads(yggdrasil("verify", "midgard", *TEXT, "--json").out)
    assert data["problems"][0]["path"].startswith("stream midgard / record ")


def test_what_is_not_there_says_so(yggdrasil: Command, here: Path) -> None:
    for words in ("at midgard 1", "fork midgard --as x", "replay midgard", "verify midgard", "diff midgard midgard@2"):
        done = yggdrasil(*words.split())
        assert (done.code, "there is no such store" in done.err) == (exits.STORE.code, True), words
    assert not list(here.iterdir()), "looking writes nothing"
    run(yggdrasil)
    nobody = yggdrasil("verify", "nobody", "--store", "midgard.db")
    assert (nobody.code, "no world 'nobody'" in nobody.err) == (exits.STORE.code, True)
    unknown = yggdrasil("diff", "nobody", "noone")
    assert (unknown.code, "--store" in unknown.err or "nobody" in unknown.err) == (exits.INVALID.code, True)
