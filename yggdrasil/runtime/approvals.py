"""Approvals of durable runs, from any process: what waits for a person, and the answer.

    for waiting in await pending("t1", store="sqlite:///runs.db"):
        print(waiting.tool, waiting.arguments)
    await approve("t1", store="sqlite:///runs.db")

An answer is posted; whoever runs the thread next takes it, and goes on without repeating what went before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.store import Entry, Store
from yggdrasil.core.approval import Answer, Approval
from yggdrasil.core.facts import OF_EFFECTS, ToolAnswered, ToolAsked, fact_of
from yggdrasil.core.frozen import thaw
from yggdrasil.errors import ConfigError, StoreError, close_names
from yggdrasil.runtime.bells import ring
from yggdrasil.runtime.thread import FINISHED, STARTED, opened, stream_of

_KINDS = (STARTED, FINISHED, "tick", *(kind.kind for kind in OF_EFFECTS))


async def pending(thread: str, *, store: str | Store) -> list[Approval]:
    """The tool calls of a thread (or a world) that wait for a person, oldest first. StoreError when there is no such.

    Answers that were posted and not yet taken count as given.
    """
    async with opened(store) as place:
        return await _pending(place, await _stream(place, thread))


async def approve(
    thread: str,
    *,
    store: str | Store,
    approved: bool = True,
    approval: str | None = None,
    note: str = "",
    arguments: Mapping[str, Any] | None = None,
) -> list[Approval]:
    """Answer what waits in a thread (or a world): all of it, or the one `approval`. The approvals answered.

    approved    False: the call is not made, and the model is told `note`
    arguments   call the tool with these instead of what the model gave (one approval only)
    Durable when it returns. ConfigError when nothing waits, or not that one.
    """
    async with opened(store) as place:
        stream = await _stream(place, thread)
        waiting = await _pending(place, stream)
        chosen = [a for a in waiting if approval is None or a.id == approval]
        if not chosen:
            what = "nothing" if approval is None else f"no approval {approval!r}"
            raise ConfigError(f"{what} waits in {thread!r}; {close_names(approval or '', [a.id for a in waiting])}")
        if arguments is not None and len(chosen) > 1:
            raise ConfigError(f"{len(chosen)} approvals wait: say which one gets other arguments", hint="approval=ID")
        for one in chosen:
            answer = Answer(approved, note, arguments)
            await place.post(stream, Entry(ToolAnswered.kind, _answer(one.id, answer)))
        ring(place.url, stream)
        return chosen


def _answer(approval: str, answer: Answer) -> dict[str, Any]:
    return ToolAnswered(approval, answer.approved, answer.note, answer.arguments).to_json()


async def _stream(store: Store, name: str) -> str:
    for stream in (stream_of(name), name):
        if await store.head(stream):
            return stream
    names = [s.name.removeprefix("thread:") for s in await store.streams()]
    raise StoreError(f"there is no thread {name!r} here; {close_names(name, names)}", path=store.url)


async def _pending(store: Store, stream: str) -> list[Approval]:
    snapshot = await store.snapshot(stream)
    asked: dict[str, Approval] = {}
    after = 0 if snapshot is None else snapshot.sequence
    for record in await store.read(stream, after=after, kinds=_KINDS):
        if record.kind not in (ToolAsked.kind, ToolAnswered.kind):
            if record.kind in (STARTED, FINISHED, "tick"):
                asked.clear()
            continue
        fact = fact_of(record.kind, record.data, f"{stream}#{record.sequence}")
        if isinstance(fact, ToolAsked):
            asked[fact.approval] = Approval(fact.approval, fact.tool, thaw(fact.arguments), fact.path)
        elif isinstance(fact, ToolAnswered):
            asked.pop(fact.approval, None)
    for letter in await store.inbox(stream):
        if letter.kind == ToolAnswered.kind and isinstance(letter.data, Mapping):
            asked.pop(str(letter.data.get("approval")), None)
    return list(asked.values())
