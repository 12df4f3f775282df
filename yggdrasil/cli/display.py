"""What `run` shows: records for programs, lines for files and pipes, a live screen for people."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Protocol, TextIO

from yggdrasil.cli.words import words
from yggdrasil.core.cycle import UPDATE
from yggdrasil.core.events import (
    ActionReceived,
    Event,
    Progress,
    StageFinished,
    StageSkipped,
    StageStarted,
    StateDropped,
    TickFinished,
    TickStarted,
    ToolCalled,
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
        self.out.write(json.dumps(event_to_json(event), ensure_ascii=False, default=str) + "\n")
        self.out.flush()

    def picture(self, tick: int, path: Path) -> None:
        """Pictures are files; the events tell their digests."""

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
        self._updated = False

    def hear(self, event: Event) -> None:
        """Write what a person would want to read later."""
        if isinstance(event, StageFinished) and event.block == "patch":
            return  # WorldUpdated says it
        line = tell(event)
        if line:
            print(line, file=self.out, flush=True)

    def picture(self, tick: int, path: Path) -> None:
        """Say where it lies."""
        print(f"  picture: {path}", file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Write it among the lines."""
        print(text, file=self.out, flush=True)

    def close(self) -> None:
        """Nothing is left open."""


class Screen:
    """A live screen: what the world does now at the bottom, the chronicle and the pictures above."""

    def __init__(self, world: str) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self.console = Console()
        self._world = world
        self._tick: int | None = None
        self._stages: list[tuple[str, str]] = []
        self._doing = ""
        self._spinner = Spinner("dots")
        self._live = Live(self._spinner, console=self.console, refresh_per_second=8, transient=True)
        self._live.start()
        self._show()

    def hear(self, event: Event) -> None:
        """Show it."""
        match event:
            case TickStarted():
                self._tick, self._stages = event.tick, []
                self._rule(f"tick {event.tick}")
            case WorldOpened() if event.under_way:
                self._tick = event.tick
                self._rule(f"tick {event.tick} goes on")
            case StageStarted():
                self._stages.append((event.stage, "…"))
            case StageFinished():
                self._mark(event.stage, "✓")
                self._tell_block(event)
            case StageSkipped():
                self._mark(event.stage, "·")
            case Progress() | ToolCalled():
                self._doing = event.note if isinstance(event, Progress) else event.tool
            case TickFinished() | StageFinished():
                pass
            case WorldUpdated():
                self._mark(UPDATE, "✓")
                self._print(f"update: {len(event.patch)} changes", style="dim")
            case _:
                self._print(tell(event).strip(), style="red" if isinstance(event, WorldParked) else "dim")
        self._show()

    def _tell_block(self, event: StageFinished) -> None:
        self._doing = ""
        said = words(event.output)
        if event.block == "chronicle" and said:
            self._print(said)
        elif event.block == "intent" and said:
            self._print(f"{event.stage.split('/')[-1]}: {said}", style="dim")
        elif event.block == "artifacts" and isinstance(event.output, dict) and event.output.get("texts"):
            self._print(said, style="italic")

    def picture(self, tick: int, path: Path) -> None:
        """Say where it lies."""
        self._print(f"picture: {path}", style="cyan")

    def note(self, text: str) -> None:
        """Write it above the live line."""
        self._print(text, style="yellow")

    def close(self) -> None:
        """Take the live line away and give the terminal back."""
        self._live.stop()

    def _print(self, text: str, style: str = "") -> None:
        from rich.padding import Padding
        from rich.text import Text

        if text:
            self.console.print(Padding(Text(text, style=style), (0, 2)))

    def _rule(self, title: str) -> None:
        self.console.rule(f"{self._world} · {title}", align="left")

    def _mark(self, stage: str, sign: str) -> None:
        self._stages = [s for s in self._stages if s[0] != stage] + [(stage, sign)]

    def _show(self) -> None:
        from rich.text import Text

        line = Text(f"tick {self._tick}  " if self._tick is not None else f"{self._world}  ", style="bold")
        for stage, sign in self._stages:
            line.append(f"{stage.split('/')[-1]} {sign}  ", style="green" if sign == "✓" else "dim")
        if self._doing:
            line.append(self._doing, style="dim")
        self._spinner.update(text=line)


def choose(world: str, as_json: bool) -> Display:
    """The display that suits where the output goes."""
    if as_json:
        return Records()
    return Screen(world) if sys.stdout.isatty() else Lines()
