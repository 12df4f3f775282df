"""File writer: writes and edits the files of one folder, given in the config; a person is asked first."""

from __future__ import annotations

from typing import Literal

from yggdrasil import tool
from yggdrasil.agent.tools.files import editing, writing
from yggdrasil.agent.tools.folder import Folder


@tool(approval=True, blocking=True)
def file_writer(
    do: Literal["write", "edit"], path: str, content: str = "", old: str = "", new: str = "", *, root: str
) -> str:
    """Write a file, or edit one.

    `do` says what. "write": `content` as the whole file `path`, in the place of the one that was there; folders are
    made. "edit": replace `old`, which must stand in the file exactly once, by `new`. Paths begin in the folder.
    """
    folder = Folder(root)
    return writing(folder, path, content) if do == "write" else editing(folder, path, old, new)
