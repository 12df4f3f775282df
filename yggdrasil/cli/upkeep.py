"""`stats`, `vacuum` and `copy`: what a store weighs, giving space back, and from one store to another."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import anyio

from yggdrasil.abc.store import BlobInfo, Size, Store, StreamInfo
from yggdrasil.cli.counts import counted
from yggdrasil.cli.exits import DONE
from yggdrasil.cli.places import locate
from yggdrasil.cli.plain import line
from yggdrasil.cli.streams import json_line
from yggdrasil.core.facts import Opened, Pruned
from yggdrasil.errors import ConfigError, LeaseError, YggdrasilError
from yggdrasil.storage.copying import Copied, CopiedBlobs, copy_store
from yggdrasil.storage.open import bytes_on_disk, is_there, open_store

Row = tuple[Size, StreamInfo, int]
"""What a stream weighs, whose it is, and how many forks it has."""


def there(url: str, hint: str = "--store sqlite:///runs.db") -> Store:
    """The store of a URL, not yet open; ConfigError when there is none, so that asking makes no file."""
    store = open_store(url)
    if not is_there(url):
        raise ConfigError(f"there is no store {store.url}", hint=hint)
    return store


def url_of(world: str | None, store: str | None) -> str:
    """The store that was named, else the one of the world that was."""
    if store is None and world is None:
        raise ConfigError("say which store", hint="--store sqlite:///midgard.db, or the name of a world")
    return store if store is not None else locate(world or "", None, None).store


# --- stats


def print_stats(world: str | None, store: str | None, as_json: bool) -> int:
    """What streams weigh, and the store in all; of one world, it and its forks alone."""
    url = url_of(world, store)
    rows, blobs = anyio.run(_weigh, there(url))
    if world is not None:
        rows = _family(rows, _stream_of(world, rows))
    disk = bytes_on_disk(url)
    if as_json:
        for size, info, forks in rows:
            print(json_line({**size.values(), "forks": forks, "holder": info.holder, "parent": info.parent}))
        total = sum(blob.size for blob in blobs)
        print(json_line({"store": open_store(url).url, "blobs": len(blobs), "blob_bytes": total, "on_disk": disk}))
        return DONE.code
    _print_table(rows)
    weight = f"{len(blobs):,} blobs of {_bytes(sum(blob.size for blob in blobs))}"
    print(f"\n{open_store(url).url}: {weight}" + (f"; {_bytes(disk)} on disk" if disk is not None else ""))
    return DONE.code


async def _weigh(store: Store) -> tuple[list[Row], list[BlobInfo]]:
    async with store:
        infos = {info.name: info for info in await store.streams()}
        sizes = await store.sizes()
        blobs = await store.blobs()
    forks = [info.parent for info in infos.values()]
    return [(size, infos[size.name], forks.count(size.name)) for size in sizes if size.name in infos], blobs


def _stream_of(world: str, rows: Sequence[Row]) -> str:
    names = [size.name for size, _, _ in rows]
    name = world if world in names else locate(world, None, None).found.name
    if name not in names:
        raise ConfigError(f"there is no world {name!r} in this store", hint=f"yggdrasil run {world} first")
    return name


def _family(rows: Sequence[Row], name: str) -> list[Row]:
    """A stream, and whatever was forked from it."""
    family = {name}
    while True:
        more = {info.name for _, info, _ in rows if info.parent in family} - family
        if not more:
            return [row for row in rows if row[0].name in family]
        family |= more


def _print_table(rows: Sequence[Row]) -> None:
    head = ("stream", "records", "bytes", "snapshots", "forks", "holder")
    cells = [
        (line(size.name, 40), f"{size.records:,}", _bytes(size.bytes), f"{size.snapshots:,}", f"{forks:,}",
         line(info.holder, 30))
        for size, info, forks in rows
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in (head, *cells)) for column in range(len(head))]
    for row in (head, *cells):
        first, *numbers, last = row
        told = (cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True))
        print("  ".join((first.ljust(widths[0]), *told, last)).rstrip())


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


# --- vacuum


def vacuum_store(world: str | None, store: str | None, as_json: bool) -> int:
    """Prune each world as its file says, forget blobs that nothing names, and give the space back."""
    url = url_of(world, store)
    before = bytes_on_disk(url)
    pruned, freed = anyio.run(_vacuum, there(url), world)
    after = bytes_on_disk(url)
    if as_json:
        print(json_line({"pruned": pruned, "blob_bytes": freed, "on_disk_before": before, "on_disk": after}))
        return DONE.code
    for name, said in pruned.items():
        print(f"{line(name, 60)}: pruned up to tick {said}" if isinstance(said, int) else f"{line(name, 60)}: {said}")
    print(f"{_bytes(freed)} of blobs went")
    if before is not None and after is not None:
        print(f"on disk: {_bytes(before)} before, {_bytes(after)} now")
    return DONE.code


async def _vacuum(store: Store, world: str | None) -> tuple[dict[str, int | str], int]:
    said: dict[str, int | str] = {}
    async with store:
        for info in await store.streams():
            told = await _prune(store, info, world)
            if told is not None:
                said[info.name] = told
        return said, await store.vacuum()


async def _prune(store: Store, info: StreamInfo, world: str | None) -> int | str | None:
    """The tick up to which a world was pruned, or why it was not; None when there is nothing to say."""
    from yggdrasil.levels.retention import prune_world

    first = await store.read(info.name, limit=1)
    if not first or first[0].kind != Opened.kind:
        return None
    try:
        definition = _definition(str(first[0].data["name"]), world)
        if definition is None or definition.keep.all:
            return None
        pruned: Pruned | None = await prune_world(store, info.name, definition.keep, definition.cycle, time.time())
    except LeaseError as error:
        return f"not pruned: {error.holder or 'another process'} runs it, and it prunes itself"
    except YggdrasilError as error:
        return f"not pruned: {error.sentence}"
    return None if pruned is None else pruned.tick


def _definition(name: str, world: str | None) -> Any:
    """The world of that name: the one that was given, else the one of the catalogue; None when there is none."""
    from yggdrasil.abc.catalog import find
    from yggdrasil.levels.world_file import load_world

    for what in (world, name):
        if what is None:
            continue
        try:
            found = find(what, "world")
        except ConfigError:
            if what is world:
                raise
            return None
        if found.name == name:
            return load_world(what)
    return None


# --- copy


def copy(source: str, target: str, as_json: bool) -> int:
    """Copy a store into another."""

    def tell(copied: Copied) -> None:
        if as_json:
            print(json_line(copied.values()), flush=True)
            return
        already = f" ({copied.there:,} were there)" if copied.there else ""
        if isinstance(copied, CopiedBlobs):
            print(f"{copied.blobs:,} blobs of {_bytes(copied.bytes)}{already}")
            return
        numbers = {"record": copied.records, "snapshot": copied.snapshots, "letter": copied.letters}
        told = ", ".join(counted(number, noun) for noun, number in numbers.items()) + already
        print(f"{line(copied.stream, 60)}: {told}", flush=True)

    anyio.run(_copy, there(source, "yggdrasil copy sqlite:///midgard.db sqlite:///copy.db"), open_store(target), tell)
    if not as_json:
        print("run a world from there: --store " + open_store(target).url, file=sys.stderr)
    return DONE.code


async def _copy(source: Store, target: Store, tell: Any) -> None:
    async with source, target:
        await copy_store(source, target, tell)
