"""The pictures of a world as files beside its store: `midgard.db` has `midgard-pictures/tick-0001.png`."""

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


def folder_for(store: str, world: str) -> Path:
    """Where the pictures of a world go: beside the file of its store, else into the current folder."""
    scheme, separator, rest = store.partition("://")
    if separator and scheme != "sqlite":
        return Path(f"{file_name(world)}-pictures")
    path = Path(rest.removeprefix("/") if separator else store)
    return path.with_name(f"{path.stem}-pictures")


def file_name(name: str) -> str:
    """A name as a file may be called."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "world"


def names(tick: int, artifacts: Any) -> Iterator[tuple[str, str]]:
    """(file name, digest) of every picture in block 3 of a tick, in order; the first has the plain name."""
    seen: set[str] = set()
    for reference in references(artifacts):
        media_type, digest = str(reference.get("media_type", "")), str(reference[KEY])
        if not media_type.startswith("image/") or digest in seen:
            continue
        ending = mimetypes.guess_extension(media_type) or ".img"
        number = f"-{len(seen) + 1}" if seen else ""
        seen.add(digest)
        yield f"tick-{tick:04}{number}{ending}", digest


async def write_pictures(
    folder: Path, tick: int, state: Any, blob: Callable[[str], Awaitable[bytes]]
) -> AsyncIterator[Path]:
    """Write the pictures of a state; a file that is there already and right is left alone."""
    artifacts = state.get("artifacts") if isinstance(state, Mapping) else None
    for name, digest in names(tick, artifacts):
        path = folder / name
        await to_thread.run_sync(_keep, path, await blob(digest))
        yield path


def _keep(path: Path, data: bytes) -> None:
    folder = path.parent
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigError("this is no folder for pictures", path=str(folder), hint="move it away")
    if not (path.is_file() and path.read_bytes() == data):
        write_bytes(path, data)
