"""Real processes on one store: leases, fencing, contention, sudden death."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.postgres import postgres
from yggdrasil.abc.store import Entry
from yggdrasil.errors import ConflictError, LeaseError
from yggdrasil.storage.open import open_store
from yggdrasil.storage.sqlite import SqliteStore

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    return postgres().create() if request.param == "postgres" else f"sqlite:///{tmp_path / 'world.db'}"


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.storage.other_process", *words],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def heard(started: subprocess.Popen[bytes]) -> Any:
    assert started.stdout is not None
    return json.loads(started.stdout.readline())


def run(*words: str) -> list[Any]:
    with process(*words) as started:
        said, _ = started.communicate(timeout=100)
    assert started.returncode == 0
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.anyio
async def test_the_second_process_is_told_who_holds_and_takes_over_after_a_kill(place: str) -> None:
    with process("hold", place) as holder:
        told = await anyio.to_thread.run_sync(heard, holder)
        async with open_store(place) as store:
            with pytest.raises(LeaseError) as refused:
                await store.acquire("a", "Bo")
            assert refused.value.holder == "Kara"
            for word in ("Kara", f"process {told['pid']}", socket.gethostname(), "stream a"):
                assert word in str(refused.value)
            assert [info.holder for info in await store.streams()] == ["Kara"]
            holder.kill()  # and it stays a zombie for now: nobody has waited for it
            with anyio.fail_after(5):
                while True:
                    try:
                        lease = await store.acquire("a", "Bo")
                        break
                    except LeaseError:
                        await anyio.sleep(0.01)
            assert lease.token == told["token"] + 1


@pytest.mark.anyio
async def test_a_holder_that_slept_past_its_lease_is_refused(place: str) -> None:
    with process("stale", place) as sleeper:
        assert await anyio.to_thread.run_sync(heard, sleeper) == "held"
        os.kill(sleeper.pid, signal.SIGSTOP)
        async with open_store(place) as store:
            with anyio.fail_after(10):
                while True:
                    try:
                        lease = await store.acquire("a", "Bo")
                        break
                    except LeaseError:
                        await anyio.sleep(0.02)
            await store.append("a", [Entry("note", "Bo's")], lease=lease)
            os.kill(sleeper.pid, signal.SIGCONT)
            assert sleeper.stdin is not None
            sleeper.stdin.write(b"\n")
            sleeper.stdin.flush()
            kind, text = await anyio.to_thread.run_sync(heard, sleeper)
            assert kind == "LeaseError"
            assert "'Bo'" in text
            assert f"process {os.getpid()}" in text
            assert [record.data for record in await store.read("a")] == ["mine", "Bo's"]


@pytest.mark.anyio
async def test_a_watcher_hears_other_processes(place: str) -> None:
    async with open_store(place) as store:
        records = aiter(store.watch("a"))
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.to_thread.run_sync, run, "one", place)
                assert (await anext(records)).data == "from elsewhere"


def contended(store_url: str, count: int) -> None:
    with process("contend", store_url, str(count)) as first, process("contend", store_url, str(count)) as second:
        answers = [json.loads(one.communicate(timeout=600)[0]) for one in (first, second)]

    async def check() -> None:
        async with open_store(store_url) as store:
            records = await store.read("a")
        assert [record.sequence for record in records] == list(range(1, len(records) + 1))
        assert len(records) >= count
        writers = {sequence: pid for pid, accepted in answers for sequence in accepted}
        assert sum(len(accepted) for _, accepted in answers) == len(writers) == len(records)
        assert [writers[record.sequence] for record in records] == [record.data for record in records]

    anyio.run(check)


def test_two_processes_never_both_get_a_sequence(place: str) -> None:
    contended(place, 700)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ten_thousand_contended_appends(place: str) -> None:
    contended(place, 10_000)


def zombies(store_url: str, count: int) -> None:
    """Three processes take the lease from one another all the time, and write on after they have lost it."""
    with (
        process("zombie", store_url, str(count)) as a,
        process("zombie", store_url, str(count)) as b,
        process("zombie", store_url, str(count)) as c,
    ):
        assert [heard(one) for one in (a, b, c)] == ["ready"] * 3  # nobody is done before the others have begun
        for one in (a, b, c):
            assert one.stdin is not None
            one.stdin.write(b"\n")
            one.stdin.flush()
        answers = [json.loads(one.communicate(timeout=800)[0]) for one in (a, b, c)]

    async def check() -> None:
        async with open_store(store_url) as store:
            records = await store.read("a")
        assert [record.sequence for record in records] == list(range(1, len(records) + 1))
        assert len(records) >= count
        writers = {sequence: pid for pid, accepted, _ in answers for sequence in accepted}
        assert sum(len(accepted) for _, accepted, _ in answers) == len(writers) == len(records)
        assert [writers[record.sequence] for record in records] == [record.data[0] for record in records]
        tokens = [record.data[1] for record in records]
        assert tokens == sorted(tokens), "whoever was fenced off has not written again"
        assert sum(refused for _, _, refused in answers) > 3, "nobody was a zombie"

    anyio.run(check)


def test_zombies_write_nothing(place: str) -> None:
    zombies(place, 600)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_ten_thousand_appends_with_zombies(place: str) -> None:
    zombies(place, 10_000)


def test_two_loops_of_one_process_never_both_get_a_sequence(place: str) -> None:
    accepted: dict[str, list[int]] = {"asyncio": [], "trio": []}

    async def contend(backend: str) -> None:
        async with open_store(place) as store:
            head = 0
            while head < 600:
                try:
                    head = await store.append("a", [Entry("note", backend)], expect=head)
                    accepted[backend].append(head)
                except ConflictError:
                    head = await store.head("a")

    threads = [
        threading.Thread(target=anyio.run, args=(contend, backend), kwargs={"backend": backend}) for backend in accepted
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    both = sorted(accepted["asyncio"] + accepted["trio"])
    assert len(both) >= 600
    assert both == list(range(1, len(both) + 1))


def killed(store_url: str, times: int, seed: int) -> None:
    """Kill a writing process at random instants; everything it was told is durable must be there."""
    pick = random.Random(seed)
    known = {"a": 0, "b": 0, "c": 0}
    for _ in range(times):
        with process("write", store_url) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(pick.random() * 0.15)
            writer.kill()
            for line in writer.stdout.read().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    stream, head = json.loads(line)
                    known[stream] = max(known[stream], head)
        anyio.run(nothing_is_missing, store_url, known)


async def nothing_is_missing(store_url: str, known: dict[str, int]) -> None:
    async with open_store(store_url) as store:
        for stream, acknowledged in known.items():
            records = await store.read(stream)
            assert len(records) >= acknowledged
            assert [record.data["number"] for record in records] == list(range(1, len(records) + 1))
            snapshot = await store.snapshot(stream)
            assert (snapshot and snapshot.sequence) == (len(records) or None), "kept in the same transaction"
            assert {letter.data for letter in await store.inbox(stream)} <= {len(records) + 1}, "taken with its record"
            for record in records[-30:]:
                number = record.data["number"]
                assert (await store.get_blob(record.data["blob"])).startswith(f"{stream} {number} ".encode())


def test_kill_at_random_instants(place: str) -> None:
    killed(place, 4, seed=7)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_kill_at_a_hundred_instants(place: str) -> None:
    killed(place, 100, seed=11)


def test_a_limit_on_file_sizes(tmp_path: Path) -> None:
    answers = run("small_files", str(tmp_path / "world.db"))
    appended, blob, readable, again, put = answers
    assert 2 < appended[1] < 100
    assert len(appended[2]) == 3
    assert "no space left" in appended[2][0]
    assert "free some space" in appended[2][0]
    assert "no space left" in blob[1]
    assert readable == ["readable", appended[1]]
    assert again == ["again", appended[1] + 1]
    assert put == ["blob", 700_000]
    assert not list((tmp_path / "world.db.blobs").rglob(".new-*")), "nothing half-written is left"


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("existing", [True, False])
def test_a_place_that_cannot_be_written(existing: bool, shared_path: Callable[[], Path]) -> None:
    path = shared_path() / "world.db"
    if existing:
        anyio.run(_make, path)
    [answer] = run("as_nobody", str(path))
    assert answer[0] == "StoreError"
    assert "chmod" in answer[1]
    assert str(path) in answer[1]


async def _make(path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.append("a", [Entry("note", 1)])


@pytest.fixture
def shared_path() -> Iterator[Callable[[], Path]]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield lambda: Path(folder)
