"""`chat` where things happen at once or are cut off: several questions, a second process, Ctrl-C, kill -9."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.terminal import ROOT, Terminal
from yggdrasil.cli.approve import spread
from yggdrasil.core.approval import Approval

TOOLS = '''
"""{name}."""
import anyio
from yggdrasil import tool

@tool(approval=True)
async def {name}(what: str) -> str:
    """Do something."""
    with open("done", "a") as out:
        out.write("{name} " + what + "\\n")
    return "{name} of " + what
'''
SLOW = '''
"""Wait."""
import anyio
from yggdrasil import tool

@tool
async def wait() -> str:
    """Wait."""
    with open("begun", "a") as out:
        out.write("x")
    await anyio.sleep(2 if len(open("begun").read()) < 2 else 0)
    return "waited"
'''
AGENT = 'kind: agent\nmodel: "scripted:tools"\ntools: [{tools}]\n'
DURABLE = ("--thread", "t", "--store", "sqlite:///talks.db")
ASKED = "as JSON: "

Opened = Callable[..., Terminal]


@pytest.fixture
def harbour(here: Path) -> Path:
    """A project with an agent that buys and sells, and one that waits."""
    (here / "yggdrasil.toml").write_text('name = "harbour"\n')
    for name, tools in {"trader": "buy, sell", "waiter": "wait", "buyer": "buy"}.items():
        (here / "agents" / name).mkdir(parents=True)
        (here / "agents" / name / "agent.yaml").write_text(AGENT.format(tools=tools))
    (here / "tools").mkdir()
    for name in ("buy", "sell"):
        (here / "tools" / f"{name}.py").write_text(TOOLS.replace("{name}", name))
    (here / "tools" / "wait.py").write_text(SLOW)
    return here


@pytest.fixture
def terminal(here: Path) -> Iterator[Opened]:
    made: list[Terminal] = []

    def start(*words: str, folder: Path = here, **more: Any) -> Terminal:
        made.append(Terminal(folder, *words, **more))
        made[-1].until("> ")
        return made[-1]

    yield start
    for one in made:
        try:
            one.kill()
        except (ProcessLookupError, ChildProcessError):
            continue


def run(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "yggdrasil", *words]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, input=stdin, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def test_two_questions_of_one_turn_are_asked_one_after_another(harbour: Path, terminal: Opened) -> None:
    chat = terminal("chat", "trader")
    chat.type("Trade")
    first = chat.until(ASKED)
    assert first.count("what: what") == 1, "the second waits for the answer to the first"
    chat.type("y")
    second = chat.until(ASKED)
    assert second.count("what: what") == 1
    chat.type("n because it rains")
    said = second + chat.until("> ")
    done = (harbour / "done").read_text()
    bought, left = ("buy", "sell") if done.startswith("buy") else ("sell", "buy")
    assert done == f"{bought} what\n"
    assert f"{bought} → {bought} of what" in said, "which of the tools gave it is said"
    assert f"{left} → A person" in said


def test_a_paste_with_a_yes_in_it_is_no_answer(harbour: Path, terminal: Opened) -> None:
    chat = terminal("chat", "buyer")
    chat.type("Buy it\ny")
    chat.until(ASKED)
    chat.type("perhaps\ny")
    chat.until(ASKED)
    assert not (harbour / "done").exists()


def test_a_stopped_turn_is_not_one_to_take_back(harbour: Path, terminal: Opened) -> None:
    chat = terminal("chat", "buyer")
    chat.type("/model scripted:echo")
    chat.until("now scripted:echo")
    chat.until("> ")
    chat.type("One")
    chat.until("One")
    chat.until("> ")
    chat.type("/model scripted:tools")
    chat.until("now scripted:tools")
    chat.until("> ")
    chat.type("Two")
    chat.until(ASKED)
    chat.interrupt()
    chat.until("(stopped)")
    chat.until("> ")
    chat.type("/undo")
    chat.until("taken back")
    chat.until("> ")
    chat.type("/undo")
    chat.until("nothing to take back")


def test_other_words_after_ctrl_c_begin_anew_and_the_same_go_on(harbour: Path, terminal: Opened) -> None:
    chat = terminal("chat", "buyer", *DURABLE)
    chat.type("Buy it")
    chat.until(ASKED)
    chat.interrupt()
    chat.until("begin anew)")
    chat.until("> ")
    chat.type("Buy it")
    chat.until(ASKED)
    chat.interrupt()
    chat.until("begin anew)")
    chat.until("> ")
    chat.type("Something else")
    chat.until(ASKED)
    chat.type('{"what": "rope"}')
    chat.until("buy of rope")
    chat.until("> ")
    chat.type("/quit")
    assert chat.end() == 0
    assert (harbour / "done").read_text() == "buy rope\n"


def test_who_leaves_at_a_question_leaves_it_to_another_process(harbour: Path, terminal: Opened) -> None:
    chat = terminal("chat", "buyer", *DURABLE)
    chat.type("Buy it")
    chat.until(ASKED)
    chat.type("", end="\x04")
    chat.until("yggdrasil approve t --store sqlite:///talks.db")
    assert chat.end() == 0
    assert not (harbour / "done").exists()
    answer = ("approve", "t", "--store", "sqlite:///talks.db", "--arguments", '{"what": "nets"}')
    assert run(harbour, *answer).returncode == 0
    again = terminal("chat", "buyer", *DURABLE)
    assert "buy of nets" in again.said
    again.type("/quit")
    assert again.end() == 0
    assert (harbour / "done").read_text() == "buy nets\n"


def test_killed_while_a_tool_runs_the_same_line_goes_on(harbour: Path, terminal: Opened) -> None:
    chat = terminal("chat", "waiter", *DURABLE)
    chat.type("Wait for me")
    chat.until("· wait")
    end = time.monotonic() + 20
    while not (harbour / "begun").exists() and time.monotonic() < end:
        time.sleep(0.01)
    chat.kill()
    again = terminal("chat", "waiter", *DURABLE)
    assert "going on with: Wait for me" in again.said
    assert "wait: waited" in again.said
    again.type("/quit")
    assert again.end() == 0
    assert (harbour / "begun").read_text() == "xx", "the tool in flight ran once more, and no oftener"


def test_the_tools_of_its_project_stay_known_with_another_model(harbour: Path, terminal: Opened) -> None:
    # two tools in one file: the second is known by its name within the project alone
    (harbour / "tools" / "buy.py").write_text(TOOLS.replace("{name}", "buy") + TOOLS.replace("{name}", "barter"))
    (harbour / "agents" / "buyer" / "agent.yaml").write_text(AGENT.format(tools="barter"))
    chat = terminal("chat", "buyer")
    chat.type("/model scripted:echo")
    chat.until("now scripted:echo")
    chat.type("/tools")
    chat.until("barter  ")
    chat.type("/quit")
    assert chat.end() == 0
    assert run(harbour, "ask", "buyer", "Barter", "--yes").stdout == "barter: barter of what\n"


def test_questions_through_a_pipe(harbour: Path) -> None:
    done = run(harbour, "chat", "buyer", stdin="Buy it\nn too dear\nAgain\n")
    assert done.returncode == 0, done.stderr
    assert "said no: too dear" in done.stdout
    assert "nobody is there any more" in done.stdout, "the pipe ended before the second answer"
    assert "\x1b" not in done.stdout
    assert not (harbour / "done").exists()


def test_a_dumb_terminal_gets_no_escapes(harbour: Path, terminal: Opened) -> None:
    chat = terminal("chat", "buyer", TERM="dumb")
    chat.type("Buy it")
    chat.until(ASKED)
    chat.type("y")
    chat.until("> ")
    chat.type("/quit")
    assert chat.end() == 0
    assert "\x1b" not in chat.said


@given(st.dictionaries(st.text(max_size=30), st.text() | st.lists(st.text()) | st.integers(), max_size=4), st.text())
def test_a_question_shows_every_argument_and_none_that_is_not_there(arguments: dict[str, Any], tool: str) -> None:
    shown = spread(Approval("1", tool, arguments, "agent"))
    assert not any(ord(c) < 0x20 and c not in "\n\t" for c in shown)
    names = [part for part in shown.split("\n")[1:] if not part.startswith("    | ")]
    assert len(names) == len(arguments), "a value cannot pretend to be an argument"


def test_a_question_shows_lines_as_lines() -> None:
    shown = spread(Approval("1", "write", {"path": "a.py", "content": "x = 1\n  path: b.py"}, "agent"))
    assert shown == "write\n  path: a.py\n  content:\n    | x = 1\n    |   path: b.py"
