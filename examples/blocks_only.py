"""Blocks alone: a function with typed ports, and a class with config and state.

Prints: 3 dice: [1, 4, 2], in runes: ᚨᛞᛒ
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio

from yggdrasil import Block, RunContext, Spec, block


@block
def roll(count: int, ctx: RunContext, *, sides: int = 6) -> list[int]:
    """Roll dice: `count` is a port, `sides` is config."""
    dice = ctx.random()
    return [dice.randint(1, sides) for _ in range(count)]


class Carver(Block):
    """Carves numbers into runes."""

    block_type = "example/carver"
    spec = Spec.declare({"numbers": list[int]}, {"runes": str})

    def __init__(self, alphabet: str = "ᚨᛒᚲᛞᛖᚠ") -> None:
        self.alphabet = alphabet

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """One rune a number, from 1."""
        return {"runes": "".join(self.alphabet[n - 1] for n in inputs["numbers"])}


async def main() -> None:
    """Run one, then the other."""
    dice = (await roll.run(3, seed=7)).output
    runes = (await Carver().run(dice))["runes"]
    print(f"3 dice: {dice}, in runes: {runes}")


if __name__ == "__main__":
    anyio.run(main)
