"""A typed answer, asked for in the way in which a model can give it; whatever the way, the agent sees JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from yggdrasil.core.messages import Message, Reply, Request, Text, Thinking, ToolCall, ToolSpec, system
from yggdrasil.core.profile import Profile

_TOOL = "answer"
_DESCRIPTION = "Give the final answer: call this once, when you know all that it needs, instead of writing text."


def asked(request: Request, profile: Profile) -> tuple[Request, str]:
    """The request as the model can understand it, and the name of the tool that carries the answer ("" for none).

    A tool of the same name gets its way: ours takes another.
    """
    if request.output is None or profile.output == "native":
        return request, ""
    if profile.output == "prompt":
        return request.replace(messages=_told(request.messages, request.output), output=None), ""
    name = _TOOL
    while any(t.name == name for t in request.tools):
        name += "_"
    return request.replace(tools=(*request.tools, ToolSpec(name, _DESCRIPTION, request.output)), output=None), name


def _told(messages: Any, schema: Mapping[str, Any]) -> list[Message]:
    # within the first system message: many chat templates take but one
    said = (
        "Your final answer must be nothing but JSON, without a word before or after it, that fits this JSON Schema: "
        + json.dumps(schema, ensure_ascii=False)
    )
    first, *rest = messages or (system(""),)
    if first.role != "system":
        return [system(said), *messages]
    return [system(f"{first.text}\n\n{said}".strip()), *rest]


def answered(reply: Reply, name: str) -> Reply:
    """The reply with the call of the answer's tool as JSON text.

    Beside calls of other tools it is dropped: it was written before their results were known, and the model is
    asked again with them. Words beside the call alone are dropped too, since a typed answer is JSON and nothing else.
    """
    calls = reply.message.tool_calls
    answers = [c for c in calls if c.name == name]
    if not answers:
        return reply
    parts = reply.message.parts
    if len(answers) < len(calls):
        kept = tuple(p for p in parts if not (isinstance(p, ToolCall) and p.name == name))
        return reply.replace(message=Message("assistant", kept))
    text = Text(answers[0].arguments_text)
    kept = (*(p for p in parts if isinstance(p, Thinking)), text)
    finish = reply.finish if reply.finish == "length" else "stop"
    return reply.replace(message=Message("assistant", kept), finish=finish)
