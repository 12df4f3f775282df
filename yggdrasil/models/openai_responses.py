"""Our vocabulary and the Responses format of OpenAI.

Nothing is kept at the provider (`store: false`): the whole talk goes out each time, encrypted reasoning included.
Source: https://platform.openai.com/docs/api-reference/responses (requests, `response`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from yggdrasil.core.messages import (
    Audio,
    Finish,
    Image,
    Media,
    Message,
    Part,
    Reply,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)
from yggdrasil.errors import ConfigError, ModelReplyError, ModelRequestError, RefusalError
from yggdrasil.models.faults import ProviderSaidError
from yggdrasil.models.parts import arguments_of, cannot, check_media, link, misplaced
from yggdrasil.models.strict import answer_schema
from yggdrasil.models.wire import Target

SIGNED = "openai:"
"""What the signature of our own thinking begins with: that of others says nothing here."""


def request_to_responses(request: Request, target: Target) -> dict[str, Any]:
    """The body of a request. Leading system messages are the instructions."""
    params = dict(request.params)
    for name in ("input", "instructions"):
        if name in params:
            raise ConfigError(f"params of {target.model} has {name!r}, which the request sets itself")
    if "stop" in params:
        raise ModelRequestError(
            f"{target.model} cannot be sent stop: the Responses API has no such parameter", hint='api="chat"'
        )
    if "max_tokens" in params:
        params["max_output_tokens"] = params.pop("max_tokens")
    if "reasoning_effort" in params:
        params["reasoning"] = {"effort": params.pop("reasoning_effort"), **params.get("reasoning", {})}
    messages = list(request.messages)
    instructions: list[str] = []
    while messages and messages[0].role == "system":
        instructions.append(_words(messages.pop(0), target))
    body: dict[str, Any] = {
        "model": target.model_id,
        "input": [item for message in messages for item in _items(message, target)],
        "store": False,
        **params,
    }
    if instructions:
        body["instructions"] = "\n\n".join(instructions)
    if target.profile.reasoning:
        body.setdefault("include", ["reasoning.encrypted_content"])
    if request.tools:
        body["tools"] = [
            {
                "type": "function", "name": t.name, "description": t.description, "parameters": dict(t.parameters),
                "strict": False,
            }
            for t in request.tools
        ]  # fmt: skip
        if not target.profile.parallel:
            body.setdefault("parallel_tool_calls", False)
        if target.force:
            body.setdefault("tool_choice", {"type": "function", "name": target.force})
    if request.output is not None:
        schema, strict = answer_schema(request.output, target.profile.strict)
        form = {"type": "json_schema", "name": "answer", "schema": schema, "strict": strict}
        body["text"] = {**body.get("text", {}), "format": form}
    return body


def _words(message: Message, target: Target) -> str:
    for part in message.parts:
        if not isinstance(part, Text):
            raise misplaced(part, message, target.model)
    return message.text


def _items(message: Message, target: Target) -> Iterator[dict[str, Any]]:
    if message.role == "system":
        yield {"role": "system", "content": _words(message, target)}
    elif message.role == "user":
        yield {"role": "user", "content": [_content(p, message, target) for p in message.parts]}
    elif message.role == "tool":
        for part in message.parts:
            if not isinstance(part, ToolResult):
                raise misplaced(part, message, target.model)
            yield {"type": "function_call_output", "call_id": part.id, "output": _output(part, target)}
    else:
        for part in message.parts:
            yield from _said(part, message, target)


def _said(part: Part, message: Message, target: Target) -> Iterator[dict[str, Any]]:
    """What the model said before, as the items that it said it in."""
    if isinstance(part, Text):
        if part.text:
            yield {"role": "assistant", "content": part.text}
    elif isinstance(part, ToolCall):
        arguments = part.arguments_text
        yield {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": arguments}
    elif not isinstance(part, Thinking):
        raise misplaced(part, message, target.model)
    elif part.signature.startswith(SIGNED):
        signed = json.loads(part.signature.removeprefix(SIGNED))
        if "phase" in signed:
            yield {"role": "assistant", "content": part.text, **signed}
        else:
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            yield {"type": "reasoning", "summary": summary, **signed}


def _output(result: ToolResult, target: Target) -> Any:
    if not result.media:
        return result.content
    words = [{"type": "input_text", "text": result.content}] if result.content else []
    return [*words, *(_media(m, target) for m in result.media)]


def _content(part: Part, message: Message, target: Target) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, Media):
        return _media(part, target)
    raise misplaced(part, message, target.model)


def _media(part: Media, target: Target) -> dict[str, Any]:
    if isinstance(part, Audio):
        raise cannot(part, target.model, "the Responses API takes no sounds", hint='api="chat"')
    check_media(part, target.profile, target.model)
    if isinstance(part, Image):
        return {"type": "input_image", "image_url": link(part), "detail": "auto"}
    if part.blob is None:
        return {"type": "input_file", "file_url": part.url}
    return {"type": "input_file", "filename": part.name or "file", "file_data": link(part)}


def reply_from_responses(response: Any, model: str) -> Reply:
    """A `response` as a Reply; ModelReplyError when it is none, RefusalError when the model refused."""
    try:
        status = response.status
        if status == "failed":
            raise ProviderSaidError({"error": response.error or {"message": "it failed, and does not say why"}})
        parts = [part for item in response.output for part in _parts(item, model)]
        usage = usage_of_responses(response.usage)
        why = response.incomplete_details.reason if response.incomplete_details is not None else None
        served_by, reply_id = str(response.model or ""), str(response.id or "")
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ModelReplyError(f"{model} sent a reply that is not a response") from error
    if why == "content_filter":
        raise RefusalError(f"{model} refused: its content filter stopped the answer")
    if status not in ("completed", "incomplete"):
        raise ModelReplyError(f"{model} sent a reply that is neither complete nor incomplete: {status!r}")
    ended: Finish = "tool_calls" if any(isinstance(p, ToolCall) for p in parts) else "stop"
    if status == "incomplete":
        ended = "length"
    return Reply(Message("assistant", tuple(parts) or (Text(""),)), usage, ended, served_by, reply_id)


def _parts(item: Any, model: str) -> Sequence[Part]:
    kind = item.type
    if kind == "message":
        return _message_parts(item, model)
    if kind == "function_call":
        return [ToolCall(item.call_id or item.id or "", item.name or "", arguments_of(item.arguments or ""))]
    if kind == "reasoning":
        texts = [s.text for s in item.summary or ()] or [c.text for c in item.content or ()]
        signed = {name: item[name] for name in ("id", "encrypted_content") if item.get(name)}
        # without its encrypted content it would be looked up by its id, and nothing is kept there
        signature = SIGNED + json.dumps(signed) if "encrypted_content" in signed else ""
        return [Thinking("\n\n".join(texts), signature)]
    raise ModelReplyError(f"{model} sent an item that is not known: {kind!r}")


def _message_parts(item: Any, model: str) -> Sequence[Part]:
    texts: list[str] = []
    for content in item.content:
        if content.type == "refusal":
            raise RefusalError(f"{model} refused" + (f": {content.refusal}" if content.refusal else ""))
        if content.type != "output_text":
            raise ModelReplyError(f"{model} sent a message part that is not known: {content.type!r}")
        texts.append(content.text)
    text = "".join(texts)
    if item.phase == "commentary":
        # thinking aloud, not the answer; models want it back as what it was
        return [Thinking(text, SIGNED + json.dumps({"phase": "commentary"}))]
    return [Text(text)]


def usage_of_responses(usage: Any) -> Usage:
    """A `usage` object as Usage of one request; zeros where the server counts nothing."""
    if usage is None:
        return Usage(requests=1)
    cached = getattr(usage.input_tokens_details, "cached_tokens", None)
    reasoning = getattr(usage.output_tokens_details, "reasoning_tokens", None)
    return Usage(usage.input_tokens or 0, usage.output_tokens or 0, cached or 0, reasoning or 0, 1)
