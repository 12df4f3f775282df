"""The public surface: every name can be had, nothing else is public, and nothing heavy is loaded for it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import yggdrasil

HEAVY = [
    "PIL", "anthropic", "fastapi", "gradio", "httpx2", "jsonpatch", "mcp", "numpy", "openai", "opentelemetry", "ray",
    "rich", "safetensors", "sqlite3", "structlog", "tenacity", "torch", "typer", "yaml",
]  # fmt: skip


def fresh(code: str) -> Any:
    """What `code` prints as JSON in a new interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", yggdrasil.__all__)
def test_every_name_can_be_had(name: str) -> None:
    value = getattr(yggdrasil, name)
    assert name == "__version__" or value.__doc__, f"{name} says nothing of itself"


def test_nothing_else_is_public() -> None:
    for name in yggdrasil.__all__:
        getattr(yggdrasil, name)
    public = {
        name
        for name, value in vars(yggdrasil).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name not in {"annotations"}
    } - {"TYPE_CHECKING"}
    assert public | {"__version__"} == set(yggdrasil.__all__)
    assert dir(yggdrasil) == sorted(yggdrasil.__all__)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(yggdrasil.__file__).read_text(encoding="utf-8"))
    (block,) = [n for n in tree.body if isinstance(n, ast.If)]
    seen = {alias.name for n in block.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    homes = {alias.name: n.module for n in block.body if isinstance(n, ast.ImportFrom) for alias in n.names if n.module}
    assert seen | {"__version__"} == set(yggdrasil.__all__)
    assert {name: home for name, home in homes.items() if home != "yggdrasil.errors"} == yggdrasil._HOMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Worlds"):
        _ = yggdrasil.Worlds
    with pytest.raises(ImportError):
        from yggdrasil import nothing_of_that_name  # noqa: F401


def test_nothing_heavy_is_loaded() -> None:
    loaded = fresh(
        "import json, sys\nfrom yggdrasil import Agent, Graph, World, tool\n"
        f"print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    )
    assert loaded == []


def test_the_command_line_asks_for_help_lightly() -> None:
    loaded = fresh(
        "import contextlib, io, json, sys\nfrom yggdrasil.cli import main\nsys.argv = ['yggdrasil', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):\n    main()\n"
        "assert 'midgard' in out.getvalue() or 'run' in out.getvalue()\n"
        f"heavy = set({HEAVY!r}) - {{'rich', 'typer'}}\n"
        "print(json.dumps(sorted(m for m in heavy if m in sys.modules)))"
    )
    assert loaded == []
