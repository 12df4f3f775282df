"""An agent alone, with a tool and a typed answer; the model is scripted, so that it runs anywhere.

Prints: Decision(cross=False, because='two dice gave 3')
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from yggdrasil import Agent, ScriptedModel, ToolCall, tool


@tool
def roll(count: int = 1) -> list[int]:
    """Roll dice with six sides."""
    return [1, 2, 6, 5][:count]


@dataclass
class Decision:
    """What the agent decides."""

    cross: bool
    because: str


# with a key: Agent("anthropic:claude-sonnet-4-5", ...)
model = ScriptedModel([ToolCall("1", "roll", {"count": 2}), '{"cross": false, "because": "two dice gave 3"}'])
master = Agent(model, tools=[roll], instructions="You lead a game by the fire.", output=Decision)


async def main() -> None:
    """Ask, and see what was called."""
    async for event in master.stream("Two dice: do I cross the ford?"):
        if event.kind == "tool_returned":
            print(f"{event.tool} gave {event.content}")
        if event.kind == "run_finished":
            print(event.result.output)


if __name__ == "__main__":
    anyio.run(main)
