"""What differs between two JSON values, two worlds, two ticks that were lived twice: by path, as data and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from yggdrasil.core.blob import KEY, is_reference
from yggdrasil.core.canonical import canonical
from yggdrasil.core.facts import EffectDone, Fact, StageDone, StageSkippedOver, StateDroppedOut, TickBegun, Updated
from yggdrasil.core.state import ARTIFACTS, CHRONICLE
from yggdrasil.core.value import Value

Kind = Literal["added", "removed", "changed"]

PARTS = ("content", "history", "chronicle", "artifacts", "state")
"""What a difference of two worlds is told by; a path begins as in a link: /content, /history, /state."""


class Change(Value):
    """One place that differs. `path` is a JSON pointer; `before` is None where it was added, `after` where removed."""

    path: str
    kind: Kind
    before: Any = None
    after: Any = None

    @property
    def part(self) -> str:
        """One of PARTS: chronicle and artifacts are told apart from the other blocks of the state."""
        steps = self.path.split("/")
        return steps[2] if steps[1:2] == ["state"] and steps[2:3] in ([CHRONICLE], [ARTIFACTS]) else steps[1]

    def to_json(self) -> dict[str, Any]:
        """As data: only the sides that are there."""
        sides = {"before": self.before} if self.kind != "added" else {}
        if self.kind != "removed":
            sides["after"] = self.after
        return {"path": self.path, "kind": self.kind, **sides}


class Parting(Value):
    """Where two histories part.

    tick     the first tick that did not end alike; 0 when they did not even begin alike
    stage    the first stage in it that gave something else; "" when it was the action, or the state handed in
    path     the place: the first effect below the stage that asked or got something else, else the stage itself
    changes  what the stage gave, by path
    """

    tick: int
    stage: str = ""
    path: str = ""
    changes: tuple[Change, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {**self.values(), "changes": [change.to_json() for change in self.changes]}


class Side(Value):
    """One of the two worlds. `history` are its entries from number `since` (counted from 0); before it both agree."""

    name: str
    tick: int
    tick_hash: str
    content: Mapping[str, Any]
    state: Mapping[str, Any]
    history: Sequence[Any] = ()
    since: int = 0


class Difference(Value):
    """What differs between the worlds `a` and `b`, and where their histories part (None: neither did yet)."""

    a: Side
    b: Side
    changes: tuple[Change, ...]
    parted: Parting | None = None

    @property
    def same(self) -> bool:
        """Whether content, state and history are equal."""
        return not self.changes

    def of(self, part: str) -> tuple[Change, ...]:
        """The changes of one of PARTS."""
        return tuple(change for change in self.changes if change.part == part)

    def to_json(self) -> dict[str, Any]:
        """As data."""
        sides = {
            key: {"name": side.name, "tick": side.tick, "tick_hash": side.tick_hash}
            for key, side in (("a", self.a), ("b", self.b))
        }
        parted = None if self.parted is None else self.parted.to_json()
        return {**sides, "same": self.same, "parted": parted, "changes": [change.to_json() for change in self.changes]}


def changes(before: Any, after: Any, path: str = "") -> tuple[Change, ...]:
    """What differs between two JSON values, in the order of keys. A blob's reference is one value."""
    return tuple(_changes(before, after, path))


