"""Python of a project, by path: under a package of its own, never on sys.path, so that nothing collides.

`tools/dice.py` of project `saga` is the module `_ygg_saga.tools.dice`; relative imports work.
"""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from yggdrasil.catalog.project import PLACES, Project
from yggdrasil.errors import ConfigError, YggdrasilError
from yggdrasil.storage.files import show

_packages: dict[str, Path] = {}


def package_of(project: Project) -> str:
    """The synthetic package of a project; made on first use. Two projects of one name get two packages."""
    name = f"_ygg_{re.sub('[^A-Za-z0-9]', '_', project.name)}"
    if _packages.get(name, project.root) != project.root:
        name += "_" + sha256(str(project.root).encode()).hexdigest()[:8]
    if name not in _packages:
        _packages[name] = project.root
        _package(name, [])
        for folder, _ in PLACES.values():
            _package(f"{name}.{folder}", [str(project.root / folder)])
    return name


def _package(name: str, path: list[str]) -> None:
    module = ModuleType(name, "Content of a project; see yggdrasil.catalog.code.")
    module.__path__ = path
    sys.modules[name] = module


def load(project: Project, path: Path) -> ModuleType:
    """The module of a Python file inside one of the project's three folders, imported once.

    ConfigError names the file and the line when it cannot be imported.
    """
    if not project.holds(path):
        hint = "copy the file into the project: code outside of it is never loaded"
        raise ConfigError("a symbolic link leads out of the project", path=show(path), hint=hint)
    parts = path.resolve().relative_to(project.root).with_suffix("").parts
    name = ".".join((package_of(project), *parts))
    try:
        return importlib.import_module(name)
    except YggdrasilError as error:
        if not error.path:
            error.path = show(path)
        raise
    except Exception as error:
        raise ConfigError(
            f"cannot be loaded: {type(error).__name__}: {error}", path=f"{show(path)}{_line(error, project)}"
        ) from error


def _line(error: Exception, project: Project) -> str:
    """The last line inside the project that an error passed through."""
    if isinstance(error, SyntaxError):
        return f":{error.lineno}"
    inside = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(project.root))]
    return f":{inside[-1].lineno}" if inside else ""
