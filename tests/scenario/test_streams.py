"""The command wherever its output goes: closed, full, ASCII, a folder with spaces and Cyrillic, no home, no locale."""

# ruff: noqa: RUF001 - people write in their own letters

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from yggdrasil.cli import exits

if TYPE_CHECKING:
    from tests.scenario.conftest import Command

ROOT = Path(__file__).resolve().parents[2]


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A line for sh, where `y` is the command, in an environment of nothing but these."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    line = f'y() {{ "{sys.executable}" -m yggdrasil "$@"; }}; {line}'
    return subprocess.run(
        ["sh", "-c", line], env=env, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )


def test_a_folder_with_spaces_and_cyrillic_and_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "d 1 Долина"
    folder.mkdir()
    monkeypatch.chdir(folder)
    done = shell("y run midgard --ticks 2 --action 'Кара зажигает маяк' --store 'sqlite:///мир 1.db'", LANG="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert "you: Кара зажигает маяк" in done.stdout
    assert sorted(p.name for p in Path("мир 1-pictures").iterdir()) == ["tick-0001.png", "tick-0002.png"]
    held = shell("y run midgard --store '/dev/none/мир.db'", LANG="C")
    assert (held.returncode, "мир.db" in held.stderr) == (exits.STORE.code, True)


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def test_an_output_of_plain_letters(tiny: Path) -> None:
    """Where only ASCII can be written, JSON says the same, and text has escapes instead of a crash."""
    done = shell("y run tiny --action 'Кара 😀' --json", **ASCII)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    actions = [e["action"] for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "action_received"]
    assert actions == ["Кара 😀"]
    told = shell("y run tiny; y show tiny; y export tiny --content --json", **ASCII)
    assert told.returncode == 0, told.stderr
    assert "\\u041a\\u0430\\u0440\\u0430" in told.stdout
    assert json.loads(told.stdout.splitlines()[-1])["history"] == ["So it went. It shows: Кара 😀"]
    wrong = shell("y validate Кара.yaml", **ASCII)
    assert wrong.returncode == exits.INVALID.code
    assert "there is no such file" in wrong.stderr


def test_nobody_reads(tiny: Path) -> None:
    """Closed streams, and a reader who leaves after one line."""
    for line in ("y run tiny >&-", "y run tiny >&- 2>&-", "y show tiny >&-", "y list >&- 2>&- <&-"):
        done = shell(line)
        assert (done.returncode, done.stderr) == (0, ""), line
    assert json.loads(shell("y show tiny --json").stdout)["tick"] == 2
    for line in ("y run tiny --ticks 3 --json | head -1", "y show tiny | head -1", "y list | head -1"):
        done = shell(line)
        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == "", line


def test_no_room_for_what_is_said(tiny: Path) -> None:
    for line in ("y run tiny > /dev/full", "y show tiny > /dev/full", "y list > /dev/full"):
        done = shell(line)
        assert done.returncode == exits.FAILED.code
        assert "No space left" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert shell("y run tiny").returncode == 0


def test_exports_replace_no_device_and_no_folder(tiny: Path, yggdrasil: Command) -> None:
    assert yggdrasil("run", "tiny", "--ticks", "2").code == 0
    os.mkfifo("pipe")
    done = shell("cat pipe & y export tiny --content --json --output pipe; wait")
    assert json.loads(done.stdout.splitlines()[0])["days"] == {"count": 1}
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)
    for folder in (".", "worlds"):
        done = shell(f"y export tiny --content --output {folder}")
        assert done.returncode == exits.STORE.code
        assert "is a folder" in done.stderr


def test_a_dumb_terminal_without_colour(tiny: Path) -> None:
    """A pseudo-terminal of 40 columns: nothing but text when it can do no better."""
    import pty
    import termios

    for variables, plain in (({"TERM": "dumb"}, True), ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False)):
        leader, follower = pty.openpty()
        termios.tcsetwinsize(follower, (24, 40))
        env = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        command = [sys.executable, "-m", "yggdrasil", "run", "tiny", "--ticks", "2"]
        process = subprocess.Popen(command, env=env, stdin=follower, stdout=follower, stderr=follower)
        os.close(follower)
        shown = b""
        while True:
            try:
                part = os.read(leader, 4096)
            except OSError:  # what Linux says when the other end is closed
                break
            if not part:
                break
            shown += part
        os.close(leader)
        assert process.wait(timeout=60) == 0
        text = shown.decode()
        assert "tick 2" in text or "tick \x1b[1m2\x1b[0m" in text
        if plain:
            assert "\x1b" not in text
        else:
            assert not any(f"\x1b[3{colour}m" in text for colour in range(8))
            assert text.rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in text.rpartition("\x1b[?25l")[2], "no cursor"
