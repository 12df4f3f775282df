"""Large bytes as files in a folder, named by their SHA-256.

Written under a temporary name, flushed to the disk, renamed, and the folder flushed: a name that
is there holds all of its bytes. All functions block: call them off the event loop.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from yggdrasil.core.canonical import digest_bytes
from yggdrasil.storage.disk import flush_folder

_HEX = re.compile(r"[0-9a-f]{64,}")


class BlobFolder:
    """A folder of blobs: `ab/cdef...` holds the bytes whose digest is `abcdef...`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, digest: str) -> Path:
        """Where the bytes of a digest lie."""
        return self.folder / digest[:2] / digest[2:]

    def put(self, digest: str, data: bytes, now: float) -> None:
        """Keep bytes, durably; OSError when they cannot be written, and then nothing is left behind.

        now: when they are put, in seconds since the epoch
        """
        place = self.place(digest)
        new = [folder for folder in (self.folder, place.parent) if not folder.is_dir()]
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".new-", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.utime(temporary, (now, now))
                os.fsync(file.fileno())
            os.replace(temporary, place)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        for folder in (place.parent, *(made.parent for made in new)):
            flush_folder(folder)

    def touch(self, digest: str, now: float) -> bool:
        """Say that they were put again; False when they are not there."""
        try:
            os.utime(self.place(digest), (now, now))
        except FileNotFoundError:
            return False
        return True

    def put_before(self, moment: float) -> Iterator[str]:
        """The digests of what was put before `moment`."""
        for place in self.folder.glob("??/*"):
            digest = place.parent.name + place.name
            if is_digest(digest) and place.stat().st_mtime < moment:
                yield digest

    def forget(self, digest: str, before: float) -> int:
        """Delete what was put before `before`; how many bytes."""
        place = self.place(digest)
        try:
            found = place.stat()
        except FileNotFoundError:
            return 0
        if found.st_mtime >= before:
            return 0
        place.unlink()
        return found.st_size

    def after(self, digest: str) -> Iterator[tuple[str, int]]:
        """(digest, size) of those after `digest`, by digest."""
        for folder in sorted(self.folder.glob("??")):
            if folder.name < digest[:2]:
                continue
            for place in sorted(folder.iterdir()):
                name = folder.name + place.name
                if is_digest(name) and name > digest:
                    yield name, place.stat().st_size

    def get(self, digest: str) -> bytes | None:
        """The bytes, unchecked; None when there are none."""
        try:
            return self.place(digest).read_bytes()
        except FileNotFoundError:
            return None


def named(text: str) -> Iterator[str]:
    """The digests that a text holds."""
    for found in _HEX.findall(text):
        for start in range(len(found) - 63):
            yield found[start : start + 64]


def is_digest(text: str) -> bool:
    """Whether it is a SHA-256 in lower-case hex (and so no path that climbs out of the folder)."""
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)


def fits(digest: str, data: bytes) -> bool:
    """Whether bytes are those of the digest."""
    return digest_bytes(data) == digest
