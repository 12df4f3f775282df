"""Programs in a subprocess: bounded, without keys, and gone with everything they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil.abc.context import Run, RunContext
from yggdrasil.agent.tools import guard
from yggdrasil.agent.tools.subprocess import DRAINED, LONGEST, Limits, _Output, python, scrubbed, shell
from yggdrasil.errors import ConfigError, PortError

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

QUICK = Limits(seconds=10)


@pytest.fixture
def ctx() -> RunContext:
    return RunContext(Run(), "here")


@pytest.fixture
def mark(tmp_path: Path) -> str:
    """Seconds to sleep that nobody else sleeps: how a program of this test is known."""
    return f"{1000 + os.getpid() % 1000}.{abs(hash(tmp_path)) % 10**9:09}"


def alive(mark: str) -> list[str]:
    """The command lines that hold the mark, of processes that are not dead."""
    found = []
    for pid, (_, _, state) in guard.processes().items():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in line and state not in "ZX":
            found.append(f"{pid} {line!r}")
    return found


async def wait_until(true: Callable[[], Any], seconds: float = 5) -> None:
    with anyio.fail_after(seconds):
        while not true():  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def test_what_it_says_and_how_it_ended(ctx: RunContext) -> None:
    assert (await shell("echo out; echo err >&2; exit 3", ctx)).startswith("out\nerr\n[exit code 3, ")
    assert (await shell("true", ctx)).startswith("(no output)\n[exit code 0, ")
    assert "[exit code 137, " in await shell("kill -9 $$", ctx)
    assert "[exit code 127, " in await shell("no-such-command", ctx)
    assert (await python("print(6 * 7)", ctx)).startswith("42\n[exit code 0, ")
    assert "ZeroDivisionError" in await python("1 / 0", ctx)


async def test_its_input_is_empty_and_its_output_plain(ctx: RunContext) -> None:
    assert (await shell("cat; printf '\\033[31mred\\033[0m\\a'", ctx)).startswith("red\n[")
    assert "EOFError" in await python("input()", ctx)


def test_no_key_of_ours_is_in_its_environment() -> None:
    outside = subprocess.run(
        [sys.executable, "-c", OUTER.format(code="'env'")],
        env={**os.environ, "OPENAI_API_KEY": "sk-not-for-you", "AWS_SECRET_ACCESS_KEY": "nor-this"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "HOME=" in outside.stdout
    assert "not-for-you" not in outside.stdout
    assert "nor-this" not in outside.stdout
    names = {line.partition("=")[0] for line in outside.stdout.split("\n") if "=" in line}
    assert names <= {*scrubbed(Path("/")), "SHLVL", "_", "OLDPWD"}


async def test_it_has_a_folder_of_its_own_that_is_gone_afterwards(ctx: RunContext, tmp_path: Path) -> None:
    said = await shell("pwd; echo x > file; mkdir shut; touch shut/in; chmod 0 shut; ln -s /etc link; echo $HOME", ctx)
    first, second, _ = said.split("\n")
    assert first == second
    assert first not in [str(p) for p in Path(first).parent.iterdir()]
    assert (await shell("pwd; echo kept > file", ctx, str(tmp_path))).split("\n")[0] == str(tmp_path)
    assert (tmp_path / "file").read_text() == "kept\n"
    with pytest.raises(ConfigError, match="no folder"):
        await shell("pwd", ctx, str(tmp_path / "nowhere"))


async def test_time_is_bounded(ctx: RunContext, mark: str) -> None:
    before = time.monotonic()
    said = await shell(f"echo begun; sleep {mark}", ctx, limits=Limits(seconds=0.5))
    assert said.startswith("begun\n[ended: it took longer than 0.5 s, ")
    assert time.monotonic() - before < 1.5
    assert not alive(mark)


async def test_memory_is_bounded(ctx: RunContext) -> None:
    said = await python("print('begun', flush=True); x = bytearray(2 ** 30)", ctx, limits=Limits(memory=400))
    assert "begun" in said
    assert "MemoryError" in said


async def test_files_are_bounded(ctx: RunContext) -> None:
    said = await shell("head -c 300000000 /dev/zero > big; stat -c %s big", ctx)
    assert str(256 * 1024 * 1024) in said


async def test_output_is_bounded_in_the_middle(ctx: RunContext) -> None:
    said = await python("print('first'); print('x' * 10**6); print('last')", ctx, limits=Limits(output=1000))
    assert said.startswith("first\nxxx")
    assert "xxx\nlast\n[exit code 0" in said
    assert "bytes left out ...]" in said
    assert len(said) < 1200


async def test_endless_output_ends_it(ctx: RunContext, mark: str) -> None:
    said = await shell(f"sleep {mark} & yes", ctx, limits=Limits(seconds=60, output=100))
    assert f"[ended: it said more than {DRAINED // 2**20} MiB, " in said
    assert not alive(mark)


DAEMONS = {
    "background": "sleep {0} &",
    "pipeline": "sleep {0} | cat &",
    "nohup": "nohup sleep {0} >/dev/null 2>&1 &",
    "session": "setsid sleep {0} >/dev/null 2>&1 < /dev/null &",
    "orphan": "(setsid sh -c 'sleep {0} & setsid sleep {0} & wait' &)",
    "deaf": "trap '' TERM INT HUP; (trap '' TERM; sleep {0}) &",
    "stopped": "sleep {0} & kill -STOP $!",
}


@pytest.mark.parametrize("daemon", DAEMONS)
async def test_nothing_outlives_its_end(ctx: RunContext, mark: str, daemon: str) -> None:
    said = await shell(DAEMONS[daemon].format(mark) + "\nsleep 0.05; echo done", ctx, limits=QUICK)
    assert "done\n[exit code 0" in said
    assert not alive(mark)


@pytest.mark.parametrize("daemon", DAEMONS)
async def test_nothing_outlives_a_cancelled_run(ctx: RunContext, mark: str, daemon: str) -> None:
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:

            async def work() -> None:
                await shell(DAEMONS[daemon].format(mark) + f"\nsleep {mark}", ctx, limits=QUICK)

            group.start_soon(work)
            await wait_until(lambda: len(alive(mark)) > 1)
            cancelled = time.monotonic()
            scope.cancel()
    assert time.monotonic() - cancelled < 1
    assert not alive(mark)


async def test_a_program_that_kills_its_guard_is_ended_all_the_same(ctx: RunContext, mark: str) -> None:
    said = await shell(f"sleep {mark} & kill -9 $PPID; sleep {mark}", ctx, limits=QUICK)
    assert "[exit code 137" in said
    assert not alive(mark)
    before = time.monotonic()
    said = await shell(f"sleep {mark} & kill -STOP $PPID; sleep {mark}", ctx, limits=Limits(seconds=0.3))
    assert "[ended: it took longer" in said
    assert time.monotonic() - before < 5
    assert not alive(mark)


async def test_a_fork_bomb_ends(ctx: RunContext, mark: str) -> None:
    bomb = "import os, time\nfor n in range(300):\n    if not os.fork(): time.sleep(float('{0}'))\nprint('lit')"
    said = await python(bomb.format(mark), ctx, limits=QUICK)
    assert "lit" in said
    assert not alive(mark)


OUTER = """
import anyio
from yggdrasil.abc.context import Run, RunContext
from yggdrasil.agent.tools.subprocess import shell
print(anyio.run(shell, {code}, RunContext(Run(), "here")), flush=True)
"""


def test_nothing_outlives_a_process_that_is_killed(mark: str) -> None:
    code = f"'(setsid sleep {mark} &) ; sleep {mark}'"
    with subprocess.Popen([sys.executable, "-c", OUTER.format(code=code)], stdout=subprocess.DEVNULL) as outer:
        while len([line for line in alive(mark) if "b'sleep" in line]) < 2:
            assert outer.poll() is None
            time.sleep(0.01)
        os.kill(outer.pid, signal.SIGKILL)
    killed = time.monotonic()
    while alive(mark):
        assert time.monotonic() - killed < 1
        time.sleep(0.01)


async def test_many_at_once(ctx: RunContext) -> None:
    said: list[str] = []

    async def one(number: int) -> None:
        said.append((await shell(f"echo {number}", ctx)).split("\n")[0])

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(one, number)
    assert sorted(map(int, said)) == list(range(12))


@pytest.mark.parametrize("text", ["", "  \n", "a\0b", "\ud800", "x" * (LONGEST + 1), None, 7])
async def test_what_cannot_be_run_is_said(ctx: RunContext, text: Any) -> None:
    for run in (shell, python):
        with pytest.raises(PortError):
            await run(text, ctx)


async def test_a_long_program_runs(ctx: RunContext) -> None:
    assert (await python("#" * (LONGEST - 20) + "\nprint('ran')", ctx)).startswith("ran")


@pytest.mark.parametrize(
    "given", [{"seconds": 0}, {"seconds": "5"}, {"memory": 1.5}, {"output": True}, {"seconds": float("nan")}]
)
def test_wrong_limits_are_said(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Limits(**given)


@given(pieces=st.lists(st.binary(max_size=60), max_size=40), most=st.integers(1, 100))
def test_output_is_kept_at_both_ends(pieces: list[bytes], most: int) -> None:
    output = _Output(most)
    for piece in pieces:
        output.add(piece)
    whole = b"".join(pieces).decode("utf-8", "replace")
    text = output.text()
    assert len(text) <= most + 60
    if whole.isprintable() and len(whole) <= most:
        assert text == whole


@given(text=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40))
@settings(max_examples=15, deadline=None)
def test_any_text_as_a_program(text: str) -> None:
    async def run() -> None:
        try:
            assert "[exit code" in await python(text, RunContext(Run(), "here"), limits=QUICK)
        except PortError:
            assert not text.strip()

    anyio.run(run)
