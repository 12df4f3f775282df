"""`yggdrasil at`, `fork`, `diff`, `replay` and `verify`: a world's past, read, compared and proved."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from yggdrasil.abc.store import Store
from yggdrasil.cli.counts import counted
from yggdrasil.cli.exits import DONE, STORE
from yggdrasil.cli.failure import shorten
from yggdrasil.cli.places import locate
from yggdrasil.cli.show import _print_sections, _print_state, print_rows
from yggdrasil.cli.streams import json_line
from yggdrasil.core.content import HISTORY
from yggdrasil.core.diff import tell
from yggdrasil.core.facts import Opened
from yggdrasil.errors import ConfigError, StoreError, UnknownTypeError
from yggdrasil.levels.replay import replay
from yggdrasil.levels.verify import verify
from yggdrasil.levels.view import PastView, view
from yggdrasil.levels.world import World
from yggdrasil.levels.world_file import load_world
from yggdrasil.storage.open import is_there, open_store


@dataclass(frozen=True, slots=True)
class Pointed:
    """What WORLD or WORLD@TICK means: a stream in an open store, and the world it is of where that is known."""

    store: Store
    stream: str
    tick: int | None
    definition: World | None

    async def seen(self) -> PastView:
        """As it was after the tick, by default the last one."""
        return await view(self.store, self.stream, self.tick, self.definition)


@asynccontextmanager
async def pointed(what: str, store: str | None, overlay: str | None = None) -> AsyncIterator[Pointed]:
    """A world by its name or file, or by the name that only the store knows: a fork's."""
    name, tick = split(what)
    definition: World | None = None
    try:
        url = locate(name, store, overlay).store
        definition = load_world(name, overlay=overlay)
        stream = definition.name
    except (ConfigError, UnknownTypeError) as error:
        if store is None:
            error.hint = error.hint or f"a fork is known by its store alone: --store sqlite:///{name}.db"
            raise
        url, stream = store, name
    place = open_store(url)
    if not is_there(url):
        raise StoreError("there is no such store", path=place.url, hint=f"yggdrasil run {name}")
    async with place:
        if definition is None:
            definition = await _origin(place, stream, overlay)
        yield Pointed(place, stream, tick, definition)


def split(what: str) -> tuple[str, int | None]:
    """`midgard@12` is midgard after tick 12."""
    name, at, tick = what.rpartition("@")
    return (name, int(tick)) if at and tick.isdecimal() else (what, None)


async def _origin(store: Store, stream: str, overlay: str | None) -> World | None:
    """The world that a stream was begun as, if anyone knows it here."""
    first = await store.read(stream, limit=1)
    if not first:
        raise StoreError(f"there is no world {stream!r} here", path=store.url, hint="yggdrasil diff A B --store URL")
    if first[0].kind != Opened.kind:
        return None
    try:
        return load_world(str(first[0].data["name"]), overlay=overlay)
    except (ConfigError, UnknownTypeError):
        return None


def print_past(what: str, tick: int, store: str | None, overlay: str | None, as_json: bool) -> None:
    """What a world was after a tick."""
    anyio.run(_past, what, tick, store, overlay, as_json)


async def _past(what: str, tick: int, store: str | None, overlay: str | None, as_json: bool) -> None:
    async with pointed(f"{what}@{tick}", store, overlay) as place:
        past = await place.seen()
    facts = {
        "world": past.label,
        "name": past.stream_name,
        "store": past.store.url,
        "tick": past.tick,
        "content_hash": past.content_hash,
        "state_hash": past.state_hash,
        "tick_hash": past.tick_hash,
    }
    if as_json:
        print(json_line({**facts, "content": past.content, "state": past.state}))
        return
    print_rows([(key, str(value)) for key, value in {**facts, "history": past.content[HISTORY]["length"]}.items()])
    _print_sections(past.content)
    _print_state(past.state)


def fork_world(what: str, tick: int | None, name: str, store: str | None, overlay: str | None, as_json: bool) -> None:
    """A world of its own, from the end of a tick."""
    anyio.run(_fork, what, tick, name, store, overlay, as_json)


