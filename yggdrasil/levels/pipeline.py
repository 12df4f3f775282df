"""A pipeline: graphs in a row or a DAG."""

from __future__ import annotations

from typing import Any, ClassVar

from yggdrasil.levels.container import Child, Container
from yggdrasil.levels.node import Node


class Pipeline(Container):
    """Graphs joined without cycles; the outputs of one are inputs of others."""

    kind: ClassVar[str] = "pipeline"

    def add_graph(self, what: Child, child: Child | None = None, /, **options: Any) -> Node:
        """Add a graph, its config or its path; see `add`."""
        return self.add(what, child, **options)
