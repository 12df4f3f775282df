"""What becomes of the answers of language models: each is checked against the world and made into its block.

A ValueError goes back to the model, which may mend its answer; the rules of `changes` have the last word.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from yggdrasil import RunContext, block

from .almanac import MONTHS, light, month, season
from .architect import architect
from .claims import Claims, Effect, Thread
from .dice import dice_of
from .facts import Facts
from .reading import someone
from .scenes import GESTURES, SCENES
from .update import update
from .weather import later, settled
from .words import row, sentences

Light = Literal["night", "dawn", "day", "dusk"]
Season = Literal["spring", "summer", "autumn", "winter"]
Weather = Literal["clear", "fair", "overcast", "rain", "fog", "snow", "storm"]
LONGEST_STEP = 6
"""Days that may pass in one tick."""
KNOWN_GESTURES = sorted({*GESTURES, *(gesture for scene in SCENES.values() for gesture in scene.gestures)})
KNOWN_BEASTS = sorted({"bear", "lynx", *(scene.animal for scene in SCENES.values() if scene.animal)})
# what the painter can paint grows: the models are told of it by the schema
Gesture = Annotated[str, Field(json_schema_extra={"enum": list(KNOWN_GESTURES)})]
Beast = Annotated[str, Field(json_schema_extra={"enum": list(KNOWN_BEASTS)})]


class Figure(TypedDict):
    """One person in the picture. x: across, 0 left to 1 right; y: where the feet are, 0.7 far to 0.95 near."""

    who: str
    gesture: Gesture
    x: NotRequired[float | None]
    y: NotRequired[float | None]


class Fire(TypedDict):
    """One fire. x: across, 0 to 1; size: 0.03 an ember heap, 0.05 a camp fire, 0.1 a bonfire."""

    x: float
    size: float


class Animals(TypedDict):
    """Beasts of one kind."""

    kind: Beast
    count: int


@block("midgard/intended", outputs={"intent": dict})
def intended(  # noqa: D417 - what is not described is bound, and no model sees it
    kind: str,
    gist: str,
    who: list[str],
    where: str,
    days: int,
    hour: int,
    weather: Weather,
    effects: list[Effect],
    threads: list[Thread],
    causes: list[str],
    world: dict[str, Any],
    action: str | None = None,
    *,
    ctx: RunContext,
) -> dict[str, Any]:
    """Block 1: what is supposed to happen.

    Args:
        kind: one word for it: fishing, quarrel, feast, voyage, death, ...
        gist: the happening in one clause without its doer, in the past tense: "hauled the nets empty again"
        who: ids of those who do it or bear it, the chief one first, at most five; all alive
        where: the id of the place
        days: how many days pass until then, 1 to 6; 1 when somebody acted
        hour: the hour of the day, 0 to 23
        weather: the weather of that day
        effects: what will change by it; none for an everyday
        threads: threads that open, rise or close by it
        causes: what in the world it follows from, in a few words each
    """
    if not 0 <= hour <= 23:
        raise ValueError(f"hour is {hour}; it is 0 to 23")
    if not gist.strip():
        raise ValueError("gist is empty")
    today = int(world["calendar"]["day"])
    day = today + (1 if action else max(1, min(LONGEST_STEP, days)))
    sky = later(world["weather"], today, day, dice_of(ctx), settled(weather, season(day)))
    claims = Claims(world, day, sky["kind"])
    claims.take(effects, threads)
    company, place = claims.company(who), claims.where(where)
    claims.settle()
    facts, gist = claims.facts, gist.strip().rstrip(".")
    names = row([facts.name(name) for name in company]) or "Nobody"
    intent = {
        "kind": re.sub(r"[^a-z]+", "-", kind.lower()).strip("-")[:30] or "told",
        "what": f"{names} ({facts.places[place]['name']}): {gist}.",
        "gist": gist,
        "who": company,
        "where": place,
        "when": {
            "day": day, "hour": hour, "month": MONTHS[month(day)], "season": season(day),
            "light": light(hour, season(day)),
        },
        "weather": sky,
        "causes": [cause[:120] for cause in causes[:5]],
        "threads": claims.threads,
        "effects": claims.effects,
        "slots": {},
    }  # fmt: skip
    return {**intent, "action": action} if action else intent


@block("midgard/drawn", outputs={"blueprint": dict})
def drawn(  # noqa: D417 - what is not described is bound, and no model sees it
    words: str,
    light: Light,
    figures: list[Figure],
    fires: list[Fire],
    animals: list[Animals],
    sails: int,
    intent: dict[str, Any],
    world: dict[str, Any],
    *,
    ctx: RunContext,
) -> dict[str, Any]:
    """Block 2: the picture to be made. The place is drawn as it always is; you say who is in it and what burns.

    Args:
        words: the picture in two or three sentences, as one would tell a painter who has never been there
        light: the light of the hour
        figures: those who are seen, at most six, only people of the company
        fires: fires that burn, at most three; none on the water
        animals: beasts that are seen, at most two kinds
        sails: strange sails out on the water, 0 to 3; only where there is water
    """
    facts, wrong = Facts(world), []
    if not words.strip() or len(words) > 900:
        wrong.append("words: one to three sentences, at most 900 letters")
    company = []
    for number, figure in enumerate(figures[:6]):
        try:
            company.append(someone(facts, figure["who"]))
        except ValueError as error:
            wrong.append(f"figures.{number}.who: {error}")
        if figure["gesture"] not in KNOWN_GESTURES:
            known = ", ".join(KNOWN_GESTURES)
            wrong.append(f"figures.{number}.gesture: {figure['gesture']!r} cannot be painted; there are {known}")
    for number, herd in enumerate(animals):
        if herd["kind"] not in KNOWN_BEASTS:
            known = ", ".join(KNOWN_BEASTS)
            wrong.append(f"animals.{number}.kind: {herd['kind']!r} cannot be painted; there are {known}")
    if len(figures) > 6 or len(fires) > 3 or len(animals) > 2:
        wrong.append("at most six figures, three fires and two kinds of animals fit into the picture")
    if wrong:
        raise ValueError("; ".join(wrong))
    # what the painter needs and the house rules of the place come from the Architect who works by rules
    base = architect.function({**intent, "who": company}, world, ctx=ctx)
    painted = []
    for figure, by_rule in zip(figures, base["figures"], strict=False):
        x, y = figure.get("x"), figure.get("y")
        painted.append({
            **by_rule,
            "gesture": figure["gesture"],
            "x": by_rule["x"] if x is None else within(x, 0.08, 0.92),
            "y": by_rule["y"] if y is None or base["land"] == "sea" else within(y, 0.7, 0.95),
        })
    burning = [] if base["land"] == "sea" else [
        {"x": within(fire["x"], 0.05, 0.95), "y": 0.875, "size": within(fire["size"], 0.03, 0.1)} for fire in fires
    ]  # fmt: skip
    boats = [boat for boat in base["boats"] if not boat["sail"]]
    if base["land"] in ("shore", "headland", "sea"):
        boats += [
            {"x": round(0.3 + 0.2 * i, 4), "y": round(0.6 + 0.01 * i, 4), "width": round(0.1 - 0.012 * i, 4),
             "sail": True, "crew": False}
            for i in range(max(0, min(3, sails)))
        ]  # fmt: skip
    return {
        **base, "words": words.strip(), "light": light, "figures": painted, "boats": boats, "fires": burning,
        "animals": [
            {"kind": herd["kind"], "x": round(0.60 + 0.075 * i, 4), "y": round(0.80 + 0.022 * (i % 2), 4)}
            for herd in animals
            for i in range(max(0, min(4, herd["count"])))
        ][:6],
    }  # fmt: skip


@block("midgard/described", outputs={"description": dict})
def described(
    words: str,
    light: Light,
    season: Season,
    weather: Weather,
    figures: int,
    fires: int,
    buildings: int,
    colours: list[str],
    mass: Literal["left", "right", "middle"],
) -> dict[str, Any]:
    """Block 4: what is seen, and only that.

    Args:
        words: what the picture shows, in two to four sentences
        light: the light it shows
        season: the season it shows
        weather: the weather it shows
        figures: how many people are seen
        fires: how many fires are seen
        buildings: how many roofs are seen
        colours: the colour of the sky and that of the ground, and others that stand out
        mass: where the dark weight of the picture lies
    """
    if not words.strip():
        raise ValueError("words is empty: say what is seen")
    if min(figures, fires, buildings) < 0:
        raise ValueError("nothing is seen fewer than no times")
    return {
        "light": light, "season": season, "weather": weather, "colours": [colour[:30] for colour in colours[:5]],
        "mass": mass, "fires": fires, "figures": figures, "buildings": buildings, "words": words.strip(),
    }  # fmt: skip


@block("midgard/told", outputs={"chronicle": dict})
def told(  # noqa: D417 - what is not described is bound, and no model sees it
    text: str,
    who: list[str],
    where: str,
    happened: list[str],
    intent: dict[str, Any],
    description: dict[str, Any],
    world: dict[str, Any],
) -> dict[str, Any]:
    """Block 5: what really happened.

    Args:
        text: the chronicle of the day, two to five sentences
        who: ids of those who acted, the chief one first; all alive until that day
        where: the id of the place where it was
        happened: what has changed by it, each as one plain sentence; empty when nothing has
    """
    bounds = world["style"]["sentences"]
    count = sentences(text.strip())
    if not bounds["fewest"] <= count <= bounds["most"] or len(text) > 1200:
        limits = f"{bounds['fewest']} to {bounds['most']} sentences and 1200 letters"
        raise ValueError(f"text has {count} sentences and {len(text)} letters; a day is told in {limits}")
    when, weather = intent.get("when") or {}, (intent.get("weather") or world["weather"])["kind"]
    claims = Claims(world, int(when.get("day", world["calendar"]["day"])), weather)
    claims.back.update(effect["who"] for effect in intent.get("effects") or () if effect.get("do") == "return")
    company, place = claims.company(who), claims.where(where)
    claims.settle()
    happening = {
        "event": str(intent.get("kind") or "told"), "who": company, "where": place, "day": when.get("day"),
        "hour": when.get("hour"),
    }  # fmt: skip
    compared = ("light", "season", "weather", "figures", "fires")
    seen = {"event": "seen", **{key: description.get(key) for key in compared}}
    return {
        "text": " ".join(text.split()),
        "day": when.get("day"),
        "who": company,
        "where": place,
        "happened": [fact[:240] for fact in happened[:8]],
        "events": [happening, seen],
        "frames": [],
    }


@block("midgard/ruled", outputs={"patch": list})
def ruled(  # noqa: D417 - what is not described is bound, and no model sees it
    effects: list[Effect],
    threads: list[Thread],
    intent: dict[str, Any],
    blueprint: dict[str, Any],
    artifacts: dict[str, Any],
    description: dict[str, Any],
    chronicle: dict[str, Any],
    world: dict[str, Any],
) -> list[dict[str, Any]]:
    """World update: what has changed by what the chronicle tells. The rules decide whether it can be.

    Args:
        effects: what has changed; empty when nothing has
        threads: threads that were opened, raised or closed
    """
    today = int(world["calendar"]["day"])
    day = max(today, min(int(chronicle.get("day") or today + 1), today + 30))
    claims = Claims(world, day, (intent.get("weather") or world["weather"])["kind"])
    claims.take(effects, threads)
    claims.settle()
    events = [*(chronicle.get("events") or ()), *claims.effects, *claims.threads]
    patch: list[dict[str, Any]] = update.function(
        intent, blueprint, artifacts, description, {**chronicle, "events": events}, world
    )
    refused = patch[-1]["value"].get("refused")
    if refused:
        raise ValueError("the rules refuse " + "; ".join(str(dict(event)) for event in refused))
    return patch


def within(value: float, low: float, high: float) -> float:
    """The value, kept between two others."""
    return round(max(low, min(high, float(value))), 4)
