"""What an agent may do with its memory by itself.

Pins are only promised here: `Memory.keep` reads them from the talk when the run has succeeded, so that a run which
fails leaves nothing behind, and one that is taken up again after a crash pins the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.agent.longterm import LongTerm
from yggdrasil.core.messages import Message, ToolCall, ToolResult
from yggdrasil.core.tokens import text_tokens
from yggdrasil.runtime.function import tool

LONGEST_FACT = 200
"""Tokens of the longest fact that an agent may pin."""

LONGEST_NOTE = 4_000
"""Characters of the longest text that an agent may remember."""

PINNED, UNPINNED, REMEMBERED = "pinned", "unpinned", "remembered"
_SHOWN = 1_000


def pinning(given: Sequence[str]) -> list[Runnable]:
    """The tools `pin` and `unpin`; the facts that were `given` stay."""

    @tool
    def pin(text: str) -> str:
        """Keep a fact in mind for the whole conversation, word for word; it is never summarised away.

        Args:
            text: one short fact that stays true, such as a name, a wish or a rule
        """
        fact = tidy(text)
        if not fact:
            return "not pinned: there is no text"
        if text_tokens(fact) > LONGEST_FACT:
            return f"not pinned: it is too long; say it in at most {LONGEST_FACT * 3} characters"
        return PINNED

    @tool
    def unpin(text: str) -> str:
        """Let go of a fact that was pinned, because it no longer holds.

        Args:
            text: the fact, word for word as it was pinned
        """
        if tidy(text) in given:
            return "not unpinned: this fact is given and stays"
        return UNPINNED

    return [pin, unpin]


def remembering(long_term: LongTerm) -> list[Runnable]:
    """The tools `remember`, `recall` and `forget`."""

    @tool
    async def remember(ctx: RunContext, text: str, importance: float = 0.5) -> str:  # noqa: D417
        """Write a note into long-term memory, where it can be found again in later conversations.

        Args:
            text: what to remember, complete in itself
            importance: from 0 (trivial) to 1 (must never be missed)
        """
        note = text.strip()
        if not note or len(note) > LONGEST_NOTE:
            return f"not remembered: it has {len(note)} characters; 1 to {LONGEST_NOTE} can be remembered at once"
        await long_term.add(note, importance=clamped(importance), ctx=ctx)
        return REMEMBERED

    @tool
    async def recall(ctx: RunContext, query: str) -> str:  # noqa: D417
        """Search long-term memory.

        Args:
            query: what to look for, in the words that the note may have
        """
        found = await long_term.search(query, ctx=ctx)
        return "\n".join(f"[{p.id}] {p.text[:_SHOWN]}" for p in found) or "nothing is remembered about that"

    @tool
    async def forget(ctx: RunContext, id: str) -> str:  # noqa: D417
        """Delete a note from long-term memory.

        Args:
            id: the note's id, as `recall` shows it in brackets
        """
        name = id.strip("[] ")
        return "forgotten" if await long_term.forget(name, ctx=ctx) else f"there is no note {name[:40]!r}"

    return [remember, recall, forget]


def tidy(text: str) -> str:
    """A fact on one line."""
    return " ".join(text.split())


def clamped(importance: float) -> float:
    """An importance between 0 and 1, whatever a model says."""
    return min(1.0, max(0.0, importance)) if importance == importance else 0.5


def done(messages: Sequence[Message]) -> list[ToolCall]:
    """The calls of memory tools that were carried out, in the order of their results."""
    calls: dict[str, ToolCall] = {}
    found: list[ToolCall] = []
    for message in messages:
        for part in message.parts:
            if type(part) is ToolCall:
                calls[part.id] = part
            elif type(part) is ToolResult and not part.failed and part.content == _SAID.get(part.name):
                call = calls.pop(part.id, None)
                if call is not None and call.name == part.name:
                    found.append(call)
    return found


_SAID = {"pin": PINNED, "unpin": UNPINNED, "remember": REMEMBERED}
