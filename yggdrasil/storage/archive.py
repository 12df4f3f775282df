"""Checkpoints as files: a folder, or the same in one `.ygg` archive (a zip without compression, so it can be mapped).

Large files are named by their SHA-256, so what is there already is never written again, and never changed. A folder is
as it was until its `checkpoint.json` is replaced, which is one rename: whatever stops a saving process leaves the old
checkpoint or the new one. `config.yaml` follows that rename; until it does, the new one waits beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from yggdrasil.core.canonical import digest_bytes
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, ConflictError, YggdrasilError
from yggdrasil.storage.archive_reading import FOLDERS, NAMED, open_source, pending
from yggdrasil.storage.disk import flush_folder, refusals
from yggdrasil.storage.files import show
from yggdrasil.storage.saved import ARCHIVE, CONFIG, RECORD, Saved
from yggdrasil.storage.tensor_bytes import Bytes

_NEW = ".new-"
_ALIGN = 64
_PADDING = 0xD935  # the extra field that pads entries of a zip to an alignment, as Android's tools write it


class Part(Value):
    """A file to be written: `weights/<digest>.safetensors`, how many bytes it has, and how to get them."""

    name: str
    size: int
    pieces: Callable[[], Iterable[Bytes]]


def part(folder: str, ending: str, pieces: Callable[[], Iterable[Bytes]]) -> Part:
    """A Part with its name: the bytes are gone through once for their digest."""
    hasher, size = hashlib.sha256(), 0
    for piece in pieces():
        hasher.update(piece)
        size += len(piece)
    return Part(f"{folder}/{hasher.hexdigest()}{ending}", size, pieces)


def is_archive(path: Path) -> bool:
    """Whether a path means one file."""
    return path.suffix == ARCHIVE and not path.is_dir()


def write_checkpoint(path: Path, parts: Mapping[str, Part], config: bytes, record: bytes) -> Saved:
    """Write a folder or an archive, whole or not at all. StoreError when the disk refuses, StoreFullError when full."""
    write = _write_archive if is_archive(path) else _write_folder
    with refusals(show(path), "free some space, and save again: what was there is still there"):
        return write(path, parts, config, record)


# --- a folder


def _write_folder(path: Path, parts: Mapping[str, Part], config: bytes, record: bytes) -> Saved:
    _refuse_foreign(path)
    path.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        made: list[Path] = []
        try:
            for one in parts.values():
                place = path / one.name
                if not _is_whole(place, one.size):
                    made.append(place)
                    _put(place, one.pieces(), place.stem)
            for folder in sorted({(path / one.name).parent for one in parts.values()}):
                flush_folder(folder)
            written = sum(one.size for one in parts.values() if path / one.name in made)
            written += _commit(path, config, record)
        except BaseException:
            if not _reads(path / RECORD, record):
                for place in made:
                    place.unlink(missing_ok=True)
            raise
        _sweep(path, parts.keys())
    return Saved(path, written, len(parts) - len(made))


def _refuse_foreign(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise ConfigError("is a file, not a folder", path=show(path), hint=f'save("{path}.d"), or save("{path}.yaml")')
    if (path / CONFIG).exists() and not (path / RECORD).exists():
        sentence = f"the folder has a {CONFIG} of its own, which is no checkpoint's"
        raise ConfigError(sentence, path=show(path), hint=f'save("{path}/checkpoint")')
    for folder in FOLDERS:
        if (path / folder).is_symlink():
            raise ConfigError("a symbolic link is not written through", path=show(path / folder))


def _commit(path: Path, config: bytes, record: bytes) -> int:
    """Make the new files the checkpoint."""
    place, written = path / CONFIG, 0
    waits = path / pending(digest_bytes(config))
    if not _reads(place, config):
        _put(waits, [config])
        flush_folder(path)
        written += len(config)
    if not _reads(path / RECORD, record):
        _put(path / RECORD, [record])  # from here on it is the new one
        flush_folder(path)
        written += len(record)
    if waits.exists():
        os.replace(waits, place)
        flush_folder(path)
    return written


def _put(place: Path, pieces: Iterable[Bytes], digest: str = "") -> None:
    """Write a file whole and durably, or leave what is there. ConflictError when it has not the `digest` it should."""
    place.parent.mkdir(exist_ok=True)
    beside = place.with_name(f"{_NEW}{place.name}")
    try:
        beside.unlink(missing_ok=True)
        with open(beside, "xb") as file:
            hasher = hashlib.sha256()
            for piece in pieces:
                file.write(piece)
                hasher.update(piece)
            if digest and hasher.hexdigest() != digest:
                hint = "save between two steps of training"
                raise ConflictError("the weights were changed while they were saved", path=show(place), hint=hint)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _sweep(path: Path, names: Iterable[str]) -> None:
    """Take away what no checkpoint names any more, and what a saving that was stopped left behind; nothing else."""
    keep = set(names)
    for folder in FOLDERS:
        inside = path / folder
        if inside.is_symlink() or not inside.is_dir():
            continue
        for place in list(inside.iterdir()):
            ours = NAMED.fullmatch(f"{folder}/{place.name.removeprefix(_NEW)}") is not None
            if ours and f"{folder}/{place.name}" not in keep:
                place.unlink(missing_ok=True)
        if not any(inside.iterdir()):
            inside.rmdir()
    for place in list(path.glob(f"{_NEW}*")) + list(path.glob(pending("*"))):
        place.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One at a time saves into a folder. ConflictError while another does; the lock goes with its process."""
    try:
        import fcntl
    except ImportError:  # not on this system: whoever saves last wins
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait until it has finished"
            raise ConflictError("somebody else is saving here right now", path=show(path), hint=hint) from None
        yield
    finally:
        os.close(handle)


def _is_whole(place: Path, size: int) -> bool:
    try:
        about = place.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_size == size


def _reads(place: Path, data: bytes) -> bool:
    return _is_whole(place, len(data)) and place.read_bytes() == data


# --- an archive


def _write_archive(path: Path, parts: Mapping[str, Part], config: bytes, record: bytes) -> Saved:
    if _archive_reads(path, config, record):
        return Saved(path, 0, len(parts))
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{_NEW}{os.getpid()}-{path.name}")
    texts = [Part(CONFIG, len(config), lambda: [config]), Part(RECORD, len(record), lambda: [record])]
    try:
        with open(beside, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for one in (*texts, *parts.values()):
                    _add(archive, one)
            file.flush()
            os.fsync(file.fileno())
            written = file.tell()
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    flush_folder(path.parent)
    return Saved(path, written)


def _archive_reads(path: Path, config: bytes, record: bytes) -> bool:
    """Whether the archive holds this already."""
    if not path.is_file():
        return False
    try:
        source = open_source(path)
        return source.read(RECORD, len(record)) == record and source.read(CONFIG, len(config)) == config
    except YggdrasilError:  # whatever it is, it is replaced
        return False


def _add(archive: zipfile.ZipFile, one: Part) -> None:
    about = zipfile.ZipInfo(one.name, (1980, 1, 1, 0, 0, 0))
    about.file_size, about.external_attr = one.size, 0o644 << 16
    large = one.size * 1.05 > zipfile.ZIP64_LIMIT
    begin = archive.start_dir + 30 + len(one.name) + (20 if large else 0)
    padding = -(begin + 4) % _ALIGN
    about.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
    with archive.open(about, "w", force_zip64=large) as entry:
        for piece in one.pieces():
            entry.write(piece)
