"""A stream of the Responses API, put together.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from yggdrasil.abc.model import Delta
from yggdrasil.core.messages import Reply
from yggdrasil.errors import StreamError
from yggdrasil.models.faults import ProviderSaidError
from yggdrasil.models.openai_responses import reply_from_responses, request_to_responses
from yggdrasil.models.wire import WireFormat

_ENDS = ("response.completed", "response.incomplete", "response.failed")
_PIECES = {
    "response.output_text.delta": "text",
    "response.reasoning_summary_text.delta": "thinking",
    "response.reasoning_text.delta": "thinking",
    "response.function_call_arguments.delta": "arguments",
}


class ResponsesStream:
    """Puts the events of one stream together."""

    def __init__(self, model: str, delta: Delta, answer: str = "") -> None:
        self._model = model
        self._delta = delta
        self._answer = answer
        self._begun: dict[int, Any] = {}
        self._done: dict[int, Any] = {}
        self._response: Any = None

    def add(self, event: Any) -> None:
        """Take one event (attributes that are missing are None); StreamError when it is none."""
        try:
            self._add(event, event.type)
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise StreamError(f"the stream of {self._model} has an event that is not in its own format") from error

    def _add(self, event: Any, kind: str) -> None:
        if kind in _PIECES:
            text = event.delta
            if not isinstance(text, str):
                raise TypeError("a piece that is no text")
            if text:
                self._delta(self._part(event, _PIECES[kind]), text)
        elif kind == "response.output_item.added":
            self._begun[event.output_index] = event.item
        elif kind == "response.output_item.done":
            self._done[event.output_index] = event.item
        elif kind == "response.reasoning_summary_part.added":
            if event.summary_index:
                self._delta("thinking", "\n\n")
        elif kind in _ENDS:
            self._response = event.response
            if kind == "response.failed":
                raise ProviderSaidError({"error": event.response.error or {"message": "it failed"}})
        elif kind == "error":
            raise ProviderSaidError({"error": {"code": event.code, "message": event.message}})
        elif not isinstance(kind, str):
            raise TypeError("an event without a type")

    def _part(self, event: Any, part: str) -> str:
        item = self._begun.get(event.output_index)
        if item is None:
            return part
        if part == "arguments" and self._answer and item.name == self._answer:
            return "text"
        return "thinking" if item.phase == "commentary" else part

    def reply(self) -> Reply:
        """The whole; StreamError when the stream ended without saying so."""
        if self._response is None:
            raise StreamError(f"the stream of {self._model} ended early, before the response was complete")
        if not self._response.get("output"):
            self._response["output"] = [self._done[index] for index in sorted(self._done)]
        return reply_from_responses(self._response, self._model)


RESPONSES = WireFormat(
    ("model", "input"), lambda sdk: sdk.responses, request_to_responses, reply_from_responses, ResponsesStream
)
"""The Responses API."""
