"""The command line as a person or a script meets it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from yggdrasil.cli import exits
from yggdrasil.cli.failure import LINES, report, shorten
from yggdrasil.errors import (
    BlockError,
    ConfigError,
    LeaseError,
    Problem,
    StoreFullError,
    UnknownTypeError,
    ValidationError,
)

ROOT = Path(__file__).resolve().parents[2]


def yggdrasil(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **variables}
    return subprocess.run(
        [sys.executable, "-m", "yggdrasil", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=100,
    )


def test_help_says_the_exit_codes(tmp_path: Path) -> None:
    done = yggdrasil("--help", cwd=tmp_path)
    assert done.returncode == 0
    for each in exits.EXITS:
        assert f"{each.code}  {each.meaning}" in done.stdout
    for command in ("run", "list", "show", "validate", "export"):
        assert f"\n  {command}" in done.stdout
        assert yggdrasil(command, "--help", cwd=tmp_path).returncode == 0
    assert yggdrasil("--version", cwd=tmp_path).stdout.strip()


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-command",),
        ("run",),
        ("run", "midgard", "--ticks", "0"),
        ("run", "midgard", "--ticks", "x"),
        ("export", "midgard"),
        ("list", "--all"),
    ],
)
def test_what_is_not_understood_is_2(words: tuple[str, ...], tmp_path: Path) -> None:
    done = yggdrasil(*words, cwd=tmp_path)
    assert done.returncode == exits.USAGE.code
    assert "Error" in done.stderr
    assert not list(tmp_path.iterdir()), "nothing is written"


def test_list(tmp_path: Path) -> None:
    done = yggdrasil("list", cwd=tmp_path)
    assert done.returncode == 0
    assert {"midgard", "dice", "chronicler"} <= {line.split()[1] for line in done.stdout.splitlines()}
    records = [json.loads(line) for line in yggdrasil("list", "--json", cwd=tmp_path).stdout.splitlines()]
    assert ("world", "midgard", "stock") in [(r["kind"], r["name"], r["origin"]) for r in records]


def test_show_an_agent_and_a_tool(tmp_path: Path) -> None:
    assert "saga" in yggdrasil("show", "chronicler", cwd=tmp_path).stdout
    assert json.loads(yggdrasil("show", "dice", "--json", cwd=tmp_path).stdout)["kind"] == "tool"


def test_validate_says_what_and_where(tmp_path: Path) -> None:
    for name in ("chronicler", "dice"):
        done = yggdrasil("validate", name, cwd=tmp_path)
        assert (done.returncode, done.stdout.split()[-2:]) == (0, ["is", "valid"]), done.stderr
    cases = {
        "broken.yaml": ("kind: graph\nnodes: [", "broken.yaml:2"),
        "type.yaml": ("kind: graph\nname: g\nnodes:\n  a: {type: llm/opnai}\n", "llm/openai"),
        "secret.yaml": (
            "kind: graph\nname: g\nnodes:\n  a: {type: llm/openai, api_key: sk-verysecret123}\n",
            "export OPENAI_API_KEY",
        ),
        "tag.yaml": ("kind: graph\nname: !!python/object/apply:os.getcwd []\n", "never runs code"),
        "climb.yaml": ("kind: graph\nname: g\nnodes:\n  a: {ref: ../../x.yaml}\n", "leads out"),
        "bomb.yaml": (
            "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)),
            "expands to more than",
        ),
        "list.yaml": ("- 1", "not a mapping"),
        "kind.yaml": ("kind: grahp\nnodes: {}\n", "kind"),
    }
    for name, (text, words) in cases.items():
        (tmp_path / name).write_text(text)
        for command in ("validate", "run") if name == "bomb.yaml" else ("validate",):
            done = yggdrasil(command, name, cwd=tmp_path)
            said = done.stdout + done.stderr
            assert done.returncode == exits.INVALID.code, said
            assert words in said
            assert "Traceback" not in said
            assert "verysecret" not in said
            assert len(said.splitlines()) <= LINES + 1
    done = yggdrasil("validate", "broken.yaml", "--json", cwd=tmp_path)
    record = json.loads(done.stdout)
    assert (done.returncode, record["valid"]) == (exits.INVALID.code, False)
    assert record["problems"][0]["hint"]


def test_each_error_has_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("", [ExceptionGroup("", [LeaseError("somebody runs it", holder="pid 7 on here")])])
    for error, code, words in (
        (ConfigError("bad", path="a.yaml:1:2", hint="a: 1"), 3, "error: a.yaml:1:2: bad\n  try: a: 1\n"),
        (UnknownTypeError("no world"), 3, "error: no world\n"),
        (
            ValidationError([Problem("g/a", "x", "y"), Problem("g/b", "z", level="warning")]),
            3,
            "error: g/a: x\n  try: y\nwarning: g/b: z\n",
        ),
        (group, 4, "error: somebody runs it\n  held by: pid 7 on here\n"),
        (StoreFullError("no space left"), 5, "error: no space left\n"),
        (BlockError("it failed", path="midgard/author"), 1, "error: midgard/author: it failed\n"),
        (OSError(5, "broken disk"), 1, "error: OSError: [Errno 5] broken disk\n"),
    ):
        assert report(error) == code
        assert capsys.readouterr().err == words
    assert report(TypeError("x")) == 1
    assert "YGGDRASIL_TRACEBACK" in capsys.readouterr().err
    assert report(ValidationError([Problem(f"n{i}", "x" * 1000) for i in range(100)])) == 3
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == LINES
    assert "77 more lines" in shown
    assert shorten(["a"]) == ["a"]


def test_a_traceback_only_for_those_who_ask(tmp_path: Path) -> None:
    assert "Traceback" not in yggdrasil("show", "nothing", cwd=tmp_path).stderr
    done = yggdrasil("show", "nothing", cwd=tmp_path, YGGDRASIL_TRACEBACK="1")
    assert "Traceback" in done.stderr
    assert done.returncode == exits.INVALID.code
