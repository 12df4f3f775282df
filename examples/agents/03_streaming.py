"""Events while they happen: tokens, tool calls, results, the end. Leaving the loop early ends the run.

For a real model: model = "anthropic:claude-sonnet-4-5".
Prints: [look: the ford is frozen] The ice will bear you.
"""

from __future__ import annotations

import anyio

from yggdrasil import Agent, ScriptedModel, ToolCall, tool

model = ScriptedModel([ToolCall("1", "look", {"place": "ford"}), "The ice will bear you."])


@tool
async def look(place: str) -> str:
    """Go and look at a place."""
    await anyio.sleep(0.01)
    return f"the {place} is frozen"


async def main() -> None:
    """The same events come from graphs, teams and worlds; `event.path` says from where."""
    agent = Agent(model, tools=[look])
    async for event in agent.stream("Can we cross?"):
        if event.kind == "tool_returned":
            print(f"[{event.tool}: {event.content}]", end=" ", flush=True)
        elif event.kind == "token" and event.part == "text":
            print(event.text, end="", flush=True)
    print()


if __name__ == "__main__":
    anyio.run(main)
