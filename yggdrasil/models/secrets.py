"""Keys come from the environment, at the moment of the call, and are shown nowhere."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from yggdrasil.errors import ModelAuthError, SecretError

_SHOWN = "[key hidden]"
_LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|pk|rk|key)-[\w*.-]{6,}|(?i:\bbearer\s+)[^\s'\",]{6,}")


def key_from_environment(variable: str, *, model: str, required: bool = True) -> str:
    """The key in environment variable `variable`; ModelAuthError names the line to write when it is not there.

    "" when it is missing and not `required`.
    """
    key = os.environ.get(variable, "").strip()
    if not key and required:
        raise ModelAuthError(
            f"{model} needs a key and {variable} is not in the environment", hint=f"export {variable}=..."
        )
    return key


def scrub(text: str, *keys: str) -> str:
    """`text` with every one of `keys`, and whatever else looks like a key, hidden."""
    for key in keys:
        if key:
            text = text.replace(key, _SHOWN)
    return _LOOKS_LIKE_A_KEY.sub(_SHOWN, text)


def without_credentials(url: str | None) -> str | None:
    """`url`; SecretError when it carries a user name, a password or a key."""
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.username or parts.password or _LOOKS_LIKE_A_KEY.search(url) or "key=" in parts.query.lower():
        raise SecretError(
            f"the endpoint_url for {parts.hostname} carries a secret",
            hint=f"endpoint_url: {parts.scheme}://{parts.hostname}/...  (and the key in the environment)",
        )
    return url
