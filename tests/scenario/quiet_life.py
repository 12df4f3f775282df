"""A process that does all there is to do, and watches its own sockets from the first line on.

    python quiet_life.py REPORT WHAT [URL]

WHAT is `life` (all imports, then an agent, a graph and a world), `model` (which asks the model at URL) or `loud`
(which opens what it should not). REPORT is written as JSON: every address connected to, sent to or bound, every name
looked up, every program started.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

seen: list[list[Any]] = []
_WATCHED = {
    "socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr", "socket.getnameinfo", "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec",
    "http.client.connect", "urllib.Request",
}  # fmt: skip


def watch(event: str, values: tuple[Any, ...]) -> None:
    """What the interpreter is about to do (PEP 578), before any library can have a say in it."""
    if event in _WATCHED:
        about = values[1:] if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind") else values
        seen.append([event, [str(value) for value in about]])


sys.addaudithook(watch)

HEAVY = [
    "PIL.Image", "anthropic", "fastapi", "genai_prices", "httpx2", "jsonpatch", "mcp", "mcp.client.stdio",
    "mcp.client.streamable_http", "mcp.server", "numpy", "openai", "opentelemetry.sdk.trace", "rich", "safetensors",
    "starlette", "structlog", "tenacity", "typer", "uvicorn", "yaml",
]  # fmt: skip


def imports() -> None:
    """All that is loaded by anything of ours, and every module of ours."""
    import importlib
    import pkgutil

    import yggdrasil

    for name in yggdrasil.__all__:
        getattr(yggdrasil, name)
    for name in HEAVY:
        importlib.import_module(name)
    for found in pkgutil.walk_packages(yggdrasil.__path__, "yggdrasil."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    import genai_prices

    genai_prices.calc_price(genai_prices.Usage(input_tokens=10, output_tokens=5), "gpt-4o", provider_id="openai")


async def life() -> None:
    """An agent with tools and a memory, a graph, and a world for two ticks; all of it observed."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    from yggdrasil import Agent, Graph, ScriptedModel, ToolCall, observe, tool
    from yggdrasil.agent.longterm import LongTerm
    from yggdrasil.core.events import TickFinished
    from yggdrasil.levels.world import World

    trace.set_tracer_provider(TracerProvider())

    @tool
    async def greet(name: str) -> str:
        """Greet somebody."""
        return f"hail {name}"

    turn = [ToolCall("1", "greet", {"name": "Kara"}), ToolCall("2", "dice", {}), ToolCall("3", "clock", {})]
    with observe(contents=True, level="debug"):
        agent = Agent(ScriptedModel([turn, "hail", "again"]), tools=[greet, "dice", "clock"], memory=True)
        await agent.run("greet Kara", thread="t1", store="sqlite:///runs.db")
        async with LongTerm("sqlite:///memory.db") as long:
            await long.add("The ford floods in spring.")
            if not await long.search("the ford"):
                raise AssertionError("forgotten")
        graph = Graph("g")
        graph.add_node("agent", agent)
        await graph.run("once more")
        ticks = 0

        def hear(event: Any) -> None:
            nonlocal ticks
            ticks += isinstance(event, TickFinished)

        async with World.open("midgard", store="sqlite:///midgard.db") as world:
            await world.run(ticks=2, hooks=[hear])
        if ticks != 2:
            raise AssertionError(ticks)


async def model(url: str) -> None:
    """A question to the model that the config names."""
    from yggdrasil import Agent, observe

    with observe():
        answer = await Agent({"name": "openai:tiny", "endpoint_url": url}).run("hello")
    if answer.output != "hail":
        raise AssertionError(answer.output)


def loud() -> None:
    """What must be seen, or the watching is worth nothing."""
    import socket
    import subprocess

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.1", 9))
        one.sendto(b"x", ("127.0.0.2", 9))
    socket.getaddrinfo("localhost", 9)
    subprocess.run([sys.executable, "-c", ""], check=True)


def main() -> None:
    """Do it, and write down what was seen."""
    import anyio

    report, what, *more = sys.argv[1:]
    if what == "loud":
        loud()
    else:
        if what == "life":
            imports()
        anyio.run({"life": life, "model": model}[what], *more)
    Path(report).write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
