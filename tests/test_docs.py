"""The documentation is true: pages come in pairs, their samples are equal, run, and their links lead somewhere.

Each English page is run by itself in a fresh process and a fresh folder, offline, as a reader would do it:
its Python blocks in order, in one namespace, with `await` allowed. How a fence is marked says what happens to it:

    ```python           run; not when it says `python no-run` (where a key or a network is needed)
    ```yaml             a document with `kind:` must be valid by the real reader; not when it says `yaml no-check`
    ```text output      what the Python block before it must print
    a first line `# some/file.yaml` (or .py, .toml, .md): the block is that file, and is written, not run

`python tests/test_docs.py PAGE` runs one page.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TWIN = ".ru.md"

PAGES = sorted(p for p in (ROOT / "README.md", *DOCS.rglob("*.md")) if not p.name.endswith(TWIN))
TWINS = [p.with_name(p.name.removesuffix(".md") + TWIN) for p in PAGES]
FILE = re.compile(r"# ([\w./-]+\.(?:yaml|py|toml|md))")
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")

def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


pairs = pytest.mark.parametrize(("page", "twin"), list(zip(PAGES, TWINS, strict=True)), ids=named)


class Fence(NamedTuple):
    """A fenced block: its info string, its text, and the line of the page it begins after."""

    info: str
    text: str
    line: int

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def file(self) -> str:
        """The file that the block is, or ""."""
        found = FILE.fullmatch(self.text.partition("\n")[0])
        return found[1] if found else ""


def fences(page: Path) -> list[Fence]:
    found: list[Fence] = []
    info: str | None = None
    held: list[str] = []
    start = 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("```"):
            held.append(line)
        elif info is None:
            info, held, start = line[3:].strip(), [], number
        else:
            found.append(Fence(info, "\n".join(held) + "\n", start))
            info = None
    assert info is None, f"{page}: the fence of line {start} is not closed"
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def headings(page: Path) -> list[str]:
    return re.findall(r"^(#+) .+$", prose(page), flags=re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.replace("`", "").lower()).replace(" ", "-") for t in titles}


# --- pairs


@pairs
def test_the_pair_is_there_and_of_one_structure(page: Path, twin: Path) -> None:
    assert twin.is_file(), f"{page.name} has no Russian twin"
    assert headings(page) == headings(twin)
    assert prose(page).count("\n| ") == prose(twin).count("\n| "), "the tables have different numbers of rows"
    assert re.search("[\u0430-\u044f]{4}", prose(twin)), "the twin is not in Russian"


def test_no_twin_is_alone() -> None:
    alone = {*DOCS.rglob(f"*{TWIN}"), *ROOT.glob(f"*{TWIN}")} - set(TWINS)
    assert not alone


@pairs
def test_the_samples_are_the_same(page: Path, twin: Path) -> None:
    ours, theirs = fences(page), fences(twin)
    assert [f.info for f in ours] == [f.info for f in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.info, f"{page.name}:{one.line} does not say what it is"
        if one.info != "text":  # drawings and free text are translated
            assert one.text == other.text, f"{twin.name}:{other.line}"


@pytest.mark.parametrize("page", [*PAGES, *TWINS], ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for found in LINK.finditer(prose(page)):
        target, _, anchor = (found[1] or found[2]).partition("#")
        if "://" in target:
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{page.name} links to {target}"
        assert there.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(there), f"{page.name} links to {target}#{anchor}"
        own = page.with_name(page.name.replace(TWIN, ".md"))
        if page.name.endswith(TWIN) and there.suffix == ".md" and there != own:
            assert there.name.endswith(TWIN), f"{page.name} leads a Russian reader to {target}"


def test_every_page_is_reached_from_the_index() -> None:
    for index in (DOCS / "index.md", DOCS / "index.ru.md"):
        targets = (found[1].partition("#")[0] for found in LINK.finditer(prose(index)) if found[1])
        linked = {(index.parent / target).resolve() for target in targets}
        wanted = {p for p in (TWINS if index.name.endswith(TWIN) else PAGES) if p.is_relative_to(DOCS)} - {index}
        assert not {p.name for p in wanted - linked}


# --- samples


@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if any(f.language in ("python", "yaml") for f in fences(p))],
    ids=named,
)
def test_the_samples_run(page: Path, tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_BASE_URL", "_PROXY", "_proxy"))}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).resolve()), str(page)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def commands(page: Path) -> Iterator[list[str]]:
    """Every `yggdrasil ...` of the page's shell blocks, as words."""
    for fence in fences(page):
        if fence.language == "sh":
            for line in fence.text.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|\|\||[|;>]", line.partition(" #")[0]):
                    words = shlex.split(part)
                    if words and words[0].rpartition("/")[2] == "yggdrasil":
                        yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_commands_exist(page: Path) -> None:
    from typer.main import get_command

    from yggdrasil.cli.commands import app

    group: Any = get_command(app)
    for words in commands(page):
        if words[:1] in ([], ["--help"], ["--version"]):
            continue
        assert words[0] in group.commands, f"{page.name}: yggdrasil {words[0]}"
        command = group.commands[words[0]]
        if "--help" not in words:
            command.make_context(words[0], list(words[1:])).close()


