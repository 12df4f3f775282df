"""What differs, by path: whole (applied to the one it gives the other), and nothing besides."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.core.canonical import canonical
from yggdrasil.core.diff import PARTS, Change, Parting, Side, changes, difference, parting, tell
from yggdrasil.core.downstream import Use, stages_below
from yggdrasil.core.facts import EffectDone, Finished, StageDone, StageSkippedOver, TickBegun, Updated
from yggdrasil.core.frozen import freeze, thaw

LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "a", "a/b", "~"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc/~"), inner, max_size=3)
)


def applied(value: Any, found: tuple[Change, ...]) -> Any:
    """`value` with the changes made: removals from behind, the rest in their order."""
    box = {"": copy.deepcopy(value)}
    for change in [*(c for c in reversed(found) if c.kind == "removed"), *(c for c in found if c.kind != "removed")]:
        steps = ["", *(step.replace("~1", "/").replace("~0", "~") for step in change.path.split("/")[1:])]
        here: Any = box
        for step in steps[:-1]:
            here = here[int(step)] if isinstance(here, list) else here[step]
        last: Any = int(steps[-1]) if isinstance(here, list) else steps[-1]
        if change.kind == "removed":
            assert canonical(here[last]) == canonical(change.before)
            del here[last]
        elif change.kind == "added" and isinstance(here, list):
            here.insert(last, copy.deepcopy(change.after))
        else:
            assert change.kind == "added" or canonical(here[last]) == canonical(change.before)
            here[last] = copy.deepcopy(change.after)
    return box[""]


@given(VALUES, VALUES)
def test_it_is_all_that_differs(before: Any, after: Any) -> None:
    assert canonical(applied(before, changes(before, after))) == canonical(after)
    assert (changes(before, after) == ()) == (canonical(before) == canonical(after))
    assert changes(freeze(before), freeze(after)) == tuple(
        change.replace(before=freeze(change.before), after=freeze(change.after)) for change in changes(before, after)
    )


@given(VALUES)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert changes(value, thaw(freeze(value))) == ()


def test_what_is_alike_at_both_ends_of_a_list_is_left_out() -> None:
    assert [c.path for c in changes([1, 2, 3, 4], [1, 2, 9, 3, 4])] == ["/2"]
    assert [(c.path, c.kind) for c in changes([1, 2, 3], [2, 3])] == [("/0", "removed")]
    assert [(c.path, c.kind) for c in changes([{"a": 1}, 2], [{"a": 2}, 2])] == [("/0/a", "changed")]


def test_json_tells_true_from_one_and_a_picture_is_one_value() -> None:
    assert [c.kind for c in changes({"a": True}, {"a": 1})] == ["changed"]
    assert [c.kind for c in changes([1], [1.0])] == ["changed"]
    one, other = ({"$blob": letter * 64, "media_type": "image/png", "size": 9} for letter in "ab")
    assert [c.path for c in changes({"images": [one]}, {"images": [other]})] == ["/images/0"]


def side(name: str, tick: int, **values: Any) -> Side:
    return Side(name, tick, f"hash {tick}", **{"content": {}, "state": {}, **values})


def test_a_difference_is_told_by_parts() -> None:
    a = side("a", 3, content={"n": 1}, state={"intent": "x", "chronicle": "c"}, history=["one", "two"], since=4)
    b = side("b", 4, content={"n": 2}, state={"intent": "y", "artifacts": {"texts": ["t"]}}, history=["one"], since=4)
    found = difference(a, b, Parting(2, "author", "author/scribe"))
    assert {part: [c.path for c in found.of(part)] for part in PARTS} == {
        "content": ["/content/n"], "history": ["/history/6"], "chronicle": ["/state/chronicle"],
        "artifacts": ["/state/artifacts"], "state": ["/state/intent"],
    }  # fmt: skip
    told = tell(found)
    assert told[:2] == ["a@3 -> b@4", "they part in tick 2, at author/scribe"]
    assert "  ~ /content/n: 1 -> 2" in told
    assert '  - /state/chronicle: "c"' in told
    assert tell(difference(a, a))[-1] == "content, state and history are equal"
    many = difference(side("a", 1, content={}), side("b", 1, content={str(n): n for n in range(50)}))
    assert tell(many)[-1] == "  ... and 38 more"


def test_where_two_lives_of_a_tick_part() -> None:
    begun = TickBegun(4)
    done = StageDone("author", "chronicle", "it was")
    skip = StageSkippedOver("philosopher", "no artifacts")
    end = Finished(4, "c", "s", "t")

    def effect(path: str, result: str, ordinal: int = 0) -> EffectDone:
        return EffectDone("tick:4", path, ordinal, "request", "model", result)

    assert parting(4, [begun, skip, done, end], [begun, skip, done, end]) is None
    assert parting(4, [begun], [TickBegun(4, "a deed")]) == Parting(
        4, "", "", (Change("/action", "changed", None, "a deed"),)
    )
    other = done.replace(output="it is")
    assert parting(4, [begun, skip, done], [begun, skip, other]) == Parting(
        4, "author", "author", (Change("/chronicle", "changed", "it was", "it is"),)
    )
    ours = [begun, effect("w/philosopher/eye", "sees"), effect("w/author/a", "1"), effect("w/author/b", "2"), done]
    theirs = [begun, effect("v/philosopher/eye", "saw"), effect("v/author/b", "3"), effect("v/author/a", "1"), other]
    found = parting(4, ours, theirs)
    assert found is not None
    assert (found.stage, found.path) == ("author", "author/b"), "in whatever order they ended"
    patched = Updated(4, ({"op": "remove", "path": "/a"},), {}, "h")
    found = parting(4, [begun, patched], [begun, skip.replace(stage="environment/update")])
    assert found is not None
    assert found.stage == "environment/update"


USES = [
    Use("philosopher", "description", ("artifacts",)), Use("author", "chronicle", ("description", "intent")),
    Use("environment/update", "patch", ("chronicle", "world")), Use("environment/development", "intent", ("world",)),
    Use("architect", "blueprint", ("intent",)), Use("creator", "artifacts", ("blueprint",)),
]  # fmt: skip


def test_what_is_downstream_goes_round_the_cycle() -> None:
    assert stages_below(USES, "architect") == [
        "creator", "philosopher", "author", "environment/update", "environment/development", "architect"
    ]  # fmt: skip
    blind = [use.replace(sees=()) if use.stage == "environment/development" else use for use in USES]
    assert stages_below(blind, "author") == ["environment/update"]
    assert stages_below(blind, "architect") == ["creator", "philosopher", "author", "environment/update"]
