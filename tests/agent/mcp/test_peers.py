"""The client against servers that others wrote: npm's server-everything, and mcp-server-time."""

from __future__ import annotations

import sys
from typing import Any

import anyio
import pytest

from yggdrasil.abc.runnable import Runnable
from yggdrasil.agent.mcp import MCP, Elicitation
from yggdrasil.core.blob import Blob
from yggdrasil.core.events import Progress
from yggdrasil.core.messages import Image, Message, Reply, Request, Text, assistant
from yggdrasil.errors import BlockError, ToolServerError

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def tools_of(server: MCP) -> dict[str, Runnable]:
    return {tool.label: tool for tool in await server.tools()}


async def test_the_time_server_tells_the_time() -> None:
    server = MCP.stdio(sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC")
    async with server:
        tools = await tools_of(server)
        assert sorted(tools) == ["convert_time", "get_current_time"]
        result = await tools["get_current_time"].run(timezone="Europe/Berlin")
        assert result["structured"]["timezone"] == "Europe/Berlin"
        assert '"timezone": "Europe/Berlin"' in result["output"]
        with pytest.raises(BlockError, match="Nowhere"):
            await tools["get_current_time"].run(timezone="Nowhere/Here")


async def test_everything_the_reference_server_has(everything: list[str]) -> None:
    server = MCP.stdio(*everything, resources_as_tools=True)
    async with server:
        tools = await tools_of(server)
        assert (await tools["echo"].run(message="hi"))["output"] == "Echo: hi"
        assert (await tools["get-sum"].run(a=2, b=3.5))["output"] == "The sum of 2 and 3.5 is 5.5."
        before, picture, after = (await tools["get-tiny-image"].run({}))["output"]
        assert isinstance(picture, Blob)
        assert picture.data.startswith(b"\x89PNG")
        assert isinstance(before, str)
        assert isinstance(after, str)
        weather = (await tools["get-structured-content"].run(location="Chicago"))["structured"]
        assert sorted(weather) == ["conditions", "humidity", "temperature"]
        reference = (await tools["get-resource-reference"].run(resourceType="Blob", resourceId=1))["output"]
        assert any(isinstance(piece, Blob) and piece.media_type == "text/plain" for piece in reference)
        assert "get-env" in tools
        await _resources(server, tools)
        await _prompts(server)


async def _resources(server: MCP, tools: dict[str, Runnable]) -> None:
    resources = await server.resources()
    document = next(r for r in resources if r.name == "architecture.md")
    assert document.media_type == "text/markdown"
    assert any(r.template and "{" in r.uri for r in resources)
    (part,) = await server.read_resource(document.uri)
    assert isinstance(part, Text)
    assert "Everything Server" in part.text
    assert document.uri in str((await tools["list_resources"].run({}))["output"])
    assert (await tools["read_resource"].run(uri=document.uri))["output"] == part.text
    with pytest.raises(ToolServerError, match="refused"):
        await server.read_resource("demo://nothing/there")


async def _prompts(server: MCP) -> None:
    prompts = {p.name: p for p in await server.prompts()}
    assert prompts["args-prompt"].arguments == ("city", "state")
    assert prompts["args-prompt"].required == ("city",)
    assert await server.prompt("args-prompt", city="Riga") == [
        Message("user", (Text("What's weather in Riga?"),))
    ]
    with pytest.raises(ToolServerError, match="refused"):
        await server.prompt("no-such-prompt")


async def test_its_progress_is_told_and_its_long_work_cancelled(everything: list[str]) -> None:
    server = MCP.stdio(*everything)
    async with server:
        long = (await tools_of(server))["trigger-long-running-operation"]
        told = [e async for e in long.stream(duration=0.3, steps=3) if isinstance(e, Progress)]
        assert [(e.done, e.total) for e in told] == [(1, 3), (2, 3), (3, 3)]
        with anyio.move_on_after(0.2) as scope:
            await long.run(duration=60, steps=2)
        assert scope.cancelled_caught
        assert (await (await tools_of(server))["echo"].run(message="there"))["output"] == "Echo: there"


async def test_what_it_asks_of_us_is_answered_only_by_what_we_gave(everything: list[str]) -> None:
    async with MCP.stdio(*everything) as refusing:
        assert not {"trigger-elicitation-request", "trigger-sampling-request"} & set(await tools_of(refusing))
    asked: list[Any] = []

    def elicit(question: Elicitation) -> dict[str, Any] | None:
        asked.append(question)
        return {"name": "Kara"} if len(asked) == 1 else None

    async def sample(request: Request) -> Reply:
        asked.append(request)
        return Reply(assistant("a raven"), model="scripted:x")

    async with MCP.stdio(*everything, elicit=elicit, sample=sample) as server:
        await anyio.sleep(0.3)
        tools = await tools_of(server)
        accepted = (await tools["trigger-elicitation-request"].run({}))["output"]
        declined = (await tools["trigger-elicitation-request"].run({}))["output"]
        sampled = (await tools["trigger-sampling-request"].run(prompt="What is black?", maxTokens=9))["output"]
    assert "Kara" in accepted
    assert "declined" in declined
    assert "a raven" in sampled
    assert isinstance(asked[0], Elicitation)
    assert asked[0].schema is not None
    assert asked[2].params["max_tokens"] == 9
    assert "What is black?" in asked[2].messages[-1].text


async def test_a_picture_of_a_prompt_is_an_image(everything: list[str]) -> None:
    async with MCP.stdio(*everything) as server:
        parts = await server.read_resource("demo://resource/dynamic/blob/1")
    assert not any(isinstance(part, Image) for part in parts)
    assert len(parts) == 1
