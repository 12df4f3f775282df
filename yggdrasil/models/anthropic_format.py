"""Our vocabulary and the Messages format of Anthropic.

Source: https://docs.anthropic.com/en/api/messages (requests, messages, streaming events).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.core.messages import (
    Audio,
    File,
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
from yggdrasil.errors import ModelReplyError, RefusalError
from yggdrasil.models.openai_responses import SIGNED
from yggdrasil.models.parts import cannot, check_media, coded, count_in, misplaced, text_of
from yggdrasil.models.stream import plain
from yggdrasil.models.wire import Target

DEFAULT_MAX_TOKENS = 8192

_FINISH: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
}
_REDACTED = "redacted:"
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_KEPT = {"type": "ephemeral"}


def request_to_anthropic(request: Request, target: Target) -> dict[str, Any]:
    """The body of a request. System messages are lifted out; neighbours of one role are joined."""
    params = dict(request.params)
    if "stop" in params:
        stop = params.pop("stop")
        params["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if "effort" in params:
        params["output_config"] = {"effort": params.pop("effort"), **params.get("output_config", {})}
    body: dict[str, Any] = {
        "model": target.model_id,
        "max_tokens": params.pop("max_tokens", None) or DEFAULT_MAX_TOKENS + _thinks(params),
        "messages": _messages(request.messages, target),
        **params,
    }
    system = "\n\n".join(_words(m, target) for m in request.messages if m.role == "system")
    if system:
        body["system"] = [{"type": "text", "text": system}]
    _add_tools(body, request, target)
    if request.output is not None:
        from anthropic import transform_schema

        form = {"type": "json_schema", "schema": transform_schema(dict(request.output))}
        body["output_config"] = {**body.get("output_config", {}), "format": form}
    if target.cache and "cache_control" not in body:
        _mark(body)
    return body


def _thinks(params: Mapping[str, Any]) -> int:
    """How many tokens of its output the model may think: they count towards `max_tokens`."""
    thinking = params.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    return budget if isinstance(budget, int) else 0


def _add_tools(body: dict[str, Any], request: Request, target: Target) -> None:
    if request.tools:
        body["tools"] = [
            {"name": t.name, "description": t.description, "input_schema": dict(t.parameters)} for t in request.tools
        ]
        thinking = body.get("thinking")
        # while it thinks, no tool can be forced on it
        free = isinstance(thinking, Mapping) and thinking.get("type") != "disabled"
        choice = {"type": "auto"} if free or not target.force else {"type": "tool", "name": target.force}
        if not target.profile.parallel:
            choice["disable_parallel_tool_use"] = True  # type: ignore[assignment]
        if choice != {"type": "auto"}:
            body.setdefault("tool_choice", choice)
    elif called := {c.name: None for m in request.messages for c in m.tool_calls}:
        # the API refuses tool blocks whose tools are not declared: they are, and may not be called
        body["tools"] = [{"name": name, "input_schema": {"type": "object"}} for name in called]
        body["tool_choice"] = {"type": "none"}


def _mark(body: dict[str, Any]) -> None:
    """Mark where the provider shall keep what came so far: after the tools, the instructions, the last message.

    Source: https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching (four marks at the most).
    """
    last = body["messages"][-1]["content"] if body["messages"] else []
    for blocks in (body.get("tools"), body.get("system"), last):
        for block in reversed(blocks or ()):
            if block.get("type") not in ("thinking", "redacted_thinking"):  # these cannot be marked
                block["cache_control"] = dict(_KEPT)
                break


def _words(message: Message, target: Target) -> str:
    for part in message.parts:
        if not isinstance(part, Text):
            raise misplaced(part, message, target.model)
    return message.text


def _messages(messages: Sequence[Message], target: Target) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [block for part in message.parts if (block := _block(part, message, target)) is not None]
        if entries and entries[-1]["role"] == role:
            entries[-1]["content"].extend(blocks)
        elif blocks:
            entries.append({"role": role, "content": blocks})
    return entries


def _block(part: Part, message: Message, target: Target) -> dict[str, Any] | None:
    """A content block; None for what says nothing here: empty text, another provider's thinking."""
    if isinstance(part, Text):
        return {"type": "text", "text": part.text} if part.text.strip() else None
    if isinstance(part, Thinking):
        return _thinking_block(part)
    if isinstance(part, ToolCall):
        # the format has no place for broken arguments: they go back as text under a name that says so
        arguments = {"broken_json": part.arguments} if isinstance(part.arguments, str) else dict(part.arguments)
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
    if message.role == "assistant":
        raise misplaced(part, message, target.model)
    return _tool_result(part, target) if isinstance(part, ToolResult) else _media(part, target)


def _tool_result(part: ToolResult, target: Target) -> dict[str, Any]:
    content: Any = part.content
    if part.media:
        words = [{"type": "text", "text": part.content}] if part.content.strip() else []
        content = [*words, *(_media(m, target) for m in part.media)]
    result = {"type": "tool_result", "tool_use_id": part.id, "content": content}
    return {**result, "is_error": True} if part.failed else result


