"""A process that adds passages for ever, and says each one once it is acknowledged: `FILE NAME`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio

from yggdrasil.core.recall import Passage, passage_id
from yggdrasil.storage.passages import add, opened
from yggdrasil.storage.vectors import packed


async def write(path: str, name: str) -> None:
    """Do so until it is killed."""
    shelf = await opened(Path(path))
    for number in range(10**9):
        text = f"{name} note {number} of the ford"
        await shelf.do(add("a", Passage(passage_id(text), text, 0.5, 1.0), packed([1.0, number]), "m"))
        os.write(1, json.dumps(text).encode() + b"\n")


if __name__ == "__main__":
    anyio.run(write, *sys.argv[1:])
