"""A tool is a function: its name, type hints and docstring are what the model sees.

For a real model: model = "anthropic:claude-sonnet-4-5", or "openai:gpt-5", or any other "provider:model_id".
Prints: Two dice, nine in all: you cross.
Prints: spent 2 requests
"""

from __future__ import annotations

from yggdrasil import Agent, ScriptedModel, ToolCall, run_sync, tool

model = ScriptedModel([ToolCall("1", "roll", {"count": 2}), "Two dice, nine in all: you cross."])


@tool
def roll(count: int = 1, sides: int = 6) -> list[int]:
    """Roll dice.

    Args:
        count: how many dice
        sides: how many sides each of them has
    """
    return [5, 4, 2, 1][:count]


master = Agent(model, tools=[roll], instructions="You lead a game by the fire. Roll for what is uncertain.")

if __name__ == "__main__":
    result = run_sync(master, "Do I cross the ford?")
    print(result.output)
    print("spent", result.usage.requests, "requests")
