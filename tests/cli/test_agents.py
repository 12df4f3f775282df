"""`ask`, `chat` and `approve`, as a person and as a script use them: in processes of their own, on a real terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import Command
from tests.cli.terminal import ROOT, Terminal
from yggdrasil.cli.approve import understood
from yggdrasil.cli.plain import line, safe
from yggdrasil.core.approval import Answer

SHOP = '''
"""Shop."""
import time
from yggdrasil import tool

@tool(approval=True)
def buy(what: str) -> str:
    """Buy something."""
    open("bought", "a").write(what + "\\n")
    return f"bought {what} \\x1b[31mred\\x1b[0m"
'''
CLERK = """
kind: agent
version: 1
description: Buys things.
model: "scripted:tools"
instructions: Buy.
tools: [buy]
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def shop(here: Path) -> Path:
    (here / "yggdrasil.toml").write_text('name = "shop"\n')
    (here / "tools").mkdir()
    (here / "tools" / "buy.py").write_text(SHOP)
    (here / "agents" / "clerk").mkdir(parents=True)
    (here / "agents" / "clerk" / "agent.yaml").write_text(CLERK)
    return here


@pytest.fixture
def terminal(here: Path) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def start(*words: str, **more: str) -> Terminal:
        made.append(Terminal(here, *words, **more))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for one in made:
        try:
            one.kill()
        except (ProcessLookupError, ChildProcessError):
            continue


def run(here: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "yggdrasil", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=here, env=environment, input=stdin, capture_output=True, text=True, timeout=60)


# --- ask


def test_ask_answers_on_standard_output_alone(here: Path) -> None:
    done = run(here, "ask", "game_master", "Hail", "--model", "scripted:echo")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hail\n", "")
    done = run(here, "ask", "scripted:echo", "Look:", stdin="a pipe")
    assert done.stdout == "Look:\n\na pipe\n"
    done = run(here, "ask", "scripted:echo", stdin="only a pipe")
    assert done.stdout == "only a pipe\n"
    done = run(here, "ask", "scripted:echo")
    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no question" in done.stderr


def test_ask_as_json(here: Path) -> None:
    done = run(here, "ask", "game_master", "Roll", "--model", "scripted:tools", "--json")
    said = json.loads(done.stdout)
    assert said["tool_calls"] == [{"tool": "dice", "arguments": {"notation": "notation"}, "path": "game_master/dice"}]
    assert said["usage"]["requests"] == 2
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ask", "game_mastr", "x"), "did you mean 'game_master'"),
        (("ask", "scripted:nothing", "x"), "no scripted model 'nothing'"),
        (("ask", "scripted:echo", "x", "--thread", "t"), "a thread needs a store"),
        (("ask", "coder", "x", "--model", "scripted:echo"), "a person must approve each call of file_writer"),
        (("ask", "midgard", "x"), "midgard"),
        (("chat",), "no agent and no model"),
        (("chat", "game_master", "--thread", "t"), "a thread and a store go together"),
        (("approve", "t", "--store", "sqlite:///none.db"), "there is no store"),
    ],
)
def test_wrong_words_are_told_before_anything_is_spent(here: Path, words: tuple[str, ...], says: str) -> None:
    done = run(here, *words)
    assert done.returncode == 3, done.stderr
    assert says in done.stderr
    assert not list(here.iterdir())


def test_ask_with_a_budget(here: Path) -> None:
    done = run(here, "ask", "game_master", "x", "--model", "scripted:echo", "--max-cost", "0")
    assert done.returncode == 6


# --- approve


def test_a_question_waits_and_another_process_answers(shop: Path) -> None:
    line = ("ask", "clerk", "Buy it.", "--thread", "t", "--store", "sqlite:///runs.db")
    asked = run(shop, *line)
    assert asked.returncode == 7
    assert "yggdrasil approve t --store sqlite:///runs.db" in asked.stderr
    assert run(shop, *line).returncode == 7
    listed = json.loads(run(shop, "approve", "t", "--store", "sqlite:///runs.db", "--list", "--json").stdout)
    assert [(a["tool"], a["arguments"]) for a in listed] == [("buy", {"what": "what"})]
    said = run(shop, "approve", "t", "--store", "sqlite:///runs.db", "--arguments", '{"what": "rope"}')
    assert said.stdout.startswith("approved: buy")
    done = run(shop, *line)
    assert done.returncode == 0
    assert "bought rope" in done.stdout
    assert "\x1b" not in done.stdout
    assert (shop / "bought").read_text() == "rope\n"
    assert run(shop, "approve", "t", "--store", "sqlite:///runs.db").returncode == 3


def test_a_no_with_a_note(shop: Path) -> None:
    line = ("ask", "clerk", "Buy it.", "--thread", "t", "--store", "sqlite:///runs.db")
    run(shop, *line)
    run(shop, "approve", "t", "--store", "sqlite:///runs.db", "--no", "--note", "too dear")
    assert "said no: too dear" in run(shop, *line).stdout
    assert not (shop / "bought").exists()


def test_yes_to_all(shop: Path) -> None:
    assert "bought what" in run(shop, "ask", "clerk", "Buy it.", "--yes").stdout


