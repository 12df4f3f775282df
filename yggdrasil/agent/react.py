"""Tools for models that know no tool calls: asked for and answered in plain text, as thought, action and observation.

After Yao et al., "ReAct: Synergizing Reasoning and Acting in Language Models", 2022, https://arxiv.org/abs/2210.03629.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.abc.model import Delta, Model, ModelAround
from yggdrasil.agent.react_text import Scanner
from yggdrasil.core.messages import (
    Message,
    Part,
    Reply,
    Request,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
    system,
)
from yggdrasil.runtime.providers import resolve

_FORM = """You can use these tools:

{tools}

Write in this form, one step at a time:

Thought: what is to be done next, and why
Action: the name of one tool, out of: {names}
Action Input: what the tool is given, as one JSON object

Then stop. What the tool gave is told to you as an Observation; never write one yourself. Think and act again as often \
as you need to. As soon as you know the answer, write instead:

Thought: I know the answer
Final Answer: {answer}"""

_NO_TOOLS = """No tool can be used any more. Write now what you know:

Final Answer: {answer}"""


class ReAct(ModelAround):
    """A model that needs no tool calls of its own: `ReAct("openai:llama3")`, or by name `react:openai:llama3`.

    model   a name, a mapping `{name: ..., endpoint_url: ...}`, or a Model

    The tools stand in the instructions; what the model writes is read leniently (fenced JSON, other spellings, an
    observation it made up, an answer without its label), and the results of tools go back as observations. One action
    a turn. Where neither a tool nor the result of one is in the request, it goes to the model unchanged.
    """

    def __init__(self, model: str | Mapping[str, Any] | Model, **options: Any) -> None:
        self.model = resolve(model, **options)

    @property
    def name(self) -> str:
        """`react:` and the model's name."""
        return f"react:{self.model.name}"

    def __repr__(self) -> str:
        return f"ReAct({self.model!r})"

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """What the model wrote, as an answer or as one tool call. Its thoughts are told apart from its answer."""
        if not request.tools and not any(_is_act(part) for m in request.messages for part in m.parts):
            return await self.model.reply(request, key=key, delta=delta)
        asked = request.replace(messages=_told(request), tools=(), output=None)
        telling = None if delta is None else _Telling(delta, request.tools)
        reply = await self.model.reply(asked, key=key, delta=None if telling is None else telling.hear)
        parts = _read(reply.message, request.tools, f"act_{len(request.messages)}")
        if telling is not None:
            telling.end(reply.message.text)
        called = any(type(part) is ToolCall for part in parts)
        finish = "tool_calls" if called else "stop" if reply.finish == "tool_calls" else reply.finish
        return reply.replace(message=Message("assistant", parts), finish=finish, model=reply.model or self.model.name)


def react(model_id: str, **options: Any) -> Model:
    """The model called `react:PROVIDER:MODEL_ID`; the options are that provider's."""
    return ReAct(model_id, **options)


def _is_act(part: Part) -> bool:
    return type(part) in (ToolCall, ToolResult)


def _read(message: Message, tools: Sequence[ToolSpec], call: str) -> tuple[Part, ...]:
    """The parts of the reply: reasoning and media as they came, the text by what it says."""
    found = Scanner(tools).whole(message.text)
    before: list[Part] = [part for part in message.parts if type(part) is not Text]
    if found.thought:
        before.append(Thinking(found.thought))
    if any(type(part) is ToolCall for part in before):
        return tuple(before)  # it knew tool calls after all
    if found.tool:
        return (*before, ToolCall(call, found.tool, found.arguments))
    return (*before, Text(found.answer))


def _told(request: Request) -> list[Message]:
    """The talk as the model is told it: instructions with the tools, then text on both sides, in turns."""
    said = [m.text for m in request.messages if m.role == "system"]
    messages: list[Message] = [system("\n\n".join([*filter(None, said), _instructions(request)]))]
    for message in request.messages:
        if message.role == "system":
            continue
        parts = _assistant(message) if message.role == "assistant" else _user(message)
        role: Role = "assistant" if message.role == "assistant" else "user"
        if messages[-1].role == role:  # many chat templates insist on turns
            messages[-1] = Message(role, (*messages[-1].parts, Text("\n\n"), *parts))
        else:
            messages.append(Message(role, parts))
    return messages


def _instructions(request: Request) -> str:
    answer = "the answer"
    if request.output is not None:
        answer = f"nothing but JSON that fits this schema: {json.dumps(request.output, ensure_ascii=False)}"
    if not request.tools:
        return _NO_TOOLS.format(answer=answer)
    tools = "\n".join(
        f"{tool.name}: {tool.description or tool.name}\n"
        f"  Action Input fits this schema: {json.dumps(tool.parameters, ensure_ascii=False)}"
        for tool in request.tools
    )
    return _FORM.format(tools=tools, names=", ".join(tool.name for tool in request.tools), answer=answer)


def _assistant(message: Message) -> tuple[Part, ...]:
    lines: list[str] = []
    kept: list[Part] = []
    for part in message.parts:
        if type(part) is Thinking and part.signature:
            kept.append(part)  # a provider's own reasoning goes back to it
        elif type(part) is Thinking:
            lines.append(f"Thought: {part.text}")
        elif type(part) is ToolCall:
            given = part.arguments
            text = given if isinstance(given, str) else json.dumps(dict(given), ensure_ascii=False, default=str)
            lines.append(f"Action: {part.name}\nAction Input: {text}")
        elif type(part) is Text:
            lines.append(f"Thought: {part.text}" if message.tool_calls else f"Final Answer: {part.text}")
        else:
            kept.append(part)
    return (*kept, Text("\n".join(lines)))


def _user(message: Message) -> tuple[Part, ...]:
    parts: list[Part] = []
    for part in message.parts:
        if type(part) is ToolResult:
            failed = "it failed: " if part.failed else ""
            parts += [Text(f"{chr(10) if parts else ''}Observation: {failed}{part.content}"), *part.media]
        else:
            parts.append(part)
    return tuple(parts)


class _Telling:
    """Tells a reply while it is written: thoughts, the answer and a tool's arguments, each without its label."""

    def __init__(self, delta: Delta, tools: Sequence[ToolSpec]) -> None:
        self._delta, self._tools = delta, tools
        self._begin()

    def _begin(self) -> None:
        self._scanner = Scanner(self._tools, self._delta)
        self._heard = 0

    def hear(self, part: str, text: str) -> None:
        """A piece of the model's."""
        if part == "restart":
            self._begin()
        if part == "text":
            self._heard += len(text)
            self._scanner.feed(text)
        else:
            self._delta(part, text)

    def end(self, whole: str) -> None:
        """Nothing more comes; `whole` is the text, of which a model may have told less than it wrote."""
        if self._heard < len(whole):
            self._scanner.feed(whole[self._heard :])
        self._scanner.close()
