"""`yggdrasil ask`: one question to an agent, for scripts. The answer goes to standard output, all else beside it."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from typing import Any

import anyio

from yggdrasil.cli.agents import load_agent, scope_of, spent
from yggdrasil.cli.exits import DONE, STOPPED, WAITS
from yggdrasil.cli.plain import Paint, line, safe
from yggdrasil.cli.streams import json_line
from yggdrasil.core.budget import Budget
from yggdrasil.core.events import Event, RunFinished, ToolCalled, ToolReturned, Warned
from yggdrasil.core.result import Result
from yggdrasil.errors import ConfigError, SuspendedError


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked for on the command line."""

    agent: str | None
    text: str
    model: str | None = None
    endpoint_url: str | None = None
    thread: str | None = None
    store: str | None = None
    budget: int | None = None
    max_cost: float | None = None
    yes: bool = False


def ask_agent(question: Question, as_json: bool) -> int:
    """Ask, print the answer, and return the exit code."""
    with scope_of(question.agent):
        return _ask_in_scope(question, as_json)


def _ask_in_scope(question: Question, as_json: bool) -> int:
    text = _text(question.text)
    agent = load_agent(question.agent, question.model, question.endpoint_url)
    if question.thread is not None and question.store is None:
        raise ConfigError("a thread needs a store", hint="--store sqlite:///runs.db")
    if question.store is not None and question.thread is None:
        raise ConfigError("a store is for a thread", hint="--thread NAME")
    asking = agent._loop.toolbox.asking
    if asking and not question.yes and question.thread is None:
        raise ConfigError(
            f"a person must approve each call of {', '.join(asking)}",
            path=agent.label,
            hint="--thread NAME --store sqlite:///runs.db, and `yggdrasil approve`; yggdrasil chat; or --yes to all",
        )
    try:
        return anyio.run(_ask, agent, text, question, as_json)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED.code
    except SuspendedError as error:
        words = ["yggdrasil", "approve", question.thread or "", "--store", question.store or ""]
        print(f"{error.sentence}\n  answer with: {shlex.join(words)}, and ask the same again", file=sys.stderr)
        return WAITS.code


def _text(asked: str) -> str:
    """What is asked, and what came through a pipe; "-" is what came through the pipe alone."""
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    text = piped if asked == "-" else "\n\n".join(filter(None, (asked, piped.strip())))
    if not text.strip():
        raise ConfigError("there is no question", hint='yggdrasil ask NAME "..."')
    return text


async def _ask(agent: Any, text: str, question: Question, as_json: bool) -> int:
    calls: list[dict[str, Any]] = []
    result: Result | None = None
    options: dict[str, Any] = {"thread": question.thread, "store": question.store}
    if question.yes:
        options["approve"] = lambda approval: True
    if question.budget is not None or question.max_cost is not None:
        options["budget"] = Budget(tokens=question.budget, cost=question.max_cost)
    paint = Paint(sys.stderr)
    async for event in agent.stream(text, **options):
        if isinstance(event, RunFinished) and event.path == agent.label:
            result = event.result
        elif not as_json:
            _beside(event, paint)
        if isinstance(event, ToolCalled):
            calls.append({"tool": event.tool, "arguments": event.arguments, "path": event.path})
    assert result is not None
    if as_json:
        usage = result.usage
        about = {"output": _plain(result.output), "tool_calls": calls, "usage": usage.values()}
        print(json_line(about))
    else:
        output = result.output
        print(safe(output) if isinstance(output, str) else json.dumps(_plain(output), ensure_ascii=False, indent=2))
        cost = spent(result.usage)
        if cost:
            print(paint(cost, "2"), file=sys.stderr)
    return DONE.code


def _beside(event: Event, paint: Paint) -> None:
    """What happens on the way, on standard error."""
    said = ""
    if isinstance(event, ToolCalled):
        said = f"· {event.tool} {line(json.dumps(event.arguments, ensure_ascii=False, default=str), 120)}"
    elif isinstance(event, ToolReturned) and event.failed:
        said = f"  failed: {line(event.content, 160)}"
    elif isinstance(event, Warned):
        said = f"warning: {line(event.sentence, 200)}"
    if said:
        print(paint(said, "2"), file=sys.stderr, flush=True)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return json.loads(json.dumps(value, default=str))