def test_answers_at_a_terminal(shop: Path, terminal: Callable[..., Terminal]) -> None:
    run(shop, "ask", "clerk", "Buy it.", "--thread", "t", "--store", "sqlite:///runs.db")
    shown = terminal("approve", "t", "--store", "sqlite:///runs.db")
    shown.until("as JSON: ")
    shown.type("perhaps")
    shown.until("as JSON: ")
    shown.type("n because it rains")
    assert shown.end() == 0
    assert (
        "said no: it rains"
        in run(shop, "ask", "clerk", "Buy it.", "--thread", "t", "--store", "sqlite:///runs.db").stdout
    )


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("y", Answer(True)),
        (" YES ", Answer(True)),
        ("n", Answer(False)),
        ("no because it rains", Answer(False, "it rains")),
        ('{"a": 1}', Answer(True, arguments={"a": 1})),
        ("", None),
        ("yes please", None),
        ("{broken", None),
        ("ok", None),
    ],
)
def test_what_a_person_types(said: str, means: Answer | None) -> None:
    assert understood(said) == means


# --- chat


def test_a_talk(here: Path, terminal: Callable[..., Terminal]) -> None:
    chat = terminal("chat", "--model", "scripted:echo")
    chat.until("> ")
    chat.type("Hail to you")
    assert chat.until("> ").count("Hail to you") == 2, "the echo of the terminal, and the answer"
    for typed, says in (
        ("/save talk.json", "saved to talk.json"),
        ("/undo", "taken back"),
        ("/undo", "nothing to take back"),
        ("/load talk.json", "goes on"),
        ("/model scripted:tools", "now scripted:tools"),
        ("/modle", "did you mean 'model'"),
        ("/load none.json", "none.json"),
        ("two\nlines", "two\r\nlines"),
    ):
        chat.type(typed)
        chat.until(says)
        chat.until("> ")
    chat.type("/quit")
    assert chat.end() == 0
    saved = json.loads((here / "talk.json").read_text())
    assert [m["role"] for m in saved["state"]["memory"]["messages"]] == ["user", "assistant"]


def test_approvals_are_asked_inline_and_nothing_moves_the_cursor(shop: Path, terminal: Callable[..., Terminal]) -> None:
    chat = terminal("chat", "clerk")
    chat.until("> ")
    chat.type("Buy it")
    chat.until("as JSON: ")
    chat.type('{"what": "nets"}')
    shown = chat.until("> ")
    assert "bought nets ␛[31mred␛[0m" in shown
    assert (shop / "bought").read_text() == "nets\n"
    chat.type("Again")
    chat.until("as JSON: ")
    chat.type("n not today")
    assert "said no: not today" in chat.until("> ")
    chat.type("", end="\x04")
    assert chat.end() == 0


def test_ctrl_c_stops_the_turn_and_then_the_talk(shop: Path, terminal: Callable[..., Terminal]) -> None:
    chat = terminal("chat", "clerk")
    chat.until("> ")
    chat.type("Buy it")
    chat.until("as JSON: ")
    chat.interrupt()
    chat.until("(stopped)")
    chat.until("> ")
    chat.interrupt()
    chat.until("Ctrl-C again leaves")
    chat.until("> ")
    chat.interrupt()
    assert chat.end() == 0
    assert not (shop / "bought").exists()


def test_a_durable_talk_killed_in_the_middle_goes_on(shop: Path, terminal: Callable[..., Terminal]) -> None:
    words = ("chat", "clerk", "--thread", "t", "--store", "sqlite:///talks.db")
    chat = terminal(*words)
    chat.until("> ")
    chat.type("Buy it")
    chat.until("as JSON: ")
    chat.kill()
    again = terminal(*words)
    again.until("going on with: Buy it")
    again.until("as JSON: ")
    again.type("y")
    again.until("bought what")
    again.until("> ")
    again.type("/undo")
    again.until("is kept in thread 't'")
    again.type("/quit")
    assert again.end() == 0
    assert (shop / "bought").read_text() == "what\n"


def test_through_a_pipe_there_are_no_escapes(here: Path) -> None:
    done = run(here, "chat", "--model", "scripted:echo", stdin="one\n/usage\n")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "assistant: scripted:echo. /help says what there is.", "one", "1 requests, nothing counted",
    ]  # fmt: skip
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_asides_fit_the_width(shop: Path, terminal: Callable[..., Terminal], columns: int) -> None:
    chat = terminal("chat", "clerk", columns=columns)  # type: ignore[arg-type]
    chat.until("> ")
    chat.type("Buy it")
    chat.until("as JSON: ")
    chat.type(json.dumps({"what": "a very long thing " * 20}))
    shown = chat.until("> ")
    asides = [part for part in shown.splitlines() if "→" in part or "·" in part]
    assert asides
    plain = [re.sub(r"\x1b\[\d*m", "", part) for part in asides]
    assert [part for part in plain if len(part) > columns] == []


# --- text of models and tools


@given(st.text())
def test_no_text_reaches_the_terminal_as_a_command(text: str) -> None:
    shown = safe(text)
    assert not any(c for c in shown if (ord(c) < 0x20 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0)
    assert safe(shown) == shown
    assert "\n" not in line(text, 20)
    assert len(line(text, 20)) <= 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;gone\x07", "␛]0;gone␇"),
        ("\x9b31m", "<U+009B>31m"),
        ("a\u202eb", "a<U+202E>b"),
        ("a\r\nb\rc", "a\nb␍c"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
        ("\ud800", "<U+D800>"),
    ],
)
def test_what_is_shown_instead(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_the_agents_that_ship_are_valid(yggdrasil: Command) -> None:
    for name in ("assistant", "coder", "game_master", "chronicler"):
        assert yggdrasil("validate", name).code == 0
