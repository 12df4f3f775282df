"""Who can be asked in tests: a script, and two servers that are not ours in three wire formats, told alike what to say.

A turn is words, a ToolCall, a Thinking, or a list of these. A fault is one of FAULTS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.aimock import Aimock
from tests.models.wires import build, provider_of
from yggdrasil import errors
from yggdrasil.abc.model import Model
from yggdrasil.core.messages import Thinking, ToolCall
from yggdrasil.models.scripted import ScriptedModel

FAULTS: dict[str, type[errors.ModelError]] = {
    "401": errors.ModelAuthError,
    "404": errors.ModelRequestError,
    "429": errors.RateLimitError,
    "500": errors.ModelTransientError,
    "529": errors.ModelTransientError,
    "too long": errors.ContextTooLongError,
    "refusal": errors.RefusalError,
    "early end": errors.StreamError,
    "disconnect": errors.StreamError,
    "stall": errors.StreamError,
    "bad piece": errors.StreamError,
    "bad body": errors.ModelReplyError,
}
"""What goes wrong, and the error that it is."""

STREAMED = ("early end", "disconnect", "stall", "bad piece")
WAIT = 0.2
"""Seconds in Retry-After."""


def parts(turn: Any) -> list[Any]:
    return list(turn) if isinstance(turn, list) else [turn]


class Script:
    """Without any wire: the errors are raised as they are."""

    faults = tuple(FAULTS)

    def __init__(self) -> None:
        self.turns: list[Any] = []

    def says(self, *turns: Any) -> None:
        self.turns += turns

    def breaks(self, fault: str) -> None:
        kind = FAULTS[fault]
        self.turns.append(kind("so", retry_after=WAIT) if kind is errors.RateLimitError else kind("so"))

    def model(self, **options: Any) -> Model:
        return ScriptedModel(self.turns)


class Llmock:
    """PyPI's llmock, through the SDKs."""

    faults = tuple(FAULTS)

    def __init__(self, server: Any, wire: str) -> None:
        self.server, self.wire = server, wire

    def says(self, *turns: Any) -> None:
        from llmock.scenarios import Reply
        from llmock.scenarios import ToolCall as Called

        for turn in turns:
            calls = tuple(Called(p.name, dict(p.arguments)) for p in parts(turn) if isinstance(p, ToolCall))
            words = "".join(p for p in parts(turn) if isinstance(p, str))
            self.server.add(Reply(text=words or None, tool_calls=calls))

    def breaks(self, fault: str) -> None:
        from llmock.scenarios import Reply

        server = self.server
        if fault.isdigit():
            server.fail(int(fault), retry_after=WAIT if fault == "429" else None)
        elif fault == "too long":
            server.context_overflow()
        elif fault == "refusal":
            server.add(Reply(text="", finish_reason="content_filter"))
        else:
            server.reply("one two three four five six")
            breaking = {
                "early end": server.truncate, "disconnect": server.disconnect, "bad piece": server.corrupt,
                "stall": server.stall,
            }  # fmt: skip
            breaking[fault](after_chunks=3)

    def model(self, **options: Any) -> Model:
        return build(self.wire, self.server.base_url(provider_of(self.wire)), **options)


class Told:
    """npm's aimock, through the SDKs."""

    faults = ("401", "404", "429", "500", "529", "too long", "refusal", "disconnect", "stall", "bad piece", "bad body")

    def __init__(self, server: Aimock, wire: str) -> None:
        self.server, self.wire = server, wire

    def says(self, *turns: Any) -> None:
        for place, turn in enumerate(turns):
            calls = [{"name": p.name, "arguments": p.arguments} for p in parts(turn) if isinstance(p, ToolCall)]
            words = "".join(p for p in parts(turn) if isinstance(p, str))
            said: dict[str, Any] = {"usage": {"prompt_tokens": 11, "completion_tokens": 7}}
            said |= {"content": words} if words else {}
            said |= {"toolCalls": calls} if calls else {}
            thought = "".join(p.text for p in parts(turn) if isinstance(p, Thinking))
            said |= {"reasoning": thought} if thought else {}
            # which turn it is, by how often the model has spoken in what it is shown
            match = {"turnIndex": place} if len(turns) > 1 else {}
            self.server.says(said, match=match)

    def breaks(self, fault: str) -> None:
        server, text = self.server, {"content": "one two three four five six " * 9}
        if fault == "429":
            error = {"message": "slow down", "type": "rate_limit_error"}
            server.says({"error": error, "status": 429, "retryAfter": 1})
        elif fault.isdigit():
            server.fails(int(fault), message="no")
        elif fault == "too long":
            server.fails(400, message="prompt is too long: 9 tokens > 8 maximum", type="invalid_request_error")
        elif fault == "refusal":
            server.says({"content": " ", "finishReason": "refusal" if self.wire == "anthropic" else "content_filter"})
        elif fault == "disconnect":
            server.says(text, truncateAfterChunks=3)
        elif fault == "stall":
            server.says(text, latency=3000)
        else:
            server.says(text).chaos(malformedRate=1)

    def model(self, **options: Any) -> Model:
        return build(self.wire, self.server.base_url(provider_of(self.wire)), **options)


Speaker = Script | Llmock | Told
WHO: Mapping[str, str] = {
    "script": "", "llmock-chat": "chat", "llmock-responses": "responses", "llmock-anthropic": "anthropic",
    "aimock-chat": "chat", "aimock-responses": "responses", "aimock-anthropic": "anthropic",
}  # fmt: skip


def can(who: str, fault: str) -> bool:
    """Whether this server can be made to break so."""
    kind: Any = Script if who == "script" else Llmock if who.startswith("llmock") else Told
    if who.startswith("llmock") and fault == "bad body":
        return False
    # neither server has a refusal in the Responses format: tests/models/test_openai_responses.py has
    return fault in kind.faults and (fault, WHO[who]) != ("refusal", "responses")
