"""What saving did, and whether a path leads to a checkpoint: what every level needs to know of them."""

from __future__ import annotations

from pathlib import Path

from yggdrasil.core.value import Value

ARCHIVE = ".ygg"
"""The ending of an archive."""

CONFIG, RECORD = "config.yaml", "checkpoint.json"


class Saved(Value):
    """What saving did.

    path     the folder, archive or document
    written  bytes written: of what was there already, none
    kept     files that were there already
    """

    path: Path
    written: int
    kept: int = 0


def is_checkpoint(path: Path) -> bool:
    """Whether a path leads to a checkpoint rather than to a document."""
    return (path / RECORD).exists() if path.is_dir() else path.suffix == ARCHIVE
