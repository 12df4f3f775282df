"""What a power cut leaves of files: of the writes that were not synced, some, in part, in any order of files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512


@dataclass
class Write:
    """One entry of the shim's log: new bytes at an offset (or a truncation there), and what was there before."""

    kind: str
    path: Path
    at: int
    new: bytes
    old: bytes


def entries(log: Path) -> Iterator[Write]:
    """The entries of a log; the last may be cut off: then its write was never begun."""
    data = log.read_bytes() if log.exists() else b""
    position = 0
    while (end := data.find(b"\n", position)) >= 0:
        kind, at, new, old, path = data[position:end].decode().split(" ", 4)
        start, middle, position = end + 1, end + 1 + int(new), end + 1 + int(new) + int(old)
        if position > len(data):
            return
        yield Write(kind, Path(path), int(at), data[start:middle], data[middle:position])


def cut_power(log: Path, dice: random.Random) -> int:
    """Take back writes that were not synced, as dice fall; how many. Then the log begins anew."""
    unsynced: dict[Path, list[Write]] = {}
    for entry in entries(log):
        if entry.kind == "s":
            unsynced.pop(entry.path, None)
        else:
            unsynced.setdefault(entry.path, []).append(entry)
    log.unlink(missing_ok=True)
    lost = 0
    for path, writes in unsynced.items():
        if not path.exists():  # it was renamed or removed
            continue
        image = bytearray(path.read_bytes())
        for write in reversed(writes):
            undo(image, write)
        if dice.random() < 0.5:  # the disk wrote in order, up to some point
            kept = writes[: dice.randint(0, len(writes))]
        else:  # or as it liked
            kept = [write for write in writes if dice.random() < 0.5]
        for write in kept:
            whole = write is not kept[-1] or dice.random() < 0.5
            redo(image, write, len(write.new) if whole else dice.randrange(0, len(write.new) + 1, SECTOR))
        lost += len(writes) - len(kept)
        path.write_bytes(image)
    for path in {p for p in unsynced if not p.name.endswith("-wal")}:
        path.with_name(path.name + "-shm").unlink(missing_ok=True)  # shared memory: gone with the power
    return lost


def undo(image: bytearray, write: Write) -> None:
    """Back to before a write."""
    if write.kind == "t" or len(write.old) < len(write.new):
        image[write.at :] = write.old
    else:
        image[write.at : write.at + len(write.old)] = write.old


def redo(image: bytearray, write: Write, size: int) -> None:
    """A write, or its first `size` bytes."""
    if write.kind == "t":
        del image[write.at :]
        image.extend(bytes(max(0, write.at - len(image))))
        return
    image.extend(bytes(max(0, write.at - len(image))))
    image[write.at : write.at + size] = write.new[:size]
