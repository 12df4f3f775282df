"""The commands that run nothing, and how errors are told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_help_says_the_exit_codes(yggdrasil: Command) -> None:
    done = yggdrasil("--help")
    assert done.code == 0
    for each in exits.EXITS:
        assert f"{each.code}  {each.meaning}" in done.out
    for command in ("run", "list", "show", "validate", "export"):
        assert f"\n  {command}" in done.out
        assert yggdrasil(command, "--help").code == 0
    assert yggdrasil("--version").out.strip()


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
def test_what_is_not_understood_is_2(words: tuple[str, ...], yggdrasil: Command, here: Path) -> None:
    done = yggdrasil(*words)
    assert done.code == exits.USAGE.code
    assert "Error" in done.err
    assert not list(here.iterdir()), "nothing is written"


def test_list(yggdrasil: Command) -> None:
    done = yggdrasil("list")
    assert done.code == 0
    assert {"midgard", "dice", "chronicler"} <= {line.split()[1] for line in done.out.splitlines()}
    records = [json.loads(line) for line in yggdrasil("list", "--json").out.splitlines()]
    assert ("world", "midgard", "stock") in [(r["kind"], r["name"], r["origin"]) for r in records]


def test_show_an_agent_and_a_tool(yggdrasil: Command) -> None:
    assert "saga" in yggdrasil("show", "chronicler").out
    assert json.loads(yggdrasil("show", "dice", "--json").out)["kind"] == "tool"


def test_validate_says_what_and_where(yggdrasil: Command, here: Path) -> None:
    for name in ("chronicler", "dice"):
        done = yggdrasil("validate", name)
        assert (done.code, done.out.split()[-2:]) == (0, ["is", "valid"]), done.err
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
        (here / name).write_text(text)
        for command in ("validate", "run") if name == "bomb.yaml" else ("validate",):
            done = yggdrasil(command, name)
            said = done.out + done.err
            assert done.code == exits.INVALID.code, said
            assert words in said
            assert "Traceback" not in said
            assert "verysecret" not in said
            assert len(said.splitlines()) <= LINES + 1
    done = yggdrasil("validate", "broken.yaml", "--json")
    record = json.loads(done.out)
    assert (done.code, record["valid"]) == (exits.INVALID.code, False)
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


def test_a_traceback_only_for_those_who_ask(start: Callable[..., subprocess.Popen[str]]) -> None:
    for asked in ("", "0", "1"):
        process = start("show", "nothing", YGGDRASIL_TRACEBACK=asked)
        _, said = process.communicate(timeout=60)
        assert process.returncode == exits.INVALID.code
        assert ("Traceback" in said) == (asked == "1")
        assert "error: no entry 'nothing'" in said
