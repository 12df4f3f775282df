"""What a talk begins with: the ports of an agent, its instructions, and what it was asked."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.core.messages import Message, Part, message_from_json, system, user
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, PortError

Instructions = str | Callable[..., Any]
"""Text, or a function of any of `ctx`, `context` and `given` that returns it (it may be async)."""

_KNOWN = ("ctx", "context", "given")


def agent_spec(doc: str | None, response: Any) -> Spec:
    """The ports of an agent."""
    return Spec.declare(
        [
            port("prompt", str | list[Any], optional=True, doc="What to do or answer."),
            port("messages", "messages", optional=True),
            port("context", "any", optional=True, doc="What else to know."),
            port("given", dict[str, Any], optional=True, given=True, doc="Values for the tools that ask for them."),
        ],
        [
            port("response", str if response is None else response),
            port("messages", "messages", optional=True),
            port("tool_calls", list[Any], optional=True),
        ],
        doc=doc or "",
    )


def check_instructions(instructions: Any) -> None:
    """ConfigError when these are no instructions."""
    if instructions is None or isinstance(instructions, str):
        return
    if not callable(instructions):
        raise ConfigError(
            f"instructions is {type(instructions).__name__}", hint="a text, or a function that returns one"
        )
    unknown = [n for n in inspect.signature(instructions).parameters if n not in _KNOWN]
    if unknown:
        raise ConfigError(
            f"instructions takes {unknown[0]!r}, and there are {', '.join(_KNOWN)}", hint="def instructions(given): ..."
        )


async def opening(
    instructions: Instructions | None, context: Any, given: Mapping[str, Any], ctx: RunContext
) -> list[Message]:
    """The system message: the instructions, then the context; nothing where there is neither."""
    if callable(instructions):
        values = {"ctx": ctx, "context": context, "given": given}
        wanted = {n: values[n] for n in inspect.signature(instructions).parameters}
        found = instructions(**wanted)
        instructions = await found if inspect.isawaitable(found) else found
        if instructions is not None and not isinstance(instructions, str):
            raise PortError(f"instructions gave {type(instructions).__name__}, not text", path=ctx.path)
    texts = [instructions] if instructions else []
    if context is not None:
        texts.append(context if isinstance(context, str) else json.dumps(context, ensure_ascii=False, default=str))
    return [system("\n\n".join(texts))] if texts else []


def new_messages(inputs: Mapping[str, Any], path: str) -> list[Message]:
    """What the agent is asked: the history handed in, then the prompt. PortError when there is neither."""
    new = [m if isinstance(m, Message) else message_from_json(m) for m in inputs.get("messages") or ()]
    prompt = inputs.get("prompt")
    if isinstance(prompt, str):
        new.append(user(prompt))
    elif prompt:
        strange = next((p for p in prompt if not isinstance(p, str | Part) and type(p).__name__ != "Blob"), None)
        if strange is not None:
            sentence = f"a prompt is made of texts and Blobs, not {type(strange).__name__}"
            raise PortError(sentence, path=path, hint='run(["what is this?", blob])')
        new.append(user(*prompt))
    if not new:
        raise PortError("the agent was given nothing to do", path=path, hint='run("...") or run(messages=[...])')
    return new
