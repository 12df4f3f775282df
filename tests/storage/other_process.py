"""What the tests let another process do: `python -m tests.storage.other_process WHAT STORE`; it reports by lines."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread

from yggdrasil.abc.store import Entry
from yggdrasil.errors import ConflictError, LeaseError, StoreError, StoreFullError
from yggdrasil.storage.open import open_store


def say(value: object) -> None:
    os.write(1, json.dumps(value).encode() + b"\n")


async def hold(path: str) -> None:
    """Hold the lease until killed."""
    async with open_store(path) as store:
        lease = await store.acquire("a", "Kara", seconds=600)
        say({"token": lease.token, "pid": os.getpid()})
        await anyio.sleep(600)


async def stale(path: str) -> None:
    """Hold a short lease without renewing it; write again when told."""
    async with open_store(path) as store:
        lease = await store.acquire("a", "Kara", seconds=0.3)
        await store.append("a", [Entry("note", "mine")], lease=lease)
        say("held")
        await anyio.to_thread.run_sync(sys.stdin.readline)
        try:
            await store.append("a", [Entry("note", "stale")], lease=lease)
            say("written")
        except StoreError as error:
            say([type(error).__name__, str(error)])


async def write(path: str) -> None:
    """Append for ever; say each sequence once it is acknowledged."""
    async with open_store(path) as store, anyio.create_task_group() as group:

        async def one(stream: str) -> None:
            head = await store.head(stream)
            left = [letter.id for letter in await store.inbox(stream)]
            while True:
                number = head + 1
                blob = await store.put_blob(f"{stream} {number} ".encode() * (1 if number % 7 else 20_000))
                letter = await store.post(stream, Entry("letter", number))
                head = await store.append(
                    stream, [Entry("note", {"number": number, "blob": blob})],
                    expect=head, snapshot={"number": number}, taken=[letter, *left],
                )  # fmt: skip
                left.clear()
                say([stream, head])

        for name in "abc":
            group.start_soon(one, name)


async def contend(path: str) -> None:
    """Append to one stream as fast as others let; say which sequences were accepted."""
    accepted: list[int] = []
    count = int(sys.argv[3])
    async with open_store(path) as store:
        head = await store.head("a")
        while head < count:
            try:
                head = await store.append("a", [Entry("note", os.getpid())], expect=head)
                accepted.append(head)
            except ConflictError:
                head = await store.head("a")
    say([os.getpid(), accepted])


async def zombie(path: str) -> None:
    """Take the lease whenever it can be had, never renew it, sleep past it now and then, and write until fenced off."""
    accepted: list[int] = []
    refused, head, count = 0, 0, int(sys.argv[3])
    async with open_store(path) as store:
        say("ready")
        await anyio.to_thread.run_sync(sys.stdin.readline)
        while head < count:
            try:
                lease = await store.acquire("a", f"holder {os.getpid()}", seconds=0.1)
            except LeaseError:
                await anyio.sleep(0.002)
                head = await store.head("a")
                continue
            head = await store.head("a")
            while head < count:
                try:
                    head = await store.append(
                        "a", [Entry("note", [os.getpid(), lease.token])], expect=head, lease=lease
                    )
                    accepted.append(head)
                    if len(accepted) % 50 == 0:  # long enough for another to take it: this one is a zombie then
                        await anyio.sleep(0.15)
                except LeaseError:
                    refused += 1
                    break
    say([os.getpid(), accepted, refused])


async def one(path: str) -> None:
    """Append one record."""
    async with open_store(path) as store:
        say(await store.append("a", [Entry("note", "from elsewhere")]))


async def small_files(path: str) -> None:
    """Write until the limit on file sizes, then raise it and go on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with open_store(path) as store:
        await store.append("a", [Entry("note", "first")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
        head, errors = 1, []
        for _ in range(500):
            try:
                head = await store.append("a", [Entry("note", "x" * 10_000)])
            except StoreFullError as error:
                errors.append(str(error))
                if len(errors) == 3:
                    break
        say(["appended", head, errors])
        try:
            await store.put_blob(b"y" * 700_000)
        except StoreFullError as error:
            say(["blob", str(error)])
        say(["readable", len(await store.read("a"))])
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        say(["again", await store.append("a", [Entry("note", "last")], expect=head)])
        say(["blob", len(await store.get_blob(await store.put_blob(b"y" * 700_000)))])


async def as_nobody(path: str) -> None:
    """Open as a user who may only read."""
    made = open_store(path)  # what it imports may lie where that user cannot read
    os.setgid(65534)
    os.setuid(65534)
    try:
        async with made as store:
            await store.append("a", [Entry("note", 1)])
        say("written")
    except StoreError as error:
        say([type(error).__name__, str(error)])


if __name__ == "__main__":
    kinds: dict[str, Callable[[str], Awaitable[None]]] = {
        kind.__name__: kind for kind in (hold, stale, write, contend, zombie, one, small_files, as_nobody)
    }
    anyio.run(kinds[sys.argv[1]], sys.argv[2], backend=os.environ.get("BACKEND", "asyncio"))
