"""What a language model can do: how it gives a typed answer, which media it takes."""

from __future__ import annotations

from collections.abc import Mapping
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
