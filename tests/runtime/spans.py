"""Reading a trace in tests: spans as a tree of names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Recorder:
    """A tracer provider that keeps what it is given."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self._kept = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """The spans that have ended, in the order of their beginnings."""
        return sorted(self._kept.get_finished_spans(), key=lambda span: (span.start_time, span.context.span_id))

    def tree(self) -> list[str]:
        """Every span by its name, indented by two under its parent; siblings by name where they began together."""
        spans = self._kept.get_finished_spans()
        known = {span.context.span_id for span in spans}
        lines: list[str] = []

        def tell(parent: int | None, depth: int) -> None:
            inside = [
                s for s in spans if (s.parent.span_id if s.parent and s.parent.span_id in known else None) == parent
            ]
            for span in sorted(inside, key=lambda s: (s.start_time, s.name)):
                lines.append("  " * depth + span.name)
                tell(span.context.span_id, depth + 1)

        tell(None, 0)
        return lines

    def one(self, name: str) -> ReadableSpan:
        """The only span of this name."""
        (found,) = self.all(name)
        return found

    def all(self, name: str) -> list[ReadableSpan]:
        """The spans of this name."""
        return [span for span in self.spans if span.name == name]

    def said(self) -> str:
        """All that the spans say, as one text."""
        return "\n".join(
            repr(
                [
                    s.name,
                    dict(s.attributes or {}),
                    s.status.description,
                    [(e.name, dict(e.attributes or {})) for e in s.events],
                ]
            )
            for s in self.spans
        )


def attributes(span: ReadableSpan, start: str = "gen_ai.") -> dict[str, Any]:
    """The attributes whose names start so, without that start."""
    return {
        name.removeprefix(start): value for name, value in (span.attributes or {}).items() if name.startswith(start)
    }
