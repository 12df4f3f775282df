"""Where the worlds of a store stand, read from their journals' ends: nothing of them is opened."""

from __future__ import annotations

from yggdrasil.abc.store import Store, StreamInfo
from yggdrasil.core.content import Content
from yggdrasil.core.cycle import Cycle, Status, Trouble, fold
from yggdrasil.core.facts import (
    Finished,
    Mended,
    Opened,
    Parked,
    Paused,
    Resumed,
    Retried,
    Stepped,
    TickBegun,
    fact_of,
)
from yggdrasil.core.frozen import FrozenDict
from yggdrasil.core.value import Value
from yggdrasil.errors import SuspendedError
from yggdrasil.runtime.approvals import pending

_STEERING = (Finished, Mended, Parked, Paused, Resumed, Retried, Stepped, TickBegun)
# a trouble is mended before its stage goes on: what stages did need not be read
_KINDS = tuple(kind.kind for kind in _STEERING)


class Standing(Value):
    """Where a world stands.

    tick       the last finished one; `running` the one under way, or 0
    state      living (a process runs it), resting (nobody does), paused, parked, or waiting (for an approval)
    why        what it is parked by, or the tools that wait for a yes
    holder     host and process that run it; "" when nobody does
    ticked     when its last tick ended, in seconds since the epoch; None before the first
    letters    how many actions, commands and answers wait to be read
    """

    name: str
    tick: int
    running: int
    state: str
    why: str = ""
    holder: str = ""
    ticked: float | None = None
    letters: int = 0


async def standings(store: Store) -> list[Standing]:
    """The worlds of an open store, by name. CorruptError names what cannot be read."""
    found = [await _standing(store, info) for info in await store.streams() if not info.name.startswith("thread:")]
    return [each for each in found if each is not None]


async def _standing(store: Store, info: StreamInfo) -> Standing | None:
    snapshot = await store.snapshot(info.name)
    first = [] if snapshot is not None else await store.read(info.name, limit=1)
    if snapshot is None and not (first and first[0].kind == Opened.kind):
        return None
    if snapshot is not None and "tick_hash" not in snapshot.data:
        return None
    status, ticked = Status(Content(FrozenDict(), {})), None
    after = 0
    if snapshot is not None:
        data = snapshot.data
        trouble = None if data["trouble"] is None else Trouble(*data["trouble"])
        status = status.replace(
            tick=data["tick"], paused=data["paused"], steps=data.get("steps", 0), trouble=trouble
        )  # fmt: skip
        after = snapshot.sequence - 1  # the tick that ended with the snapshot has its time in its record
    for record in await store.read(info.name, after=after, kinds=_KINDS):
        fact = fact_of(record.kind, record.data, f"stream {info.name} / record {record.sequence}")
        if snapshot is None or record.sequence > snapshot.sequence:
            status = fold(Cycle(), status, fact)
        if isinstance(fact, Finished):
            ticked = record.time
    state, why = await _state(store, info, status)
    letters = len(await store.inbox(info.name))
    return Standing(info.name, status.tick, status.running, state, why, info.holder, ticked, letters)


async def _state(store: Store, info: StreamInfo, status: Status) -> tuple[str, str]:
    trouble = status.trouble
    if trouble is not None and trouble.error_type == SuspendedError.__name__:
        asked = await pending(info.name, store=store)
        if asked:
            return "waiting", ", ".join(f"{each.tool} ({each.id})" for each in asked)
        return ("living" if info.holder else "resting"), "answered: it goes on when it runs"
    if trouble is not None:
        return "parked", f"{trouble.path}: {trouble.error}"
    if status.resting:
        return "paused", ""
    return ("living" if info.holder else "resting"), ""
