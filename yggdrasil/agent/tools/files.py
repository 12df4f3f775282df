"""Files for an agent, all within one folder: read in pieces, listed, searched, written and edited.

    Agent(..., tools=[Files("./notes", write=True)])      # a person is asked before each write
    tools: [{type: files, root: ./notes}]                 # in a config: reading; `file_writer` writes

No path leads out of the folder (see `yggdrasil.agent.tools.folder`). A file that somebody hard-linked into the folder
is in it; so is what is mounted there.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.tool import Asks, Policy
from yggdrasil.abc.toolset import Toolset
from yggdrasil.agent.tools.folder import SIZE, Entry, Folder
from yggdrasil.agent.tools.plain import in_a_line, plain
from yggdrasil.core.blob import Blob
from yggdrasil.errors import PortError
from yggdrasil.runtime.function import FunctionBlock

LINES = 500
"""Lines of one answer, at most; characters too."""
LONGEST = 20_000
LISTED = 300
FOUND = 50
LOOKED_AT = 20_000
"""Entries that one listing or search looks at."""
PATIENCE = 10.0
"""Seconds of one search."""

_LONGEST_PATTERN = 200
_LONGEST_LINE = 300
_PICTURE = 5 * 1024 * 1024
_PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class Files(Toolset):
    """The files of one folder as tools: list_files, read_file, search_files; with `write` write_file and edit_file.

    root       the folder; its files are all that can be had
    write      whether files can be written
    approval   whether a person is asked before a file is written: always, never, or as a function says
    """

    def __init__(self, root: str | Path, write: bool = False, *, approval: Asks = True) -> None:
        self.folder = Folder(root)
        self.write = write
        self._asks = Policy(approval=approval)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sequence[Runnable]]:
        """The tools."""
        yield self.tools()

    def tools(self) -> list[Runnable]:
        """The tools, which need no connection."""
        folder = self.folder

        def list_files(path: str = ".", pattern: str = "") -> str:
            """List a folder: with `pattern` ("*.md", "plans/*") every file below it that fits."""
            return listing(folder, path, pattern)

        def read_file(path: str, start: int = 1, lines: int = LINES, numbered: bool = False) -> Any:
            """Read a text file from line `start` on, `numbered` with the number of each line; or a picture as it is."""
            return reading(folder, path, start, lines, numbered)

        def search_files(text: str, path: str = ".", pattern: str = "") -> str:
            """Find the lines that hold `text`, in any case, in the files below `path` that fit `pattern` ("*.md")."""
            return searching(folder, text, path, pattern)

        def write_file(path: str, content: str) -> str:
            """Write a file, in the place of the one that was there; folders are made."""
            return writing(folder, path, content)

        def edit_file(path: str, old: str, new: str) -> str:
            """Replace `old`, which must stand in the file exactly once, by `new`."""
            return editing(folder, path, old, new)

        made: list[Runnable] = [FunctionBlock(f, blocking=True) for f in (list_files, read_file, search_files)]
        if self.write:
            made += [FunctionBlock(f, blocking=True, policy=self._asks) for f in (write_file, edit_file)]
        return made


def listing(folder: Folder, path: str = ".", pattern: str = "") -> str:
    """What lies in a folder, a line each: folders with a / at the end, files with their size."""
    fits = _fitting(pattern)
    lines: list[str] = []
    count = more = 0
    for entry, _ in folder.walk(path, deep=bool(pattern), most=LOOKED_AT):
        count += 1
        if pattern and (entry.folder or not fits(entry)):
            continue
        if len(lines) >= LISTED:
            more += 1
            continue
        name = plain(entry.path).replace("\n", "?")
        lines.append(f"{name}/" if entry.folder else f"{name}  {entry.size:,} bytes")
    if more:
        lines.append(f"[{more:,} more: name a folder or a pattern]")
    if count >= LOOKED_AT:
        lines.append(f"[only {LOOKED_AT:,} entries were looked at]")
    return "\n".join(lines) or ("nothing fits the pattern" if pattern else "the folder is empty")


def reading(folder: Folder, path: str, start: int = 1, lines: int = LINES, numbered: bool = False) -> Any:
    """Lines of a text file, with a note when there are more; a picture as a Blob. PortError for other bytes."""
    if start < 1 or lines < 1:
        raise PortError(f"start is {start} and lines {lines}; both count from 1", hint="start=1, lines=200")
    data = folder.read(path)
    kind = next((kind for mark, kind in _PICTURES.items() if data.startswith(mark)), "")
    if kind and len(data) <= _PICTURE:
        return {"path": path, "content": Blob(data, kind)}
    all_lines = plain(_text(data, path)).split("\n")
    if all_lines[-1] == "":
        all_lines.pop()  # what follows the last line's end is no line
    if start > max(len(all_lines), 1):
        raise PortError(f"{in_a_line(path)} has {len(all_lines)} lines, so none from {start} on", hint="start=1")
    shown: list[str] = []
    room = LONGEST
    for number, line in enumerate(all_lines[start - 1 : start - 1 + min(lines, LINES)], start):
        line = line if len(line) <= LONGEST // 4 else line[: LONGEST // 4] + f" [... {len(line):,} characters]"
        room -= len(line) + 1
        if room < 0 and shown:
            break
        shown.append(f"{number:>6}  {line}" if numbered else line)
    end = start - 1 + len(shown)
    if end < len(all_lines):
        shown.append(f"[lines {start} to {end} of {len(all_lines)}; read on with start={end + 1}]")
    return "\n".join(shown) or "(the file is empty)"


def searching(folder: Folder, text: str, path: str = ".", pattern: str = "") -> str:
    """Lines that hold a text, as `path:line: text`."""
    if not text.strip() or len(text) > 1000 or "\n" in text:
        raise PortError("the text to find is a piece of one line, not empty", hint='text="beacon"')
    fits, wanted = _fitting(pattern), text.casefold()
    end = time.monotonic() + PATIENCE
    lines: list[str] = []
    count = files = 0
    note = ""
    for entry, handle in folder.walk(path, deep=True, most=LOOKED_AT):
        count += 1
        if len(lines) >= FOUND or time.monotonic() > end or count >= LOOKED_AT:
            said = f"after {FOUND} finds" if len(lines) >= FOUND else "because there is so much to look through"
            note = f"[ended {said}; name a folder or a pattern]"
            break
        if entry.folder or entry.size > SIZE or not fits(entry):
            continue
        try:
            content = plain(_text(folder.read_in(handle, entry), entry.path))
        except PortError:  # bytes that are no text, or a file that has gone: not what is looked for
            continue
        files += 1
        if wanted not in content.casefold():
            continue
        for number, line in enumerate(content.split("\n"), 1):
            if wanted in line.casefold() and len(lines) < FOUND:
                lines.append(f"{entry.path}:{number}: {in_a_line(line.strip(), _LONGEST_LINE)}")
    if note:
        lines.append(note)
    return "\n".join(lines) or f"nothing found in {files} text files"


def writing(folder: Folder, path: str, content: str) -> str:
    """Write a text file whole."""
    data = _bytes(content)
    new = folder.write(path, data)
    return f"{'made' if new else 'wrote over'} {in_a_line(path)}: {len(data):,} bytes"


def editing(folder: Folder, path: str, old: str, new: str) -> str:
    """Replace a text that stands exactly once in a file."""
    if not old:
        raise PortError("`old` is empty", hint="give the text to replace, with enough around it to be found once")
    text = _text(folder.read(path), path)
    if "\r\n" in text and "\r" not in old:  # lines are shown with plain ends
        old, new = old.replace("\n", "\r\n"), new.replace("\r\n", "\n").replace("\n", "\r\n")
    count = text.count(old)
    if count != 1:
        said = "is not" if not count else f"stands {count} times"
        raise PortError(
            f"`old` {said} in {in_a_line(path)}", hint="copy it exactly from the file, with more of what is around it"
        )
    folder.write(path, _bytes(text.replace(old, new)))
    line = text.count("\n", 0, text.index(old)) + 1
    return f"edited {in_a_line(path)} at line {line}"


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise PortError("the content has characters in it that are no text") from None


def _text(data: bytes, path: str) -> str:
    """UTF-8 text, byte for byte; PortError for other bytes."""
    try:
        if b"\0" not in data:
            return data.decode()
    except UnicodeDecodeError:
        pass
    raise PortError(f"{in_a_line(path)} is binary, or not UTF-8 ({len(data):,} bytes), so it is not read as text")


def _fitting(pattern: str) -> Any:
    """Whether an entry fits: a pattern without / its name, another one its path."""
    if len(pattern) > _LONGEST_PATTERN:
        raise PortError(f"a pattern has at most {_LONGEST_PATTERN} characters", hint='pattern="*.md"')
    whole = "/" in pattern
    short = pattern.removeprefix("**/")

    def fits(entry: Entry) -> bool:
        if not pattern:
            return True
        name = entry.path if whole else entry.path.rpartition("/")[2]
        return fnmatchcase(name, pattern) or (short != pattern and fnmatchcase(entry.path, short))

    return fits
