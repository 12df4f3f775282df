"""Files: lists, reads and searches the files of one folder, given in the config; nothing outside of it can be had."""

from __future__ import annotations

from typing import Any, Literal

from yggdrasil import tool
from yggdrasil.agent.tools.files import LINES, listing, reading, searching
from yggdrasil.agent.tools.folder import Folder


@tool(blocking=True)
def files(
    do: Literal["list", "read", "search"],
    path: str = ".",
    text: str = "",
    pattern: str = "",
    start: int = 1,
    lines: int = LINES,
    numbered: bool = False,
    *,
    root: str,
) -> Any:
    """Look into a folder of files: list what is there, read a file, or search for text.

    `do` says what. "list": the folder `path`, or with `pattern` ("*.md") every file below it that fits. "read": the
    file `path` from line `start` on, so many `lines`, `numbered` if wanted; a picture as it is. "search": the lines
    that hold `text`, in any case, in the files below `path` that fit `pattern`. Paths begin in the folder.
    """
    folder = Folder(root)
    if do == "list":
        return listing(folder, path, pattern)
    return reading(folder, path, start, lines, numbered) if do == "read" else searching(folder, text, path, pattern)
