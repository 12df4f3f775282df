"""The plan of the house, held by reading the source: floors, third parties, purity, sizes, no swallowed errors."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "yggdrasil"
CONTENT = [ROOT / name for name in ("agents", "tools", "worlds")]

# A room may import itself and what lies on a lower floor; rooms of one floor never see each other.
FLOORS = {
    "errors": 0,
    "core": 1,
    "abc": 2,
    "runtime": 3,
    "storage": 3,
    "blocks": 4,
    "models": 4,
    "agent": 4,
    "levels": 5,
    "training": 6,
    "catalog": 7,
    "testing": 7,
    "cli": 10,
    "serving": 9,
    "ui": 9,
    "__init__": 8,
    "__main__": 11,
}

# What a room may use besides the standard library; a room has its own and all of the floors below.
THIRD_PARTIES = {
    "core": {"pydantic", "pydantic_core", "typing_extensions", "jsonpatch", "jsonpointer", "safetensors"},
    "abc": set(),
    "runtime": {"anyio", "sniffio", "trio", "tenacity", "structlog", "opentelemetry", "httpx2"},
    "storage": {"anyio", "sniffio", "psycopg", "psycopg_pool", "safetensors", "numpy", "yaml"},
    "blocks": {"torch", "numpy", "diffusers", "transformers", "huggingface_hub", "peft", "onnxruntime", "PIL"},
    "models": {"openai", "anthropic", "genai_prices"},
    "agent": {"mcp", "mcp_types"},
    "levels": set(),
    "training": {"accelerate"},
    "catalog": set(),
    "testing": set(),
    "cli": {"typer", "click", "rich", "PIL"},
    "serving": {"fastapi", "starlette", "uvicorn", "mcp", "mcp_types", "ray"},
    "ui": {"gradio"},
}

IMPURE = {
    "asyncio", "concurrent", "datetime", "glob", "io", "logging", "multiprocessing", "os", "pathlib", "random",
    "secrets", "shutil", "signal", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "uuid",
}  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One imported module: where it is written, what it names, whether only for types."""

    file: Path
    line: int
    module: str
    typing_only: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def room(path: Path) -> str:
    """The package (or the single module) of a file: `runtime`, `errors`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def room_of_module(module: str) -> str | None:
    """The room of `yggdrasil.runtime.engine`; `__init__` for the package itself; None for a third party."""
    parts = module.split(".")
    if parts[0] != "yggdrasil":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else "__init__"


def typing_lines(tree: ast.AST) -> set[int]:
    """The lines inside `if TYPE_CHECKING:`."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in node.body
        for line in range(child.lineno, (child.end_lineno or child.lineno) + 1)
    }


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, wherever it stands: in functions, under TYPE_CHECKING, and by import_module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_typing = typing_lines(tree)
    for node in ast.walk(tree):
        for module in imported_modules(node, path):
            yield Import(path, node.lineno, module, node.lineno in only_typing)  # type: ignore[attr-defined]


def imported_modules(node: ast.AST, path: Path) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = ("yggdrasil", *path.relative_to(PACKAGE).parent.parts)
            base = ".".join((*package[: len(package) - node.level + 1], *([base] if base else [])))
        return [f"{base}.{alias.name}" for alias in node.names] if base == "yggdrasil" else [base]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return []


FILES = sources(PACKAGE)
IMPORTS = [found for path in FILES for found in imports(path)]


def allowed_third_parties(name: str) -> set[str]:
    below = {other for other, floor in FLOORS.items() if floor < FLOORS[name]} | {name}
    if name.startswith("__"):
        below = {other for other, floor in FLOORS.items() if floor < FLOORS[name]}
    return set().union(*(THIRD_PARTIES.get(other, set()) for other in below))


def test_every_room_is_on_the_plan() -> None:
    rooms = {room(path) for path in FILES if path.relative_to(PACKAGE).parts[0] != "_catalog"}
    assert rooms <= set(FLOORS), f"give {sorted(rooms - set(FLOORS))} a floor"
    assert {"core", "abc", "errors"} <= rooms


def test_imports_go_down() -> None:
    wrong = []
    for found in IMPORTS:
        here, there = room(found.file), room_of_module(found.module)
        if there is not None and there != here and FLOORS[there] >= FLOORS[here]:
            wrong.append(f"{found}: floor {FLOORS[here]} ({here}) may not see floor {FLOORS[there]} ({there})")
    assert not wrong, "\n".join(wrong)


def test_third_parties_stay_on_their_floors() -> None:
    wrong = []
    for found in IMPORTS:
        top = found.module.split(".")[0]
        if top in {"yggdrasil", ""} or top in sys.stdlib_module_names:
            continue
        if found.typing_only and top == "torch" and FLOORS[room(found.file)] >= FLOORS["abc"]:
            continue
        if top not in allowed_third_parties(room(found.file)):
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


def test_the_checks_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    path = tmp_path / "core" / "bad.py"
    path.parent.mkdir()
    path.write_text(
        "from ..levels import graph\nfrom . import ports\ndef late():\n    import torch\n"
        "    import_module('yggdrasil.cli.main')\n"
    )
    found = {(i.line, i.module) for i in imports(path)}
    assert found == {(1, "yggdrasil.levels"), (2, "yggdrasil.core"), (4, "torch"), (5, "yggdrasil.cli.main")}
    assert "torch" not in allowed_third_parties("core")
    assert room_of_module("yggdrasil.cli.main") == "cli"
    assert swallows(ast.parse("try:\n    f()\nexcept Exception:\n    pass"))
    assert swallows(ast.parse("with suppress(Exception):\n    f()"))
    assert not swallows(ast.parse("try:\n    f()\nexcept KeyError:\n    pass"))


def test_core_is_pure() -> None:
    wrong = [
        str(found)
        for found in IMPORTS
        if room(found.file) == "core" and found.module.split(".")[0] in IMPURE and not found.typing_only
    ]
    for path in sources(PACKAGE / "core"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            waits = isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
            opens = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "print"}
            if waits or opens:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {type(node).__name__}")
    assert not wrong, "\n".join(wrong)


def swallows(tree: ast.AST) -> list[int]:
    """The lines where everything that can go wrong is silently dropped."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = "" if node.type is None else ast.unparse(node.type)
            broad = node.type is None or "Exception" in kinds.split(".")[-1].strip("()").split(", ")
            idle = all(
                isinstance(s, ast.Pass | ast.Continue)
                or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
                for s in node.body
            )
            if (broad or kinds == "BaseException") and idle:
                lines.append(node.lineno)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            lines += [node.lineno for a in node.args if ast.unparse(a) in {"Exception", "BaseException"}]
    return lines


@pytest.mark.parametrize("path", sources(PACKAGE, *CONTENT), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    count = text.count("\n")
    assert count <= 500, f"{count} lines: split it by ideas"
    tree = ast.parse(text)
    assert not swallows(tree), f"an error is swallowed at line(s) {swallows(tree)}"
    long = [
        f"{node.name} ({(node.end_lineno or 0) - node.lineno + 1} lines)"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > 80  # the house says 60; a docstring may add some
    ]
    assert not long, f"functions too long to read at once: {long}"


@pytest.mark.parametrize("folder", CONTENT, ids=lambda p: p.name)
def test_project_folders_are_no_packages(folder: Path) -> None:
    assert not list(folder.rglob("__init__.py")), "these three are content, read by path"