async def _fork(
    what: str, tick: int | None, name: str, store: str | None, overlay: str | None, as_json: bool
) -> None:
    async with pointed(what if tick is None else f"{what}@{tick}", store, overlay) as place:
        past = await place.seen()
        made = await past.fork(name=name)
    if as_json:
        facts = {"name": name, "parent": made.parent, "tick": past.tick, "sequence": made.head, "seed": past.seed}
        print(json_line({**facts, "tick_hash": past.tick_hash, "store": past.store.url}))
        return
    print(f"{name} is {made.parent} up to tick {past.tick}, and goes its own way from there")
    world = what if place.definition is None else place.definition.name
    print(f"let it live: yggdrasil run {world} --name {name} --store {past.store.url}", file=sys.stderr)


def print_diff(a: str, b: str, store: str | None, other: str | None, overlay: str | None, as_json: bool) -> None:
    """What differs between two worlds, ticks or forks."""
    anyio.run(_diff, a, b, store, other, overlay, as_json)


async def _diff(a: str, b: str, store: str | None, other: str | None, overlay: str | None, as_json: bool) -> None:
    first = await _store_of(a, b, store, overlay)
    async with pointed(a, first, overlay) as one, pointed(b, other or first, overlay) as two:
        found = await (await one.seen()).diff(await two.seen())
    if as_json:
        print(json_line(found.to_json()))
        return
    print("\n".join(tell(found)))


async def _store_of(a: str, b: str, store: str | None, overlay: str | None) -> str | None:
    """Where both are looked for: the store given, else that of the one which the catalogue knows."""
    if store is not None:
        return store
    failed: Exception | None = None
    for what in (a, b):
        try:
            return locate(split(what)[0], None, overlay).store
        except (ConfigError, UnknownTypeError) as error:
            failed = failed or error
    assert failed is not None
    raise failed


def replay_world(
    what: str, since: int, upto: int | None, store: str | None, overlay: str | None, as_json: bool
) -> None:
    """Execute the ticks again, offline."""
    anyio.run(_replay, what, since, upto, store, overlay, as_json)


async def _replay(
    what: str, since: int, upto: int | None, store: str | None, overlay: str | None, as_json: bool
) -> None:
    async with pointed(what, store, overlay) as place:
        if place.definition is None:
            raise ConfigError("nobody here knows the world it was begun as", path=what, hint="yggdrasil list")
        last = upto if upto is not None else place.tick
        with _Counter(as_json) as counter:
            found = await replay(
                place.definition, place.store, place.stream, first=since, last=last,
                told=lambda tick: counter.show(f"tick {tick}"),
            )  # fmt: skip
    if as_json:
        print(json_line(found.values()))
        return
    if found.last < found.first:
        print(f"{found.name}: no tick is finished yet: there is nothing to replay")
        return
    print(f"{found.name}: ticks {found.first} to {found.last} come out as they were recorded")
    print(f"{found.stages} stages ran, {found.effects} effects were given back, nothing was asked; {found.tick_hash}")


def verify_world(what: str, store: str | None, overlay: str | None, as_json: bool) -> int:
    """Look through a world; 0 when it is whole."""
    return anyio.run(_verify, what, store, overlay, as_json)


async def _verify(what: str, store: str | None, overlay: str | None, as_json: bool) -> int:
    async with pointed(what, store, overlay) as place:
        with _Counter(as_json) as counter:
            found = await verify(
                place.store, place.stream, place.definition,
                told=lambda done, of: counter.show(f"record {done:,} of {of:,}"),
            )  # fmt: skip
    if as_json:
        print(json_line(found.to_json()))
    else:
        numbers = {"record": found.records, "tick": found.ticks, "snapshot": found.snapshots, "blob": found.blobs}
        looked = ", ".join(counted(number, noun) for noun, number in numbers.items())
        damages = [f"damaged: {problem.path}: {problem.sentence}" for problem in found.problems]
        print("\n".join([*shorten(damages), f"{found.name} is {'whole' if found.whole else 'NOT whole'}: {looked}"]))
    return DONE.code if found.whole else STORE.code


class _Counter:
    """How far it is, on one line of a terminal; nothing elsewhere."""

    def __init__(self, silent: bool) -> None:
        self._shown = not silent and sys.stderr.isatty()

    def __enter__(self) -> _Counter:
        return self

    def show(self, text: str) -> None:
        if self._shown:
            print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)

    def __exit__(self, *failure: object) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


