"""A loop until a condition holds: a first value from outside, later ones from its own edge.

Prints: from 2 to the root of 10: 3.162278 after 5 rounds
"""

from __future__ import annotations

import anyio

from yggdrasil import Graph, block
from yggdrasil.core.events import LoopIterated


@block(outputs={"guess": float, "close": bool})
def improve(guess: float, square: float) -> dict[str, float | bool]:
    """Heron's step towards the square root."""
    better = (guess + square / guess) / 2
    return {"guess": better, "close": abs(better * better - square) < 1e-9}


graph = Graph("root", until="improve.close", num_loop_steps=50)
graph.add_node("improve", improve)
graph.add_edge("improve.guess", "improve.guess")
graph.expose_input("improve.guess", name="guess")
graph.expose_input("improve.square", name="square")
graph.expose_output("improve.guess", name="root")


async def main() -> None:
    """Count the rounds as they happen."""
    rounds, root = 0, 0.0
    async for event in graph.stream(guess=2.0, square=10.0):
        rounds += isinstance(event, LoopIterated)
        root = event.result["root"] if event.kind == "run_finished" else root
    print(f"from 2 to the root of 10: {root:.6f} after {rounds} rounds")


if __name__ == "__main__":
    anyio.run(main)
