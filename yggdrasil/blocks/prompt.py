"""A prompt out of values: the text between a world's state and a model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.core.blob import Blob
from yggdrasil.core.ports import Port, Spec, port
from yggdrasil.errors import ConfigError

_PLACE = re.compile(r"\{([A-Za-z_][\w]*)((?:\.[\w-]+)*)(\?)?\}")


class Prompt(Block):
    """Fills the places of a template: `{intent}`, `{world.style}`; a place with `?` may stay empty.

    Each first name is an input. Text goes in as it is, anything else as JSON, cut at `limit` characters per place.
    With `media` the pictures in the values follow the text, and the prompt may be a list; else they are named only.
    """

    block_type = "text/prompt"

    def __init__(self, template: str, limit: int = 4000, media: bool = False) -> None:
        if not isinstance(template, str) or not template.strip():
            raise ConfigError("the template is empty", hint='template: "Tell of {intent}."')
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ConfigError(f"limit is {limit!r}; it counts characters", hint="limit: 4000")
        self.template = template
        self.limit = limit
        self.media = media
        needed: dict[str, bool] = {}
        for name, path, optional in _PLACE.findall(template):
            # what lies deeper may be missing there; the input itself may not
            needed[name] = needed.get(name, False) or not (optional and not path)
        inputs = {name: Port(name, optional=not must) for name, must in needed.items()}
        prompt = port("prompt", str | list[Any] if media else str)
        self._spec = Spec(inputs, {"prompt": prompt}, "A prompt out of values.")

    @property
    def spec(self) -> Spec:
        """One input per name in the template; the prompt."""
        return self._spec

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Fill the template."""
        media: list[Blob] = []

        def fill(match: re.Match[str]) -> str:
            value: Any = inputs.get(match[1])
            for step in match[2].split(".")[1:]:
                value = value.get(step) if isinstance(value, Mapping) else None
            return _cut(_text(value, media), self.limit)

        text = _PLACE.sub(fill, self.template).strip()
        return {"prompt": [text, *media] if media and self.media else text}


def _text(value: Any, media: list[Blob]) -> str:
    if value is None:
        return ""
    plain = _without_media(value, media)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _without_media(value: Any, media: list[Blob]) -> Any:
    if isinstance(value, Blob):
        if value.media_type.startswith("text/"):
            return value.data.decode(errors="replace")
        if not value.media_type.startswith("image/"):
            return f"({value.media_type}, {len(value.data)} bytes)"
        media.append(value)
        return f"({value.media_type}, number {len(media)})"
    if isinstance(value, Mapping):
        return {key: _without_media(item, media) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_media(item, media) for item in value]
    return value


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 5)] + " [..]"
