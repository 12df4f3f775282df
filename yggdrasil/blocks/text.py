"""Texts put together: a list as one text, and a log of what was said, round by round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError


class Join(Block):
    """The items of a list as one text; with `title` each under a heading with its number: "Part 1"."""

    block_type = "text/join"
    spec = Spec.declare([port("items", list)], [port("text", "text")], "A list as one text.")

    def __init__(self, title: str = "", separator: str = "\n\n") -> None:
        _check(title=title, separator=separator)
        self.title, self.separator = title, separator

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Put them together."""
        texts = [_text(item) for item in inputs["items"]]
        if self.title:
            texts = [f"{self.title} {number}\n{text}" for number, text in enumerate(texts, 1)]
        return {"text": self.separator.join(texts)}


class Log(Block):
    """What was said so far, for loops: each call adds what comes in now to what was there `before`.

    title     what one entry is called: "Round" gives "Round 1", "Round 2", ...
    said      any number of edges; where several bring something each is named by its node
    heading   a text for the entry's first line
    before    the entries of the iteration before: an edge from `entries`
    log, new  all entries as one text; the new one alone, which does not come when nothing was said
    """

    block_type = "text/log"
    spec = Spec.declare(
        [
            port("said", dict[str, Any], optional=True, many="dict"),
            port("heading", "text", optional=True),
            port("before", list[str], optional=True),
        ],
        [port("log", "text"), port("entries", list[str]), port("new", "text", optional=True)],
        "What was said so far.",
    )

    def __init__(self, title: str = "") -> None:
        _check(title=title)
        self.title = title

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Add an entry, when there is one."""
        entries = list(inputs.get("before") or ())
        said = inputs.get("said") or {}
        if not said:
            return {"log": "\n\n".join(entries), "entries": entries}
        first = f"{self.title} {len(entries) + 1}".strip() if self.title else ""
        first = ": ".join(filter(None, (first, inputs.get("heading"))))
        named = len(said) > 1
        texts = [f"{end.partition('.')[0]}: {_text(v)}" if named else _text(v) for end, v in said.items()]
        new = "\n".join(filter(None, (first, "\n\n".join(texts))))
        entries.append(new)
        return {"log": "\n\n".join(entries), "entries": entries, "new": new}


def _check(**said: Any) -> None:
    for name, value in said.items():
        if not isinstance(value, str):
            raise ConfigError(f"{name} is {value!r}, and is a text", hint=f'{name}: "..."')


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
