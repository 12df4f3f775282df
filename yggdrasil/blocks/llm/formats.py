"""How models write tool calls and thoughts into their text: a table, and one reader for all of it, piece by piece."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from yggdrasil.core.messages import Message, Part, Text, Thinking, ToolCall
from yggdrasil.core.value import Value


class Region(Value):
    """A piece of an answer between two marks that is no plain text.

    closes   "" when it goes on to the end
    first    whether it counts only where the answer begins with it (and is text when it turns out to be no call)
    """

    opens: str
    closes: str = ""
    kind: Literal["calls", "thinking"] = "calls"
    first: bool = False


REGIONS: tuple[Region, ...] = (
    Region("<think>", "</think>", "thinking"),
    Region("<tool_call>", "</tool_call>"),  # Hermes, Qwen
    Region("[TOOL_CALLS]"),  # Mistral
    Region("<|python_tag|>"),  # Llama 3.1
    Region("<function=", "</function>"),  # Llama 3.1, custom tools
    Region("{", first=True),  # Llama 3.x: bare JSON
)
"""What is known. In a region of calls there are JSON objects `{"name": ..., "arguments" | "parameters": {...}}`, in a
list or one after the other; or names, each before the JSON object of its arguments."""

_JSON = json.JSONDecoder()
_BETWEEN = re.compile(r"[\s,;\[\]]*")
_NAME = re.compile(r"([A-Za-z_][\w.\-]*)\s*(?:\[CALL_ID\]\w*)?\s*(?:\[ARGS\]|>)?\s*(?=\{)")
_BROKEN = re.compile(r'"name"\s*:\s*"([^"]+)"')
_ARGUMENTS = ("arguments", "parameters")


def calls_of(body: str, opens: str = "") -> list[tuple[str, Mapping[str, Any] | str]]:
    """The names and arguments in a region of calls; what cannot be read comes as text, with its name if it has one.

    `opens` may stand again before each of them.
    """
    between = re.compile(rf"(?:{re.escape(opens)}|[\s,;\[\]])*") if len(opens) > 1 else _BETWEEN
    found: list[tuple[str, Mapping[str, Any] | str]] = []
    place = _after(between, body, 0)
    while place < len(body):
        named = _NAME.match(body, place)
        start = named.end() if named else place
        try:
            value, place = _JSON.raw_decode(body, start)
        except (ValueError, RecursionError):
            rest = body[start:].strip()
            broken = _BROKEN.search(rest)
            found.append((named[1] if named else broken[1] if broken else "", rest))
            break
        found.append((named[1], value) if named and isinstance(value, dict) else _call(value))
        place = _after(between, body, place)
    return found


def _after(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place


def _call(value: Any) -> tuple[str, Mapping[str, Any] | str]:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return "", json.dumps(value, ensure_ascii=False)
    arguments: Any = next((value[key] for key in _ARGUMENTS if key in value), {})
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return value["name"], arguments
    return value["name"], arguments if isinstance(arguments, dict) else json.dumps(arguments, ensure_ascii=False)


def overlap(text: str, marks: Collection[str]) -> int:
    """How many of the last characters of `text` may be the beginning of a mark."""
    longest = min(len(text), max(map(len, marks), default=1) - 1)
    return next((n for n in range(longest, 0, -1) if any(m.startswith(text[-n:]) for m in marks if len(m) > n)), 0)


class Reader:
    """Takes an answer apart while it is written. `tell` hears (part, piece): pieces of text join to the whole text.

    regions   what to look for
    tools     the names of the tools there are
    within    the region that the prompt has opened already
    """

    def __init__(
        self, regions: Sequence[Region], tools: Collection[str], tell: Callable[[str, str], None], within: str = ""
    ) -> None:
        self._regions, self._tools, self._tell = regions, tools, tell
        self._marks = [r.opens for r in regions if not r.first]
        self._open = next((r for r in regions if r.opens == within), None) if within else None
        self._held = ""
        self._bare = False  # behind a region: white space is not worth a word
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[tuple[str, Mapping[str, Any] | str]] = []

    @property
    def thinks(self) -> bool:
        """Whether what comes now is a thought."""
        return self._open is not None and self._open.kind == "thinking"

    def feed(self, piece: str) -> None:
        """The next piece."""
        self._held += piece
        while self._step():
            pass

    def _step(self) -> bool:
        """Take one mark out of what is held; False when there is none."""
        if self._open is None:
            found = min(self._marks_in(self._held), default=None, key=lambda pair: (pair[0], -len(pair[1].opens)))
            if found is None:
                kept = overlap(self._held, self._marks)
                if self._regions:
                    kept = max(kept, len(self._held) - len(self._held[: len(self._held) - kept].rstrip()))
                self._say(self._held[: len(self._held) - kept])
                self._held = self._held[len(self._held) - kept :]
                return False
            place, region = found
            self._say(self._held[:place].rstrip())
            # what a name or an object begins with belongs to it
            self._held = self._held[place + (0 if region.first else len(region.opens)) :]
            self._open = region
            return True
        place = self._held.find(self._open.closes) if self._open.closes else -1
        if place < 0:
            if self.thinks:
                kept = overlap(self._held, [self._open.closes])
                self._think(self._held[: len(self._held) - kept])
                self._held = self._held[len(self._held) - kept :]
            return False
        body, self._held = self._held[:place], self._held[place + len(self._open.closes) :]
        self._leave(body)
        return True

    def _marks_in(self, text: str) -> Iterator[tuple[int, Region]]:
        for region in self._regions:
            if region.first:
                begun = self._text or self._calls or not text.lstrip().startswith(region.opens)
                place = -1 if begun else text.find(region.opens)
            else:
                place = text.find(region.opens)
            if place >= 0:
                yield place, region

    def _leave(self, body: str) -> None:
        region = self._open
        assert region is not None
        self._open, self._bare = None, True
        if region.kind == "thinking":
            self._think(body)
            return
        calls = calls_of(body, region.opens)
        if region.first and not all(name in self._tools and isinstance(said, dict) for name, said in calls):
            self._bare = False
            self._say(body)
            return
        for name, said in calls:
            self._tell("arguments", said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))
            self._calls.append((name, said))

    def _say(self, text: str) -> None:
        if self._bare:
            text = text.lstrip()
        if text:
            self._bare = False
            self._text.append(text)
            self._tell("text", text)

    def _think(self, text: str) -> None:
        if not self._thinking:
            text = text.lstrip()
        if text:
            self._thinking.append(text)
            self._tell("thinking", text)

    def end(self, place: int = 0) -> Message:
        """The whole; `place` numbers the turn, so that ids of calls differ between turns."""
        rest, self._held = self._held, ""
        if self._open is not None:
            self._leave(rest)
        elif not (self._calls and not rest.strip()):
            self._say(rest)
        thinking, text = "".join(self._thinking).rstrip(), "".join(self._text)
        parts: list[Part] = [Thinking(thinking)] if thinking else []
        if text or not self._calls:
            parts.append(Text(text))
        # nine letters and digits: Mistral's templates insist
        parts += [ToolCall(f"c{place:05d}{n:03d}", name, said) for n, (name, said) in enumerate(self._calls)]
        return Message("assistant", tuple(parts))


class Stops:
    """Finds stop strings in a text that comes in pieces; what may be the beginning of one is held back."""

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings = tuple(strings)
        self._held = ""
        self.found = False

    def feed(self, piece: str) -> str:
        """What is certain to be before any stop string."""
        if not self._strings or self.found:
            return "" if self.found else piece
        text = self._held + piece
        places = [place for place in (text.find(s) for s in self._strings) if place >= 0]
        if places:
            self.found, self._held = True, ""
            return text[: min(places)]
        kept = overlap(text, self._strings)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def end(self) -> str:
        """What was held back and is no stop string."""
        held, self._held = self._held, ""
        return held
