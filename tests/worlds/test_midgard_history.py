"""A checker over midgard's history: what can never be, whatever the seed; and that the checker can fail."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from yggdrasil import World

SPAN = 15
"""Ticks within which no sentence frame, and no whole sentence, comes twice."""
SENTENCES, CHARACTERS = (2, 7), (60, 760)
PERSONS = ("who", "a", "b")
ENDS = ("die", "leave")

Facts = Mapping[str, Any]


class Checker:
    """Is shown the content before and after each tick and the history entry between them; keeps its own books."""

    def __init__(self, content: Facts) -> None:
        self.gone: set[str] = set()
        self.opened: set[str] = set(content["threads"]["open"])
        self.closed: set[str] = set()
        self.frames: list[set[str]] = []
        self.sentences: list[set[str]] = []

    def see(self, before: Facts, after: Facts, entry: Facts) -> list[str]:
        """Every violation of one tick."""
        found = self._acting(before, entry)
        self.gone |= {e["who"] for e in entry["events"] if e.get("do") in ENDS}
        found += [f"refused: {event}" for event in entry.get("refused", ())]
        found += self._places(before, after, entry) + self._people(after, entry["day"])
        found += self._threads(after, entry) + self._prose(after, entry["text"])
        if entry["day"] < before["calendar"]["day"]:
            found.append(f"day {entry['day']} lies before {before['calendar']['day']}")
        shelves = after["stores"].items()
        return found + [f"{s} has {n} {what}" for s, shelf in shelves for what, n in shelf.items() if n < 0]

    def _acting(self, before: Facts, entry: Facts) -> list[str]:
        acting, touched = set(entry["who"]), set()
        for event in entry["events"]:
            if isinstance(event.get("who"), list) and "event" in event:
                acting |= set(event["who"])
            touched |= {event[key] for key in PERSONS if "do" in event and isinstance(event.get(key), str)}
        born = {event["id"] for event in entry["events"] if event.get("do") == "born"}
        back = {event["who"] for event in entry["events"] if event.get("do") == "return"}
        known = before["characters"]
        found = [f"{who} acts but is dead or gone" for who in acting & self.gone]
        found += [f"{who} acts but was never born" for who in acting - set(known) - self.gone]
        found += [f"{who} is touched but does not live" for who in touched - set(known) - born]
        away = {who for who in acting if who in known and known[who]["at"] == "abroad"}
        return found + [f"{who} acts in the valley and is out of it" for who in away - back]

    def _places(self, before: Facts, after: Facts, entry: Facts) -> list[str]:
        found, where = [], entry["where"]
        moved = {event.get(key) for event in entry["events"] for key in PERSONS if event.get("do") in MOVES}
        for who, person in after["characters"].items():
            at = person["at"]
            if at not in after["places"] and at != "abroad":
                found.append(f"{who} is at {at}, which is nowhere")
            if who in entry["who"] and where in after["places"] and at != where and who not in moved:
                found.append(f"{who} was at {where} and is at {at}")
            if who not in entry["who"] and at not in (person["home"], "abroad"):
                found.append(f"{who} is at {at}, where nobody went")
            was = before["characters"].get(who, {}).get("at")
            if was == "abroad" and at != "abroad" and who not in moved:
                found.append(f"{who} was on the way and is at {at}")
        return found

    def _people(self, after: Facts, day: int) -> list[str]:
        people, rules = after["characters"], after["rules"]
        found = [f"{who} is dead and still listed" for who in self.gone & set(people)]
        for who, person in people.items():
            if not 0 <= person["health"] <= 10:
                found.append(f"{who} has health {person['health']}")
            if person["born"] > day:
                found.append(f"{who} is not yet born")
            spouse = person["kin"]["spouse"]
            if spouse is not None and people.get(spouse, {"kin": {}})["kin"].get("spouse") != who:
                found.append(f"{who} is married to {spouse}, who is not married back")
            if len(person["memories"]) > rules["memories"] or len(person["ties"]) > rules["ties"]:
                found.append(f"{who} remembers too much")
            found += [f"{who} has a tie to {other}, who is gone" for other in person["ties"] if other not in people]
            believed = person.get("heard") or []
            if len(believed) > rules["heard"] or any(who in b["about"] for b in believed):
                found.append(f"{who} believes too much: {believed}")
            found += [
                f"{who} believes something of {w}, who is gone" for b in believed for w in set(b["about"]) - set(people)
            ]
        return found

    def _threads(self, after: Facts, entry: Facts) -> list[str]:
        closing = {e["id"] for e in entry["events"] if e.get("op") == "close"}
        opening = {e["id"] for e in entry["events"] if e.get("op") == "open"}
        found = [f"thread {name} is opened twice" for name in opening & self.opened]
        found += [f"thread {name} is closed and was never open" for name in closing - self.opened]
        self.opened |= opening
        self.closed |= closing
        alive = after["threads"]["open"]
        found += [f"thread {name} vanished" for name in self.opened - self.closed - set(alive)]
        found += [f"thread {name} is closed and still open" for name in self.closed & set(alive)]
        day = after["calendar"]["day"]
        return found + [
            f"thread {name} is left alone" for name, t in alive.items() if not day - 60 < t["due"] < day + 80
        ]

    def _prose(self, after: Facts, text: str) -> list[str]:
        used, told = after["style"]["recent"][-1].split(" "), re.split(r"(?<=[.!?]) ", text)
        found = [f"frame {name} is used twice" for name in {n for n in used if used.count(n) > 1}]
        long = {sentence for sentence in told if len(sentence) > 25}
        for earlier in self.frames[-SPAN:]:
            found += [f"frame {name} came within {SPAN} ticks" for name in earlier & set(used)]
        for said in self.sentences[-SPAN:]:
            found += [f"said within {SPAN} ticks: {sentence}" for sentence in said & long]
        self.frames.append(set(used))
        self.sentences.append(long)
        count = len(re.findall(r"[.!?](?= |$)", text.replace('"', "")))
        if not SENTENCES[0] <= count <= SENTENCES[1] or not CHARACTERS[0] <= len(text) <= CHARACTERS[1]:
            found.append(f"{count} sentences, {len(text)} characters: {text}")
        return found + ([f"a hole in it: {text}"] if re.search(r"[{}]|None|  ", text) else [])


MOVES = ("away", "return", "settle", "wed", "die")


async def check(ticks: int, seed: int) -> list[str]:
    """Run a world tick by tick; every violation, with its tick."""
    found = []
    async with World.open("midgard", seed=seed, overlay="text") as world:
        await world.run(ticks=1)
        before = world.content
        checker = Checker(before)
        for tick in range(2, ticks + 1):
            await world.run(ticks=1)
            after, entry = world.content, (await world.history(after=tick - 2))[0]
            found += [f"tick {tick}: {text}" for text in checker.see(before, after, entry)]
            before = after
    assert len(checker.frames) == ticks - 1
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("seed", [1, 2])
async def test_sixty_ticks_break_no_rule(seed: int) -> None:
    assert await check(60, seed) == []


@pytest.mark.anyio
@pytest.mark.long
@pytest.mark.parametrize("seed", [3, 4, 5, 6, 7])
async def test_three_hundred_ticks_break_no_rule(seed: int) -> None:
    assert await check(300, seed) == []


@pytest.fixture
def content() -> dict[str, Any]:
    folder = Path(__file__).parents[2] / "worlds" / "midgard" / "content"
    found: dict[str, Any] = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yaml")
    }
    found["style"]["recent"] = ["fishing.1 closing.2"]
    return found


TEXT = "Ketil mended the boat-shed door that day. Nobody thought that it would hold the winter."
QUIET: dict[str, Any] = {"day": 121, "who": [], "where": "", "events": [], "text": TEXT}


def test_the_checker_is_content_with_a_sound_world(content: dict[str, Any]) -> None:
    assert Checker(content).see(content, content, QUIET) == []


BROKEN: dict[str, dict[str, Any]] = {
    "asmund acts but is dead": {"who": ["asmund"]},
    "nemo acts but was never born": {"events": [{"event": "visit", "who": ["nemo"]}]},
    "nemo is touched but does not live": {"events": [{"do": "health", "who": "nemo", "by": 1}]},
    "kara was at varden and is at skarvik": {"who": ["kara"], "where": "varden"},
    "kara is dead and still listed": {"events": [{"do": "die", "who": "kara"}]},
    "day 3 lies before": {"day": 3},
    "thread feud-1 is closed and still open": {"events": [{"op": "close", "id": "feud-1"}]},
    "thread odd-9 vanished": {"events": [{"op": "open", "id": "odd-9"}]},
    "thread odd-9 is closed and was never open": {"events": [{"op": "close", "id": "odd-9"}]},
    "refused": {"refused": [{"do": "wish"}]},
    "1 sentences": {"text": "It is told that something happened, but nobody would say what or to whom."},
    "a hole in it": {"text": TEXT + " It was {thing}."},
}


@pytest.mark.parametrize("complaint", BROKEN)
def test_the_checker_sees_what_is_wrong_with_an_entry(content: dict[str, Any], complaint: str) -> None:
    checker = Checker(content)
    checker.gone.add("asmund")
    found = checker.see(content, content, {**QUIET, **BROKEN[complaint]})
    assert any(text.startswith(complaint) for text in found), found


@pytest.mark.parametrize(
    ("complaint", "path", "value"),
    [
        ("skarvik has -1 food", "stores/skarvik/food", -1),
        ("kara is at the moon", "characters/kara/at", "the moon"),
        ("kara is at varden, where nobody went", "characters/kara/at", "varden"),
        ("kara has health 11", "characters/kara/health", 11),
        ("kara is not yet born", "characters/kara/born", 9999),
        ("kara is married to ulf", "characters/kara/kin/spouse", "ulf"),
        ("kara has a tie to nemo", "characters/kara/ties/nemo", 2),
        ("kara believes something of nemo", "characters/kara/heard", [{"about": ["nemo"]}]),
        ("kara believes too much", "characters/kara/heard", [{"about": ["kara"]}]),
        ("thread feud-1 is left alone", "threads/open/feud-1/due", 999),
    ],
)
def test_the_checker_sees_what_is_wrong_with_the_facts(
    content: dict[str, Any], complaint: str, path: str, value: Any
) -> None:
    after = copy.deepcopy(content)
    *parts, last = path.split("/")
    place = after
    for part in parts:
        place = place[part]
    place[last] = value
    found = Checker(content).see(content, after, QUIET)
    assert any(text.startswith(complaint) for text in found), found


def test_the_checker_sees_a_frame_and_a_sentence_that_come_again(content: dict[str, Any]) -> None:
    checker = Checker(content)
    assert checker.see(content, content, QUIET) == []
    found = checker.see(content, content, QUIET)
    assert {text.partition(" within")[0] for text in found} >= {"frame fishing.1 came", "said"}
    for n in range(SPAN):
        other = copy.deepcopy(content)
        other["style"]["recent"] = [f"other.{n}"]
        entry = {**QUIET, "text": f"The {n} days were long and without any weather. Then {n} people spoke of the snow."}
        assert checker.see(other, other, entry) == []
    assert checker.see(content, content, QUIET) == []


def test_who_is_away_is_nowhere_else(content: dict[str, Any]) -> None:
    content["characters"]["kara"]["at"] = "abroad"
    entry = {**QUIET, "who": ["kara"], "where": "varden"}
    found = Checker(content).see(content, content, entry)
    assert "kara acts in the valley and is out of it" in found
