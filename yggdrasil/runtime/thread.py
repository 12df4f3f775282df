"""A durable run on any level: `run(..., thread="t1", store="sqlite:///runs.db")`.

A thread is a stream. Each of its runs is a scope in which every effect (model call, tool call, `ctx.effect`) is
recorded before its result is seen. The same line after a crash takes up the run that was under way; after a run that
ended it begins the next one. What the thread's agents remember is written with the end of each run, in a snapshot, so
that a run costs the same however many came before it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from yggdrasil.abc.store import Entry, Lease, Record, Store, open_store
from yggdrasil.core.blob import Blob
from yggdrasil.core.facts import OF_EFFECTS, Fact, ToolAnswered, fact_of
from yggdrasil.errors import ConfigError, EffectMismatchError, FormatError, PortError
from yggdrasil.runtime.effects import JournalEffects
from yggdrasil.runtime.fingerprint import fingerprint

STARTED, FINISHED = "run_started", "run_finished"
FORMAT = 1
_EFFECTS = tuple(kind.kind for kind in OF_EFFECTS)
_LEASE = 15.0
_MEND = "look outside whether it happened; then yggdrasil.runtime.mending: settle(...) if it did, abandon(...) if not"


def stream_of(thread: str) -> str:
    """The stream of a thread."""
    return f"thread:{thread}"


class Found:
    """A thread as its stream has it: its runs, what its agents remember, and the records of the run under way."""

    def __init__(self, runs: int, kept: dict[str, Any], started: Record | None, records: Sequence[Record]) -> None:
        self.runs, self.kept, self.started, self.records = runs, kept, started, records

    def facts(self, stream: str) -> list[Fact]:
        """What is recorded of effects in the run under way."""
        return [fact_of(r.kind, r.data, f"{stream}#{r.sequence}") for r in self.records]


async def find(store: Store, stream: str) -> Found:
    """Read a thread: from its last snapshot on."""
    snapshot = await store.snapshot(stream)
    runs, kept, after = 0, {}, 0
    if snapshot is not None:
        try:
            if snapshot.data["format"] > FORMAT:
                raise FormatError(f"the thread was written by a newer version (format {snapshot.data['format']})")
            runs, kept, after = snapshot.data["runs"], dict(snapshot.data["kept"]), snapshot.sequence
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"this is no snapshot of a thread: {error!r}", path=stream) from error
    started: Record | None = None
    records: list[Record] = []
    for record in await store.read(stream, after=after, kinds=(STARTED, FINISHED, *_EFFECTS)):
        if record.kind == STARTED:
            started, records = record, []
        elif record.kind == FINISHED:
            started, runs = None, record.data["run"]
        else:
            records.append(record)
    return Found(runs, kept, started, records if started is not None else ())


class Thread:
    """One durable run of a thread, while it lasts: its effects, and where they are recorded."""

    def __init__(self, store: Store, stream: str, lease: Lease | None, *, keeps_turns: bool = False) -> None:
        self.store, self.stream, self.lease, self.keeps_turns = store, stream, lease, keeps_turns
        self.number = 0
        self.began: float | None = None
        """When the run was begun, if that was before; in seconds since the epoch."""
        self.kept: dict[str, Any] = {}
        self.effects: JournalEffects | None = None

    async def begin(self, inputs: Mapping[str, Any]) -> None:
        """Take up the run under way, or begin the next one. EffectMismatchError when its inputs were others."""
        found = await find(self.store, self.stream)
        asked = _signature(inputs)
        self.kept = found.kept
        facts: list[Fact] = []
        if found.started is None:
            self.number = found.runs + 1
            await self._append([Entry(STARTED, {"run": self.number, "inputs": asked, "asked": _words(inputs)})])
        else:
            self.number, self.began = found.started.data["run"], found.started.time
            if found.started.data["inputs"] != asked:
                said = found.started.data.get("asked")
                raise EffectMismatchError(
                    "a run with other inputs is under way in this thread" + (f": {said[:200]!r}" if said else ""),
                    path=self.stream,
                    hint="run the same line again to finish it, or name another thread",
                )
            facts = [*found.facts(self.stream), *await self._answers()]
        self.effects = JournalEffects(self.stream, f"run:{self.number}", self, facts, mend=_MEND)

    async def _answers(self) -> list[Fact]:
        """Take the answers that were posted while nobody ran the thread."""
        letters = [x for x in await self.store.inbox(self.stream) if x.kind == ToolAnswered.kind]
        if letters:
            entries = [Entry(x.kind, x.data) for x in letters]
            await self._append(entries, taken=[x.id for x in letters])
        return [fact_of(x.kind, x.data, f"{self.stream} / letter {x.id}") for x in letters]

    async def finish(self) -> None:
        """Say that the run ended, with what is remembered now; the next one of the thread is a new one."""
        snapshot = {"format": FORMAT, "runs": self.number, "kept": self.kept}
        await self._append([Entry(FINISHED, {"run": self.number})], snapshot=snapshot)

    async def record(self, fact: Fact, blobs: Iterable[Blob] = (), *, now: bool = False) -> None:
        """Append a fact, its blobs before it. Always durable when it returns."""
        for blob in blobs:
            await self.store.put_blob(blob.data)
        await self._append([Entry(fact.kind, fact.to_json())])

    async def blob(self, digest: str) -> bytes:
        """The bytes of a blob."""
        return await self.store.get_blob(digest)

    async def _append(self, entries: Sequence[Entry], **more: Any) -> None:
        # no `expect`: parallel effects of one run come in any order; the lease keeps others out
        await self.store.append(self.stream, entries, lease=self.lease, **more)

    async def keep(self) -> None:
        """Renew the lease, for as long as the run lasts."""
        while True:
            await anyio.sleep(_LEASE / 3)
            assert self.lease is not None
            self.lease = await self.store.renew(self.lease, seconds=_LEASE)


def _words(inputs: Mapping[str, Any]) -> str | None:
    """What a person asked, so that somebody else can ask it again; None where it was no text."""
    prompt = inputs.get("prompt")
    return prompt if isinstance(prompt, str) else None


def _signature(inputs: Mapping[str, Any]) -> str:
    try:
        return fingerprint(inputs)
    except PortError as error:
        raise PortError(
            f"a durable run needs inputs that can be told apart: {error.sentence}", hint="pass plain values or Blobs"
        ) from error


@asynccontextmanager
async def opened(store: Any) -> AsyncIterator[Store]:
    """The store that a URL names, open for as long as the context lasts; a Store as it is."""
    found = open_store(store)
    if found is store:
        yield found
        return
    await found.open()
    try:
        yield found
    finally:
        with anyio.CancelScope(shield=True):
            await found.close()


@asynccontextmanager
async def open_thread(
    name: Any, store: str | Store | None, inputs: Mapping[str, Any], *, turns: bool = False
) -> AsyncIterator[Thread]:
    """The durable run of thread `name`: held by this process until it is left.

    `turns`: what loops carry from one iteration to the next is recorded too.
    ConfigError without a store, LeaseError when another process is running the thread.
    """
    if not isinstance(name, str) or not name:
        raise ConfigError(f"thread is {name!r}", hint='thread="t1"')
    if store is None:
        raise ConfigError("a thread needs a store", hint=f'run(..., thread={name!r}, store="sqlite:///runs.db")')
    async with opened(store) as place:
        stream = stream_of(name)
        lease = await place.acquire(stream, f"{socket.gethostname()}:{os.getpid()}", seconds=_LEASE)
        thread = Thread(place, stream, lease, keeps_turns=turns)
        try:
            async with anyio.create_task_group() as group:
                await thread.begin(inputs)
                group.start_soon(thread.keep)
                yield thread
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await place.release(thread.lease or lease)
