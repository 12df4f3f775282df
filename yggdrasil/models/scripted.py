"""Models without a model: a list of replies, a function, or one of two that need no script at all."""

from __future__ import annotations

import inspect
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from yggdrasil.abc.model import Delta, Model
from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
)
from yggdrasil.errors import ConfigError, ModelReplyError, ModelRequestError, UnknownTypeError, close_names
from yggdrasil.models.example import example

Said = str | Blob | Part | Message | Reply | BaseException | Sequence["str | Blob | Part"]
"""What a scripted model says: text, a tool call or another part, bytes, several of these, a whole Message or Reply, or
an error to raise."""

Script = Callable[[Request], "Said | Awaitable[Said]"]

_PIECES = re.compile(r"\s*\S+\s*|\s+")


class ScriptedModel(Model):
    """Says what `script` says: one item of a list per call, or what a function of the Request returns.

    An item may itself be such a function. A list that is used up is an error, never an empty answer.
    `calls` counts; `requests` holds the last `keep` requests seen (a request's `messages` may be a live list).
    """

    def __init__(self, script: Sequence[Said | Script] | Script, *, name: str = "script", keep: int = 100) -> None:
        if isinstance(script, str):
            script = [script]
        if not callable(script) and not isinstance(script, Sequence):
            raise ConfigError(f"the script is {type(script).__name__}", hint='ScriptedModel(["Hello.", "Bye."])')
        if not isinstance(keep, int) or keep < 0:
            raise ConfigError(f"keep is {keep!r}", hint="keep=100, or 0 for none")
        self._name = f"scripted:{name}"
        self._function = script if callable(script) else None
        self._items: Sequence[Any] = () if callable(script) else tuple(script)
        self.calls = 0
        self.requests: deque[Request] = deque(maxlen=keep)

    @property
    def name(self) -> str:
        """`scripted:` and the script's name."""
        return self._name

    def __repr__(self) -> str:
        return f"ScriptedModel({self._name!r}, calls={self.calls})"

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """The next reply of the script; with `delta` also in pieces, word by word."""
        number = self.calls
        self.calls = number + 1
        self.requests.append(request)
        said: Any = self._function
        if said is None:
            if number >= len(self._items):
                raise ModelRequestError(
                    f"{self._name} has {len(self._items)} replies and was asked for number {number + 1}",
                    hint='ScriptedModel([..., "one more reply"])',
                )
            said = self._items[number]
        if callable(said):
            said = said(request)
            if inspect.isawaitable(said):
                said = await said
        reply = said if type(said) is Reply else _reply(said, self._name)
        if delta is not None:
            tell(reply.message, delta)
        return reply


def _reply(said: Any, name: str) -> Reply:
    if isinstance(said, str):
        return Reply(Message("assistant", (Text(said),)), model=name)
    if isinstance(said, ToolCall):
        return Reply(Message("assistant", (said,)), finish="tool_calls", model=name)
    if isinstance(said, BaseException):
        raise said
    if isinstance(said, Reply):
        return said
    if isinstance(said, Blob | Text | Image | Audio | File | Thinking):
        said = (said,)
    message = assistant(*said) if isinstance(said, list | tuple) else said
    if not isinstance(message, Message):
        raise ModelReplyError(
            f"{name} was given a {type(said).__name__} to say",
            hint="a str, Blob, part, list of these, Message, Reply, exception, or a function of the Request",
        )
    return Reply(message, finish="tool_calls" if message.tool_calls else "stop", model=name)


def tell(message: Message, delta: Delta) -> None:
    """Tell a whole message in pieces, word by word."""
    for part in message.parts:
        if isinstance(part, Text):
            for piece in _PIECES.findall(part.text):
                delta("text", piece)
        elif isinstance(part, Thinking):
            delta("thinking", part.text)
        elif isinstance(part, ToolCall):
            delta("arguments", part.arguments if isinstance(part.arguments, str) else json.dumps(part.arguments))


def echo(request: Request) -> Said:
    """The last thing the user said; an example of the schema when a typed answer is asked for."""
    if request.output is not None:
        return json.dumps(example(request.output), ensure_ascii=False)
    return next((m.text for m in reversed(request.messages) if m.role == "user"), "")


def call_every_tool(request: Request) -> Said:
    """Every tool once, with arguments made from its schema; then an answer that quotes the results."""
    last = request.messages[-1] if request.messages else None
    if request.tools and (last is None or last.role != "tool"):
        place = len(request.messages)
        return [ToolCall(f"call_{place}_{i}", t.name, example(t.parameters)) for i, t in enumerate(request.tools)]
    if request.output is not None or last is None or last.role != "tool":
        return echo(request)
    return "\n".join(f"{p.name}: {p.content}{_shown(p)}" for p in last.parts if isinstance(p, ToolResult))


def _shown(result: ToolResult) -> str:
    """What came with a result besides its text: "", or " [image/png, 12 bytes]" for each."""
    kinds = (m.url if m.blob is None else f"{m.blob.media_type}, {len(m.blob.data)} bytes" for m in result.media)
    return "".join(f" [{kind}]" for kind in kinds)


SCRIPTS: dict[str, Script] = {"echo": echo, "tools": call_every_tool}
"""What `scripted:NAME` may name."""


def scripted(name: str) -> Model:
    """The model called `scripted:name`."""
    if name not in SCRIPTS:
        raise UnknownTypeError(
            f"no scripted model {name!r}; {close_names(name, SCRIPTS)}",
            hint="ScriptedModel([...]) for replies of your own",
        )
    return ScriptedModel(SCRIPTS[name], name=name, keep=0)
