"""An answer of a type, checked: what does not fit goes back to the model, which answers again.

For a real model: model = "openai:gpt-5".
Prints: Ford(name='Otter Ford', depth=0.6)
"""

from __future__ import annotations

from dataclasses import dataclass

from yggdrasil import Agent, ScriptedModel, run_sync

model = ScriptedModel([
    '{"name": "Otter Ford"}',  # no depth: sent back
    '{"name": "Otter Ford", "depth": 60}',  # refused by `in_metres`: sent back
    '{"name": "Otter Ford", "depth": 0.6}',
])  # fmt: skip


@dataclass
class Ford:
    """A place where a river can be crossed. `depth` in metres."""

    name: str
    depth: float


def in_metres(ford: Ford) -> None:
    """A ValueError is told to the model."""
    if ford.depth > 10:
        raise ValueError(f"{ford.depth} m is no ford: give the depth in metres")


scout = Agent(model, output=Ford, validators=[in_metres], max_retries=2)

if __name__ == "__main__":
    print(run_sync(scout, "Otter Ford is sixty centimetres deep.").output)
