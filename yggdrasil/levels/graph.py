"""A graph: blocks in nodes, one whole task. It may loop, and its agents may call other nodes as tools."""

from __future__ import annotations

from typing import ClassVar

from yggdrasil.levels.container import Container


class Graph(Container):
    """One whole task: answer a question, paint a picture. It may loop, and its agents may call.

        graph = Graph("answer")
        graph.add_node("reader", reader)
        graph.add_node("polish", polish, retry=3)
        graph.add_edge("reader.response", "polish.prompt")
        result = await graph.run("Who rules the valley?")

    Nothing exposed: the ports that nothing is joined to are its own.
    """

    kind: ClassVar[str] = "graph"
    loops: ClassVar[bool] = True
