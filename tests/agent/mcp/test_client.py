"""The client against a light server: who holds it, what it survives, what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.leftovers import is_alive, until
from yggdrasil import Agent, ScriptedModel
from yggdrasil.abc.runnable import Runnable
from yggdrasil.agent.mcp import MCP, ServerTool
from yggdrasil.core.blob import Blob
from yggdrasil.core.events import ToolReturned
from yggdrasil.core.messages import ToolCall
from yggdrasil.errors import BlockError, ConfigError, RunTimeoutError, SecretError, ToolServerError
from yggdrasil.storage.open import open_store

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

Light = Callable[..., MCP]


async def tools_of(server: MCP) -> dict[str, Runnable]:
    return {tool.label: tool for tool in await server.tools()}


async def said(tool: Runnable, **given: Any) -> str:
    return str((await tool.run(given))["output"])


async def test_a_server_is_opened_on_first_use_and_gone_when_its_last_user_leaves(light: Light) -> None:
    server = light()
    async with server:
        tools = await tools_of(server)
        async with server:
            first = await said(tools["pid"])
        assert await said(tools["pid"]) == first
        assert is_alive(int(first))
    assert not is_alive(int(first))
    second = await said(tools["pid"])  # a tool outlives its connection, and makes a new one for itself
    assert second != first
    assert not is_alive(int(second))


async def test_a_hundred_tasks_connect_call_and_leave_as_they_like(light: Light, journal: Any) -> None:
    server = light()
    tools = await tools_of(server)

    async def use(number: int) -> None:
        await anyio.sleep(number % 10 * 0.02)
        async with server:
            assert await said(tools["echo"], text=str(number)) == str(number)

    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(use, number)
    assert journal.count("call echo") == 100


async def test_a_hundred_processes_are_started_and_left_each_by_a_task_of_its_own(light: Light) -> None:
    seen = set()

    async def use(server: MCP) -> None:
        async with server:
            seen.add(await said((await tools_of(server))["pid"]))

    async def one_after_the_other(server: MCP) -> None:
        for _ in range(25):
            async with anyio.create_task_group() as group:
                group.start_soon(use, server)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(one_after_the_other, light())
    assert len(seen) == 100
    assert not any(is_alive(int(pid)) for pid in seen)


async def test_one_task_opens_and_another_closes(light: Light) -> None:
    server = light()
    opened, leave = anyio.Event(), anyio.Event()

    async def first() -> None:
        await server.__aenter__()
        await server.tools()
        opened.set()

    async def second() -> None:
        await opened.wait()
        await server.__aexit__(None, None, None)
        leave.set()

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        group.start_soon(second)
    assert leave.is_set()


async def test_fifty_calls_at_once_go_over_one_connection(light: Light) -> None:
    server = light()
    async with server:
        tools = await tools_of(server)
        results: list[str] = []

        async def call() -> None:
            results.append(await said(tools["sleep"], seconds=0.2))

        began = time.monotonic()
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(call)
        assert results == ["slept"] * 50
        assert time.monotonic() - began < 5  # one after the other they take 10 s


async def test_a_server_killed_in_a_call_is_a_typed_error_and_starts_anew(light: Light, journal: Any) -> None:
    server = light()
    async with server:
        tools = await tools_of(server)
        pid = int(await said(tools["pid"]))
        failed: list[Exception] = []

        async def call() -> None:
            try:
                await tools["sleep"].run(seconds=60)
            except Exception as error:
                failed.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(call)
            await until(lambda: journal.count("call sleep") == 3)
            os.kill(pid, signal.SIGKILL)
        assert [type(error) for error in failed] == [ToolServerError] * 3
        assert all(error.lost for error in failed if isinstance(error, ToolServerError))
        assert "went away during the call" in str(failed[0])
        assert int(await said(tools["pid"])) != pid
        assert journal.count("call sleep") == 3, "a call that may have had its effect was repeated"


async def test_a_server_that_died_while_idle_is_started_again_unnoticed(light: Light) -> None:
    server = light()
    async with server:
        tools = await tools_of(server)
        pid = int(await said(tools["pid"]))
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not is_alive(pid))
        await anyio.sleep(0.1)  # until the end of its output is read
        assert await said(tools["sleep"], seconds=0) == "slept"


async def test_only_a_call_that_may_be_repeated_is_repeated_once(light: Light, journal: Any, tmp_path: Path) -> None:
    server = light()
    async with server:
        tools = await tools_of(server)
        assert tools["die_once"].idempotent is True  # type: ignore[attr-defined]
        assert tools["die"].idempotent is False  # type: ignore[attr-defined]
        assert await said(tools["die_once"], text=str(tmp_path / "died")) == "alive"
        with pytest.raises(ToolServerError, match="went away"):
            await tools["die"].run({})
    assert journal.count("call die_once") == 2
    assert journal.count("call die") == 1


async def test_a_server_that_dies_young_again_and_again_is_waited_for(light: Light) -> None:
    server = light()
    began = time.monotonic()
    async with server:
        tools = await tools_of(server)
        for _ in range(5):
            with pytest.raises(ToolServerError):
                await tools["die"].run({})
    assert time.monotonic() - began > 0.1 + 0.2 + 0.4


async def test_a_caller_that_is_cancelled_cancels_its_call_and_no_other(light: Light, journal: Any) -> None:
    server = light()
    async with server:
        tools = await tools_of(server)
        pid = await said(tools["pid"])
        kept: list[str] = []

        async def other() -> None:
            kept.append(await said(tools["sleep"], seconds=0.5))

        async with anyio.create_task_group() as group:
            group.start_soon(other)
            with anyio.move_on_after(0.2) as scope:
                await tools["sleep"].run(seconds=60)
            assert scope.cancelled_caught
        assert kept == ["slept"]
        assert await said(tools["pid"]) == pid
        await until(lambda: journal.count("cancelled") > 0)
    assert journal.count("cancelled") == 1


async def test_a_call_that_takes_too_long_is_told(light: Light, journal: Any) -> None:
    server = light(timeout=0.1)
    async with server:
        tools = await tools_of(server)
        with pytest.raises(RunTimeoutError, match="did not answer in time"):
            await tools["sleep"].run(seconds=60)
        assert await said(tools["echo"], text="still there") == "still there"
    assert journal.count("cancelled") == 1


async def test_one_second_after_a_cancel_a_stubborn_server_and_its_child_are_gone(light: Light) -> None:
    server = light()
    pids: list[int] = []

    async def run() -> None:
        async with server:
            tools = await tools_of(server)
            pids.extend(json.loads(await said(tools["stubborn"])))
            await tools["sleep"].run(seconds=60)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await until(lambda: bool(pids))
        assert all(map(is_alive, pids))
        began = time.monotonic()
        group.cancel_scope.cancel()
    await until(lambda: not any(map(is_alive, pids)), began + 1 - time.monotonic())


async def test_a_start_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = f"import time; open({str(started)!r}, 'w').write('x'); time.sleep(600)"
    server = MCP.stdio(sys.executable, "-I", "-S", "-c", script)
    async with anyio.create_task_group() as group:
        group.start_soon(server.tools)
        await until(lambda: started.exists())
        began = time.monotonic()
        group.cancel_scope.cancel()
    assert time.monotonic() - began < 1


async def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    server = MCP.stdio(sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", patience=0.3)
    with pytest.raises(ToolServerError, match=r"cannot be reached: TimeoutError: it did not answer within 0.3 s"):
        await server.tools()


async def test_what_a_server_said_as_it_failed_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "tell-nobody")
    script = "import os, sys; sys.exit('no such flag, token ' + os.environ['SOME_TOKEN'])"
    with pytest.raises(ToolServerError, match="no such flag") as caught:
        await MCP.stdio(sys.executable, "-I", "-S", "-c", script, env=["SOME_TOKEN"]).tools()
    assert "tell-nobody" not in str(caught.value)
    with pytest.raises(ToolServerError, match="FileNotFoundError"):
        await MCP.stdio("no-such-program").tools()
    with pytest.raises(ToolServerError, match="ConnectError"):
        await MCP.http("http://127.0.0.1:9/mcp").tools()


async def test_the_environment_of_a_server_is_named_not_inherited(
    light: Light, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-servers")
    monkeypatch.setenv("MINE", "given")
    server = light(env=["MINE", "THEIRS=MINE"], variables={"MODE": "fast"})
    async with server:
        tools = await tools_of(server)
        found = [await said(tools["environment"], text=n) for n in ("OPENAI_API_KEY", "MINE", "THEIRS", "MODE")]
    assert found == ["(not set)", "given", "given", "fast"]
    assert "given" not in repr(vars(server.endpoint))
    monkeypatch.delenv("MINE")
    with pytest.raises(ConfigError, match="needs MINE, which is not in the environment"):
        await server.tools()


async def test_a_changed_list_of_tools_counts_at_the_next_open(light: Light, journal: Any) -> None:
    server = light()
    async with server:
        async with server.open() as tools:
            before = {tool.label for tool in tools}
        async with server.open() as tools:
            grow = next(tool for tool in tools if tool.label == "grow")
        assert journal.count("list") == 1, "a server that tells of changes was asked again"
        await grow.run({})
        await anyio.sleep(0.1)
        async with server.open() as tools:
            assert {tool.label for tool in tools} - before == {"grown"}


async def test_what_a_tool_gives_is_text_and_blobs(light: Light) -> None:
    server = light()
    async with server:
        tools = await tools_of(server)
        given = (await tools["media"].run({}))["output"]
        with pytest.raises(BlockError, match="no luck"):
            await tools["fail"].run(text="no luck")
        assert await said(tools["garbage"]) == "sorry"
    assert list(given) == [
        "look",
        Blob(b"bytes", "image/png"),
        "(audio/wav that is not base64)",
        Blob(b"bytes", "application/pdf"),
        "b: file:///b",
    ]


async def test_an_agent_has_the_tools_for_its_run(light: Light) -> None:
    server = light()
    calls = [ToolCall("1", "mine_echo", {"text": 3}), ToolCall("2", "mine_echo", {"text": "hi"})]
    model = ScriptedModel([*calls, "done"])
    agent = Agent(model, tools=[server.only("echo", "pid").prefix("mine_")])
    events = [event async for event in agent.stream("go")]
    returned = [e for e in events if isinstance(e, ToolReturned)]
    assert "text: it is no string (got 3)" in returned[0].content
    assert returned[1].content == "hi"
    asked = model.requests[0].tools
    assert [tool.name for tool in asked] == ["mine_echo", "mine_pid"]
    assert asked[0].parameters["required"] == ["text"]


async def test_a_durable_run_passes_its_key_on_and_repeats_no_call(light: Light, journal: Any) -> None:
    def agent(*said: Any) -> Agent:
        return Agent(ScriptedModel(list(said)), tools=[light()])

    called = ToolCall("1", "meta", {})
    async with open_store("memory://") as store:
        with pytest.raises(BlockError, match="power"):
            await agent(called, RuntimeError("the power is cut")).run("go", thread="t", store=store)
        events = [e async for e in agent("done").stream("go", thread="t", store=store)]
    meta = json.loads(next(e.content for e in events if isinstance(e, ToolReturned)))
    assert len(meta["yggdrasil/idempotency-key"]) == 64
    assert journal.count("call meta") == 1


def test_an_event_loop_that_ends_takes_its_server_along(light: Light, nothing_left: object) -> None:
    import asyncio

    pids = []

    async def leaves_it_open() -> None:
        server = light()
        await server.__aenter__()
        pids.append(int(await said((await tools_of(server))["pid"])))

    asyncio.run(leaves_it_open())
    anyio.run(leaves_it_open, backend="trio")
    assert len(pids) == 2
    assert not any(map(is_alive, pids))


def test_one_server_in_two_event_loops_is_two_connections(light: Light, nothing_left: object) -> None:
    server = light()

    async def pid() -> str:
        async with server:
            return await said((await tools_of(server))["pid"])

    assert anyio.run(pid) != anyio.run(pid, backend="trio")


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: MCP.stdio(), ConfigError),
        (lambda: MCP.stdio("npx", ""), ConfigError),
        (lambda: MCP.stdio("a\0b"), ConfigError),
        (lambda: MCP.stdio("npx", "--key", "sk-ant-abcdefgh12345678"), SecretError),
        (lambda: MCP.stdio("npx", variables={"API_KEY": "x1y2z3"}), SecretError),
        (lambda: MCP.stdio("npx", env={"TOKEN": "x"}), ConfigError),  # type: ignore[arg-type]
        (lambda: MCP.stdio("npx", env="TOKEN"), ConfigError),
        (lambda: MCP.stdio("npx", env=["TOKEN=sk-ant-abcdefgh12345678"]), ConfigError),
        (lambda: MCP.stdio("npx", timeout=0), ConfigError),
        (lambda: MCP.http("ftp://host/mcp"), ConfigError),
        (lambda: MCP.http("https://me:pass@host/mcp"), SecretError),
        (lambda: MCP.http("https://host/mcp?api_key=abc"), SecretError),
        (lambda: MCP.http("https://host/mcp", bearer="ghp_aaaabbbbccccddddeeee"), SecretError),
        (lambda: MCP.http("https://host/mcp", headers=["X-Api-Key: abc"]), ConfigError),
    ],
)
def test_what_is_no_server_is_refused_without_showing_it(make: Callable[[], MCP], error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        make()
    assert "sk-ant" not in str(caught.value)
    assert "ghp_" not in str(caught.value)
    assert "pass" not in str(caught.value)


async def test_a_tool_says_what_it_is(light: Light) -> None:
    tools = await tools_of(light())
    tool = tools["echo"]
    assert isinstance(tool, ServerTool)
    assert (tool.label, tool.block_type, tool.spec.doc) == ("echo", "mcp/tool", "It is echo.")
    assert {n: p.required for n, p in tool.spec.inputs.items()} == {"text": True}
