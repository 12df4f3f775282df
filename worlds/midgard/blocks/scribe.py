"""The Author: what really happened, told from the plan, the picture and the world as it was before."""

from __future__ import annotations

from typing import Any

from yggdrasil import RunContext, block

from . import prose_day, prose_life, prose_roads, prose_threads, prose_work
from .dice import Dice, dice_of
from .facts import Facts
from .weather import FOUL
from .words import PRONOUNS, capital, in_words, number, row, sentences, since, starts

FRAMES = {**prose_work.FRAMES, **prose_life.FRAMES, **prose_threads.FRAMES, **prose_roads.FRAMES}
COMMON = frozenset(
    {"when", "with", "that", "what", "over", "from", "came", "went", "were", "home", "days", "food", "there", "their"}
)
"""Words that two clauses may share without having to do with each other."""
LONGEST = 5
"""Sentences."""


class Telling:
    """One day's telling: the slots, the frames used lately and now, the pieces so far."""

    def __init__(self, slots: dict[str, Any], used: list[str], dice: Dice) -> None:
        self.slots, self.dice = slots, dice
        # One entry is the frames of one tick.
        self.used = {frame for tick in used for frame in tick.split()}
        self.frames: list[str] = []
        self.pieces: list[str] = []

    @property
    def length(self) -> int:
        """Sentences so far."""
        return sum(map(sentences, self.pieces))

    def choose(self, pools: dict[str, tuple[str, ...]], **more: Any) -> str | None:
        """A frame out of named pools, filled; None when none fits that was not used in the last ticks."""
        slots = {**self.slots, **more}
        fresh = [
            (f"{name}.{i}", frame)
            for name in sorted(pools)
            for i, frame in enumerate(pools[name])
            if f"{name}.{i}" not in self.used and _fits(frame, slots)
        ]
        if not fresh:
            return None
        name, frame = self.dice.pick(fresh)
        self.frames.append(name)
        self.used.add(name)
        return starts(frame.format_map(slots))

    def add(self, pools: dict[str, tuple[str, ...]], odds: float, **more: Any) -> bool:
        """With these odds, and while there is room, one more sentence."""
        if self.length >= LONGEST or not self.dice.chance(odds):
            return False
        found = self.choose(pools, **more)
        if found:
            self.pieces.append(found)
        return bool(found)


def _fits(frame: str, slots: dict[str, Any]) -> bool:
    """Whether the company is large enough for the frame: what it lacks is not among the slots."""
    try:
        frame.format_map(slots)
    except KeyError:
        return False
    return True


@block("midgard/scribe", outputs={"chronicle": dict})
def scribe(
    intent: dict[str, Any],
    blueprint: dict[str, Any],
    artifacts: dict[str, Any],
    description: dict[str, Any],
    world: dict[str, Any],
    *,
    ctx: RunContext,
) -> dict[str, Any]:
    """Block 5: a short chronicle and the events of the day. Where the picture shows a worse day, less was won."""
    dice, facts = dice_of(ctx), Facts(world)
    who = [name for name in intent.get("who") or () if isinstance(name, str) and name in facts.people]
    effects = [dict(effect) for effect in intent.get("effects") or () if isinstance(effect, dict)]
    slots = {key: value for key, value in (intent.get("slots") or {}).items() if isinstance(value, str | int)}
    spoiled = _spoil(effects, slots, intent, description)
    telling = Telling(
        {**_spoken(slots), **_names(who, facts, intent, dice)}, world.get("style", {}).get("recent") or [], dice
    )
    _tell(telling, intent, description, facts, who, spoiled)
    when = intent.get("when") or {}
    happened = {
        "event": str(intent.get("kind") or "told"),
        "who": who,
        "where": intent.get("where"),
        "day": when.get("day"),
        "hour": when.get("hour"),
    }
    seen = {
        "event": "seen",
        **{key: description.get(key) for key in ("light", "season", "weather", "figures", "fires")},
    }
    return {
        "text": " ".join(telling.pieces),
        "day": when.get("day"),
        "who": who,
        "where": intent.get("where"),
        "events": [happened, *effects, *(dict(t) for t in intent.get("threads") or () if isinstance(t, dict)), seen],
        "frames": telling.frames,
    }


def _spoil(effects: list[dict[str, Any]], slots: dict[str, Any], intent: dict[str, Any], seen: dict[str, Any]) -> bool:
    """The picture shows a foul day where a fair one was planned: a quarter of what was to be won is lost."""
    planned = (intent.get("weather") or {}).get("kind")
    if planned in FOUL or seen.get("weather") not in FOUL:
        return False
    won = [
        e
        for e in effects
        if e.get("do") == "store" and e.get("what") in ("food", "wood") and e.get("by") == slots.get("catch")
    ]
    if len(won) != 1 or won[0]["by"] < 12:
        return False
    won[0]["by"] -= won[0]["by"] // 4
    slots["catch"] = won[0]["by"]
    return True


