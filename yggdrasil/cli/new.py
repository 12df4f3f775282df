"""`yggdrasil new`: a project folder with a small world that runs at once, and its test."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from pathlib import Path

from yggdrasil.cli.streams import json_line
from yggdrasil.errors import ConfigError
from yggdrasil.storage.files import show, write_text

SCAFFOLD = Path(__file__).with_name("scaffold")
"""The files of a new project: `NAME` in their names and texts is the project's; each ends in .txt beside its own.

The folder of tests is called TESTS here, since no tests of our own are shipped.
"""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def new_project(name: str, as_json: bool) -> None:
    """Write the project into a new folder here. ConfigError when the name is none, or something is there already."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        close = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_0123456789")[:40] or "garden"
        raise ConfigError(
            f"{name!r} is no name for a project: small letters, digits and _", hint=f"yggdrasil new {close}"
        )
    folder = Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError("something is there already", path=show(folder), hint=f"yggdrasil new {name}_2")
    written = []
    for path, text in files(name):
        write_text(folder / path, text)
        written.append(path)
    if as_json:
        print(json_line({"folder": str(folder.resolve()), "files": [str(path) for path in written]}))
        return
    for path in written:
        print(f"  {folder / path}")
    print(f"\nlet it live:  cd {name} && yggdrasil run {name} --ticks 5")


def files(name: str) -> Iterator[tuple[Path, str]]:
    """(path in the project, text) of every file of a new project."""
    for path in sorted(SCAFFOLD.rglob("*.txt")):
        inside = path.relative_to(SCAFFOLD).as_posix().removesuffix(".txt")
        inside = inside.replace("TESTS", "tests").replace("NAME", name)
        yield Path(inside), path.read_text(encoding="utf-8").replace("NAME", name)
