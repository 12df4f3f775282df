"""Answers as they come over the wire, whole or as server-sent events read to the very end, alike for every provider.

The SDKs' own readers leave suspended generators behind, skip what they do not know, and raise what is not theirs.
Format: https://html.spec.whatwg.org/multipage/server-sent-events.html (fields `event` and `data`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from yggdrasil.models.faults import ProviderSaidError


class Loose(dict[str, Any]):
    """A JSON object whose keys are attributes too; one that is missing is None."""

    __getattr__ = dict.get


class EventReader:
    """Bytes in, the data of whole events out."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The data of each event that `received` completes."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                yield b"\n".join(self._data)
                self._data = []

    def end(self) -> Iterator[bytes]:
        """What is left when the stream ends without a last empty line."""
        yield from self.feed(b"\n\n")


async def read_whole(response: Any) -> Any:
    """The JSON of a whole answer, as Loose objects; ValueError when it is not JSON."""
    return json.loads(await response.read(), object_hook=Loose)


def plain(value: Any) -> Any:
    """Loose objects as ordinary dictionaries, all the way down."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


async def read_events(response: Any, add: Callable[[Any], None]) -> None:
    """Give each event's JSON to `add`, as Loose objects, until the stream ends.

    ProviderSaidError for an error inside the stream; ValueError for a piece that is not JSON.
    After a fault the response is closed at once, and read to its end, so that no generator is left suspended.
    """
    reader = EventReader()
    fault: Exception | None = None
    try:
        async for received in response.iter_bytes():
            if fault is None:
                fault = _take(reader.feed(received), add)
                if fault is not None:
                    await response.close()
    except Exception:
        if fault is None:
            raise
    if fault is None:
        fault = _take(reader.end(), add)
    if fault is not None:
        raise fault


def _take(events: Iterator[bytes], add: Callable[[Any], None]) -> Exception | None:
    try:
        for data in events:
            if data.startswith(b"[DONE]"):
                continue
            event = json.loads(data, object_hook=Loose)
            if isinstance(event, Loose) and event.get("error"):
                raise ProviderSaidError(event)
            add(event)
    except Exception as error:
        return error
    return None
