"""Development: what is supposed to happen next, by rules over the world's own facts and the action."""

from __future__ import annotations

from typing import Any

from yggdrasil import RunContext, block

from . import company, feasts, hearth, journeys, outland, strife, work  # noqa: F401 - each registers its happenings
from .almanac import MONTHS, feast_between, light, month, season
from .dice import Dice, dice_of
from .facts import Facts
from .hearth import starving
from .life import death, dying, fertile
from .plan import HAPPENINGS, Plan, View
from .rumours import spread
from .threads import beat, due, room
from .weather import later
from .wishes import Wish, deed, read

ONCE = frozenset(
    {"feud", "courtship", "beast", "voyage", "sails", "build", "lean", "lost", "lights", "fever", "journey"}
)
"""Kinds that open a thread: one asked for by an action still needs room."""


@block("midgard/development", outputs={"intent": dict})
def development(
    world: dict[str, Any], action: str | None = None, proposal: dict[str, Any] | None = None, *, ctx: RunContext
) -> dict[str, Any]:
    """Block 1 from the content, the action and a dropped partial state: who, where, when, why, with what effect."""
    dice = dice_of(ctx)
    facts = Facts(world)
    wish = _wish(action, proposal, facts)
    until = facts.today + _days(facts, dice, bool(action))
    feast = feast_between(facts.today, until) if not action else None
    if feast:
        until = feast[0]
    weather = later(world["weather"], facts.today, until, dice, wish.weather if wish else None)
    view = View(Facts(world, until), dice, season(until), month(until), weather)
    if wish:
        view.wanted, view.wanted_place = wish.people, wish.place
    plan = _decide(view, wish, feast[1] if feast else None)
    spread(view, plan)
    return _intent(plan, view, action, used=bool(wish and not action))


def _wish(action: str | None, proposal: dict[str, Any] | None, facts: Facts) -> Wish | None:
    """What is asked for: by the action; else by the intent of a state that was dropped before it came to anything."""
    if action and action.strip():
        return read(action, facts)
    intent = (proposal or {}).get("intent")
    if not isinstance(intent, dict):
        return None
    text = " ".join(str(intent[key]) for key in ("what", "text", "title") if isinstance(intent.get(key), str))
    wish = read(text, facts)
    named = [who for who in intent.get("who") or () if isinstance(who, str)]
    wish.people += [who for who in facts.living(named) if who not in wish.people]
    if isinstance(intent.get("where"), str) and intent["where"] in facts.places:
        wish.place = intent["where"]
    if isinstance(intent.get("kind"), str) and intent["kind"] in HAPPENINGS:
        wish.kinds.insert(0, intent["kind"])
    return wish if wish.people or wish.place or wish.kinds or wish.weather else None


def _days(facts: Facts, dice: Dice, acted: bool) -> int:
    """How many days pass until it happens: fewer when a thread is due."""
    if acted:
        return 1
    nearest = min((thread["due"] for thread in facts.threads.values()), default=facts.today + 9)
    return max(1, min(dice.between(2, 6), max(1, nearest - facts.today)))


def _decide(view: View, wish: Wish | None, feast: str | None) -> Plan:
    """Asked, feast, fate, thread, or the day's work, in this order."""
    asked = _asked(view, wish) if wish else None
    if asked:
        return asked
    if feast:
        found = HAPPENINGS[feast].shape(view)
        if found:
            return found
    return _fated(view) or _threaded(view) or _drawn(view)


def _asked(view: View, wish: Wish) -> Plan | None:
    """The action as a happening: of the kind it names, else as a deed, a dream or a rumour."""
    for kind in wish.kinds:
        going = [t for t in view.open(kind) if set(view.facts.threads[t]["who"]) & set(wish.people)]
        if going:
            return beat(view, going[0])
        if kind in ONCE and not room(view, kind):
            continue
        found = HAPPENINGS[kind].shape(view)
        if found and (not wish.people or set(wish.people) & set(found["who"])):
            return found
    facts = view.facts
    if not wish.people:
        teller = view.person(facts.hands(wish.place) if wish.place in facts.stores else facts.able)
        if teller is None or not (wish.dead or wish.away or wish.text):
            return None
        home = facts.people[teller]["home"]
        kind = "dream" if wish.dead else "rumour"
        if wish.weather and not wish.dead:
            return None
        gist = f"dreamt of {wish.dead[0]}" if wish.dead else "heard it said"
        return view.plan(
            kind,
            [teller],
            home,
            gist,
            hours=(18, 22),
            causes=["/graves" if wish.dead else f"/places/{home}"],
            words=wish.text.rstrip(".!"),
            lost=wish.dead[0] if wish.dead else "",
        )
    doer = wish.people[0]
    where = wish.place or facts.people[doer]["at"]
    done = deed(wish.text, facts.name(doer))
    gist = done or "did as was asked"
    return view.plan(
        "deed" if done else "word",
        wish.people[:4],
        where,
        gist,
        hours=(8, 19),
        causes=[f"/characters/{doer}"],
        words=wish.text.rstrip(".!"),
    )


