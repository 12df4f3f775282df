"""The live screen of `run`: the saga scrolls above; below stand the last picture and what the world does now."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yggdrasil.cli.half_blocks import HalfBlocks, fits
from yggdrasil.cli.spending import Spending
from yggdrasil.cli.words import words
from yggdrasil.core.cycle import UPDATE
from yggdrasil.core.events import (
    Event,
    ModelReplied,
    Progress,
    StageFinished,
    StageSkipped,
    StageStarted,
    TickFinished,
    TickStarted,
    Token,
    ToolCalled,
    WorldOpened,
    WorldParked,
    WorldUpdated,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SIGNS = {"running": ("▸", ">"), "done": ("✓", "+"), "skipped": ("·", "."), "turning": (FRAMES, "|/-\\")}
"""How a stage stands: the sign, and the one for a terminal that knows ASCII alone."""

_SAID = re.compile(r'"(?:text|words|chronicle|story)"\s*:\s*"((?:[^"\\]|\\.)*)')
_ESCAPES = {"n": "\n", "t": " ", "r": ""}

WRITING = 4
"""Lines of the text under way that are shown."""


class Screen:
    """Shows tick, stage, time, tokens and cost, the text as it is written, and the last picture where it can."""

    def __init__(self, world: str, ticks: int = 0) -> None:
        from rich.console import Console
        from rich.live import Live

        self.console = Console(highlight=False)
        self._world, self._ticks, self._told = world, ticks, 0
        self._tick: int | None = None
        self._last = 0
        self._stages: dict[str, str] = {}
        self._doing = self._written = ""
        self._spending = Spending()
        self._picture: tuple[Path, HalfBlocks | None] | None = None
        self._began = time.monotonic()
        self._live = Live(get_renderable=self._now, console=self.console, refresh_per_second=6, transient=True)
        self._live.start()

    # --- what happens

    def hear(self, event: Event) -> None:
        """Show it."""
        self._spending.hear(event)
        match event:
            case TickStarted():
                self._begin(event.tick, f"tick {event.tick}")
            case WorldOpened() if event.under_way:
                self._begin(event.tick, f"tick {event.tick} goes on")
            case StageStarted():
                self._stages[event.stage] = "running"
                self._doing = self._written = ""
            case StageFinished():
                self._stages[event.stage] = "done"
                self._doing = self._written = ""
                self._tell_block(event)
            case StageSkipped():
                self._stages[event.stage] = "skipped"
            case Progress() | ToolCalled():
                self._doing = event.note if isinstance(event, Progress) else event.tool
            case Token():
                self._write(event)
            case TickFinished():
                self._told += 1
            case WorldUpdated():
                self._stages[UPDATE] = "done"
            case ModelReplied():
                pass
            case _:
                from yggdrasil.cli.display import tell

                self._print(tell(event).strip(), style="red" if isinstance(event, WorldParked) else "dim")

    def picture(self, tick: int, path: Path) -> None:
        """Show it below, or say where it lies."""
        if fits(self.console):
            self._picture = path, HalfBlocks(path)
            self._live.refresh()
        else:
            self._print(f"picture: {path}", style="cyan")

    def sound(self, tick: int, path: Path) -> None:
        """A sound lies beside the store; a screen does not play it."""

    def note(self, text: str) -> None:
        """Write it above the live part."""
        self._print(text, style="yellow")

    def close(self) -> None:
        """Leave the last picture and the sums where the live part was, and give the terminal back."""
        if not self._live.is_started:
            return
        self._live.stop()
        if self._picture is not None and self._picture[1] is not None:
            self.console.print(self._picture[1])
            self._print(f"picture: {self._picture[0]}", style="cyan")
        ticks = f"{self._told} {'tick' if self._told == 1 else 'ticks'} in {clock(time.monotonic() - self._began)}"
        self._print("  ".join(filter(None, (ticks, str(self._spending)))), style="dim")

    def _begin(self, tick: int | None, title: str) -> None:
        self._tick, self._stages = tick, {}
        self._last = (tick or 0) + self._ticks - self._told - 1
        self.console.rule(f"{self._world} · {title}", align="left", characters=self._sign("─", "-"))

    def _write(self, event: Token) -> None:
        if event.part == "text":
            self._written += event.text
        elif event.part == "restart":
            self._written = ""

    def _tell_block(self, event: StageFinished) -> None:
        said = words(event.output)
        if event.block == "chronicle" and said:
            self._print(said)
        elif event.block == "intent" and said:
            self._print(f"{event.stage.split('/')[-1]}: {said}", style="dim")
        elif event.block == "artifacts" and isinstance(event.output, dict) and event.output.get("texts"):
            self._print(said, style="italic")

    def _print(self, text: str, style: str = "") -> None:
        from rich.padding import Padding
        from rich.text import Text

        if text:
            self.console.print(Padding(Text(text, style=style), (0, 2)))

    # --- the live part

    def _now(self) -> RenderableType:
        from rich.console import Group

        parts: list[RenderableType] = []
        if self._picture is not None and self._picture[1] is not None:
            parts.append(self._picture[1])
        written = under_way(self._written)
        if written:
            parts.append(self._writing(written))
        parts.append(self._line())
        return Group(*parts)

    def _writing(self, written: str) -> RenderableType:
        """The last lines of what a model writes now."""
        from rich.padding import Padding
        from rich.text import Text

        lines = Text(written[-2000:]).wrap(self.console, max(self.console.width - 4, 10))
        return Padding(Text("\n").join(lines[-WRITING:]), (0, 2), style="italic")

    def _line(self) -> Any:
        from rich.text import Text

        frames = self._sign(*SIGNS["turning"])
        passed = time.monotonic() - self._began
        line = Text(frames[int(passed * 8) % len(frames)] + " ", style="green", no_wrap=True, overflow="ellipsis")
        of = f"/{self._last}" if self._ticks > 1 else ""
        line.append(f"tick {self._tick}{of}  " if self._tick is not None else f"{self._world}  ", style="bold")
        stages = list(self._stages.items())  # a copy: this runs in the thread that refreshes
        for _, state in stages:
            line.append(self._sign(*SIGNS[state]), style="bold" if state == "running" else "green")
        running = next((s.split("/")[-1] for s, state in stages if state == "running"), "")
        if running:
            line.append(f" {running}", style="bold")
        line.append(f"  {clock(passed)}", style="dim")
        if self._spending.calls:
            line.append(f"  {self._spending}", style="dim")
        if self._doing:
            line.append(f"  {self._doing}", style="dim")
        return line

    def _sign(self, sign: str, plain: str) -> str:
        return plain if self.console.options.ascii_only else sign


def under_way(written: str) -> str:
    """What can be read of an answer that is not whole yet: prose as it is, of JSON the words under its telling key."""
    written = written.strip()
    if not written.startswith(("{", "[", "```")):
        return written
    found = _SAID.search(written)
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), found[1]).strip() if found else ""


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds: 0:07, 12:30, 1:05:00."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
