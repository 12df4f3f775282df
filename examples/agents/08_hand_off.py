"""A hand-off: one agent leaves the talk to another, who goes on with it and answers.

For real models: Agent("openai:gpt-5", ...) in both places.
Prints: handed over to healer: a fever
Prints: healer says: Willow bark, and rest.
"""

from __future__ import annotations

import anyio

from yggdrasil import Agent, ScriptedModel, ToolCall

healing = ScriptedModel(["Willow bark, and rest."])
greeting = ScriptedModel([ToolCall("1", "transfer_to_healer", {"reason": "a fever"})])

healer = Agent(healing, name="healer", description="Knows wounds and fevers.")
smith = Agent("scripted:echo", name="smith", description="Mends iron.")
host = Agent(greeting, name="host", handoffs=[healer, smith], instructions="Leave each guest to whom can help.")


async def main() -> None:
    """The healer hears all that was said before."""
    speaker = ""
    async for event in host.stream("My son is hot and shivers."):
        if event.kind == "handed_off":
            speaker = event.agent
            print(f"handed over to {event.agent}: {event.reason}")
        if event.kind == "run_finished":
            print(f"{speaker} says: {event.result.output}")
    assert healing.requests[0].messages[0].text == "My son is hot and shivers."


if __name__ == "__main__":
    anyio.run(main)
