"""What a disk is asked for besides bytes: to keep a rename, to lend a file as memory, and to say why it refuses."""

from __future__ import annotations

import errno
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from yggdrasil.errors import StoreError, StoreFullError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NORESERVE: Final = 0x4000  # MAP_NORESERVE, which Python's mmap names since 3.13


@contextmanager
def refusals(where: str, when_full: str = "") -> Iterator[None]:
    """What the disk refuses meanwhile is a StoreError, and a StoreFullError when it is full (its hint: `when_full`)."""
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        sentence = f"cannot be written: {error.strerror or error}"
        raise (StoreFullError if full else StoreError)(sentence, path=where, hint=when_full if full else "") from error


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    if os.name == "nt":  # a folder cannot be opened there, and renames are journalled
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mapped(handle: int, size: int) -> mmap.mmap:
    """A file as memory. Private: whoever writes into it changes their own pages, never the file."""
    if sys.platform == "win32":
        return mmap.mmap(handle, size, access=mmap.ACCESS_COPY)
    # no room is set aside for pages that may be written into, so a file may be larger than the memory
    flags = mmap.MAP_PRIVATE | (_NORESERVE if sys.platform == "linux" else 0)
    return mmap.mmap(handle, size, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
