"""What a language model may ask of the world: people, places, stores, threads, what was. Nothing here changes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from yggdrasil import block

from .facts import AWAY, Facts
from .words import row, since

World = dict[str, Any]
MOST = 12
"""How many findings one search gives."""


def someone(facts: Facts, said: str) -> str:
    """The id of a living person, from the id or the name; ValueError says who is dead, or who there is."""
    wanted = said.strip().lower()
    if wanted in facts.people:
        return wanted
    named = [
        who
        for who in facts.ids
        if wanted in (facts.people[who]["name"].lower(), str(facts.people[who]["full"]).lower())
    ]
    if len(named) == 1:
        return str(named[0])
    if named:
        raise ValueError(f"{said!r} may be {row(named)}: use the id")
    for grave in facts.world["graves"]:
        if wanted in (str(grave["id"]).lower(), str(grave["name"]).lower(), str(grave["name"]).split(" ")[0].lower()):
            raise ValueError(f"{grave['name']} ({grave['id']}) is dead: {grave['cause']}. The dead stay dead")
    raise ValueError(f"nobody alive is called {said!r}; there are {', '.join(facts.ids)}")


def somewhere(facts: Facts, said: str) -> str:
    """The id of a place, from the id or the name; ValueError lists the places."""
    wanted = said.strip().lower()
    for place in sorted(facts.places):
        if wanted in (place, str(facts.places[place]["name"]).lower()):
            return place
    raise ValueError(f"there is no place {said!r}; there are {', '.join(sorted(facts.places))}")


def line_of(facts: Facts, who: str) -> str:
    """A person in one line."""
    person = facts.people[who]
    spouse = facts.spouse(who)
    at = "abroad" if person["at"] == AWAY else facts.places[person["at"]]["name"]
    parts = [
        f"{who}: {person['full']}" + (f", {person['byname']}" if person["byname"] else ""),
        f"{'woman' if person['sex'] == 'f' else 'man'} of {facts.age(who)}, {person['trade']}",
        f"lives at {facts.places[person['home']]['name']}, is at {at}",
        f"health {person['health']}/10",
    ]
    return "; ".join([*parts, *([f"married to {spouse}"] if spouse else [])])


@block("midgard/people", outputs={"text": str})
def people(world: World, settlement: str = "") -> str:  # noqa: D417 - the world is bound
    """Everyone alive, one line each.

    Args:
        settlement: only those who live there; leave it empty for all.
    """
    facts = Facts(world)
    home = somewhere(facts, settlement) if settlement.strip() else ""
    found = [line_of(facts, who) for who in facts.ids if not home or facts.people[who]["home"] == home]
    return "\n".join(found) or f"nobody lives at {home}"


@block("midgard/person", outputs={"text": str})
def person(world: World, who: str) -> str:  # noqa: D417 - the world is bound
    """All that is known of one living person: kin, whom they like and dislike, what they remember, their threads.

    Args:
        who: an id or a name.
    """
    facts = Facts(world)
    name = someone(facts, who)
    record = facts.people[name]
    kin = [f"{of} {record['kin'][of]}" for of in ("mother", "father", "spouse") if record["kin"].get(of)]
    kin += [f"child {child}" for child in facts.children(name)]
    ties = [f"{other} {value:+d}" for other, value in sorted(record["ties"].items())]
    memories = [f"{since(facts.today - memory['day'])} ago: {memory['text']}" for memory in record["memories"]]
    open_threads = [thread["title"] for _, thread in sorted(facts.threads.items()) if name in thread["who"]]
    return "\n".join((
        line_of(facts, name),
        f"kin: {', '.join(kin) or 'none known'}",
        f"feels (-5 to 5): {', '.join(ties) or 'nothing of note'}",
        f"remembers: {'; '.join(memories) or 'nothing of note'}",
        f"threads: {'; '.join(open_threads) or 'none'}",
    ))


@block("midgard/places", outputs={"text": str})
def places(world: World) -> str:
    """Every place, one line each: what it is, and how far from its neighbours in hours on foot."""
    facts = Facts(world)
    return "\n".join(
        f"{place}: {found['name']}, {found['kind']}. {found['text']} Near: "
        + ", ".join(f"{other} {hours}" for other, hours in sorted(found["near"].items()))
        for place, found in sorted(facts.places.items())
    )


@block("midgard/place", outputs={"text": str})
def place(world: World, where: str) -> str:  # noqa: D417 - the world is bound
    """One place: what it is, who is there now, who lives there, what is in store.

    Args:
        where: an id or a name.
    """
    facts = Facts(world)
    name = somewhere(facts, where)
    found = facts.places[name]
    here = [who for who in facts.ids if facts.people[who]["at"] == name]
    lines = [f"{name}: {found['name']}, {found['kind']}. {found['text']}", f"there now: {', '.join(here) or 'nobody'}"]
    if name in facts.stores:
        lines.append(f"lives there: {', '.join(facts.of(name)) or 'nobody'}")
        lines.append(stores_of(facts, name))
    return "\n".join(lines)


@block("midgard/threads", outputs={"text": str})
def threads(world: World) -> str:
    """The threads that are open: ids, titles, people, how long they run and when they are due; and the last closed."""
    facts = Facts(world)
    lines = [thread_line(facts, name, thread) for name, thread in sorted(facts.threads.items())]
    closed = [f"closed: {done['title']} ({done['end']})" for done in world["threads"]["closed"][-5:]]
    return "\n".join([*lines, *closed]) or "none"


@block("midgard/search", outputs={"text": str})
def search(world: World, words: str) -> str:  # noqa: D417 - the world is bound
    """What is remembered of a name, a place or a thing: the late chronicle, memories, graves, closed threads, words.

    Args:
        words: what to look for; every word counts, the findings with the most of them come first.
    """
    wanted = set(re.findall(r"[^\W_]+", words.lower()))
    if not wanted:
        raise ValueError("say what to look for")
    scored = []
    for number, text in enumerate(_remembered(world)):
        score = len(wanted & set(re.findall(r"[^\W_]+", text.lower())))
        if score:
            scored.append((-score, number, text))
    return "\n".join(text for _, _, text in sorted(scored)[:MOST]) or "nothing is remembered of that"


def _remembered(world: World) -> Iterator[str]:
    """All that can be found, the newest first."""
    facts = Facts(world)
    for entry in reversed(facts.recent()):
        if isinstance(entry, Mapping):
            who = row(list(entry.get("who") or ()))
            yield f"day {entry.get('day')}, {entry.get('where')}, {who}: {entry.get('text')}"
    for who in facts.ids:
        for memory in reversed(facts.people[who]["memories"]):
            yield f"{who} remembers of day {memory['day']}: {memory['text']}"
    for grave in world["graves"]:
        yield f"{grave['name']} ({grave['id']}) died on day {grave['died']}, {grave['age']} years old: {grave['cause']}"
    for done in world["threads"]["closed"]:
        yield f"{done['title']}, days {done['opened']} to {done['closed']}: {done['end']}"
    for word, meaning in sorted(world.get("glossary", {}).items()):
        yield f"{word}: {meaning}"


def stores_of(facts: Facts, place: str) -> str:
    """A settlement's stores in one line."""
    shelf = facts.stores[place]
    held = ", ".join(f"{what} {shelf[what]}" for what in sorted(shelf))
    return f"{place}: {held}; food for {facts.days_of_food(place)} days without work"


