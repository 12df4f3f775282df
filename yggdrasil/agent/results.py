"""What a tool's call came to; of a large result the model gets the beginning, and a link to read on by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.core.blob import Blob
from yggdrasil.core.links import BLOB
from yggdrasil.core.messages import Media, part_from_json, part_to_json
from yggdrasil.core.value import Value
from yggdrasil.errors import CorruptError, PortError, close_names
from yggdrasil.runtime.function import FunctionBlock

LONGEST = 20_000
"""Characters of a result that a model is shown whole, if nothing else is said."""

_BEGINNING = 2_000


class Outcome(Value):
    """What a call gave: text and media for the model; `whole` is the text that was too long, as a blob."""

    content: str
    failed: bool = False
    media: tuple[Media, ...] = ()
    whole: Blob | None = None


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """As it is recorded; blobs stay blobs, and are kept by digest."""
    found: dict[str, Any] = {"content": outcome.content, "failed": outcome.failed}
    if outcome.media:
        found["media"] = [part_to_json(part, inline=False) for part in outcome.media]
    if outcome.whole is not None:
        found["whole"] = outcome.whole
    return found


def outcome_from_json(data: Mapping[str, Any]) -> Outcome:
    """The reverse; CorruptError when it is none."""
    try:
        media: Any = tuple(part_from_json(part) for part in data.get("media", ()))
        return Outcome(data["content"], data["failed"], media, data.get("whole"))
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptError(f"not a tool's result: {error!r}") from error


class Results:
    """The large results of one run, by digest. `longest`: characters that are shown whole (None: any number)."""

    def __init__(self, longest: int | None = LONGEST) -> None:
        self.longest = longest
        self.texts: dict[str, str] = {}

    def shorten(self, text: str, media: tuple[Media, ...]) -> Outcome:
        """The outcome of a call that gave this; a text that is too long is replaced by its beginning and a link."""
        if self.longest is None or len(text) <= self.longest:
            return Outcome(text, False, media)
        whole = Blob(text.encode("utf-8", "replace"), "text/plain; charset=utf-8")
        shown = min(_BEGINNING, self.longest)
        told = (
            f"{text[:shown]}\n\n[These are the first {shown} of {len(text)} characters. "
            f'Read on with read_result(link="{BLOB}{whole.digest}", offset={shown}).]'
        )
        return Outcome(told, False, media, whole)

    def keep(self, outcome: Outcome) -> None:
        """Remember a large result, so that it can be read."""
        if outcome.whole is not None:
            self.texts[outcome.whole.digest] = outcome.whole.data.decode("utf-8", "replace")

    async def record(self, outcome: Outcome, ctx: RunContext) -> Outcome:
        """In a durable run: the large result of something that is not recorded itself (an agent, a graph)."""
        whole = outcome.whole
        if whole is None:
            return outcome

        async def perform(key: str) -> Blob:
            return whole

        await ctx.effect("result", whole.digest, perform)
        return outcome

    def reader(self) -> FunctionBlock:
        """The tool that reads them."""
        return _READER.configured(results=self)


async def _read_result(  # noqa: D417 - what the model is told of its arguments
    link: str, ctx: RunContext, offset: int = 0, length: int = 4000, *, results: Any = None
) -> str:
    """Read a piece of a tool's result that was too long to show.

    Args:
        link: the link that the result came with
        offset: the first character to read, counted from 0
        length: how many characters
    """
    name = link.strip().removeprefix(BLOB)
    text = results.texts.get(name)
    if text is None and len(name) == 64 and ctx.run.effects is not None:
        text = (await ctx.run.effects.blob(name)).decode("utf-8", "replace")
    if text is None:
        raise PortError(f"there is no result {link!r}; {close_names(link, [BLOB + name for name in results.texts])}")
    if offset < 0 or length < 1:
        raise PortError(f"offset is {offset} and length {length}", hint="offset=0, length=4000")
    end = min(len(text), offset + min(length, results.longest or length))
    if end <= offset:
        return f"[nothing: the result has {len(text)} characters]"
    rest = f"\n\n[{len(text) - end} characters follow: offset={end}]" if end < len(text) else "\n\n[the end]"
    return f"{text[offset:end]}{rest}"


_READER = FunctionBlock(_read_result, name="read_result", block_type="tool/read_result")
