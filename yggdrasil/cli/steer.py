"""`yggdrasil pause`, `resume`, `step`, `stop` and `act`: letters to a world, whoever runs it, now or later."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio

from yggdrasil.abc.store import Entry, StreamInfo
from yggdrasil.abc.store import Store as AnyStore
from yggdrasil.cli.places import locate
from yggdrasil.cli.streams import json_line
from yggdrasil.core.remedy import remedy
from yggdrasil.errors import ConfigError, PortError, StoreError, UnknownTypeError, WorldError, close_names
from yggdrasil.levels.standing import standings
from yggdrasil.levels.world import World
from yggdrasil.runtime.bells import ring
from yggdrasil.storage.open import is_there, open_store


def steer(world: str, store: str | None, command: str, as_json: bool) -> None:
    """Post a command."""
    _send(world, store, Entry("command", {"command": command}), command, as_json)


def act_in(world: str, store: str | None, text: str, as_json: bool) -> None:
    """Post an action."""
    if not text.strip():
        raise PortError("the action is empty", hint='yggdrasil act WORLD "Kara lights the beacon"')
    _send(world, store, Entry("action", {"text": text}), "act", as_json)


def resume_world(world: str, store: str | None, how: str, edit: str | None, as_json: bool) -> None:
    """Post how a world goes on; what a parked one is given is checked first."""
    data: dict[str, Any] = {"command": how or "resume"}
    if how:
        value = None if edit is None else _value(edit)
        anyio.run(_check, world, store, how, value)
        if value is not None:
            data["value"] = value
    _send(world, store, Entry("command", data), data["command"], as_json)


def _send(world: str, store: str | None, entry: Entry, said: str, as_json: bool) -> None:
    held = anyio.run(_post, world, store, entry)
    if as_json:
        print(json_line({"world": world, "posted": said, "holder": held.holder}))
    elif held.holder:
        print(f"{held.name}: {said} posted; {held.holder} runs it")
    else:
        print(f"{held.name}: {said} posted; nobody runs it now")
        print(f"it is read when somebody does: yggdrasil run {world}, or yggdrasil up {world}", file=sys.stderr)


async def _post(world: str, store: str | None, entry: Entry) -> StreamInfo:
    name, place = where(world, store)
    async with place:
        info = await _there(place, name)
        await place.post(name, entry)
        ring(place.url, name)
        return info


async def _there(store: AnyStore, name: str) -> StreamInfo:
    """The world in its store; StoreError when there is none of that name."""
    streams = {info.name: info for info in await store.streams()}
    if name not in streams or not streams[name].head:
        known = [each for each in streams if not each.startswith("thread:")]
        raise StoreError(f"there is no world {name!r} here; {close_names(name, known)}", path=store.url)
    return streams[name]


async def _check(world: str, store: str | None, how: str, value: Any) -> None:
    """Refuse what cannot help before it is posted. StoreError without such a world, WorldError when it is not parked.

    What the world's own definition must say is checked where it can be found.
    """
    name, place = where(world, store)
    async with place:
        info = await _there(place, name)
        found = next((each for each in await standings(place) if each.name == info.name), None)
    if found is None or found.state not in ("parked", "waiting"):
        raise WorldError(f"the world {name} is not parked", path=name, hint=f"yggdrasil resume {world}")
    try:
        place_of = locate(world, store, None)
    except (ConfigError, UnknownTypeError):  # known by its store alone: who runs it checks
        return
    async with World.open(world, store=place_of.store, name=name, read_only=True) as live:
        cycle, seats = live.definition.cycle, live.definition.seats()
        remedy(cycle, live.status, how, {n: seat.requires for n, seat in seats.items()}, live.label)
        if how == "edit" and live.parked is not None:
            seats[live.parked.stage].check(value, cycle.schema, f"{live.label}/{live.parked.stage}")


def where(world: str, store: str | None) -> tuple[str, AnyStore]:
    """The stream of a world, and its store, not yet open. StoreError when the store is not there."""
    try:
        place = locate(world, store, None)
        name, url = str(place.found.config.get("name") or place.found.name), place.store
    except (ConfigError, UnknownTypeError):
        if store is None:
            raise
        name, url = world, store  # a world that only the store knows
    if not is_there(url):
        raise StoreError(f"there is no store {open_store(url).url}", hint=f"yggdrasil run {world} begins the world")
    return name, open_store(url)


def _value(given: str) -> Any:
    """What was typed: a file's content (JSON, YAML or text), else JSON, else text."""
    from yggdrasil.storage.files import read_config, read_text

    path = Path(given)
    if len(given) < 1000 and path.suffix in (".json", ".yaml", ".yml", ".md", ".txt"):
        return read_config(path) if path.suffix in (".json", ".yaml", ".yml") else read_text(path)
    import json

    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return given