def thread_line(facts: Facts, name: str, thread: Mapping[str, Any]) -> str:
    """An open thread in one line."""
    due = int(thread["due"]) - facts.today
    waits = f"due in {due} days" if due > 0 else "due now"
    return (
        f"{name}: {thread['title']} ({thread['kind']}, stage {thread['stage']}, at {thread['where']}, "
        f"{', '.join(thread['who'])}), {facts.today - int(thread['opened'])} days old, {waits}"
    )


@block("midgard/briefing", outputs={"text": str})
def briefing(world: World) -> str:
    """How the world stands, on one page."""
    facts, calendar, weather = Facts(world), world["calendar"], world["weather"]
    recent = [entry for entry in facts.recent() if isinstance(entry, Mapping)][-4:]
    parts = (
        ("The valley", [str(world["setting"]["text"])]),
        ("Today", [
            f"Day {calendar['day']}, {calendar['month']}, {calendar['season']} of the year {calendar['year']}; "
            f"the weather is {weather['kind']}, wind {weather['wind']} of 9, snow {weather['snow']} of 9."
        ]),
        ("The living", [line_of(facts, who) for who in facts.ids]),
        ("Places", [f"{name}: {found['name']}, {found['kind']}" for name, found in sorted(facts.places.items())]),
        ("Stores", [stores_of(facts, name) for name in facts.settlements]),
        ("Open threads", [thread_line(facts, name, facts.threads[name]) for name in sorted(facts.threads)] or ["none"]),
        ("Graves", [f"{grave['name']} ({grave['id']}): {grave['cause']}" for grave in world["graves"][-8:]]),
        ("Told of late", [f"Day {entry.get('day')}: {entry.get('text')}" for entry in recent] or ["nothing yet"]),
    )
    return "\n\n".join(f"{title}\n" + "\n".join(lines) for title, lines in parts)


@block("midgard/shown", outputs={"payloads": list})
def shown(artifacts: dict[str, Any]) -> list[Any]:
    """The artifacts themselves, without what their maker says of them."""
    items = [item for slot in sorted(artifacts) for item in artifacts[slot]]
    return [item.get("payload") if isinstance(item, Mapping) else item for item in items]