def _changes(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before is after:
        return
    if _is_tree(before) and _is_tree(after) and isinstance(before, Mapping) == isinstance(after, Mapping):
        if isinstance(before, Mapping):
            yield from _of_mappings(before, after, path)
        else:
            yield from _of_lists(before, after, path)
    elif not _alike(before, after):
        yield Change(path, "changed", before, after)


def _of_mappings(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[Change]:
    for key in sorted({*before, *after}):
        there = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in after:
            yield Change(there, "removed", before[key])
        elif key not in before:
            yield Change(there, "added", None, after[key])
        else:
            yield from _changes(before[key], after[key], there)


def _of_lists(before: Sequence[Any], after: Sequence[Any], path: str) -> Iterator[Change]:
    """What is alike at both ends is left out; between, items of the same place are compared, the rest came or went."""
    shorter = min(len(before), len(after))
    start = 0
    while start < shorter and _same(before[start], after[start]):
        start += 1
    end = 0
    while end < shorter - start and _same(before[-1 - end], after[-1 - end]):
        end += 1
    for number in range(start, max(len(before), len(after)) - end):
        there = f"{path}/{number}"
        if number < shorter - end:
            yield from _changes(before[number], after[number], there)
        elif number < len(before) - end:
            yield Change(there, "removed", before[number])
        else:
            yield Change(there, "added", None, after[number])


def _is_tree(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple) and not is_reference(value)


def _same(before: Any, after: Any) -> bool:
    return next(_changes(before, after, ""), None) is None


def _alike(before: Any, after: Any) -> bool:
    # as JSON: true is not 1, and 1 is not 1.0
    return before == after and canonical(before) == canonical(after)


def difference(a: Side, b: Side, parted: Parting | None = None) -> Difference:
    """What differs between two worlds: content, history (entries counted from 1), state."""
    found = [*changes(a.content, b.content, "/content")]
    ours, theirs = (dict(enumerate(side.history, side.since + 1)) for side in (a, b))
    for number in sorted({*ours, *theirs}):
        if number not in theirs:
            found.append(Change(f"/history/{number}", "removed", ours[number]))
        elif number not in ours:
            found.append(Change(f"/history/{number}", "added", None, theirs[number]))
        else:
            found += changes(ours[number], theirs[number], f"/history/{number}")
    return Difference(a, b, (*found, *changes(a.state, b.state, "/state")), parted)


# --- two lives of one tick


def parting(tick: int, ours: Sequence[Fact], theirs: Sequence[Fact]) -> Parting | None:
    """The first thing in a tick that differs between its two lives, by the records of each; None: nothing does."""
    for one, other in zip(_steps(ours), _steps(theirs), strict=False):
        if one == other:
            continue
        if isinstance(one, TickBegun) or isinstance(other, TickBegun):
            left, right = ({"action": f.action, "state": f.state} for f in (one, other) if isinstance(f, TickBegun))
            return Parting(tick, "", "", changes(left, right))
        stage = _stage(one)
        path = _effect_path(stage, ours, theirs) or stage
        return Parting(tick, stage, path, changes(_given(one), _given(other)))
    return None


def _steps(facts: Sequence[Fact]) -> list[Fact]:
    kinds = (TickBegun, StateDroppedOut, StageSkippedOver, StageDone, Updated)
    return [fact for fact in facts if isinstance(fact, kinds)]


def _stage(fact: Fact) -> str:
    return "environment/update" if isinstance(fact, Updated | StateDroppedOut) else str(getattr(fact, "stage", ""))


def _given(fact: Fact) -> dict[str, Any]:
    match fact:
        case StageDone():
            return {fact.block: fact.output}
        case Updated():
            return {"patch": fact.patch}
        case StateDroppedOut():
            return {"dropped": fact.state}
        case StageSkippedOver():
            return {"skipped": fact.reason}
    return {}


def _effect_path(stage: str, ours: Sequence[Fact], theirs: Sequence[Fact]) -> str:
    """Where, below the stage, the first effect is that asked or got something else; "" when none did."""
    left, right = (
        {(f.path.partition("/")[2], f.ordinal): (f.request, f.result) for f in facts if isinstance(f, EffectDone)}
        for facts in (ours, theirs)
    )
    for place in {**left, **right}:
        if left.get(place) != right.get(place) and f"{place[0]}/".startswith(f"{stage}/"):
            return place[0]
    return ""


# --- for people


def tell(found: Difference, most: int = 12) -> list[str]:
    """A difference as lines for a person; at most `most` places of each part are named."""
    lines = [f"{_named(found.a)} -> {_named(found.b)}"]
    if found.parted is not None:
        lines += tell_parting(found.parted)
    elif found.a.tick != found.b.tick:
        lines.append(f"one history: the same as far as both have come, to tick {min(found.a.tick, found.b.tick)}")
    if found.same:
        return [*lines, "content, state and history are equal"]
    for part in PARTS:
        listed = found.of(part)
        if listed:
            lines += ["", f"{part} ({len(listed)})", *(f"  {line(change)}" for change in listed[:most])]
            if len(listed) > most:
                lines.append(f"  ... and {len(listed) - most} more")
    return lines


def tell_parting(parted: Parting) -> list[str]:
    """Where two histories part, as lines."""
    if not parted.tick:
        return ["they never had a tick in common"]
    where = parted.path or "what was handed in"
    return [f"they part in tick {parted.tick}, at {where}", *(f"  {line(change)}" for change in parted.changes[:5])]


def line(change: Change) -> str:
    """One change on one line."""
    match change.kind:
        case "added":
            return f"+ {change.path}: {_short(change.after)}"
        case "removed":
            return f"- {change.path}: {_short(change.before)}"
    return f"~ {change.path}: {_short(change.before)} -> {_short(change.after)}"


def _named(side: Side) -> str:
    return f"{side.name}@{side.tick}"


def _short(value: Any, most: int = 60) -> str:
    if is_reference(value):
        return f"{value['media_type']}, {value['size']} bytes, {value[KEY][:12]}"
    text = canonical(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."
