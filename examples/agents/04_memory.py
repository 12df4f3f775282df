"""Memory from run to run: a pinned fact is never dropped, the oldest talk becomes a summary.

For a real model: model = "anthropic:claude-sonnet-4-5".
Prints: after 40 turns the model is told: Her name is Kara.
Prints: and 9 messages word for word
"""

from __future__ import annotations

import anyio

from yggdrasil import Agent, Memory, ScriptedModel

model = ScriptedModel(lambda request: "They talked of the weather.", name="talker")
memory = Memory(budget=200, pinned=["Her name is Kara."])  # tokens of dialogue kept; 8000 if nothing is said
friend = Agent(model, memory=memory, instructions="You are an old friend.")


async def main() -> None:
    """`friend.state_dict()` is the memory as JSON; in a durable run each thread has its own."""
    for day in range(40):
        await friend.run(f"Day {day}: it snows, and the snow lies deep on the road to the ford.")
    await friend.run("Who am I?")
    told = model.requests[-1].messages
    pinned = next(line for m in told for line in m.text.splitlines() if "Kara" in line)
    print("after 40 turns the model is told:", pinned.lstrip("- "))
    print("and", sum(m.role != "system" for m in told), "messages word for word")


if __name__ == "__main__":
    anyio.run(main)
