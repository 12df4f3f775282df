"""Checkpoints of every level: its document, its weights and what its agents remember, in a folder or an archive.

    graph.save("answer.yaml")      the document only
    graph.save("answer")           a folder: config.yaml, checkpoint.json, weights/*.safetensors, state/*.json
    graph.save("answer.ygg")       the same in one file
    graph = Graph.load("answer")   reads all three

Each module is written once, however many nodes and levels use it, and serves all of them again after loading. Saving
again writes only what changed. Nothing is executed because a file was opened: types come from the registry, tensors
from safetensors, the rest from JSON; all of it is checked before the first tensor is copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.canonical import canonical, digest_bytes
from yggdrasil.core.config import LEVELS, VERSION
from yggdrasil.core.secrets import refuse_secrets
from yggdrasil.errors import ConfigError, CorruptError, FormatError, YggdrasilError, close_names
from yggdrasil.levels import checkpoint_format as form
from yggdrasil.levels.checkpoint_modules import Places, match_modules, neural, put_modules, write_modules
from yggdrasil.levels.checkpoint_state import pack, unpack
from yggdrasil.levels.checkpoint_tensors import Mapped, map_state, map_weights, shards
from yggdrasil.levels.container import Container
from yggdrasil.levels.node import Node
from yggdrasil.levels.places import places
from yggdrasil.levels.read import read_level
from yggdrasil.levels.world import World
from yggdrasil.levels.world_file import load_world, world_document
from yggdrasil.levels.write import block_document, level_document
from yggdrasil.runtime.registry import active_registry
from yggdrasil.storage.archive import Part, part, write_checkpoint
from yggdrasil.storage.archive_reading import FolderSource, Source, open_source, pending
from yggdrasil.storage.files import SIZE, parse, to_yaml
from yggdrasil.storage.saved import CONFIG, RECORD, Saved
from yggdrasil.storage.tensor_bytes import tensor_bytes
from yggdrasil.storage.weights_writer import SHARD

ALONE = "block"
"""The path of a block that is saved by itself; what is inside it lies below."""

STATE = 256 * 1024 * 1024
"""The largest JSON of a state that is read, in bytes."""


def save_checkpoint(
    what: Runnable,
    path: str | Path,
    *,
    extra: Mapping[str, Any] | None = None,
    shard: int = SHARD,
    nonfinite: bool = False,
) -> Saved:
    """Write a checkpoint: a folder, or an archive when `path` ends in .ygg. What was there is replaced whole.

    extra      what a trainer wants back (`optimizer`, `rng`): nested values with tensors, by name
    shard      the most bytes that go into one file
    nonfinite  whether parameters may hold NaN or infinity

    ConfigError names by path what cannot be saved; StoreError when the disk refuses, StoreFullError when it is full.
    """
    document = document_of(what)
    refuse_secrets(document, what.label)
    config = to_yaml(document).encode()
    places = _blocks(what)
    parts: dict[str, Part] = {}
    record = form.Record(
        kind="checkpoint",
        version=form.VERSION,
        config=digest_bytes(config),
        same=_same(what),
        weights=write_modules(places, parts, shard, nonfinite=nonfinite),
        states=_states(places, parts, shard),
        extra={name: _state([], value, f"extra/{name}", parts, shard) for name, value in (extra or {}).items()},
    )
    return write_checkpoint(Path(path), parts, config, form.record_text(record))


def load_checkpoint(path: str | Path, kind: type[Runnable] | None = None) -> Any:
    """The level of a checkpoint, with its weights and its agents' memory. ConfigError when it is no `kind`.

    CorruptError for what is not what was written, FormatError for a newer version, UnknownTypeError for a type that
    is not registered here.
    """
    found = _read(path)
    where = found.source.place(CONFIG)
    document = _document(found.config, where)
    require_kind(document, kind, where)
    level = build(document, where)
    _share(level, found.record.same, found.source)
    _put(level, found)
    return level


def restore(what: Runnable, path: str | Path) -> dict[str, Any]:
    """Put the weights and memories of a checkpoint into a level that is there already; what was saved as `extra`.

    Its config is not looked at. Nothing is changed unless all of it fits.
    """
    found = _read(path, extra=True)
    _put(what, found)
    return found.extra


def read_extra(path: str | Path) -> dict[str, Any]:
    """What was saved as `extra`, by name."""
    return _read(path, extra=True).extra


# --- what a level consists of


def _blocks(what: Runnable) -> dict[str, Runnable]:
    """Every block, by its path."""
    return {place.path: place.block for place in places(what, ALONE)}


def _nodes(what: Runnable) -> Iterator[tuple[str, Node]]:
    if isinstance(what, Container | World):
        yield from what.walk()


def _same(what: Runnable) -> list[list[str]]:
    """Where one block or level stands in several nodes."""
    found: dict[int, list[str]] = {}
    for path, node in _nodes(what):
        found.setdefault(id(node.block), []).append(path)
    return [paths for paths in found.values() if len(paths) > 1]


def document_of(what: Runnable) -> dict[str, Any]:
    """The document of a block, graph, pipeline, stage or world: structure and configs, all in one."""
    if isinstance(what, Container):
        return level_document(what, refs=False)
    if isinstance(what, World):
        return world_document(what)
    if isinstance(what, Block):
        return {"kind": "block", "version": VERSION, **block_document(what)}
    raise ConfigError(f"{type(what).__name__} cannot be saved", hint="a block, graph, pipeline, stage or world")


# --- states


def _states(places: Places, parts: dict[str, Part], size: int) -> list[form.State]:
    """What blocks without modules keep, each block once."""
    users: dict[int, list[str]] = {}
    for path, block in places.items():
        users.setdefault(id(block), []).append(path)
    found = []
    for paths in users.values():
        block = places[paths[0]]
        one = neural(block)
        if one is not None and one.modules():
            continue
        value: Mapping[str, Any] = getattr(block, "state_dict", dict)()
        if value:
            found.append(_state(paths, value, paths[0], parts, size))
    return found


def _state(users: list[str], value: Any, path: str, parts: dict[str, Part], size: int) -> form.State:
    kept: dict[str, Any] = {}
    text = canonical(pack(value, kept, path)).encode()
    made = part("state", ".json", lambda: [text])
    parts[made.name] = made
    tensors = {name: tensor_bytes(tensor, f"{path}: {name}") for name, tensor in kept.items()}
    return form.State(
        users=users, file=form.File(file=made.name, size=made.size), files=shards(tensors, parts, size)[0]
    )


def _load_state(source: Source, state: form.State) -> Any:
    name = state.file.file
    view, where = source.checked(name), source.place(name)
    if len(view) > STATE or len(view) != state.file.size or not name.endswith(".json"):
        raise CorruptError(f"{len(view):,} bytes are no state", path=where)
    try:
        value = parse(bytes(view).decode(), where, json_text=True)
    except UnicodeDecodeError:
        raise CorruptError("this is no text", path=where) from None
    return unpack(value, map_state(source, state).load, where)


# --- reading


@dataclass
class _Found:
    """A checkpoint whose files are all there and whole; the tensors are mapped."""

    source: Source
    record: form.Record
    config: bytes
    weights: list[tuple[form.Weights, Mapped]]
    states: list[tuple[form.State, Any]]
    extra: dict[str, Any]


def _read(path: str | Path, *, extra: bool = False) -> _Found:
    """Open what there is; anew, when somebody saved there meanwhile."""
    while True:
        source = open_source(Path(path))
        record = form.read_record(source)
        try:
            config = _read_config(source, record)
            found = _Found(
                source,
                record,
                config,
                [(one, map_weights(source, one)) for one in record.weights],
                [(state, _load_state(source, state)) for state in record.states],
                {name: _load_state(source, state) for name, state in record.extra.items()} if extra else {},
            )
        except CorruptError:
            if form.read_record(open_source(Path(path))) == record:
                raise
            continue
        # a config written by hand is taken; one that belongs to another record, since somebody saved just now, is not
        if digest_bytes(config) == record.config or form.read_record(open_source(Path(path))) == record:
            return found


def _read_config(source: Source, record: form.Record) -> bytes:
    """The document, as text. Where a saving was stopped between the two renames, the new one waits under its digest."""
    data = b""
    if isinstance(source, FolderSource):
        with suppress(CorruptError):  # it is there only then
            data = source.read(pending(record.config), SIZE)
    if digest_bytes(data) != record.config:
        data = source.read(CONFIG, SIZE)
    return data


def _document(config: bytes, where: str) -> dict[str, Any]:
    try:
        document = parse(config.decode("utf-8-sig"), where)
    except UnicodeDecodeError:
        raise ConfigError("this is no UTF-8 text", path=where) from None
    if not isinstance(document, dict):
        raise ConfigError("the document is no mapping", path=where, hint="kind: graph")
    return document


def require_kind(document: Mapping[str, Any], kind: type[Runnable] | None, where: str) -> None:
    """ConfigError when a document is of another kind, FormatError when it is of a newer version."""
    said = document.get("kind")
    known = (*LEVELS, "world", "block")
    if said not in known:
        raise ConfigError(f"kind is {said!r}; {close_names(str(said), known)}", path=where)
    version = document.get("version", VERSION)
    if type(version) is not int or version > VERSION:
        sentence = f"format version {version!r} is not read by this release ({VERSION})"
        raise FormatError(sentence, path=where, hint="pip install -U yggdrasil-worlds")
    wanted = "block" if kind is None or issubclass(kind, Block) else getattr(kind, "kind", kind.__name__.lower())
    if kind is not None and said != wanted:
        raise ConfigError(f"this is a {said}, not a {wanted}", path=where, hint=f"{str(said).title()}.load(...)")


def build(document: Mapping[str, Any], where: str) -> Runnable:
    """What a document says, empty: types come from the registry. Errors begin with `where`."""
    try:
        if document["kind"] == "world":
            return load_world(document)
        if document["kind"] in LEVELS:
            return read_level(document)
        rest = {k: v for k, v in document.items() if k not in ("kind", "version", "type", "config")}
        name, config = document.get("type"), document.get("config", {})
        if not isinstance(name, str) or not isinstance(config, Mapping):
            raise ConfigError("a block needs a type", hint="type: role/impl")
        refuse_secrets(document, where)
        return active_registry().build(name, {**rest, **config})
    except YggdrasilError as error:
        error.path = where if not error.path else f"{where}: {error.path}"
        raise


def _share(level: Runnable, groups: Iterable[list[str]], source: Source) -> None:
    """Put one block into all the nodes where one stood."""
    for group in groups:
        nodes = dict(_nodes(level))
        unknown = [path for path in group if path not in nodes]
        if unknown:
            sentence = f"one block is said to stand at {unknown[0]}, which is no node"
            raise CorruptError(sentence, path=source.place(RECORD), hint=close_names(unknown[0], nodes))
        first = nodes[group[0]]
        told = block_document(first.block)
        for path in group[1:]:
            if nodes[path].block is first.block:
                continue
            if block_document(nodes[path].block) != told:
                sentence = f"{group[0]} and {path} are said to be one block, and their configs differ"
                raise CorruptError(sentence, path=source.place(RECORD))
            nodes[path].block = first.block
        for path in group:
            _told(level, path, first.block)


def _told(level: Runnable, path: str, block: Runnable) -> None:
    """Let the levels above a node know that its block is another one."""
    for above, node in (("", None), *_nodes(level)):
        holder = level if node is None else node.block
        if above and not path.startswith(f"{above}/"):
            continue
        if isinstance(holder, Container):
            if isinstance(block, Container) and any(n.block is block for n in holder.nodes.values()):
                block._parents.add(holder)
            holder._changed()
        elif isinstance(holder, World):
            holder._made = None


def _put(what: Runnable, found: _Found) -> None:
    places, label = _blocks(what), what.label
    meant = match_modules(places, found.weights, label)
    for state, value in found.states:
        for path in state.users:
            if path not in places or not hasattr(places[path], "load_state_dict"):
                sentence = f"the checkpoint has a state for {path}, which is not here; {close_names(path, places)}"
                raise ConfigError(sentence, path=f"{label}/{path}")
            if not isinstance(value, Mapping):
                raise CorruptError("the state of a block is no mapping", path=found.source.place(state.file.file))
    _load_states(places, found.states, label)
    put_modules(meant)


def _load_states(places: Places, states: list[tuple[form.State, Any]], label: str) -> None:
    """Hand each block its state; when one refuses, all get back what they had."""
    before: list[tuple[Any, Any]] = []
    seen: set[int] = set()
    for state, value in states:
        for path in state.users:
            block: Any = places[path]
            if id(block) in seen:
                continue
            seen.add(id(block))
            before.append((block, block.state_dict()))
            try:
                block.load_state_dict(value)
            except Exception as error:
                for one, had in reversed(before):
                    one.load_state_dict(had)
                if isinstance(error, YggdrasilError):
                    error.path = error.path or f"{label}/{path}"
                    raise
                sentence = f"its state cannot be taken over: {type(error).__name__}: {error}"
                raise ConfigError(sentence, path=f"{label}/{path}") from error
