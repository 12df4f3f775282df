"""Search: the passages of a world's content, or of any JSON or texts, that speak most of what is asked."""

from __future__ import annotations

from typing import Any

from yggdrasil import tool
from yggdrasil.agent.tools.search import search as best


@tool(blocking=True)
def search(content: Any, query: str, most: int = 8) -> dict[str, Any]:
    """Find the passages that speak of what you ask, the best first.

    `query` is words that the passage should hold, in any order; rare ones count for most. Gives up to `most` (50)
    passages, each with its `path` in the content and its `text`.
    """
    # `content` is bound by whoever seats this tool (a world's content, a list of texts): no model has to write it.
    found = best(content, query, most)
    return {"query": query, "found": [{"path": f.passage.path, "text": f.passage.text} for f in found]}
