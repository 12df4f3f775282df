"""Projects: a folder with `agents/ tools/ worlds/` and a marker. The stock that ships here is one too."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yggdrasil.errors import ConfigError
from yggdrasil.storage.files import read_text, show

MARKER = "yggdrasil.toml"
"""The file that makes a folder a project; `[tool.yggdrasil]` in pyproject.toml does as well."""

Origin = Literal["project", "stock"]

PLACES = {
    "agent": ("agents", "*/agent.yaml"),
    "tool": ("tools", "*.py"),
    "world": ("worlds", "*/world.yaml"),
}
"""Where each kind of content lies in a project: its folder, and its file within."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Project:
    """A folder of content. `root` is absolute, with symbolic links followed."""

    root: Path
    name: str
    origin: Origin = "project"

    def entries(self, kind: str) -> dict[str, Path]:
        """The names of one kind and their files, sorted."""
        folder, pattern = PLACES[kind]
        found: dict[str, Path] = {}
        for path in sorted((self.root / folder).glob(pattern)):
            name = path.stem if path.parent.name == folder else path.parent.name
            if _NAME.fullmatch(name) and path.is_file():
                found[name] = path
        return found

    def holds(self, path: Path) -> bool:
        """Whether a file lies in this project, symbolic links followed."""
        return path.resolve().is_relative_to(self.root)

    def world_folder(self, path: Path) -> Path | None:
        """The folder `worlds/<name>` that a file lies in, if it does."""
        worlds = self.root / "worlds"
        path = path.resolve()
        if not path.is_relative_to(worlds) or path == worlds:
            return None
        return worlds / path.relative_to(worlds).parts[0]


def find_project(start: Path | None = None) -> Project | None:
    """The project that `start` (the current folder) stands in: the nearest marker, walking up."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        name = _marked(folder)
        if name is not None:
            return Project(folder, name)
    return None


def stock() -> Project | None:
    """What ships here: `_catalog` inside the installed package, or the checkout around it when it is marked."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_catalog"
    if shipped.is_dir():
        return Project(shipped, "stock", "stock")
    name = _marked(package.parent)
    return None if name is None else Project(package.parent, name, "stock")


def _marked(folder: Path) -> str | None:
    """The project's name when `folder` carries a marker."""
    for path, table in _markers(folder):
        text = read_text(path)
        if table not in text:
            continue
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"not TOML: {error}", path=show(path)) from None
        if path.name == MARKER:
            return _named(content, folder, path)
        section = content.get("tool", {}).get("yggdrasil")
        if isinstance(section, dict):
            return _named(section, folder, path)
    return None


def _markers(folder: Path) -> Iterator[tuple[Path, str]]:
    for name, table in ((MARKER, ""), ("pyproject.toml", "tool.yggdrasil")):
        if (folder / name).is_file():
            yield folder / name, table


def _named(section: dict[str, object], folder: Path, path: Path) -> str:
    name = section.get("name", re.sub(r"[^A-Za-z0-9_-]", "-", folder.name) or "project")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"the project's name {name!r} is not made of letters, digits, - and _", path=show(path))
    return name
