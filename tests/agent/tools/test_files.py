"""Files of one folder: all of it, and nothing outside of it."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.abc.tool import policy_of
from yggdrasil.agent.tools import files
from yggdrasil.agent.tools.files import Files, editing, listing, reading, searching, writing
from yggdrasil.agent.tools.folder import SIZE, WRITTEN, Folder, parts
from yggdrasil.core.blob import Blob
from yggdrasil.errors import ConfigError, PortError

pytestmark = pytest.mark.anyio
SECRET = "the key is under the stone"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "plans" / "old").mkdir(parents=True)
    (made / "a.md").write_text("one\ntwo\nthree\n")
    (made / "plans" / "b.md").write_text("Light the Beacon\n")
    (made / "plans" / "old" / "c.txt").write_text("no light\n")
    (made / "bytes.bin").write_bytes(b"\0\1\2")
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "rootless").mkdir()
    return made


@pytest.fixture
def folder(root: Path) -> Folder:
    return Folder(root)


def tree(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_listing(folder: Folder) -> None:
    assert listing(folder) == "a.md  14 bytes\nbytes.bin  3 bytes\nplans/"
    assert listing(folder, "plans") == "plans/b.md  17 bytes\nplans/old/"
    assert listing(folder, ".", "*.md") == "a.md  14 bytes\nplans/b.md  17 bytes"
    assert listing(folder, ".", "**/*.md") == listing(folder, ".", "*.md")
    assert listing(folder, ".", "plans/*.txt") == "plans/old/c.txt  9 bytes"
    assert listing(folder, ".", "*.zip") == "nothing fits the pattern"


def test_a_long_listing_is_bounded(root: Path, folder: Folder) -> None:
    for number in range(files.LISTED + 20):
        (root / f"f{number:04}.log").touch()
    shown = listing(folder, ".", "*.log").split("\n")
    assert (len(shown), shown[-1]) == (files.LISTED + 1, "[20 more: name a folder or a pattern]")


def test_reading(root: Path, folder: Folder) -> None:
    assert reading(folder, "a.md") == "one\ntwo\nthree"
    assert reading(folder, "./plans//b.md") == "Light the Beacon"
    assert reading(folder, "a.md", 2, 1) == "two\n[lines 2 to 2 of 3; read on with start=3]"
    assert reading(folder, "a.md", 3, numbered=True) == "     3  three"
    (root / "empty").touch()
    assert reading(folder, "empty") == "(the file is empty)"
    (root / "long").write_text("x" * 100_000 + "\n" + "y\n" * 1000)
    shown = reading(folder, "long")
    assert len(shown) < files.LONGEST
    assert "100,000 characters" in shown
    assert shown.endswith(f"[lines 1 to {files.LINES} of 1001; read on with start={files.LINES + 1}]")
    with pytest.raises(PortError, match="3 lines, so none from 4"):
        reading(folder, "a.md", 4)
    (root / "ship.png").write_bytes(b"\x89PNG\r\n\x1a\n....")
    assert isinstance(reading(folder, "ship.png")["content"], Blob)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("bytes.bin", "binary"),
        ("plans", "is a folder"),
        (".", "the folder itself"),
        ("a.mdd", "did you mean 'a.md'"),
        ("a.md/b", "is a file"),
    ],
)
def test_what_cannot_be_read_is_said(folder: Folder, path: str, says: str) -> None:
    with pytest.raises(PortError, match=says):
        reading(folder, path)


def test_searching(root: Path, folder: Folder) -> None:
    assert searching(folder, "LIGHT") == "plans/b.md:1: Light the Beacon\nplans/old/c.txt:1: no light"
    assert searching(folder, "light", "plans", "*.md") == "plans/b.md:1: Light the Beacon"
    assert searching(folder, "raven") == "nothing found in 3 text files"
    (root / "many").write_text("light\n" * 1000)
    found = searching(folder, "light").split("\n")
    assert len(found) == files.FOUND + 1
    assert found[-1].startswith("[ended after")


def test_writing(root: Path, folder: Folder) -> None:
    assert writing(folder, "new/deep/d.md", "hey") == "made new/deep/d.md: 3 bytes"
    assert writing(folder, "new/deep/d.md", "hø") == "wrote over new/deep/d.md: 3 bytes"
    assert (root / "new/deep/d.md").read_bytes() == "hø".encode()
    (root / "a.md").chmod(0o640)
    writing(folder, "a.md", "changed")
    assert (root / "a.md").stat().st_mode & 0o777 == 0o640
    assert not list(root.rglob("*.part"))


def test_editing(root: Path, folder: Folder) -> None:
    assert editing(folder, "a.md", "two\nthree", "2\n3") == "edited a.md at line 2"
    assert (root / "a.md").read_text() == "one\n2\n3\n"
    (root / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    editing(folder, "dos.txt", "one\ntwo", "1\n2")
    assert (root / "dos.txt").read_bytes() == b"1\r\n2\r\n"
    (root / "twice").write_text("a a")
    for old, says in (("b", "is not in"), ("a", "stands 2 times"), ("", "empty")):
        with pytest.raises(PortError, match=says):
            editing(folder, "twice", old, "c")


def test_sizes_are_bounded(root: Path, folder: Folder) -> None:
    with open(root / "huge", "wb") as file:
        file.truncate(SIZE + 1)
    with pytest.raises(PortError, match="at most"):
        reading(folder, "huge")
    with pytest.raises(PortError, match="at most"):
        writing(folder, "big", "x" * (WRITTEN + 1))
    assert not (root / "big").exists()


CLIMBS = [
    "..", "../secret.txt", "plans/../../secret.txt", "plans/..", "/etc/passwd", "//etc/passwd", "~/x", "~root/x",
    "..\\secret.txt", "C:\\x", "a\0b", "a\nb", "\x1b[2J", "\ud800", "../rootless/x", "x" * 300, "a/" * 40 + "a",
    "x" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("path", CLIMBS)
def test_no_path_climbs_out(root: Path, folder: Folder, path: str) -> None:
    before = tree(root.parent)
    for act in (
        lambda: reading(folder, path),
        lambda: writing(folder, path, "x"),
        lambda: editing(folder, path, "the", "x"),
        lambda: listing(folder, path),
        lambda: searching(folder, "key", path),
    ):
        with pytest.raises(PortError):
            act()
    assert tree(root.parent) == before


@pytest.mark.parametrize("target", ["../secret.txt", "..", "a.md", "plans", "/etc/passwd", "/", "nowhere", "link"])
def test_no_link_is_followed(root: Path, folder: Folder, target: str) -> None:
    (root / "link").symlink_to(target)
    before = tree(root.parent)
    for path in ("link", "link/secret.txt", "link/passwd", "link/new/x"):
        for act in (
            lambda path=path: reading(folder, path),
            lambda path=path: writing(folder, path, "x"),
            lambda path=path: editing(folder, path, "the", "x"),
            lambda path=path: listing(folder, path),
        ):
            with pytest.raises(PortError):
                act()
    assert "link" not in listing(folder)
    assert SECRET not in searching(folder, "key")
    assert "etc" not in listing(folder, ".", "*")
    assert tree(root.parent) == before


def test_nothing_but_files_is_opened(root: Path, folder: Folder) -> None:
    os.mkfifo(root / "pipe")
    here = os.getcwd()
    os.chdir(root)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("sock")
    finally:
        os.chdir(here)
    for name, says in (("pipe", "named pipe"), ("sock", "socket")):
        for act in (lambda n=name: reading(folder, n), lambda n=name: writing(folder, n, "x")):
            with pytest.raises(PortError, match=says):
                act()
    assert searching(folder, "light").count("\n") == 1, "and it is not waited for"
    if os.geteuid() == 0:
        os.mknod(root / "null", 0o600 | 0o020000, os.makedev(1, 3))
        with pytest.raises(PortError, match="device"):
            reading(folder, "null")


def test_a_link_swapped_in_meanwhile_leads_nowhere(root: Path, folder: Folder) -> None:
    """A folder turns into a link to the outside and back, thousands of times, while it is read and written."""
    inner, aside, link = root / "inner", root / "aside", root / "ln"
    inner.mkdir()
    (inner / "secret.txt").write_text("harmless")
    link.symlink_to("..")
    going = threading.Event()
    going.set()

    def swap() -> None:
        while going.is_set():
            os.rename(inner, aside)
            put(link)
            os.rename(inner, link)
            put(aside)

    def put(what: Path) -> None:
        while True:
            try:
                return os.rename(what, inner)
            except OSError:  # a writer has made a folder in between
                shutil.rmtree(inner, ignore_errors=True)

    swapper = threading.Thread(target=swap)
    swapper.start()
    got: set[str] = set()
    try:
        for number in range(1500):
            try:
                got.add(reading(folder, "inner/secret.txt"))
                got.add(searching(folder, "key"))
                writing(folder, f"inner/w{number % 7}", "x")
            except PortError:
                got.add("refused")
    finally:
        going.clear()
        swapper.join()
    assert not [text for text in got if SECRET in text]
    assert "harmless" in got
    assert "refused" in got, "the race was never met"
    assert {p.name for p in root.parent.iterdir()} == {"root", "secret.txt", "rootless"}


def test_nobody_sees_half_a_file(root: Path, folder: Folder) -> None:
    sizes: set[int] = set()
    going = threading.Event()
    going.set()
    writing(folder, "big", "0" * 200_000)

    def look() -> None:
        while going.is_set():
            sizes.add(len((root / "big").read_bytes()))

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for number in range(1, 40):
            writing(folder, "big", str(number % 10) * 200_000)
    finally:
        going.clear()
        looker.join()
    assert sizes == {200_000}


def test_a_root_that_is_none_is_said(tmp_path: Path) -> None:
    for root in ("", "  ", 7, "a\0b", None):
        with pytest.raises(ConfigError):
            Folder(root)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no folder"):
        listing(Folder(tmp_path / "nowhere"))


async def test_the_toolset(root: Path) -> None:
    async with Files(root).open() as tools:
        assert [t.label for t in tools] == ["list_files", "read_file", "search_files"]
        assert (await tools[1].run(path="a.md", start=3)).output == "three"
        assert not any(policy_of(t).approval for t in tools)
        assert all("root" not in t.spec.inputs for t in tools), "no model chooses the folder"
    async with Files(root, write=True).open() as tools:
        asked = {t.label: policy_of(t).approval for t in tools}
        assert asked == dict.fromkeys(["list_files", "read_file", "search_files"], False) | {
            "write_file": True,
            "edit_file": True,
        }
        assert (await tools[3].run(path="w.md", content="x")).output.startswith("made")
    async with Files(root, write=True, approval=False).without("edit_file").prefix("notes_").open() as tools:
        assert [t.label for t in tools][-1] == "notes_write_file"
        assert not policy_of(tools[-1]).approval


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, Folder]]:
    with tempfile.TemporaryDirectory() as made:
        root = Path(made) / "root"
        root.mkdir()
        (Path(made) / "outside.txt").write_text(SECRET)
        (root / "file.txt").write_text("inside")
        (root / "out").symlink_to("..")
        yield root, Folder(root)


names = st.sampled_from(
    ["..", ".", "", "out", "file.txt", "outside.txt", "root", "~", "-", "con", " ", "\t", "é", "%2e"]
)
paths = st.one_of(
    st.text(max_size=30),
    st.lists(st.one_of(names, st.text(max_size=5)), max_size=6).map("/".join),
    st.lists(names, max_size=6).map("\\".join),
    st.text(max_size=8).map(lambda t: t * 200),
)


@given(
    path=paths,
    text=st.text(max_size=20),
    start=st.integers(),
    lines=st.integers(),
    pattern=st.text("*?[]!/a.", max_size=20),
)
@settings(max_examples=250, deadline=None)
def test_hostile_arguments(
    place: tuple[Path, Folder], path: str, text: str, start: int, lines: int, pattern: str
) -> None:
    root, folder = place
    for act in (
        lambda: reading(folder, path, start, lines),
        lambda: listing(folder, path, pattern),
        lambda: searching(folder, text, path, pattern),
        lambda: editing(folder, path, text, "y"),
        lambda: writing(folder, path, text),
    ):
        try:
            found = act()
        except PortError as error:
            found = str(error)
        assert SECRET not in str(found)
    assert {p.name for p in root.parent.iterdir()} == {"root", "outside.txt"}
    assert (root.parent / "outside.txt").read_text() == SECRET


@given(path=st.one_of(st.none(), st.integers(), st.binary(), st.lists(st.text())))
def test_a_path_of_another_kind_is_said(path: Any) -> None:
    with pytest.raises(PortError):
        parts(path)
