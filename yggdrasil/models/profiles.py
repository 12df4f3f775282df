"""What each model can do: how it gives a typed answer, which media it takes. A table, and whatever you register.

Sources: https://platform.openai.com/docs/models, https://docs.anthropic.com/en/docs/about-claude/models
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, close_names

Output = Literal["native", "tool", "prompt"]


class Profile(Value):
    """What one model can do. What is not known is taken to work: the server has the last word.

    output     how a typed answer is asked for: "native" (the API's own JSON Schema), "tool" (a tool named `answer`
               whose arguments are the answer), "prompt" (the schema in the instructions)
    strict     with "native", whether schemas may be sent in OpenAI's strict form
    images, audio, files
               what a request may carry
    parallel   whether it may ask for several tools in one reply; if not, it is told so
    reasoning  whether it may reason, so that its encrypted reasoning is asked for (Responses)
    api        which of OpenAI's own APIs serves it: "responses" or "chat"
    """

    output: Output = "native"
    strict: bool = True
    images: bool = True
    audio: bool = True
    files: bool = True
    parallel: bool = True
    reasoning: bool = True
    api: Literal["responses", "chat"] = "responses"


_CHOICES = {"output": ("native", "tool", "prompt"), "api": ("responses", "chat")}

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


def checked(profile: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The fields of a profile; ConfigError names one that there is not, or a value that does not fit."""
    if not isinstance(profile, Mapping):
        raise ConfigError(f"the profile of {model} is no mapping: {profile!r}", hint="profile: {output: tool}")
    fields = Profile().values()
    for field, value in profile.items():
        if field not in fields:
            raise ConfigError(f"the profile of {model} has no field {field!r}; {close_names(str(field), fields)}")
        choices = _CHOICES.get(field, (True, False))
        if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
            said = ", ".join(map(str, choices))
            raise ConfigError(f"{field} in the profile of {model} is {value!r}; it is one of {said}")
    return dict(profile)
