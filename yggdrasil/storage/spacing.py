"""Which snapshots of a stream stay: the newest two, those forks start from, and of older ones one every so often."""

from __future__ import annotations

SPACING = 500
"""Records that may lie between two kept snapshots, where there were as many to keep."""

LOOKED_AT = 4
"""How many of the newest snapshots of a stream decide what goes."""


def superfluous(newest: list[int], start: int, pruned: int) -> int | None:
    """The snapshot that goes when a new one was taken, or None: of the newest four, newest first, the third at most.

    newest   sequences of the stream's own newest `LOOKED_AT` snapshots, descending
    start    where the stream's own records begin: 0, or what a fork shares
    pruned   up to where records may be missing: what stands there, and the first after it, are needed
    Each snapshot is judged once, when it is no longer one of the newest two, so this costs the same however many
    there are. The caller keeps it all the same when a fork starts from it.
    """
    if len(newest) < 3:
        return None
    older = newest[3] if len(newest) > 3 else start
    return newest[2] if older >= pruned and newest[1] - older <= SPACING else None
