"""Threads: stories that open, rise and close over weeks. A thread is a small state machine whose beats are plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .plan import Plan, View

Beat = Callable[[View, str, dict[str, Any]], "Plan | None"]
BEATS: dict[str, Beat] = {}
AWAY: set[str] = set()
"""Threads whose people are away: their beats ask for themselves who still lives."""


def beats(kind: str, *, away: bool = False) -> Callable[[Beat], Beat]:
    """Register how threads of a kind go on when they are due; `away` when their people are out of the valley."""

    def register(function: Beat) -> Beat:
        BEATS[kind] = function
        if away:
            AWAY.add(kind)
        return function

    return register


def opened(
    view: View, kind: str, title: str, who: Sequence[str], where: str, due: tuple[int, int], **data: Any
) -> dict[str, Any]:
    """A thread operation: open a new one."""
    name = f"{kind}-{int(view.facts.world['count']['thread'])}"
    return {
        "op": "open",
        "id": name,
        "kind": kind,
        "title": title,
        "who": list(who),
        "where": where,
        "due": view.day + view.dice.between(*due),
        "data": data,
    }


def raised(view: View, name: str, thread: dict[str, Any], due: tuple[int, int]) -> dict[str, Any]:
    """A thread operation: it goes on, one stage higher."""
    return {"op": "raise", "id": name, "stage": int(thread["stage"]) + 1, "due": view.day + view.dice.between(*due)}


def closed(name: str, end: str) -> dict[str, Any]:
    """A thread operation: it is over."""
    return {"op": "close", "id": name, "end": end}


def room(view: View, kind: str, most: int = 1) -> float:
    """1 when another thread of this kind may open, less when one has lately been closed, 0 when it may not."""
    full = len(view.facts.threads) >= view.facts.rules["open_threads"]
    lately = sum(done["id"].startswith(kind + "-") for done in view.facts.world["threads"]["closed"][-6:])
    return 0.0 if full or len(view.open(kind)) >= most else 0.45**lately


def free(view: View, ids: Sequence[str]) -> list[str]:
    """Those who are in no open thread."""
    busy = {who for thread in view.facts.threads.values() for who in thread["who"]}
    return [who for who in ids if who not in busy]


def _fade(view: View, name: str, thread: dict[str, Any]) -> Plan:
    who = view.facts.living(thread["who"])[:2] or view.persons(view.facts.able or view.facts.present, 1)
    where = thread["where"] if thread["where"] in view.facts.places else "hrafnstad"
    return view.plan(
        "fade",
        who,
        where,
        f"let {thread['title']} rest",
        threads=[closed(name, "came to nothing")],
        causes=[f"/threads/open/{name}"],
        title=thread["title"],
    )


def due(view: View) -> list[str]:
    """The threads whose day has come, the longest overdue first."""
    threads = view.facts.threads
    return sorted((t for t in threads if threads[t]["due"] <= view.day), key=lambda t: (threads[t]["due"], t))


def beat(view: View, name: str) -> Plan:
    """What happens in a thread that is due; one that cannot go on fades."""
    thread = view.facts.threads[name]
    kind, whole = thread["kind"], len(view.facts.living(thread["who"])) == len(thread["who"])
    found = BEATS[kind](view, name, thread) if kind in BEATS and (whole or kind in AWAY) else None
    if found is None:
        found = _fade(view, name, thread)
        if kind in AWAY:
            # Whoever is away comes home when the thread is dropped.
            found["effects"] += [{"do": "return", "who": w} for w in thread["who"] if w in view.facts.people]
    return found
