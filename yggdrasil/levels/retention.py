"""A world's past is pruned as its `keep` says: snapshots of what stays are made first, then records go."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

import anyio

from yggdrasil.abc.store import Lease, Snapshot, Store
from yggdrasil.core.cycle import Cycle, Status
from yggdrasil.core.facts import Finished, Pruned
from yggdrasil.core.retention import ALWAYS, BATCH, Done, Keep, due, prune
from yggdrasil.errors import CorruptError
from yggdrasil.levels.journal import Journal
from yggdrasil.levels.recovery import Recovered, go_on, recover

LEASE = 60.0
"""Seconds that one batch of pruning may take."""


async def prune_world(store: Store, stream: str, keep: Keep, cycle: Cycle, now: float) -> Pruned | None:
    """Prune a world that nobody runs, at once and all that may go; None when nothing may.

    now: in seconds since the epoch. LeaseError names who runs it: then it prunes itself.
    """
    lease = await store.acquire(stream, f"{socket.gethostname()}:{os.getpid()}", seconds=LEASE)
    try:
        found = await recover(store, stream, cycle)
        if found is None:
            return None
        retention = Retention(keep, cycle, store, stream, batch=1)
        journal = Journal(store, stream, lease, found.head)
        last, status = None, found.status
        while (pruned := await retention.prune(status, lease, now)) is not None:
            journal.note(pruned)
            await journal.flush()
            lease = await store.renew(lease, seconds=LEASE)
            last, status = pruned, status.replace(pruned=pruned)
        return last
    finally:
        with anyio.CancelScope(shield=True):
            await store.release(lease)


class Retention:
    """Prunes one world, for the one who holds its lease; costs what a tick weighs, however old the world is.

    batch: ticks that are pruned at once
    """

    def __init__(self, keep: Keep, cycle: Cycle, store: Store, stream: str, batch: int = BATCH) -> None:
        self.keep, self.cycle, self.store, self.stream, self.batch = keep, cycle, store, stream, batch
        self._wait_until = 0

    async def prune(self, status: Status, lease: Lease | None, now: float) -> Pruned | None:
        """Prune some ticks, if enough of them may go; the fact to journal then, and to go on after.

        now: in seconds since the epoch. StoreError when nothing can be written; asking again finishes it.
        """
        if status.tick < self._wait_until or not due(self.keep, status.tick, status.pruned.tick, self.batch):
            return None
        before = status.pruned
        done = await self._done(before.upto)
        plan = prune(self.keep, done, status.tick, now, self.batch)
        if plan is None:  # too young: look again after as many ticks
            self._wait_until = status.tick + self.batch
            return None
        await self._materialise([*plan.kept, plan.to])
        kept = [one.sequence for one in plan.kept]
        if self.keep.lasts(before.tick):
            kept.append(before.upto)
        await self.store.prune(self.stream, plan.to.sequence, kinds=ALWAYS, snapshots=kept, lease=lease)
        return Pruned(plan.to.tick, plan.to.sequence)

    async def _done(self, after: int) -> list[Done]:
        count = max(self.batch, BATCH)
        records = await self.store.read(self.stream, after=after, limit=count, kinds=(Finished.kind,))
        return [Done(record.data["tick"], record.sequence, record.time) for record in records]

    async def _materialise(self, wanted: Sequence[Done]) -> None:
        """Make sure that a snapshot stands at the end of each of these ticks, oldest first."""
        there = {*await self.store.snapshots(self.stream)}
        base = await self._base()
        found: Recovered | None = None
        for one in wanted:
            if one.sequence in there or one.sequence <= base:  # what a fork shares is never pruned
                continue
            if found is None:
                found = await recover(self.store, self.stream, self.cycle, upto=one.sequence)
            else:
                await go_on(found, self.store, self.stream, self.cycle, upto=one.sequence)
            if found is None or found.status.tick != one.tick or found.status.running:
                raise CorruptError(
                    f"what is folded is not the end of tick {one.tick}",
                    path=f"stream {self.stream} / record {one.sequence}",
                )
            data, blobs = found.snapshots.take(found.status)
            for blob in blobs:
                await self.store.put_blob(blob.data)
            await self.store.adopt(self.stream, [], snapshots=[Snapshot(one.sequence, data)])

    async def _base(self) -> int:
        infos = await self.store.streams(self.stream)
        return next((info.parent_sequence for info in infos if info.name == self.stream), 0)