def test_the_readme_has_the_two_commands() -> None:
    lines = [line for fence in fences(ROOT / "README.md") for line in fence.text.splitlines()]
    install = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt"
    assert f"{install} . && .venv/bin/yggdrasil run midgard --ticks 5" in lines
    test = next(line for line in lines if "-m pytest" in line)  # what .ci/run takes out of the README
    assert test == f"{install} -e '.[dev]' && .venv/bin/python -m pytest -n 2"
    assert "readme_command '-m pytest'" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


# --- references name everything there is


def _missing(page: str, names: set[str]) -> set[str]:
    text = (DOCS / "reference" / page).read_text(encoding="utf-8")
    return {name for name in names if f"`{name}`" not in text}


def test_the_reference_names_every_event() -> None:
    from yggdrasil.core.events import EVENTS

    assert not _missing("events.md", {event.__name__ for event in EVENTS.values()})


def test_the_reference_names_every_error() -> None:
    import yggdrasil.errors as errors

    kinds = {n for n, e in vars(errors).items() if isinstance(e, type) and issubclass(e, errors.YggdrasilError)}
    assert not _missing("errors.md", kinds)


def test_the_reference_names_every_key_of_a_file() -> None:
    from yggdrasil.core.config import LevelDocument
    from yggdrasil.core.longform import LONG
    from yggdrasil.levels.node import POLICIES
    from yggdrasil.levels.world_file import EXECUTION, TOP

    names = {*LevelDocument.model_fields, *LONG, *(POLICIES - {"auto_connect", "connect"})}
    assert not _missing("files.md", names | {*TOP, *EXECUTION})


def test_the_reference_names_every_type_that_ships() -> None:
    from yggdrasil.runtime.registry import STOCK

    assert not _missing("files.md", set(STOCK))


def test_the_reference_names_every_option_of_run() -> None:
    from yggdrasil.core.binding import RESERVED

    assert not _missing("run-options-and-results.md", set(RESERVED))


def test_the_reference_names_every_kind_of_port() -> None:
    from yggdrasil.core.ports import KINDS, MANY

    assert not _missing("ports-and-types.md", {*KINDS, *MANY})


def test_the_reference_names_every_command_and_exit_code() -> None:
    from typer.main import get_command

    from yggdrasil.cli.commands import app
    from yggdrasil.cli.exits import EXITS

    group: Any = get_command(app)
    options = {o for c in group.commands.values() for p in c.params for o in p.opts if o.startswith("--")}
    assert not _missing("cli.md", {*options, *group.commands, *(str(e.code) for e in EXITS)} - {"--help"})


# --- running one page (in a process of its own)


class _Page:
    """A page that is being read and tried."""

    def __init__(self, page: Path) -> None:
        self.page = page
        self.module = types.ModuleType("page")
        sys.modules["page"] = self.module
        self.printed = ""

    async def live(self) -> None:
        """Try every block in order, then read the documents."""
        for fence in fences(self.page):
            if fence.file:
                self.write(fence)
            elif fence.info == "python":
                await self.execute(fence)
            elif fence.info == "text output" and self.printed.strip() != fence.text.strip():
                raise AssertionError(f"{self.page.name}:{fence.line} was not printed, but:\n{self.printed}")

    def write(self, fence: Fence) -> None:
        target = Path(fence.file)
        assert not target.is_absolute()
        assert ".." not in target.parts
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(fence.text, encoding="utf-8")

    async def execute(self, fence: Fence) -> None:
        import anyio.to_thread

        tree = ast.increment_lineno(ast.parse(fence.text), fence.line)
        code = compile(tree, str(self.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            if code.co_flags & inspect.CO_COROUTINE:
                await eval(code, vars(self.module))
            else:  # a thread, where `run_sync` finds no event loop
                await anyio.to_thread.run_sync(eval, code, vars(self.module))
        self.printed = out.getvalue()

    def check_documents(self) -> None:
        """Every YAML block with a kind, by the reader that the command uses."""
        from yggdrasil.cli.validate import validate_entry

        for fence in fences(self.page):
            if fence.info != "yaml" or not re.search(r"^kind: ", fence.text, flags=re.MULTILINE):
                continue
            path = Path(fence.file or f"sample-{fence.line}.yaml")
            if not fence.file:
                path.write_text(fence.text, encoding="utf-8")
            assert validate_entry(f"./{path}", None, False) == 0, f"{self.page.name}:{fence.line}"


if __name__ == "__main__":
    import anyio

    sample = _Page(Path(sys.argv[1]).resolve())
    anyio.run(sample.live)
    sample.check_documents()
