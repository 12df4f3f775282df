"""Model calls alone: one block, a few prompts at once, at most two at a time.

Prints: A longhouse in snow.
"""

from __future__ import annotations

import anyio

from yggdrasil import Agent, Graph

# with a key: model="openai:gpt-5"; an Agent without tools is one call of its model
painter = Agent("scripted:echo", instructions="Describe a picture in one line.")

graph = Graph("gallery", resources={"api": 2})
for number in range(1, 4):
    graph.add_node(f"painter{number}", painter, limit="api", retry=3)
    graph.expose_input(f"painter{number}.prompt", name=f"prompt{number}")
    graph.expose_output(f"painter{number}.response", name=f"line{number}")


async def main() -> None:
    """Three prompts."""
    lines = await graph.run(prompt1="A longhouse in snow.", prompt2="A ford at dawn.", prompt3="Ravens.", seed=7)
    print("\n".join(lines.values()))


if __name__ == "__main__":
    anyio.run(main)
