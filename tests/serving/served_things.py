"""What the tests serve; run as a script it is a server over standard input and output."""

from __future__ import annotations

import anyio

from yggdrasil import Agent, Blob, Graph, RunContext, ScriptedModel, ToolCall, block, tool
from yggdrasil.serving.mcp import serve_mcp


@tool
async def climb(steps: int, ctx: RunContext) -> str:
    """Climb so many steps, telling each."""
    print("a tool prints to standard output")
    for step in range(1, steps + 1):
        ctx.progress(step, steps, f"step {step}")
        await anyio.sleep(0.005)
    return f"climbed {steps}"


@tool
def picture(name: str) -> dict[str, object]:
    """Paint."""
    return {"title": name, "seen": Blob(b"\x89PNG\r\n\x1a\nabc", "image/png")}


@tool
def broken(key: str) -> str:
    """Fail."""
    raise ValueError("the key sk-abcdef1234567890 was refused")


@tool
async def sleeper(file: str) -> str:
    """Sleep until cancelled; then say so in `file`."""
    try:
        with open(file, "a") as log:  # noqa: ASYNC230 - a test's own small file
            log.write("began\n")
        await anyio.sleep(60)
    finally:
        with open(file, "a") as log:  # noqa: ASYNC230
            log.write("ended\n")
    return "slept"


@block
def double(x: int) -> int:
    """Double."""
    return x * 2


def things() -> list[object]:
    """Tools, an agent and a graph."""
    model = ScriptedModel(lambda r: "Six." if r.messages[-1].role == "tool" else ToolCall("1", "double", {"x": 3}))
    reckoner = Agent(model, name="reckoner", description="Reckons.", tools=[double])
    graph = Graph("twice")
    graph.add_node("one", double)
    graph.add_node("two", double)
    graph.add_edge("one", "two")
    return [climb, picture, broken, sleeper, reckoner, graph]


if __name__ == "__main__":
    anyio.run(lambda: serve_mcp(*things(), name="test"))  # type: ignore[arg-type]
