"""An agent is a tool like any other: it works by itself, and only its answer comes back. Budgets nest.

For real models: Agent("openai:gpt-5-mini", ...) and Agent("anthropic:claude-sonnet-4-5", ...).
Prints: Leave at dawn: the ford is frozen, and the beacon burns.
Prints: captain asked: scout, scout
"""

from __future__ import annotations

import anyio

from yggdrasil import Agent, Budget, ScriptedModel, ToolCall

sees = {"ford": "The ford is frozen.", "beacon": "The beacon burns."}
scouting = ScriptedModel(lambda request: next(said for at, said in sees.items() if at in request.messages[-1].text))
leading = ScriptedModel([
    [ToolCall("1", "scout", {"prompt": "the ford"}), ToolCall("2", "scout", {"prompt": "the beacon"})],
    "Leave at dawn: the ford is frozen, and the beacon burns.",
])  # fmt: skip

scout = Agent(scouting, name="scout", description="Rides out and reports.", budget=Budget(steps=3))
captain = Agent(leading, name="captain", tools=[scout], instructions="Send scouts before you decide.")


async def main() -> None:
    """Both scouts ride at the same time; what they spend counts towards the captain's budget."""
    asked = []
    async for event in captain.stream("When do we leave?", budget=Budget(steps=10)):
        if event.kind == "tool_called":
            asked.append(event.tool)
        if event.kind == "run_finished":
            print(event.result.output)
    print("captain asked:", ", ".join(asked))


if __name__ == "__main__":
    anyio.run(main)
