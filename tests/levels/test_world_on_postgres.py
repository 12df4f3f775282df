"""Worlds on PostgreSQL: killed and going on with the same hashes; midgard with one URL changed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from tests.levels.test_world_processes import die_often, worlds
from tests.postgres import postgres
from yggdrasil import World
from yggdrasil.storage.copying import copy_store
from yggdrasil.storage.open import open_store

TICKS = 4


def test_killed_three_times_a_world_goes_on_with_the_same_hashes(tmp_path: Path) -> None:
    die_often("effects", 3, tmp_path, random.Random(5), store=postgres().create())


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_a_hundred_times_a_world_goes_on_with_the_same_hashes(tmp_path: Path) -> None:
    for turn in range(5):
        folder = tmp_path / str(turn)
        folder.mkdir()
        die_often("effects", 20, folder, random.Random(turn), store=postgres().create())


def midgard(folder: Path, store: str, ticks: int) -> subprocess.Popen[str]:
    """`yggdrasil run midgard`, with a password in the URL that nobody asks for."""
    command = [sys.executable, "-m", "yggdrasil", "run", "midgard", "--seed", "7", "--ticks", str(ticks), "--json"]
    return subprocess.Popen(
        [*command, "--store", store], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


async def hashes(store: str | None) -> tuple[int, str, str]:
    """Where midgard stands; without a store, after a life that nobody disturbed."""
    async with World.open("midgard", store=store, seed=None if store else 7, read_only=store is not None) as world:
        if store is None:
            await world.run(ticks=TICKS)
        return world.tick, world.content_hash, world.tick_hash


def test_midgard_on_postgres_is_killed_and_goes_on(tmp_path: Path) -> None:
    store = postgres().create().replace("postgres@", "postgres:s3cret@")
    first = midgard(tmp_path, store, TICKS)
    assert first.stdout is not None
    said = [first.stdout.readline() for _ in range(65)]  # in the middle of its third tick
    first.kill()
    errors = first.communicate()[1]
    done, *_ = anyio.run(hashes, store)
    assert 0 < done < TICKS
    rest, more = midgard(tmp_path, store, TICKS - done).communicate(timeout=60)
    assert "s3cret" not in "".join(said) + rest + errors + more
    assert json.loads(said[0])
    assert anyio.run(hashes, store) == anyio.run(hashes, None)


@pytest.mark.anyio
async def test_a_world_moves_from_a_file_to_postgres_and_back_and_lives_on(tmp_path: Path) -> None:
    ways = (f"sqlite:///{tmp_path / 'a.db'}", postgres().create(), f"sqlite:///{tmp_path / 'b.db'}")
    async with World.open(worlds.toy(), store=ways[0]) as world:
        await world.run(ticks=3)
    for start, end in pairwise(ways):
        async with open_store(start) as source, open_store(end) as target:
            await copy_store(source, target)
            assert await target.read("toy") == await source.read("toy")
            assert await target.blobs() == await source.blobs()
        async with World.open(worlds.toy(), store=end) as world:
            await world.run(ticks=3)
    async with World.open(worlds.toy()) as undisturbed, World.open(worlds.toy(), store=ways[-1]) as world:
        await undisturbed.run(ticks=9)
        assert (world.tick, world.tick_hash) == (9, undisturbed.tick_hash)
