"""Two views side by side: what differs, and where their histories part."""

from __future__ import annotations

from yggdrasil.core.content import HISTORY
from yggdrasil.core.diff import Difference, Side, difference
from yggdrasil.levels.past import Stream, TickEnd, common, end_of, last_end, part
from yggdrasil.levels.view import WorldView


async def compare(a: WorldView, b: WorldView) -> Difference:
    """What differs between two worlds, two ticks or two forks, of one store or of two."""
    if not a.head or not b.head:  # an End World has no ticks
        return difference(await _side(a, None, 0), await _side(b, None, 0))
    ours, theirs = await _stream(a), await _stream(b)
    same = await common(ours, theirs)
    parted = await part(ours, theirs, same)
    since = 0 if same is None else await _length(a, same)
    return difference(await _side(a, same, since), await _side(b, same, since), parted)


async def _stream(view: WorldView) -> Stream:
    return Stream(view.store, view.stream_name, await last_end(view.store, view.stream_name, view.head))


async def _length(view: WorldView, end: TickEnd) -> int:
    """How many entries the history had when a tick had ended: what there is now, without those that came since."""
    length: int = view.status.content.history["length"]
    return length - len(await view.entries(since=end.sequence))


async def _side(view: WorldView, same: TickEnd | None, since: int) -> Side:
    sections = {name: section for name, section in view.content.items() if name != HISTORY}
    entries = await view.history() if same is None else (await _entries_since(view, same))
    return Side(view.stream_name, view.tick, view.tick_hash, sections, view.state, entries, since)


async def _entries_since(view: WorldView, same: TickEnd) -> list[object]:
    return await view.entries(since=(await end_of(view.store, view.stream_name, same.tick)).sequence)
