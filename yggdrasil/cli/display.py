"""What `run` shows: records for programs, lines for files and pipes, a live screen for people."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol, TextIO

from yggdrasil.cli.spending import Spending
from yggdrasil.cli.streams import json_line
from yggdrasil.cli.words import words
from yggdrasil.core.events import (
    ActionReceived,
    Event,
    StageFinished,
    StateDropped,
    TickFinished,
    TickStarted,
    Warned,
    WorldOpened,
    WorldParked,
    WorldUpdated,
    event_to_json,
)


class Display(Protocol):
    """Is told what happens."""

    def hear(self, event: Event) -> None:
        """An event, in order."""

    def picture(self, tick: int, path: Path) -> None:
        """A picture was written."""

    def sound(self, tick: int, path: Path) -> None:
        """A sound was written."""

    def note(self, text: str) -> None:
        """A word from the command itself."""

    def close(self) -> None:
        """Nothing more comes."""


class Records:
    """One JSON object a line on standard output, an event each; the command's own words go to standard error."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout

    def hear(self, event: Event) -> None:
        """Write the event; the reader sees it at once."""
        self.out.write(json_line(event_to_json(event), self.out) + "\n")
        self.out.flush()

    def picture(self, tick: int, path: Path) -> None:
        """Pictures are files; the events tell their digests."""

    def sound(self, tick: int, path: Path) -> None:
        """So are sounds."""

    def note(self, text: str) -> None:
        """To standard error."""
        print(text, file=sys.stderr)

    def close(self) -> None:
        """Nothing is left open."""


def tell(event: Event) -> str:
    """An event as one line for a person; "" for what is too small to tell."""
    match event:
        case WorldOpened():
            if event.under_way:
                return f"goes on in tick {event.tick}"
            return f"goes on after tick {event.tick}" if event.tick else "a new world"
        case ActionReceived():
            return f"you: {event.action}"
        case TickStarted():
            return f"tick {event.tick}"
        case StageFinished():
            said = words(event.output)
            return f"  {event.stage}: {said}" if said else f"  {event.stage}"
        case StateDropped():
            return f"  dropped what was begun: {', '.join(event.filled)}"
        case WorldUpdated():
            return f"  environment/update: {len(event.patch)} changes"
        case TickFinished():
            return f"  content {event.content_hash[:12]}  tick {event.tick_hash[:12]}"
        case WorldParked():
            return f"  parked at {event.stage}: {event.error}"
        case Warned():
            return f"  warning: {event.sentence}"
    return ""


class Lines:
    """Plain lines, for a file, a pipe, or a terminal that cannot do better."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self._spending = Spending()

    def hear(self, event: Event) -> None:
        """Write what a person would want to read later."""
        self._spending.hear(event)
        if isinstance(event, StageFinished) and event.block == "patch":
            return  # WorldUpdated says it
        line = tell(event)
        if line:
            print(line, file=self.out, flush=True)

    def picture(self, tick: int, path: Path) -> None:
        """Say where it lies."""
        print(f"  picture: {path}", file=self.out, flush=True)

    def sound(self, tick: int, path: Path) -> None:
        """Say where it lies."""
        print(f"  sound: {path}", file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Write it among the lines."""
        print(text, file=self.out, flush=True)

    def close(self) -> None:
        """Say what the models cost, if any was asked."""
        said, self._spending = str(self._spending), Spending()
        if said:
            print(said, file=self.out, flush=True)


def choose(world: str, as_json: bool, ticks: int = 0) -> Display:
    """The display that suits where the output goes."""
    if as_json:
        return Records()
    if not sys.stdout.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        return Lines()
    from yggdrasil.cli.screen import Screen

    return Screen(world, ticks)
