"""A turn of a talk, shown as it happens: words, thinking, tool calls, warnings."""

from __future__ import annotations

import json
import shutil
import time
from typing import TextIO

import anyio

from yggdrasil.cli.plain import Paint, line, safe
from yggdrasil.core.events import (
    ApprovalAsked,
    Event,
    HandedOff,
    MemoryCompacted,
    ModelCalled,
    ModelReplied,
    Progress,
    Token,
    ToolCalled,
    ToolReturned,
    Warned,
)
from yggdrasil.core.messages import Usage

OFTEN = 1.0
"""Seconds between two lines of one tool's progress."""


class Talk:
    """Writes the events of one agent's turns to a stream."""

    def __init__(self, agent: str, out: TextIO) -> None:
        self._agent, self._out = agent, out
        self._paint = Paint(out)
        self._open = ""
        self._streamed = False
        self._helpers: set[str] = set()
        self._running: set[str] = set()
        self._several = False
        self._noted: dict[str, float] = {}
        self._held: list[str] | None = None
        self._asked: dict[str, anyio.Event] = {}
        self.usage = Usage()

    def begin(self) -> None:
        """A new turn."""
        self.usage = Usage()
        self._running.clear()

    def asked(self, approval: str) -> anyio.Event:
        """Set when all that went before the question `approval` has been shown."""
        return self._asked.setdefault(approval, anyio.Event())

    def hold(self) -> None:
        """Show nothing for now: a person is asked."""
        self.end()
        self._held = []

    def release(self) -> None:
        """Show what was held back."""
        held, self._held = self._held, None
        self._out.write("".join(held or ()))
        self._out.flush()

    def hear(self, event: Event) -> None:
        """Show an event, if it says anything to a person."""
        match event:
            case Token():
                self._token(event)
            case ModelCalled():
                self._streamed = False
            case ModelReplied():
                self._replied(event)
            case ToolCalled():
                self._running.add(event.path)
                self._several = len(self._running) > 1 or (self._several and bool(self._running - {event.path}))
                arguments = json.dumps(event.arguments, ensure_ascii=False, default=str)
                self._aside(event, "· ", f"{event.tool} {arguments}")
            case ToolReturned():
                self._running.discard(event.path)
                whose = f"  {event.tool} " if self._several else "  "
                how = "failed: " if event.failed else "→ "
                self._aside(event, whose + how, event.content, bad=event.failed)
            case Progress() if event.note and self._due(event.path):
                self._aside(event, "  … ", event.note)
            case ApprovalAsked():
                self.asked(event.approval).set()
            case Warned():
                self._aside(event, "warning: ", event.sentence, bad=True)
            case HandedOff():
                self._aside(event, "→ ", f"{event.agent} goes on")
            case MemoryCompacted():
                self._aside(event, "", f"({event.messages} messages became a summary)")

    def end(self) -> None:
        """Close the line that is open."""
        if self._open:
            self._write("\n", "")
            self._open = ""

    def _token(self, event: Token) -> None:
        if not self._mine(event) or event.part not in ("text", "thinking", "restart"):
            return
        if event.part == "restart":
            self.end()
            self._write("(the answer broke off and begins again)\n", "2")
            return
        if self._open and self._open != event.part:
            self.end()
        self._open = event.part
        self._streamed = self._streamed or event.part == "text"
        self._write(safe(event.text), "2" if event.part == "thinking" else "")

    def _replied(self, event: ModelReplied) -> None:
        self.usage = self.usage + Usage(
            event.input_tokens,
            event.output_tokens,
            event.cached_tokens,
            event.reasoning_tokens,
            1,
            event.cost,
            int(event.cost is None and bool(event.input_tokens or event.output_tokens)),
        )
        text = getattr(event.message, "text", "")
        if self._mine(event) and text and not self._streamed:  # recorded before, or a model that does not stream
            self._write(safe(text), "")
            self._open = "text"
        self.end()

    def _mine(self, event: Event) -> bool:
        """Whether the agent itself speaks, and not a helper that it called."""
        inner = event.path.removeprefix(self._agent)
        return inner in ("", "/") or (inner.startswith("/") and inner.count("/") == 1 and not self._called(inner))

    def _called(self, inner: str) -> bool:
        return inner.strip("/").partition(".")[0] in self._helpers

    def _aside(self, event: Event, mark: str, text: str, *, bad: bool = False) -> None:
        self.end()
        if isinstance(event, ToolCalled):
            self._helpers.add(event.tool)
        width = shutil.get_terminal_size((100, 24)).columns if self._out.isatty() else 160
        mark = "  " * max(event.path.count("/") - 1, 0) + mark
        self._write(f"{mark}{line(text, max(width - len(mark) - 1, 20))}\n", "31" if bad else "2")

    def _write(self, text: str, style: str) -> None:
        if self._held is not None:
            self._held.append(self._paint(text, style))
            return
        self._out.write(self._paint(text, style))
        self._out.flush()

    def _due(self, path: str) -> bool:
        now = time.monotonic()
        due = now - self._noted.get(path, 0.0) >= OFTEN
        if due:
            self._noted[path] = now
        return due