def _thinking_block(part: Thinking) -> dict[str, Any] | None:
    if part.signature.startswith(_REDACTED):
        return {"type": "redacted_thinking", "data": part.signature.removeprefix(_REDACTED)}
    if part.signature and not part.signature.startswith(SIGNED):
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    return None


def _media(part: Media, target: Target) -> dict[str, Any]:
    if isinstance(part, Audio):
        raise cannot(part, target.model, "the Messages API takes no sounds")
    check_media(part, target.profile, target.model)
    titled = {"title": part.name} if isinstance(part, File) and part.name else {}
    kind = "document" if isinstance(part, File) else "image"
    if part.blob is None:
        return {"type": kind, "source": {"type": "url", "url": part.url}, **titled}
    media_type = part.blob.media_type.partition(";")[0]
    source = {"type": "base64", "media_type": media_type, "data": coded(part.blob)}
    if isinstance(part, Image):
        if media_type not in _PICTURES:
            raise cannot(part, target.model, f"the Messages API takes {', '.join(_PICTURES)}")
        return {"type": "image", "source": source}
    words = text_of(part)
    if words is not None:
        source = {"type": "text", "media_type": "text/plain", "data": words}
    elif media_type != "application/pdf":
        raise cannot(part, target.model, "the Messages API takes application/pdf and plain text")
    return {"type": "document", "source": source, **titled}


def reply_from_anthropic(message: Any, model: str) -> Reply:
    """A `message` as a Reply; ModelReplyError when it is none, RefusalError when the model refused."""
    try:
        parts = [part_of(block, model) for block in message.content]
        finish = message.stop_reason
        usage = usage_of_anthropic(message.usage)
        served_by, reply_id = str(message.model or ""), str(message.id or "")
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ModelReplyError(f"{model} sent a reply that is not a message") from error
    if finish is None:
        raise ModelReplyError(f"{model} sent a reply without a stop reason")
    return made_of(model, finish, message.stop_details, parts, usage, served_by, reply_id)


def part_of(block: Any, model: str) -> Part:
    """A whole content block as a part; ModelReplyError when it is none that is known."""
    kind = block.type
    if kind == "text":
        return Text(block.text)
    if kind == "tool_use":
        arguments = plain(block.input)
        return ToolCall(block.id, block.name, arguments if isinstance(arguments, Mapping) else str(arguments))
    if kind == "thinking":
        return Thinking(block.thinking, block.signature or "")
    if kind == "redacted_thinking":
        return Thinking("", _REDACTED + block.data)
    raise ModelReplyError(f"{model} sent a part that is not known: {kind!r}")


def made_of(
    model: str, finish: str, details: Any, parts: Sequence[Part], usage: Usage, served_by: str, reply_id: str
) -> Reply:
    """The reply that ended so; RefusalError when the model refused, ModelReplyError for an end that is not known."""
    if finish == "refusal":
        why = getattr(details, "explanation", None) or "".join(p.text for p in parts if isinstance(p, Text))
        raise RefusalError(f"{model} refused" + (f": {why}" if why else ""))
    if finish not in _FINISH:
        raise ModelReplyError(f"{model} stopped for a reason that is not known: {finish!r}")
    ended = _FINISH[finish]
    if ended != "length":
        ended = "tool_calls" if any(isinstance(p, ToolCall) for p in parts) else "stop"
    return Reply(Message("assistant", tuple(parts) or (Text(""),)), usage, ended, served_by, reply_id)


def counts_of_anthropic(answer: Any) -> dict[str, float]:
    """How many of the tokens that were read a `message` (or a stream) had written to the cache: they cost more."""
    usage = answer.usage
    written = count_in(usage, "cache_creation_input_tokens")
    hour = count_in(getattr(usage, "cache_creation", None), "ephemeral_1h_input_tokens")
    counts = {"cache_write_tokens": written, "cache_write_1h_tokens": min(hour, written)}
    return {name: count for name, count in counts.items() if count}


def usage_of_anthropic(usage: Any, before: Usage | None = None) -> Usage:
    """Input tokens are all that were read, cached or not, as with every other provider. `before`: as told so far."""
    if usage is None:
        return before or Usage(requests=1)
    read = getattr(usage, "cache_read_input_tokens", None)
    written = getattr(usage, "cache_creation_input_tokens", None)
    fresh = getattr(usage, "input_tokens", None)
    thought = getattr(getattr(usage, "output_tokens_details", None), "thinking_tokens", None)
    if before is not None and fresh is None:
        return Usage(
            before.input_tokens, usage.output_tokens or 0, before.cached_tokens, thought or before.reasoning_tokens, 1
        )
    return Usage((fresh or 0) + (read or 0) + (written or 0), usage.output_tokens or 0, read or 0, thought or 0, 1)
