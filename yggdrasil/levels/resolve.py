"""Following hyperlinks: what a `ygg://...` names, in a world at hand, in its store, or in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.abc.store import Store
from yggdrasil.core.links import Link
from yggdrasil.errors import ConfigError, CorruptError, close_names
from yggdrasil.levels.view import WorldView
from yggdrasil.levels.world import World


async def resolve(link: str, *, here: WorldView | None = None, store: Store | str | None = None) -> Any:
    """What a link names, as JSON; blobs by reference.

    here    the world that is asked: links to it, to worlds in its store, and to End Worlds of the catalogue resolve
    store   where living worlds are looked for when there is none

    ConfigError when the path leads nowhere, UnknownTypeError for a world nobody knows, CorruptError when the content
    is not the pinned one, WorldError for a tick that is not there.
    """
    wanted = link if isinstance(link, Link) else Link(link)
    if here is not None and wanted.world in (here.label, here.stream_name):
        return await _look(here, wanted)
    place = here.store if here is not None else store
    async with World.open(wanted.world, store=place, read_only=True) as other:
        return await _look(other, wanted)


async def _look(world: WorldView, link: Link) -> Any:
    if link.tick is not None and link.tick != world.tick:
        world = await world.at(link.tick)
    if link.pin and not world.content_hash.startswith(link.pin):
        raise CorruptError(
            f"the content is pinned to {link.pin[:12]}, and is {world.content_hash[:12]}",
            path=link,
            hint="find the world that the link was made for, or take the pin out",
        )
    if not link.path:
        return {
            "name": world.label,
            "ended": world.definition.ended,
            "tick": world.tick,
            "content_hash": world.content_hash,
            "tick_hash": world.tick_hash,
        }
    part, *steps = link.path
    match part:
        case "content":
            return _walk(world.content, steps, link)
        case "state":
            return _walk(world.state, steps, link)
        case "history":
            return await _entry(world, steps, link)
    return _node(world, steps, link)


def _walk(value: Any, steps: Sequence[str], link: Link) -> Any:
    for step in steps:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list | tuple) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            there = value if isinstance(value, Mapping) else [str(i) for i in range(len(value))] if isinstance(
                value, list | tuple
            ) else ()
            raise ConfigError(f"there is no {step!r} here; {close_names(step, there)}", path=link)
    return value


async def _entry(world: WorldView, steps: Sequence[str], link: Link) -> Any:
    entries = await world.history()
    if not steps:
        return entries
    number, *rest = steps
    if not number.isdigit() or not 1 <= int(number) <= len(entries):
        raise ConfigError(f"there is no entry {number!r}: the history has {len(entries)}, counted from 1", path=link)
    return _walk(entries[int(number) - 1], rest, link)


def _node(world: WorldView, steps: Sequence[str], link: Link) -> Any:
    from yggdrasil.levels.write import block_document

    nodes = dict(world.definition.walk())
    path = "/".join(steps)
    if path not in nodes:
        raise ConfigError(f"there is no node {path!r}; {close_names(path, nodes)}", path=link)
    return block_document(nodes[path].block)