def _spoken(slots: dict[str, Any]) -> dict[str, Any]:
    """Small numbers as words; a thing that has been named before with its article."""
    spoken = {key: number(value) if isinstance(value, int) else value for key, value in slots.items()}
    if isinstance(spoken.get("matter"), str):
        article, _, rest = spoken["matter"].partition(" ")
        spoken["the_matter"] = f"the {rest}" if article in ("a", "an") else spoken["matter"]
    return spoken


def _names(who: list[str], facts: Facts, intent: dict[str, Any], dice: Dice) -> dict[str, Any]:
    """The slots that any frame may use."""
    place = facts.places.get(str(intent.get("where")), {"name": "the valley", "at": "in the valley"})
    when = intent.get("when") or {}
    slots: dict[str, Any] = {
        "at": place["at"],
        "place": place["name"],
        "near": dice.pick((place["at"], "in the valley")),
        "month": when.get("month", "those days"),
        "gist": intent.get("gist") or "was there",
    }
    if not who:
        return slots
    names = [facts.name(name) for name in who]
    person = facts.people[who[0]]
    formal = [person["full"], f"{names[0]} of {facts.places[person['home']]['name']}"]
    if person["byname"]:
        formal.append(_with_byname(names[0], person["byname"]))
    slots |= {"a": names[0], "A": dice.pick(formal), "all": row(names), **PRONOUNS[person["sex"]]}
    slots["He"] = capital(slots["he"])
    if len(who) > 1:
        slots |= {"b": names[1], "others": row(names[1:])}
        slots |= {f"b{key}": value for key, value in PRONOUNS[facts.people[who[1]]["sex"]].items()}
    if len(who) > 2:
        slots |= {"c": names[2], "guests": row(names[2:]), "che": PRONOUNS[facts.people[who[2]]["sex"]]["he"]}
    return slots


def _with_byname(name: str, byname: str) -> str:
    """Ulf the Smith, but Barley-Toke."""
    return byname if name in byname else f"{name} {byname}"


def _tell(
    telling: Telling, intent: dict[str, Any], seen: dict[str, Any], facts: Facts, who: list[str], spoiled: bool
) -> None:
    """Opening, happening, what was seen, what it touches, closing: at least two sentences, at most five or so."""
    kind, weather = str(intent.get("kind") or ""), (intent.get("weather") or {}).get("kind", "")
    when = intent.get("when") or {}
    pools = {
        f"opening-{key}": prose_day.OPENINGS.get(key, ())
        for key in (weather, when.get("season"), when.get("light"))
        if key
    }
    if kind == "storm-damage":
        pools.pop("opening-storm", None)
    telling.add(pools, 0.72)
    happening = telling.choose({kind: FRAMES.get(kind, ())}) or telling.choose({"plain": prose_roads.PLAIN})
    telling.pieces.append(happening or _plain(intent, telling.slots))
    if spoiled:
        telling.add({"spoiled": prose_day.SPOILED}, 1.0)
    _tell_seen(telling, intent, seen, who)
    _tell_touched(telling, intent, facts, who)
    if telling.length < 2:
        telling.add(pools, 1.0)
    if telling.length < 4 and not intent.get("threads"):
        telling.add({"closing": prose_day.CLOSINGS}, 0.4)
    if telling.length < 2:
        telling.add({"closing": prose_day.CLOSINGS}, 1.0)


def _plain(intent: dict[str, Any], slots: dict[str, Any]) -> str:
    """The happening in one clause, when no frame is made for it."""
    told = intent.get("what") or intent.get("text")
    if "a" in slots and intent.get("gist"):
        return capital(f"{slots['A']} {slots['gist']}, {slots['at']}.")
    return capital(str(told).rstrip(".") + ".") if told else "Something happened in the valley that has no name yet."


