"""An agent of 20 steps with tools and one approval, as a durable run: `durable_agent.py FOLDER`. Made to be killed.

Whatever it does outside goes through `outside/`, which takes each idempotency key once, and is logged with the key.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio

from yggdrasil import Agent, RunContext, SuspendedError, tool
from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.messages import Message, Reply, Request, Text, ToolCall, ToolResult, Usage, assistant
from yggdrasil.storage.sqlite import SqliteStore

STEPS = 20
SIGNED_AT = 10


class Outside:
    """The world out there: it takes each key once, whatever happens to whoever calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "outside").mkdir(exist_ok=True)

    def log(self, kind: str, key: str, **more: Any) -> None:
        """Say that something was begun; in one write, which a kill cannot tear."""
        line = json.dumps({"kind": kind, "key": key, "pid": os.getpid(), **more}) + "\n"
        log = os.open(self.folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(log, line.encode())
        os.close(log)

    def once(self, key: str, what: str) -> str:
        """Do it, if this key has not done it already."""
        place = self.folder / "outside" / key
        try:
            os.close(os.open(place, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return f"{what}, as before"
        return what


class Logged(Model):
    """A model of rules that logs the key of each request."""

    name = "rules"

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """One step after the other; then an answer made of all results."""
        self.outside.log("model", key)
        await anyio.sleep(0.0005)
        seen = [p for m in request.messages for p in m.parts if isinstance(p, ToolResult)]
        step = sum(m.role == "tool" for m in request.messages)
        if step == STEPS:
            told = "\n".join(p.content.removesuffix(", as before") for p in seen)
            said = f"{len(seen)} results: {hashlib.sha256(told.encode()).hexdigest()}"
            return Reply(Message("assistant", (Text(said),)), Usage(10, 5, requests=1))
        calls = [ToolCall(f"{step}a", "note", {"number": step})]
        if step % 4 == 1:
            calls += [ToolCall(f"{step}{x}", "note", {"number": step * 100 + i}) for i, x in enumerate("bc")]
        if step == SIGNED_AT:
            calls.append(ToolCall(f"{step}s", "sign", {"text": "the treaty"}))
        return Reply(assistant(*calls), Usage(10, 5, requests=1), "tool_calls")


def durable_agent(outside: Outside) -> Agent[str]:
    """The agent."""

    @tool
    async def note(number: int, ctx: RunContext) -> str:
        """Write a number down."""
        outside.log("note", ctx.key, number=number)
        done = outside.once(ctx.key, f"noted {number}")
        await anyio.sleep(0.0005)
        return done

    @tool(approval=True)
    def sign(text: str, ctx: RunContext) -> str:
        """Sign something."""
        outside.log("sign", ctx.key)
        return outside.once(ctx.key, f"signed {text}")

    return Agent(Logged(outside), name="clerk", tools=[note, sign])


async def main(folder: Path) -> int:
    """Run the line; 3 when it waits for a person."""
    agent = durable_agent(Outside(folder))
    async with SqliteStore(folder / "runs.db") as store:
        print("begin", flush=True)
        try:
            result = await agent.run("Do your work.", thread="work", store=store)
        except SuspendedError:
            print("waits", flush=True)
            return 3
        print("end", result.output, result.usage.requests, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main, Path(sys.argv[1])))
