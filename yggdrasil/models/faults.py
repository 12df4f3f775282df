"""What goes wrong at a provider, as one of our errors. Nothing raw leaves this package, and no key."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping
from typing import Any

from yggdrasil.errors import (
    ContextTooLongError,
    ModelAuthError,
    ModelError,
    ModelReplyError,
    ModelRequestError,
    ModelTransientError,
    RateLimitError,
    RefusalError,
    StreamError,
)
from yggdrasil.models.secrets import scrub

_LONGEST_MESSAGE = 600
_OUT_OF_CONTEXT = (
    "context_length", "context length", "context window", "context size", "maximum context", "prompt is too long",
    "input is too long", "max_new_tokens` must be",
)  # fmt: skip
_OUT_OF_CREDIT = ("insufficient_quota", "billing")
_REFUSED = (
    "content_filter", "content_policy_violation", "image_content_policy_violation", "bio_policy", "cyber_policy",
    "misalignment_policy_violation",
)  # fmt: skip

# what an error inside an answer is called, when the HTTP status said 200 already
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "vector_store_timeout": 504,
    "overloaded_error": 529,
}


class ProviderSaidError(Exception):
    """A provider sent an error inside an answer that began well; `body` is what it said."""

    def __init__(self, body: Any) -> None:
        super().__init__("the provider sent an error")
        self.body = body


def translate(
    error: Exception, *, model: str, where: str, key: str, variable: str, streaming: bool
) -> ModelError | None:
    """The ModelError for what an SDK or its transport raised; None when it is none of theirs.

    model      `provider:model_id`
    where      the endpoint
    key        hidden wherever the provider echoes it
    variable   the environment variable that holds it
    """
    if isinstance(error, ModelError):
        return error
    at = f"{model} at {where}" if where else model
    broken = StreamError if streaming else ModelTransientError
    status = getattr(error, "status_code", None)
    kind = type(error).__name__
    if kind == "APIResponseValidationError":
        return ModelReplyError(f"{at} sent a reply that is not in its own format")
    if isinstance(status, int):
        return _of_status(error, status, at, key, variable)
    if kind == "APITimeoutError" or isinstance(error, TimeoutError) or _is_transport(error, "TimeoutException"):
        return broken(f"the stream of {at} stalled" if streaming else f"{at} did not answer in time")
    if kind == "APIConnectionError" or _is_transport(error, "TransportError"):
        return broken(f"the connection to {at} failed: {_said(error.__cause__ or error, key)}")
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) or _is_transport(error, "DecodingError"):
        if streaming:
            return StreamError(f"the stream of {at} has a piece that is not JSON")
        return ModelReplyError(f"{at} sent a reply that is not JSON")
    if kind == "APIError" or isinstance(error, ProviderSaidError):
        return _of_status(error, _status_inside(error), at, key, variable)
    return None


def _is_transport(error: BaseException, name: str) -> bool:
    # by name: the transport library is not imported before the SDK is
    return any(k.__name__ == name and k.__module__.startswith("httpx") for k in type(error).__mro__)


def _inner(error: BaseException) -> Mapping[str, Any]:
    """What the provider said of its error, wherever in the body it stands."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _types_of(error: BaseException) -> list[str]:
    inner = _inner(error)
    return [str(inner[name]) for name in ("code", "type") if inner.get(name)]


def _status_inside(error: BaseException) -> int:
    """The status that an error inside an answer would have had: some servers give its number, others a name."""
    code = _inner(error).get("code")
    if isinstance(code, int) and 400 <= code <= 599:
        return code
    for kind in _types_of(error):
        if kind in _STATUS_OF_TYPE:
            return _STATUS_OF_TYPE[kind]
        if "image" in kind:
            return 400
    return 500


def _of_status(error: Exception, status: int, at: str, key: str, variable: str) -> ModelError:
    if status < 400:
        status = _status_inside(error)
    said = _said(error, key)
    sentence = f"{at} answered {status}: {said}"
    types = _types_of(error)
    lowered = " ".join([said, *types]).lower()
    if any(kind in _REFUSED for kind in types):
        return RefusalError(f"{at} refused: {said}")
    if status in (401, 403):
        return ModelAuthError(sentence, hint=f"export {variable}=...  with a key that may use this model")
    if status == 402 or any(word in lowered for word in _OUT_OF_CREDIT):
        return ModelRequestError(sentence, hint="the account has no credit left")
    if status == 429:
        return RateLimitError(sentence, retry_after=_retry_after(error))
    if status in (408, 409) or status >= 500:
        return ModelTransientError(sentence, retry_after=_retry_after(error))
    if any(word in lowered for word in _OUT_OF_CONTEXT):
        return ContextTooLongError(
            sentence, hint="send fewer or shorter messages, or use a model with a longer context"
        )
    if status == 404:
        return ModelRequestError(sentence, hint="check the model's name and the endpoint_url")
    return ModelRequestError(sentence)


def _said(error: BaseException, key: str) -> str:
    """What the provider said, short, on one line, without keys."""
    message: Any = _inner(error).get("message")
    text = message if isinstance(message, str) and message else str(getattr(error, "message", "") or error)
    text = " ".join(scrub(text or type(error).__name__, key).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "..."


def _retry_after(error: Exception) -> float | None:
    """Seconds, from Retry-After-Ms or Retry-After (a number or an HTTP date, RFC 9110)."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            moment = email.utils.parsedate_tz(value)
            if moment is None:
                continue
            seconds = email.utils.mktime_tz(moment) - time.time()
        if 0 <= seconds < float("inf"):
            return seconds
        return 0.0 if seconds < 0 else None
    return None
