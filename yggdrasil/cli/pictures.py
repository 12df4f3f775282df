"""What a world shows and sounds like, as files beside its store.

`midgard.db` has `midgard-pictures/tick-0001.png` and `midgard-sounds/tick-0001.wav`.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from anyio import to_thread

from yggdrasil.core.blob import KEY, references
from yggdrasil.errors import ConfigError
from yggdrasil.storage.files import write_bytes

ENDINGS = {"audio/wav": ".wav", "audio/x-wav": ".wav"}
"""Where the system's own list differs from machine to machine."""


def folder_for(store: str, world: str) -> Path:
    """Where the pictures of a world go: beside the file of its store, else into the current folder."""
    scheme, separator, rest = store.partition("://")
    if separator and scheme != "sqlite":
        return Path(f"{file_name(world)}-pictures")
    path = Path(rest.removeprefix("/") if separator else store)
    return path.with_name(f"{path.stem}-pictures")


def pictures_of(folder: Path, name: str) -> Path:
    """Where the pictures of a world go that has a name of its own in the store: apart from those of the others."""
    return folder.with_name(f"{folder.name.removesuffix('-pictures')}-{file_name(name)}-pictures")


def file_name(name: str) -> str:
    """A name as a file may be called."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "world"


def sounds_beside(pictures: Path) -> Path:
    """Where the sounds of a world go whose pictures go there."""
    return pictures.with_name(f"{pictures.name.removesuffix('-pictures')}-sounds")


def names(tick: int, artifacts: Any, kind: str = "image/") -> Iterator[tuple[str, str]]:
    """(file name, digest) of every picture (or what else `kind` begins) in block 3 of a tick, in order.

    The first has the plain name.
    """
    seen: set[str] = set()
    for reference in references(artifacts):
        media_type, digest = str(reference.get("media_type", "")), str(reference[KEY])
        if not media_type.startswith(kind) or digest in seen:
            continue
        ending = (
            ENDINGS.get(media_type) or mimetypes.guess_extension(media_type) or (".img" if kind == "image/" else ".snd")
        )
        number = f"-{len(seen) + 1}" if seen else ""
        seen.add(digest)
        yield f"tick-{tick:04}{number}{ending}", digest


async def write_pictures(
    folder: Path, tick: int, state: Any, blob: Callable[[str], Awaitable[bytes]]
) -> AsyncIterator[Path]:
    """Write the pictures of a state; a file that is there already and right is left alone."""
    async for path in _write(folder, names(tick, _artifacts(state)), blob, "pictures"):
        yield path


async def write_sounds(
    folder: Path, tick: int, state: Any, blob: Callable[[str], Awaitable[bytes]]
) -> AsyncIterator[Path]:
    """Write the sounds of a state, as its pictures are written."""
    async for path in _write(folder, names(tick, _artifacts(state), "audio/"), blob, "sounds"):
        yield path


def _artifacts(state: Any) -> Any:
    return state.get("artifacts") if isinstance(state, Mapping) else None


async def _write(
    folder: Path, files: Iterator[tuple[str, str]], blob: Callable[[str], Awaitable[bytes]], what: str
) -> AsyncIterator[Path]:
    for name, digest in files:
        path = folder / name
        await to_thread.run_sync(_keep, path, await blob(digest), what)
        yield path


def _keep(path: Path, data: bytes, what: str) -> None:
    folder = path.parent
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigError(f"this is no folder for {what}", path=str(folder), hint="move it away")
    if not (path.is_file() and path.read_bytes() == data):
        write_bytes(path, data)