def _fated(view: View) -> Plan | None:
    """Death, orphans, empty farms, births, comings and goings, growing up: what the facts call for by themselves."""
    facts, dice = view.facts, view.dice
    days = max(1, facts.day - facts.today)
    fate = dying(facts, dice)
    if fate:
        return death(view, *fate)
    count, bounds = len(facts.ids), facts.rules["people"]
    calls: list[tuple[str, float]] = [
        ("foster", 1.0 if any(not facts.hands(s) for s in facts.settlements) else 0.0),
        ("arrival", 0.5 if count < bounds["fewest"] else days * 0.004 if count < bounds["most"] - 4 else 0.0),
        ("leaving", 0.3 if count > bounds["most"] else days * 0.0012 if count > bounds["most"] - 5 else 0.0),
        ("settle", 0.08 if any(len(facts.hands(s)) < 2 for s in facts.settlements) else 0.0),
        ("lean", 0.7 if len(facts.threads) <= facts.rules["open_threads"] and starving(view) else 0.0),
        ("of-age", 1.0 if any(facts.people[w]["trade"] == "child" for w in facts.grown) else 0.0),
    ]
    if count < bounds["most"]:
        ease = 1.0 if count < bounds["most"] - 5 else 0.45
        calls.append(("birth", min(0.5, len(fertile(facts)) * days * 0.0024 * ease)))
    for kind, odds in calls:
        if odds and dice.chance(odds):
            found = HAPPENINGS[kind].shape(view)
            if found:
                return found
    return None


def _threaded(view: View) -> Plan | None:
    """A thread whose day has come; now and then it has to wait."""
    names = due(view)
    return beat(view, names[0]) if names and view.dice.chance(0.85) else None


def _drawn(view: View) -> Plan:
    """Something of the season, seldom what has just been."""
    weights = []
    for kind in sorted(HAPPENINGS):
        weight = HAPPENINGS[kind].weight(view)
        if weight > 0:
            for age, last in enumerate(reversed(view.last_kinds)):
                if last == kind or last.startswith(kind + "-"):
                    weight *= 0.08 if age < 3 else 0.3 if age < 6 else 0.6
            weights.append((weight, kind))
    while weights:
        kind = view.dice.weighted(weights)
        found = HAPPENINGS[kind].shape(view)
        if found:
            return found
        weights = [pair for pair in weights if pair[1] != kind]
    return _silence(view)


def _silence(view: View) -> Plan:
    """Nothing could happen at all: the valley itself is looked at."""
    facts = view.facts
    who = view.persons(facts.present, 1)
    where = facts.people[who[0]]["at"] if who else view.dice.pick(sorted(facts.places))
    return view.plan("silence", who, where, "let the day pass", causes=["/weather/kind"])


def _intent(plan: Plan, view: View, action: str | None, *, used: bool) -> dict[str, Any]:
    """The plan as block 1."""
    facts = view.facts
    names = [facts.name(who) for who in plan["who"]]
    where = facts.places[plan["where"]]
    who = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else "Nobody"
    intent = {
        "kind": plan["kind"],
        "what": f"{who} ({where['name']}): {plan['gist']}.",
        "gist": plan["gist"],
        "who": plan["who"],
        "where": plan["where"],
        "when": {
            "day": view.day,
            "hour": plan["hour"],
            "month": MONTHS[view.month],
            "season": view.season,
            "light": light(plan["hour"], view.season),
        },
        "weather": view.weather,
        "causes": plan["causes"],
        "threads": plan["threads"],
        "effects": plan["effects"],
        "slots": plan["slots"],
    }
    if action:
        intent["action"] = action
    if used:
        intent["from_proposal"] = True
    return intent
