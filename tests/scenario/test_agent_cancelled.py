"""Cancelled: a second later nothing of an agent's run is alive; what cannot be stopped is named."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from tests.scenario import working
from yggdrasil import Agent, ConfigError, ScriptedModel, tool
from yggdrasil.core.events import Event, Warned
from yggdrasil.core.messages import ToolCall

pytestmark = pytest.mark.anyio


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def until(found: Callable[[], Any]) -> Any:
    with anyio.fail_after(20):
        while not (value := found()):  # noqa: ASYNC110 - it is another process that does it
            await anyio.sleep(0.01)
    return value


async def cancelled_once(ready: Callable[[], Any], run: Callable[[], Awaitable[Any]]) -> float:
    """Cancel a run when it is in the middle of its work; seconds until it was gone."""
    async with anyio.create_task_group() as group:

        async def begin() -> None:
            await run()

        group.start_soon(begin)
        await until(ready)
        began = time.monotonic()
        group.cancel_scope.cancel()
    return time.monotonic() - began


def text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def test_processes_are_gone(tmp_path: Path) -> None:
    files = [tmp_path / "worker", tmp_path / "child"]
    script = [ToolCall("1", "grind", {"file": str(files[0])}), ToolCall("2", "child", {"file": str(files[1])})]
    agent = Agent(ScriptedModel([script]), tools=[working.grind, working.child])
    inner = Agent(ScriptedModel([ToolCall("1", "agent", {"prompt": "go"})]), name="outer", tools=[agent])
    took = await cancelled_once(lambda: all(text(f) for f in files), lambda: inner.run("go"))
    assert took < 1
    with anyio.fail_after(1):
        while any(alive(int(text(file))) for file in files):  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def test_a_thread_that_looks_ends_and_one_that_does_not_is_named(tmp_path: Path) -> None:
    file = tmp_path / "looking"
    events: list[Event] = []
    script = [ToolCall("1", "looking", {"file": str(file)}), ToolCall("2", "deaf", {"seconds": 2.0})]
    agent = Agent(ScriptedModel([script]), tools=[working.looking, working.deaf])
    took = await cancelled_once(lambda: text(file), lambda: agent.run("go", hooks=[events.append]))
    assert took < 1
    await anyio.sleep(0.3)
    last = text(file)
    await anyio.sleep(0.2)
    assert text(file) == last, "the thread that looks has ended"
    named = {e.sentence.split()[0] for e in events if isinstance(e, Warned)}
    assert "deaf" in named


async def test_tasks_and_sockets_are_gone(anyio_backend_name: str) -> None:
    """The model stalls in the middle of its answer; the connection is closed when the run is cancelled."""
    heard, closed = anyio.Event(), anyio.Event()

    async def serve(stream: Any) -> None:
        async with stream:
            await stream.receive()
            heard.set()
            try:
                while True:
                    await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                closed.set()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    model = {"name": "openai:m", "endpoint_url": f"http://127.0.0.1:{port}/v1"}
    async with anyio.create_task_group() as server:
        server.start_soon(listener.serve, serve)
        await checkpoint()
        before = threading.active_count()
        agent = Agent(model, name="stuck")
        took = await cancelled_once(heard.is_set, lambda: agent.run("go"))
        assert took < 1
        with anyio.fail_after(1):
            await closed.wait()
        assert threading.active_count() <= before + 1
        server.cancel_scope.cancel()
    await listener.aclose()
    if anyio_backend_name == "asyncio":
        names = [t.get_name() for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        assert not [n for n in names if "Agent" in n or "stuck" in n]


async def test_work_in_another_process_gives_its_result() -> None:
    agent = Agent(ScriptedModel([ToolCall("1", "double", {"number": 21}), "done"]), tools=[working.double])
    result = await agent.run("go")
    assert result["messages"][2].parts[0].content == "42"


def test_what_cannot_go_to_another_process_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="not at the top of a module"):
        tool(killable=True)(lambda number: number)

    async def later(number: int) -> int:
        return number

    with pytest.raises(ConfigError, match="only a plain function is killable"):
        tool(killable=True)(later)
