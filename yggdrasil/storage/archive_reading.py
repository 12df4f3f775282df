"""Reading a checkpoint's files, mapped and not loaded: from a folder, or out of an archive. Nothing in them is trusted.

Only names that a checkpoint may have are opened, never through a symbolic link, never outside.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path

from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, CorruptError, FormatError
from yggdrasil.storage.disk import mapped
from yggdrasil.storage.files import show
from yggdrasil.storage.saved import CONFIG, RECORD

FOLDERS = ("weights", "state")

NAMED = re.compile(r"(weights/[0-9a-f]{64}\.safetensors|state/[0-9a-f]{64}\.json)")
"""The names of what is named by its digest."""

_ENTRIES = 100_000
_LOCAL = struct.Struct("<4s5H3L2H")


def pending(digest: str) -> str:
    """The name under which a new config waits for its checkpoint."""
    return f".config-{digest}.yaml"


class Source(ABC):
    """The files of one checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def view(self, name: str) -> memoryview:
        """The bytes of a file, mapped; CorruptError when it is not there or is no plain file."""

    def place(self, name: str) -> str:
        """How messages call a file."""
        return f"{show(self.path)}: {name}"

    def read(self, name: str, size: int) -> bytes:
        """A whole small file."""
        view = self.view(name)
        if len(view) > size:
            raise CorruptError(f"larger than {size:,} bytes", path=self.place(name))
        return bytes(view)

    def checked(self, name: str) -> memoryview:
        """A file that is named by its digest, which is what it holds."""
        if not NAMED.fullmatch(name):
            raise CorruptError(f"{name!r} is no name of a checkpoint's file", path=show(self.path))
        view = self.view(name)
        hasher = hashlib.sha256()
        for start in range(0, len(view), 1 << 22):
            hasher.update(view[start : start + (1 << 22)])
        if hasher.hexdigest() != Path(name).stem:
            sentence = "the file is not what was written: its SHA-256 is another"
            raise CorruptError(sentence, path=self.place(name), hint="copy it again, or take an older checkpoint")
        return view


class FolderSource(Source):
    """A folder."""

    def view(self, name: str) -> memoryview:
        """Map a file below the folder; symbolic links are refused."""
        place = self.path
        for step in name.split("/"):
            place = place / step
            if place.is_symlink():
                raise CorruptError("a symbolic link is not followed", path=self.place(name), hint="copy the file here")
        try:
            handle = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            sentence = f"a file of the checkpoint cannot be opened: {error.strerror}"
            raise CorruptError(sentence, path=self.place(name)) from None
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise CorruptError("this is not a regular file", path=self.place(name))
            return _mapped(handle)
        finally:
            os.close(handle)


class _Entry(Value):
    start: int
    size: int


class ArchiveSource(Source):
    """An archive: a zip whose entries are not compressed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
                self._map = _mapped(file.fileno())
                listed = archive.infolist()
        except FileNotFoundError:
            raise ConfigError("there is no such file", path=show(path)) from None
        except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
            raise FormatError(f"this is no archive of a checkpoint: {error}", path=show(path)) from None
        if len(listed) > _ENTRIES:
            raise FormatError(f"it has {len(listed):,} entries", path=show(path))
        self._entries: dict[str, _Entry] = {}
        for about in listed:
            self._entries[about.filename] = self._entry(about)

    def _entry(self, about: zipfile.ZipInfo) -> _Entry:
        name = about.filename
        where = self.place(repr(name)[1:-1][:100])
        if name not in (CONFIG, RECORD) and not NAMED.fullmatch(name):
            raise CorruptError("an archive of a checkpoint has no such file", path=where)
        if name in self._entries:
            raise CorruptError("the file is in the archive twice", path=where)
        if stat.S_ISLNK(about.external_attr >> 16):
            raise CorruptError("a symbolic link is not followed", path=where)
        stored = about.compress_type == zipfile.ZIP_STORED and about.compress_size == about.file_size
        if not stored or about.flag_bits & 1:
            raise CorruptError("the file is compressed or encrypted", path=where, hint="zip -0")
        head = self._map[about.header_offset : about.header_offset + _LOCAL.size]
        if len(head) < _LOCAL.size or bytes(head[:4]) != b"PK\x03\x04":
            raise CorruptError("the archive is damaged here", path=where)
        *_, long, extra = _LOCAL.unpack(head)
        start = about.header_offset + _LOCAL.size + long + extra
        if start + about.file_size > len(self._map):
            raise CorruptError("the archive is cut short here", path=where)
        return _Entry(start, about.file_size)

    def view(self, name: str) -> memoryview:
        """The bytes of an entry, mapped."""
        entry = self._entries.get(name)
        if entry is None:
            raise CorruptError("a file of the checkpoint is not in the archive", path=self.place(name))
        return self._map[entry.start : entry.start + entry.size]


def _mapped(handle: int) -> memoryview:
    """A file as memory; what is written into it is this process's own and does not reach the file."""
    size = os.fstat(handle).st_size
    return memoryview(mapped(handle, size) if size else bytearray())


def open_source(path: Path) -> Source:
    """The files of a checkpoint. FormatError when there is none at `path`."""
    if path.is_dir():
        if not (path / RECORD).exists():
            raise FormatError(f"there is no checkpoint here: no {RECORD}", path=show(path), hint="level.save(path)")
        return FolderSource(path)
    return ArchiveSource(path)
