"""A graph: nodes run at once where they can, several edges into one port, and a profile of the run.

Prints: The ford is frozen. / The beacon burns.
"""

from __future__ import annotations

import anyio

from yggdrasil import Graph, block


async def look(place: str) -> str:
    """Go and see; both scouts ride at the same time."""
    await anyio.sleep(0.1)
    return {"ford": "The ford is frozen.", "beacon": "The beacon burns."}[place]


@block(many={"reports": "list"})
def tell(reports: list[str]) -> str:
    """Reports come in the order of the nodes' ids, whoever is back first."""
    return " / ".join(reports)


graph = Graph("scouts")
graph.add_node("scout1", look)
graph.add_node("scout2", look, retry=3, timeout=5)
graph.add_node("herald", tell)
graph.add_edge(["scout1", "scout2"], "herald.reports")


async def main() -> None:
    """Run it."""
    result = await graph.run({"scout1.place": "ford", "scout2.place": "beacon"}, profile=True)
    print(result.output)
    for path, (calls, seconds) in result.profile.items():
        print(f"{path}: {calls} call, {seconds:.1f} s")


if __name__ == "__main__":
    anyio.run(main)
