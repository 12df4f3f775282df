"""A durable run on any level: `run(..., thread="t1", store="sqlite:///runs.db")`.

A thread is a stream. Each of its runs is a scope in which every effect (model call, tool call, `ctx.effect`) is
recorded before its result is seen. The same line after a crash takes up the run that was under way; after a run that
ended it begins the next one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio

from yggdrasil.abc.effects import Effects
from yggdrasil.abc.store import Entry, Lease, Store, open_store
from yggdrasil.core.blob import Blob
from yggdrasil.core.facts import EffectBegun, EffectDone, EffectsAbandoned, Fact, fact_of
from yggdrasil.errors import ConfigError, EffectMismatchError, PortError
from yggdrasil.runtime.effects import JournalEffects
from yggdrasil.runtime.fingerprint import fingerprint

STARTED, FINISHED = "run_started", "run_finished"
_EFFECTS = (EffectDone.kind, EffectBegun.kind, EffectsAbandoned.kind)
_LEASE = 15.0


class Thread:
    """One durable run of a thread, while it lasts: its effects, and where they are recorded."""

    def __init__(self, store: Store, stream: str, lease: Lease) -> None:
        self.store, self.stream, self.lease = store, stream, lease
        self.number = 0
        self.effects: Effects | None = None

    async def begin(self, inputs: Mapping[str, Any]) -> None:
        """Take up the run under way, or begin the next one. EffectMismatchError when its inputs were others."""
        ends = await self.store.read(self.stream, kinds=(STARTED, FINISHED))
        last = ends[-1] if ends else None
        asked = _signature(inputs)
        recorded: list[Fact] = []
        if last is None or last.kind == FINISHED:
            self.number = (last.data["run"] if last is not None else 0) + 1
            await self._append(Entry(STARTED, {"run": self.number, "inputs": asked}))
        else:
            self.number = last.data["run"]
            if last.data["inputs"] != asked:
                raise EffectMismatchError(
                    "a run with other inputs is under way in this thread",
                    path=self.stream,
                    hint="run the same line again to finish it, or name another thread",
                )
            recorded = await self._facts(last.sequence)
        self.effects = JournalEffects(self.stream, f"run:{self.number}", self, recorded)

    async def _facts(self, after: int) -> list[Fact]:
        records = await self.store.read(self.stream, after=after, kinds=_EFFECTS)
        return [fact_of(r.kind, r.data, f"{self.stream}#{r.sequence}") for r in records]

    async def finish(self) -> None:
        """Say that the run ended; the next one of the thread is a new one."""
        await self._append(Entry(FINISHED, {"run": self.number}))

    async def record(self, fact: Fact, blobs: Iterable[Blob] = (), *, now: bool = False) -> None:
        """Append a fact, its blobs before it. Always durable when it returns."""
        for blob in blobs:
            await self.store.put_blob(blob.data)
        await self._append(Entry(fact.kind, fact.to_json()))

    async def blob(self, digest: str) -> bytes:
        """The bytes of a blob."""
        return await self.store.get_blob(digest)

    async def _append(self, entry: Entry) -> None:
        # no `expect`: parallel effects of one run come in any order; the lease keeps others out
        await self.store.append(self.stream, [entry], lease=self.lease)

    async def keep(self) -> None:
        """Renew the lease, for as long as the run lasts."""
        while True:
            await anyio.sleep(_LEASE / 3)
            self.lease = await self.store.renew(self.lease, seconds=_LEASE)


def _signature(inputs: Mapping[str, Any]) -> str:
    try:
        return fingerprint(inputs)
    except PortError as error:
        raise PortError(
            f"a durable run needs inputs that can be told apart: {error.sentence}", hint="pass plain values or Blobs"
        ) from error


@asynccontextmanager
async def open_thread(name: Any, store: str | Store | None, inputs: Mapping[str, Any]) -> AsyncIterator[Thread]:
    """The durable run of thread `name`: held by this process until it is left.

    ConfigError without a store, LeaseError when another process is running the thread.
    """
    if not isinstance(name, str) or not name:
        raise ConfigError(f"thread is {name!r}", hint='thread="t1"')
    if store is None:
        raise ConfigError("a thread needs a store", hint=f'run(..., thread={name!r}, store="sqlite:///runs.db")')
    opened = open_store(store)
    mine = opened is not store
    if mine:
        await opened.open()
    try:
        stream = f"thread:{name}"
        lease = await opened.acquire(stream, f"{socket.gethostname()}:{os.getpid()}", seconds=_LEASE)
        thread = Thread(opened, stream, lease)
        try:
            async with anyio.create_task_group() as group:
                await thread.begin(inputs)
                group.start_soon(thread.keep)
                yield thread
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await opened.release(thread.lease)
    finally:
        if mine:
            with anyio.CancelScope(shield=True):
                await opened.close()
