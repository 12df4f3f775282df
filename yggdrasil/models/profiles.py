"""What each model can do: how it gives a typed answer, which media it takes. A table, and whatever you register.

Sources: https://platform.openai.com/docs/models, https://docs.anthropic.com/en/docs/about-claude/models
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from yggdrasil.core.profile import Profile, checked
from yggdrasil.errors import ConfigError

# The first pattern that fits counts. "openai" is OpenAI itself, "openai+" any other server of its format;
# likewise for anthropic.
_TABLE: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "openai": (
        ("gpt-audio*", {"api": "chat", "output": "prompt", "images": False, "files": False, "reasoning": False}),
        ("gpt-4o*-audio*", {"api": "chat", "output": "prompt", "images": False, "files": False, "reasoning": False}),
        ("gpt-4o*-search*", {"api": "chat", "audio": False, "reasoning": False}),
        ("gpt-3.5*", {"output": "tool", "images": False, "audio": False, "files": False, "reasoning": False}),
        ("gpt-4", {"output": "tool", "images": False, "audio": False, "files": False, "reasoning": False}),
        ("gpt-4-[01]*", {"output": "tool", "images": False, "audio": False, "files": False, "reasoning": False}),
        ("gpt-4-turbo*", {"output": "tool", "audio": False, "files": False, "reasoning": False}),
        ("gpt-4o-2024-05-13", {"output": "tool", "audio": False, "reasoning": False}),
        ("chatgpt-4o*", {"output": "prompt", "audio": False, "reasoning": False}),
        ("gpt-5*-chat*", {"audio": False, "reasoning": False}),
        ("gpt-4*", {"audio": False, "reasoning": False}),
        ("o1-mini*", {"output": "prompt", "images": False, "audio": False, "files": False}),
        ("o1-preview*", {"output": "prompt", "images": False, "audio": False, "files": False}),
        ("o3-mini*", {"images": False, "audio": False, "files": False}),
        ("*", {"audio": False}),
    ),
    "openai+": (
        ("*deepseek-reasoner*", {"output": "prompt", "images": False, "audio": False, "files": False}),
        ("*deepseek*", {"output": "tool", "images": False, "audio": False, "files": False}),
        ("*gpt-3.5*", {"output": "tool", "images": False, "audio": False, "files": False}),
    ),
    "anthropic": (
        ("*claude-2*", {"output": "prompt", "images": False, "audio": False, "files": False}),
        ("*claude-instant*", {"output": "prompt", "images": False, "audio": False, "files": False}),
        ("*claude-3-*", {"output": "tool", "audio": False}),
        ("*claude-*-4-0*", {"output": "tool", "audio": False}),
        ("*claude-*-4-2025*", {"output": "tool", "audio": False}),
        ("*claude-*", {"audio": False}),
    ),
    # tools are understood by every server of this format, its JSON Schemas by few
    "anthropic+": (("*", {"output": "tool", "audio": False}),),
}  # fmt: skip
_TABLE["anthropic+"] = (*_TABLE["anthropic"], *_TABLE["anthropic+"])

_registered: list[tuple[str, str, dict[str, Any]]] = []


def register_profile(name: str, profile: Mapping[str, Any]) -> None:
    """Say what the models called `provider:pattern` can do, wherever they are served; the last one said counts most.

    `register_profile("openai:qwen2-*", {"output": "prompt", "images": False})`; `*` in the pattern fits anything.
    """
    provider, colon, pattern = name.partition(":")
    if not colon or not pattern:
        raise ConfigError(f"profile {name!r} names no model", hint=f'register_profile("openai:{name}", ...)')
    _registered.insert(0, (provider, pattern.lower(), checked(profile, name)))


def profile_of(provider: str, model_id: str, *, own: bool, given: Mapping[str, Any] | None = None) -> Profile:
    """What `model_id` can do. `own`: at the provider itself; `given`: fields that a user says."""
    name = model_id.lower()
    found = next((p for who, pattern, p in _registered if who == provider and fnmatchcase(name, pattern)), None)
    if found is None:
        rows = _TABLE.get(provider if own else provider + "+", ())
        found = next((fields for pattern, fields in rows if fnmatchcase(name, pattern)), {})
    return Profile(**{**found, **(given or {})})
