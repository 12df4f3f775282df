"""What the models of a run were asked and what that cost, added up from the events."""

from __future__ import annotations

from yggdrasil.core.events import Event, ModelReplied


class Spending:
    """Tokens as the providers count them, and money where it is known."""

    def __init__(self) -> None:
        self.calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost: float | None = None

    def hear(self, event: Event) -> None:
        """Add what an event tells, if it tells anything."""
        if isinstance(event, ModelReplied):
            self.calls += 1
            self.input_tokens += event.input_tokens
            self.output_tokens += event.output_tokens
            if event.cost is not None:
                self.cost = (self.cost or 0.0) + event.cost

    def __str__(self) -> str:
        """As "1.2k + 340 tokens  $0.0123"; "" when no model was asked."""
        if not self.calls:
            return ""
        tokens = f"{short(self.input_tokens)} + {short(self.output_tokens)} tokens"
        return tokens if self.cost is None else f"{tokens}  ${self.cost:.4f}"


def short(number: int) -> str:
    """A count in few letters: 940, 1.2k, 35k, 1.2M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.1f}{letter}" if scaled < 10 else f"{scaled:.0f}{letter}"
    return str(number)
