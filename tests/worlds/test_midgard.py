"""Midgard as a world: it lives, the same way for the same seed, and its facts stay consistent."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import World
from yggdrasil.core.blob import references

PLACES = {"abroad"}


def violations(
    before: Mapping[str, Any], after: Mapping[str, Any], entry: Mapping[str, Any], gone: set[str]
) -> list[str]:
    """What is wrong with one tick: the content before it, the content after it, the history entry between them."""
    people, found = after["characters"], []
    day, dead = entry["day"], {e["who"] for e in entry["events"] if e.get("do") in ("die", "leave")}
    if day < before["calendar"]["day"]:
        found.append(f"day {day} lies before {before['calendar']['day']}")
    acting = {who for e in entry["events"] for who in e.get("who", ()) if isinstance(e.get("who"), list)} | set(
        entry["who"]
    )
    found += [f"{who} acts but is dead or gone" for who in acting & gone]
    found += [f"{who} acts but was never born" for who in acting if who not in before["characters"] and who not in gone]
    found += [f"{who} is dead and still listed" for who in (gone | dead) & set(people)]
    where = entry["where"]
    for who, person in people.items():
        if person["at"] not in after["places"] and person["at"] not in PLACES:
            found.append(f"{who} is at {person['at']}, which is nowhere")
        away = any(
            e.get("do") in ("away", "settle", "wed") and who in (e.get("who"), e.get("a"), e.get("b"))
            for e in entry["events"]
        )
        if who in entry["who"] and where in after["places"] and person["at"] not in (where, "abroad") and not away:
            found.append(f"{who} was at {where} and is at {person['at']}")
        if not 0 <= person["health"] <= 10:
            found.append(f"{who} has health {person['health']}")
        if person["born"] > day:
            found.append(f"{who} is not yet born")
        spouse = person["kin"]["spouse"]
        if spouse is not None and people.get(spouse, {"kin": {}})["kin"].get("spouse") != who:
            found.append(f"{who} is married to {spouse}, who is not married back")
        if len(person["memories"]) > after["rules"]["memories"] or len(person["ties"]) > after["rules"]["ties"]:
            found.append(f"{who} remembers too much")
        found += [f"{who} has a tie to {other}, who is gone" for other in person["ties"] if other not in people]
    for place, shelf in after["stores"].items():
        found += [f"{place} has {amount} {what}" for what, amount in shelf.items() if amount < 0]
    closing = {e["id"] for e in entry["events"] if e.get("op") == "close"}
    opening = {e["id"] for e in entry["events"] if e.get("op") == "open"}
    kept = set(before["threads"]["open"]) - set(after["threads"]["open"])
    found += [f"thread {name} vanished" for name in kept - closing]
    found += [f"thread {name} was opened and is not there" for name in opening - set(after["threads"]["open"])]
    return found + [f"refused: {event}" for event in entry.get("refused", ())]


async def check(ticks: int, seed: int, overlay: str | None) -> list[str]:
    """Run a world tick by tick; every violation, with its tick."""
    found, gone = [], set()
    async with World.open("midgard", seed=seed, overlay=overlay) as world:
        before = world.content
        for tick in range(1, ticks + 1):
            await world.run(ticks=1)
            after = world.content
            if tick > 1:
                entry = (await world.history(after=tick - 2))[0]
                found += [f"tick {tick}: {text}" for text in violations(before, after, entry, gone)]
                gone |= {e["who"] for e in entry["events"] if e.get("do") in ("die", "leave")}
            before = after
        due = max((t["due"] for t in before["threads"]["open"].values()), default=0)
        assert due < before["calendar"]["day"] + 80, "a thread is alive for ever"
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("seed", [1, 2])
async def test_sixty_ticks_break_no_rule(seed: int) -> None:
    assert await check(60, seed, "text") == []


@pytest.mark.anyio
@pytest.mark.long
@pytest.mark.parametrize("seed", [3, 4, 5, 6, 7])
async def test_three_hundred_ticks_break_no_rule(seed: int) -> None:
    assert await check(300, seed, "text") == []


@pytest.mark.anyio
async def test_five_ticks_paint_five_pictures_and_the_same_again() -> None:
    async def live() -> tuple[str, list[str]]:
        pictures = []
        async with World.open("midgard", seed=11) as world:
            for _ in range(5):
                await world.run(ticks=1)
                picture = next(references(world.state["artifacts"]))
                assert (await world.blob(picture["$blob"])).startswith(b"\x89PNG")
                pictures.append(picture["$blob"])
            return world.tick_hash, pictures

    first, second = await live(), await live()
    assert first == second
    assert len(set(first[1])) == 5


@pytest.mark.anyio
async def test_an_action_becomes_a_happening() -> None:
    async with World.open("midgard", seed=1, overlay="text") as world:
        await world.run(ticks=1)
        await world.run(ticks=1, action="Kara lights the beacon")
        intent = world.state["intent"]
        assert (intent["kind"], intent["who"], intent["where"]) == ("beacon", ["kara"], "varden")
        wood = world.content["stores"]["skarvik"]["wood"]
        await world.run(ticks=1)
        told = (await world.history())[-1]
        assert "beacon" in told["text"].lower() or "Varden" in told["text"]
        assert world.content["stores"]["skarvik"]["wood"] != wood
        assert any("beacon" in memory["text"] for memory in world.content["characters"]["kara"]["memories"])


@pytest.mark.anyio
async def test_the_text_overlay_paints_nothing() -> None:
    async with World.open("midgard", seed=1, overlay="text") as world:
        await world.run(ticks=2)
        assert list(world.state["artifacts"]) == ["texts"]
        assert list(references(world.state)) == []


@pytest.mark.anyio
async def test_content_stays_bounded() -> None:
    async with World.open("midgard", seed=5, overlay="text") as world:
        await world.run(ticks=250)
        early = len(str(world.content))
        await world.run(ticks=250)
        assert len(str(world.content)) < max(early, 30_000) * 1.3
        rules = world.content["rules"]["people"]
        assert rules["fewest"] - 6 <= len(world.content["characters"]) <= rules["most"] + 2


def test_the_checker_sees_a_broken_world() -> None:
    """A checker that cannot fail would prove nothing."""
    import yaml

    folder = Path(__file__).parents[2] / "worlds" / "midgard" / "content"
    before = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")}
    after = yaml.safe_load(yaml.safe_dump(before, sort_keys=False))
    entry = {"day": 121, "who": ["asmund"], "where": "varden", "events": [{"event": "visit", "who": ["asmund"]}]}
    after["stores"]["skarvik"]["food"] = -1
    after["characters"]["kara"]["at"] = "the moon"
    del after["threads"]["open"]["feud-1"]
    found = violations(before, after, entry, {"asmund"})
    assert {text.split(" ")[0] for text in found} >= {"asmund", "skarvik", "kara", "thread"}
    assert violations(before, before, {"day": 121, "who": [], "where": "", "events": []}, set()) == []


def test_no_picture_library_is_needed_for_the_text_overlay() -> None:
    import subprocess

    script = (
        "import sys\nfrom yggdrasil import World\nimport anyio\n"
        "async def live():\n"
        "    async with World.open('midgard', overlay='text') as world:\n"
        "        await world.run(ticks=2)\n"
        "anyio.run(live)\nassert not {'numpy', 'PIL'} & set(sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
