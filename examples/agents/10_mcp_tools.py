"""The tools of an MCP server, used by an agent; and, in the same file, such a server. Needs the extra `mcp`.

For a real model: model = "openai:gpt-5".
For a real server: MCP.stdio("npx", "-y", "@modelcontextprotocol/server-everything"), or MCP.http("https://HOST/mcp").
Prints: tools: depth
Prints: It is shallow enough.
"""

from __future__ import annotations

import sys

import anyio

from yggdrasil import Agent, ScriptedModel, ToolCall, tool
from yggdrasil.agent.mcp import MCP
from yggdrasil.serving.mcp import serve_mcp

model = ScriptedModel([ToolCall("1", "depth", {"ford": "Otter Ford"}), "It is shallow enough."])


@tool
def depth(ford: str) -> str:
    """How deep a ford is."""
    return f"{ford}: 0.6 m"


async def main() -> None:
    """The server starts on first use, and is started again when it dies."""
    server = MCP.stdio(sys.executable, __file__, "serve")
    async with server:  # kept in between; without it each run starts its own
        print("tools:", ", ".join(found.label for found in await server.tools()))
        print((await Agent(model, tools=[server]).run("Can we cross Otter Ford?")).output)


if __name__ == "__main__":
    anyio.run(serve_mcp, depth) if sys.argv[1:] == ["serve"] else anyio.run(main)