def _tell_seen(telling: Telling, intent: dict[str, Any], seen: dict[str, Any], who: list[str]) -> None:
    """What the picture shows: most of all where it shows something else than was meant."""
    when = intent.get("when") or {}
    season, light = (
        seen.get(key) if when.get(key) and seen.get(key) != when[key] else None for key in ("season", "light")
    )
    if season and telling.add({"seen-season": prose_day.SEEN_SEASON}, 0.8, season=season):
        return
    if light and telling.add({f"seen-light-{light}": prose_day.SEEN_LIGHT.get(light, ())}, 0.7):
        return
    figures = seen.get("figures")
    if isinstance(figures, int) and who:
        if figures < len(who) - 1 and telling.add({"seen-fewer": prose_day.SEEN_FEWER}, 0.5):
            return
        if figures > len(who) + 1 and telling.add({"seen-more": prose_day.SEEN_MORE}, 0.5):
            return
    fires = seen.get("fires")
    if isinstance(fires, int) and fires and when.get("light") != "day":
        told = "a single fire" if fires == 1 else f"{number(fires)} fires"
        if fires > 0 and telling.add(
            {"seen-fire": prose_day.SEEN_FIRE[:1] if fires == 1 else prose_day.SEEN_FIRE},
            0.35,
            fires=told,
            Fires=capital(told),
        ):
            return
    colours = [str(colour) for colour in seen.get("colours") or ()]
    if len(set(colours)) > 1:
        side = {"left": "to the left hand", "right": "to the right hand"}.get(str(seen.get("mass")))
        telling.add({"seen": prose_day.SEEN}, 0.2, c1=colours[0], c2=colours[1], **({"mass": side} if side else {}))


def _tell_touched(telling: Telling, intent: dict[str, Any], facts: Facts, who: list[str]) -> None:
    """What the day touches: a thread begun or ended, an empty barn, a memory, a thread that waits."""
    if "mistaken" in telling.slots and telling.add({"mended": prose_roads.MENDED}, 1.0):
        return
    if "rumour" in telling.slots and telling.add({"passed": prose_roads.RUMOUR}, 0.7):
        return
    operations = [t.get("op") for t in intent.get("threads") or () if isinstance(t, dict)]
    if "open" in operations and telling.add({"opened": prose_day.OPENED}, 0.3):
        return
    if "close" in operations and telling.add({"closed": prose_day.CLOSED}, 0.35):
        return
    living = [name for name in who if facts.people[name]["health"] > 0]
    if str(intent.get("kind", "")).startswith(("death", "lean", "fever-death")) or not living:
        return
    home = facts.people[who[0]]["home"]
    name, days = facts.places[home]["name"], facts.days_of_food(home)
    if days < 9 and telling.add({"short": prose_day.SHORT}, 0.5, home=name, days=number(days)):
        return
    winter = (intent.get("when") or {}).get("season") == "winter"
    if winter and facts.stores[home]["wood"] < 15 and telling.add({"cold": prose_day.COLD}, 0.5, home=name):
        return
    day = int((intent.get("when") or {}).get("day") or facts.today)
    if intent.get("kind") != "birth" and _tell_witnessed(telling, facts, who, day):
        return
    old = [m for m in facts.people[who[0]]["memories"] if day - m["day"] > 25 and not m["text"].startswith("was there")]
    old = [m for m in old if _touching(m["text"], intent, facts)]
    if old and telling.dice.chance(0.5):
        memory = telling.dice.pick(old)
        telling.add(
            {"recalled": prose_day.RECALLED}, 1.0, memory=in_words(memory["text"]), since=since(day - memory["day"])
        )
        return
    waiting = [t for t in sorted(facts.threads) if t not in {o.get("id") for o in intent.get("threads") or ()}]
    if waiting and telling.dice.chance(0.14):
        title = facts.threads[telling.dice.pick(waiting)]["title"]
        telling.add({"pending": prose_day.PENDING}, 1.0, title=title, Title=capital(title))


def _touching(memory: str, intent: dict[str, Any], facts: Facts) -> bool:
    """Whether a memory has to do with the day: a name, a place, a thing in common, and yet not the same again."""
    gist = str(intent.get("gist") or "")
    if memory.split(" ")[:2] == gist.split(" ")[:2]:
        return False
    others = [facts.name(str(who)) for who in (intent.get("who") or ())[1:]]
    place = facts.places.get(str(intent.get("where")), {}).get("name", "")
    day = {word.strip(".,").removesuffix("'s") for word in (gist, place, *others) for word in word.split(" ")}
    words = {word.strip(".,").removesuffix("'s") for word in memory.split(" ")}
    return any(len(word) > 3 and word not in COMMON for word in day & words)


def _tell_witnessed(telling: Telling, facts: Facts, who: list[str], day: int) -> bool:
    """What the second of the company saw the first do, some time ago."""
    if len(who) < 2:
        return False
    mark = f"was there when {facts.name(who[0])} "
    seen = [m for m in facts.people[who[1]]["memories"] if day - m["day"] > 12 and m["text"].startswith(mark)]
    seen = [m for m in seen if facts.name(who[1]) not in m["text"]]
    if not seen or not telling.dice.chance(0.4):
        return False
    memory = telling.dice.pick(seen)
    text = in_words(memory["text"].removeprefix(mark))
    return telling.add({"witnessed": prose_roads.WITNESSED}, 1.0, memory=text, since=since(day - memory["day"]))
