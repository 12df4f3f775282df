"""The switch for the whole process: off by default, on for every run, off again."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import structlog

from tests.runtime.spans import Recorder
from yggdrasil import Agent, ConfigError, Logs, RunContext, ScriptedModel, Traces, block, observe, tool

pytestmark = pytest.mark.anyio

hooks_of_a_run: list[Any] = []


@block
async def looks(x: int, ctx: RunContext) -> int:
    hooks_of_a_run[:] = ctx.run.hooks
    return x


async def test_off_means_no_hooks() -> None:
    await looks.run(1)
    assert hooks_of_a_run == []
    with observe(provider=Recorder().provider, logger=structlog.wrap_logger(None, processors=[lambda *_: ""])):
        pass
    await looks.run(1)
    assert hooks_of_a_run == []


async def test_on_for_every_run_until_it_is_closed() -> None:
    spans, kept = Recorder(), structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[kept])
    seen = observe(provider=spans.provider, logger=logger)
    try:
        await looks.run(1)
        assert len(hooks_of_a_run) == 2
        await looks.run(2, seed=7)
        events = [event async for event in looks.stream(3)]
    finally:
        seen.close()
    seen.close()
    await looks.run(4)
    assert hooks_of_a_run == []
    assert spans.tree() == ["run looks"] * 3
    assert [line["event"] for line in kept.entries] == ["run_started", "run_finished"] * 3
    assert [event.kind for event in events] == ["run_started", "run_finished"]
    ids = {line["run"] for line in kept.entries}
    assert len(ids) == 3
    assert {span.attributes["yggdrasil.run.id"] for span in spans.spans} == ids


async def test_a_run_inside_another_is_told_once() -> None:
    spans = Recorder()

    @tool
    async def deeper(x: int, ctx: RunContext) -> int:
        """Go deeper."""
        return int((await looks.run(x, context=ctx, seed=1)).output)

    from yggdrasil import ToolCall

    agent = Agent(ScriptedModel([[ToolCall("1", "deeper", {"x": 1})], "done"]), tools=[deeper], name="diver")
    with observe(logs=False, provider=spans.provider):
        await agent.run("go")
    assert spans.tree() == [
        "invoke_agent diver", "  chat script", "  execute_tool deeper", "    run looks", "  chat script",
    ]  # fmt: skip


async def test_what_it_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="nothing"):
        observe(traces=False, logs=False)
    with observe(logs=False, contents=True) as seen:
        (one,) = seen.observers
        assert isinstance(one, Traces)
        assert one.contents
    with observe(traces=False, level="debug") as seen:
        (other,) = seen.observers
        assert isinstance(other, Logs)
        assert (other.level, other.contents) == ("debug", False)


async def test_hooks_and_observers_side_by_side() -> None:
    spans, heard = Recorder(), []
    await looks.run(1, hooks=[heard.append, Traces(provider=spans.provider)], profile=True)
    assert [event.kind for event in heard] == ["run_started", "run_finished"]
    assert spans.tree() == ["run looks"]


def test_logs_alone_load_no_opentelemetry() -> None:
    code = (
        "import sys, anyio\nfrom yggdrasil import block, observe\n"
        "@block\nasync def f(x: int) -> int:\n    return x\n"
        "with observe(traces=False):\n    anyio.run(f.run, 1)\n"
        "assert not [m for m in sys.modules if m.startswith('opentelemetry')]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split()[2] for line in done.stderr.splitlines()] == ["run_started", "run_finished"]
