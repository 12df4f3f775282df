"""A folder that cannot be climbed out of: every step of a path is taken by itself, from the folder's own handle.

A path is opened one name at a time, relative to the folder before it, and never through a symbolic link: what is
swapped for a link between a look and the use is refused by the system, not by a check that came too early. What is
no regular file (a device, a pipe, a socket) is never opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from yggdrasil.agent.tools.plain import in_a_line
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, PortError, close_names

SIZE = 16 * 1024 * 1024
"""The largest file that is read, in bytes."""
WRITTEN = 4 * 1024 * 1024
"""The largest file that is written, in bytes."""

_DEPTH = 32
_LONGEST_NAME = 255
_LONGEST_PATH = 2000
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_MADE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_PATH = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\\\\]")
_KINDS = [
    (stat.S_ISLNK, "a symbolic link, which is not followed"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISREG, "a file"),
]


class Entry(Value):
    """What lies in a folder: its path within the root, whether it is a folder, its size in bytes."""

    path: str
    folder: bool
    size: int


class Folder:
    """The files under `root`. Every path is relative to it and written with /."""

    def __init__(self, root: str | Path) -> None:
        if os.open not in os.supports_dir_fd:
            raise ConfigError("files are had on Linux and macOS only: elsewhere a path cannot be walked safely")
        if not isinstance(root, str | Path) or not str(root).strip() or "\0" in str(root):
            raise ConfigError(f"root is {root!r}, not a folder", hint="root: ./notes")
        self.root = Path(root).expanduser().resolve()

    @contextmanager
    def opened(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The handle of the folder that `path` lies in, and its last name ("" for the root itself).

        make: folders that are missing are made.
        """
        *folders, last = parts(path) or [""]
        try:
            here = os.open(self.root, _FOLDER & ~getattr(os, "O_NOFOLLOW", 0))
        except OSError as error:
            raise ConfigError(f"the root {in_a_line(self.root)} is no folder that can be read: {error}") from None
        try:
            for depth, name in enumerate(folders):
                below = self._step(here, name, "/".join(folders[: depth + 1]), make)
                os.close(here)
                here = below
            yield here, last
        finally:
            os.close(here)

    def _step(self, here: int, name: str, path: str, make: bool) -> int:
        try:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=here)
            return os.open(name, _FOLDER, dir_fd=here)
        except FileNotFoundError:
            raise _missing(here, name, path) from None
        except OSError as error:
            raise _refused(here, name, path, error) from None

    @contextmanager
    def folder(self, path: str) -> Iterator[int]:
        """The handle of the folder at `path`."""
        with self.opened(path) as (here, name):
            handle = self._step(here, name or ".", path, False)
            try:
                yield handle
            finally:
                os.close(handle)

    def read(self, path: str, most: int = SIZE) -> bytes:
        """The bytes of a regular file of at most `most`; PortError for anything else."""
        with self.opened(path) as (here, name):
            if not name:
                raise PortError("the path is the folder itself, not a file in it", hint='path="notes.md"')
            return self._bytes(here, name, path, most)

    def _bytes(self, here: int, name: str, path: str, most: int) -> bytes:
        shown = in_a_line(path)
        try:
            # looked at first: to open a device can already do something
            if not stat.S_ISREG(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                raise PortError(f"{shown} is {_kind(here, name)}, not a file")
            handle = os.open(name, _READ, dir_fd=here)
        except FileNotFoundError:
            raise _missing(here, name, path) from None
        except OSError as error:
            raise _refused(here, name, path, error) from None
        with open(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise PortError(f"{shown} is no regular file")
            if found.st_size > most:
                raise PortError(f"{shown} has {found.st_size:,} bytes; at most {most:,} are read")
            data = file.read(most + 1)
        if len(data) > most:
            raise PortError(f"{shown} grows beyond {most:,} bytes")
        return data

    def write(self, path: str, data: bytes) -> bool:
        """Put a file in the place of what was there, all of it or nothing; whether it is new. Folders are made."""
        if len(data) > WRITTEN:
            raise PortError(f"a file has at most {WRITTEN:,} bytes, this one {len(data):,}")
        with self.opened(path, make=True) as (here, name):
            if not name:
                raise PortError("the path is the folder itself, not a file in it", hint='path="notes.md"')
            mode = 0o644
            with contextlib.suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=here, follow_symlinks=False)
                if not stat.S_ISREG(found.st_mode):
                    raise PortError(f"{in_a_line(path)} is {_kind(here, name)}, so it is not written over")
                mode = stat.S_IMODE(found.st_mode) & 0o777
            new = not _exists(here, name)
            aside = f".{secrets.token_hex(8)}.part"
            try:
                with open(os.open(aside, _MADE, 0o600, dir_fd=here), "wb") as file:
                    file.write(data)
                    os.fchmod(file.fileno(), mode)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(aside, name, src_dir_fd=here, dst_dir_fd=here)
            except BaseException as error:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(aside, dir_fd=here)
                if isinstance(error, OSError):
                    raise _refused(here, name, path, error) from None
                raise
            return new

    def walk(self, path: str, *, deep: bool, most: int) -> Iterator[tuple[Entry, int]]:
        """What lies in a folder, sorted, folders of folders too when `deep`; each with the handle it lies in.

        Links and what is neither file nor folder are left out. At most `most` entries are looked at.
        """
        count = 0
        above = "/".join(parts(path))

        def each(handle: int, place: str, depth: int) -> Iterator[tuple[Entry, int]]:
            nonlocal count
            with os.scandir(handle) as found:
                # a folder may hold millions: no more are even put in order than are looked at
                names = sorted(entry.name for entry, _ in zip(found, range(most), strict=False))
            for name in names:
                if count >= most:
                    return
                count += 1
                try:
                    said = os.stat(name, dir_fd=handle, follow_symlinks=False)
                except OSError:  # gone meanwhile
                    continue
                entry = Entry(f"{place}/{name}" if place else name, stat.S_ISDIR(said.st_mode), said.st_size)
                if not entry.folder and not stat.S_ISREG(said.st_mode):
                    continue
                yield entry, handle
                if deep and entry.folder and depth < _DEPTH:
                    try:
                        inner = os.open(name, _FOLDER, dir_fd=handle)
                    except OSError:  # swapped for a link, gone, or not to be read
                        continue
                    try:
                        yield from each(inner, entry.path, depth + 1)
                    finally:
                        os.close(inner)

        with self.folder(path) as handle:
            yield from each(handle, above, 0)

    def read_in(self, handle: int, entry: Entry, most: int = SIZE) -> bytes:
        """The bytes of an entry that `walk` gave, while it is there."""
        return self._bytes(handle, entry.path.rpartition("/")[2], entry.path, most)


def parts(path: object) -> list[str]:
    """The names of a relative path; PortError for one that is absolute, climbs, or cannot be a path."""
    hint = 'path="plans/today.md", from the folder that this tool is for'
    if not isinstance(path, str):
        raise PortError(f"path is {type(path).__name__}, not text", hint=hint)
    shown = in_a_line(path)
    if len(path) > _LONGEST_PATH or _NO_PATH.search(path):
        raise PortError(f"{shown!r} is no path: too long, or with control characters or \\ in it", hint=hint)
    if path.startswith(("/", "~")):
        raise PortError(f"{shown!r} does not begin in this folder", hint=hint)
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise PortError(f"{shown!r} climbs out of its folder", hint=hint)
    if len(names) > _DEPTH or any(len(name.encode()) > _LONGEST_NAME for name in names):
        raise PortError(f"{shown!r} is too deep, or has a name that is too long", hint=hint)
    return names


def _exists(here: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _kind(here: int, name: str) -> str:
    try:
        mode = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
    except OSError:
        return "gone"
    return next((said for test, said in _KINDS if test(mode)), "a device")


def _missing(here: int, name: str, path: str) -> PortError:
    with contextlib.suppress(OSError), os.scandir(here) as found:
        names = [entry.name for entry, _ in zip(found, range(1000), strict=False)]
        return PortError(f"there is no {in_a_line(path)}; {in_a_line(close_names(name, names), 300)}")
    return PortError(f"there is no {in_a_line(path)}")


def _refused(here: int, name: str, path: str, error: OSError) -> PortError:
    shown = in_a_line(path)
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.EMLINK):
        return PortError(f"{shown} is {_kind(here, name)}")
    return PortError(f"{shown} cannot be had: {error.strerror or error}")
