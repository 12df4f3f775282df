"""A tool that needs a person's yes: the run waits, durably, for as long as it takes; the same line goes on with it.

For a real model: model = "anthropic:claude-sonnet-4-5".
Prints: waits for a person: pay {'silver': 3, 'to': 'the ferryman'}
Prints: The ferryman has his silver.
"""

from __future__ import annotations

import anyio

from yggdrasil import Agent, ScriptedModel, SuspendedError, ToolCall, approve, pending, tool

model = ScriptedModel([ToolCall("1", "pay", {"to": "the ferryman", "silver": 3}), "The ferryman has his silver."])
RUN = {"thread": "crossing", "store": "sqlite:///runs.db"}


@tool(approval=True)  # or a function: lambda arguments: arguments["silver"] > 10
def pay(to: str, silver: int) -> str:
    """Pay somebody."""
    return f"{to} took {silver} silver"


async def main() -> None:
    """The answer may come from anywhere: here, another process, or `yggdrasil approve crossing`."""
    agent = Agent(model, tools=[pay])
    try:
        await agent.run("Get us across.", **RUN)
    except SuspendedError:
        for waiting in await pending(**RUN):
            print("waits for a person:", waiting.tool, dict(waiting.arguments))
    await approve(**RUN)
    print((await agent.run("Get us across.", **RUN)).output)


if __name__ == "__main__":
    anyio.run(main)
