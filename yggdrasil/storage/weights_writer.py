"""Weights written: whole or not at all, in shards when they are large, and only what is not there already."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from yggdrasil.errors import ConfigError
from yggdrasil.storage.disk import flush_folder, refusals
from yggdrasil.storage.files import show, write_text
from yggdrasil.storage.tensor_bytes import TensorBytes, order
from yggdrasil.storage.weights import ENDING, INDEX
from yggdrasil.storage.weights_header import write_head

SHARD: Final = 5_000_000_000
"""The most bytes of one file, unless a single tensor has more."""

_PIECE = 1 << 24


def write_weights(
    path: str | Path,
    tensors: Mapping[str, TensorBytes],
    *,
    metadata: Mapping[str, str] | None = None,
    shard: int = SHARD,
) -> list[Path]:
    """Write tensors as safetensors; the files that were written, none of them when all was there already.

    path    a file ending in .safetensors; when its tensors take more than `shard` bytes, `name-00001-of-00002-<digest>`
            files beside it and the index `name.safetensors.index.json`, as transformers and diffusers read them

    Whoever opens it meanwhile, or after a crash, finds the old weights or the new ones, whole: each file is written
    beside its place, synced and renamed, the index last. Shards are named by their contents, so those that are there
    stay. StoreError when the disk refuses; then the old ones are still there.
    """
    path = Path(path)
    if path.suffix != ENDING:
        raise ConfigError(f"{path.name} does not end in {ENDING}", path=show(path), hint=f"{path.name}/model{ENDING}")
    if shard <= 0:
        raise ConfigError(f"shard is {shard} bytes", hint="shard=5_000_000_000")
    texts = {"format": "pt", **(metadata or {})}
    parts = list(_split(tensors, shard))
    index = path.with_name(path.name.removesuffix(ENDING) + INDEX)
    with refusals(show(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        if len(parts) == 1:
            changed = [path] if _write(path, parts[0], texts) else []
            places = {path.name}
        else:
            changed, places = _write_shards(path, index, parts, texts)
        _sweep(path, index, places)
    return changed


def _split(tensors: Mapping[str, TensorBytes], shard: int) -> Iterator[dict[str, TensorBytes]]:
    """By name, as many in each part as it may hold; within one the widest numbers first, so that all lie aligned."""
    part: dict[str, TensorBytes] = {}
    held = 0
    for name in sorted(tensors):
        size = tensors[name].size
        if part and held + size > shard:
            yield _aligned(part)
            part, held = {}, 0
        part[name] = tensors[name]
        held += size
    yield _aligned(part)


def _aligned(part: Mapping[str, TensorBytes]) -> dict[str, TensorBytes]:
    return {name: part[name] for name in order(part)}


def _write_shards(
    path: Path, index: Path, parts: list[dict[str, TensorBytes]], metadata: Mapping[str, str]
) -> tuple[list[Path], set[str]]:
    changed: list[Path] = []
    where: dict[str, str] = {}
    stem = path.name.removesuffix(ENDING)
    for number, part in enumerate(parts, 1):
        digest = hashlib.sha256()
        for piece in _pieces(part, metadata, show(path)):
            digest.update(piece)
        place = path.with_name(f"{stem}-{number:05}-of-{len(parts):05}-{digest.hexdigest()[:16]}{ENDING}")
        if _write(place, part, metadata):
            changed.append(place)
        where |= dict.fromkeys(part, place.name)
    total = sum(tensor.size for part in parts for tensor in part.values())
    text = json.dumps({"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}, indent=2) + "\n"
    if not index.is_file() or index.read_text(encoding="utf-8") != text:
        write_text(index, text)
        changed.append(index)
    return changed, {*where.values(), index.name}


def _pieces(part: Mapping[str, TensorBytes], metadata: Mapping[str, str], shown: str) -> Iterator[Any]:
    """The bytes of a file, in pieces of no more than a few megabytes."""
    yield write_head({name: (t.dtype, tuple(t.shape), t.size) for name, t in part.items()}, metadata)
    for name, tensor in part.items():
        data = memoryview(tensor.read()).cast("B")
        if len(data) != tensor.size:
            raise ConfigError(f"{name} has {len(data)} bytes, not the {tensor.size} of its shape", path=shown)
        for start in range(0, len(data), _PIECE):
            yield data[start : start + _PIECE]


def _write(path: Path, part: Mapping[str, TensorBytes], metadata: Mapping[str, str]) -> bool:
    """Write one file, unless it is there already, byte for byte."""
    shown = show(path)
    if path.is_file() and _is_there(path, _pieces(part, metadata, shown)):
        return False
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(beside, "wb") as file:
            for piece in _pieces(part, metadata, shown):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)
    return True


def _is_there(path: Path, pieces: Iterator[Any]) -> bool:
    with open(path, "rb") as file:
        return all(file.read(len(piece)) == piece for piece in pieces) and not file.read(1)


def _sweep(path: Path, index: Path, kept: set[str]) -> None:
    """Remove what these weights were before: shards that no index names, an index or a single file in their place."""
    stem = path.name.removesuffix(ENDING)
    shards = path.parent.glob(f"{stem}-?????-of-?????-{'[0-9a-f]' * 16}{ENDING}")
    if index.name not in kept:
        index.unlink(missing_ok=True)
    for old in (path, *shards):
        if old.name not in kept:
            old.unlink(missing_ok=True)
