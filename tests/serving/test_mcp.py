"""Our server of the Model Context Protocol, driven by the protocol's own client: in memory, over stdio, over HTTP."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters

from tests.leftovers import children, until
from tests.serving.served_things import things
from yggdrasil import Agent, ConfigError, ScriptedModel, ToolCall, World
from yggdrasil.agent.mcp import MCP
from yggdrasil.core.messages import ToolResult
from yggdrasil.serving.mcp import serve_http, serve_mcp, server

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
COMMAND = StdioServerParameters(
    command=sys.executable,
    args=[str(Path(__file__).with_name("served_things.py"))],
    env={**os.environ, "PYTHONPATH": str(ROOT)},
)


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    async with server(*things(), name="test") as made, Client(made) as connected:  # type: ignore[arg-type]
        yield connected


def text(result: Any) -> str:
    return str(result.content[0].text)


async def test_each_thing_is_a_tool_with_its_ports_as_schema(client: Any) -> None:
    tools = {t.name: t for t in (await client.list_tools()).tools}
    assert sorted(tools) == ["broken", "climb", "picture", "reckoner", "sleeper", "twice"]
    assert tools["climb"].input_schema["properties"]["steps"]["type"] == "integer"
    assert tools["climb"].description == "Climb so many steps, telling each."
    assert tools["reckoner"].description == "Reckons."
    assert "given" not in tools["reckoner"].input_schema["properties"]


async def test_an_agent_and_a_graph_are_called(client: Any) -> None:
    result = await client.call_tool("reckoner", {"prompt": "twice three?"})
    assert (text(result), result.is_error) == ("Six.", False)
    assert text(await client.call_tool("twice", {"x": 4})) == "16"


async def test_what_is_wrong_is_told_to_the_clients_model_and_holds_no_secret(client: Any) -> None:
    for name, arguments, says in (
        ("climb", {"steps": "many"}, "steps: Input should be a valid integer"),
        ("climb", {}, "steps: it is missing"),
        ("clim", {}, "did you mean 'climb'"),
        ("broken", {"key": "x"}, "was refused"),
    ):
        result = await client.call_tool(name, arguments)
        assert result.is_error
        assert says in text(result)
        assert "sk-abcdef" not in text(result)


async def test_progress_is_told_as_it_happens(client: Any) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(done: float, total: float | None, note: str | None) -> None:
        heard.append((done, total, note))

    assert text(await client.call_tool("climb", {"steps": 5}, progress_callback=hear)) == "climbed 5"
    await anyio.sleep(0.05)
    assert heard == [(n, 5, f"step {n}") for n in range(1, 6)]


async def test_pictures_are_pictures(client: Any) -> None:
    result = await client.call_tool("picture", {"name": "the ford"})
    said, picture = result.content
    assert json.loads(said.text)["title"] == "the ford"
    assert (picture.type, picture.mime_type) == ("image", "image/png")
    assert base64.b64decode(picture.data).startswith(b"\x89PNG")


async def test_a_call_that_the_client_gives_up_is_cancelled(client: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with anyio.move_on_after(0.3):
        await client.call_tool("sleeper", {"file": str(log)})
    await until(lambda: log.exists() and log.read_text() == "began\nended\n")


async def test_fifty_calls_at_once(client: Any) -> None:
    said: dict[int, str] = {}

    async def one(number: int) -> None:
        said[number] = text(await client.call_tool("twice", {"x": number}))

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(one, number)
    assert said == {n: str(4 * n) for n in range(50)}


async def test_a_world_lives_is_looked_at_and_read() -> None:
    world = World.from_template("storytelling", model="scripted:echo", name="valley")
    async with server(world, name="worlds") as made, Client(made) as client:
        assert sorted(t.name for t in (await client.list_tools()).tools) == ["look", "run"]
        lived = json.loads(text(await client.call_tool("run", {"ticks": 2, "action": "Kara lights the beacon"})))
        assert lived["tick"] == 2
        assert json.loads(text(await client.call_tool("look", {"what": "status"})))["tick"] == 2
        refused = await client.call_tool("run", {"ticks": 100_000})
        assert refused.is_error
        uris = [str(r.uri) for r in (await client.list_resources()).resources]
        assert uris == [f"world://valley/{part}" for part in ("content", "state", "status", "chronicle")]
        found = await client.read_resource("world://valley/state")
        assert set(json.loads(found.contents[0].text)) >= {"intent", "blueprint", "artifacts"}


async def test_over_standard_input_and_output(anyio_backend_name: str) -> None:
    before = children()
    async with Client(COMMAND) as client:
        assert text(await client.call_tool("climb", {"steps": 2})) == "climbed 2", "what a tool prints does no harm"
        assert text(await client.call_tool("twice", {"x": 5})) == "20"
    await until(lambda: children() <= before)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_over_http_on_this_machine_only(anyio_backend: str) -> None:
    async with server(*things(), name="test") as made, serve_http(made) as url:  # type: ignore[arg-type]
        assert url.startswith("http://127.0.0.1:")
        async with Client(url) as client:
            assert text(await client.call_tool("twice", {"x": 5})) == "20"
        async with httpx2.AsyncClient() as web:
            for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
                body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
                accept = {"Accept": "application/json, text/event-stream", **headers}
                assert (await web.post(url, json=body, headers=accept)).status_code in (403, 421)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_token_is_asked_for(anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_TOKEN", "let-me-in-4711")
    async with server(*things(), name="test") as made, serve_http(made, bearer="OUR_TOKEN") as url:  # type: ignore[arg-type]
        async with httpx2.AsyncClient() as web:
            assert (await web.post(url, json={})).status_code == 401
        ours = MCP.http(url, bearer="OUR_TOKEN")
        async with ours:
            assert "twice" in [t.label for t in await ours.tools()]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_agent_uses_a_server_of_ours_over_http(anyio_backend: str) -> None:
    async with server(*things(), name="test") as made, serve_http(made) as url:  # type: ignore[arg-type]
        model = ScriptedModel([ToolCall("1", "twice", {"x": 2}), "done"])
        result = await Agent(model, tools=[MCP.http(url).only("twice")]).run("go")
        assert [p.content for m in result["messages"] for p in m.parts if isinstance(p, ToolResult)] == ["8"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"http": 0, "host": "0.0.0.0"}, "needs a token|must know its own names"),
        ({"http": 0, "bearer": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not in the environment"),
    ],
)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_would_be_open_to_anyone_is_refused(anyio_backend: str, options: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says), anyio.fail_after(5):
        await serve_mcp(*things(), **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="nothing is served"):
        async with server():
            pass


async def test_the_command_serves_by_name(tmp_path: Path) -> None:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "yggdrasil", "mcp", "dice", "calculator"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )
    async with Client(command) as client:
        assert sorted(t.name for t in (await client.list_tools()).tools) == ["calculator", "dice"]
        assert not (await client.call_tool("dice", {"notation": "2d6"})).is_error
