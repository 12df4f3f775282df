"""What watching costs: an agent's turn with nothing, with a hook, with log lines and with traces.

    python tests/benchmarks/observe.py

Medians of runs of 50 turns with one tool call each, all ways in turn within one process. Beside traces stands
the bare work: the same spans with as many attributes, made by hand around nothing. Spans are kept in memory; log
lines go to a text in memory.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.benchmarks.agent import agent
from yggdrasil import Logs, Traces

TURNS = 50
ROUNDS = 25


def by_hand(provider: TracerProvider) -> Callable[[], Awaitable[None]]:
    """The spans of such a run by OpenTelemetry alone."""
    tracer = provider.get_tracer("by hand")

    async def chat() -> None:
        asked = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.provider.name": "p", "path": "a"}
        with tracer.start_as_current_span("chat m", kind=SpanKind.CLIENT, attributes=asked) as span:
            span.set_attributes(
                {
                    "gen_ai.usage.input_tokens": 1,
                    "gen_ai.usage.output_tokens": 1,
                    "gen_ai.response.model": "m",
                    "gen_ai.response.finish_reasons": ("stop",),
                }
            )

    async def run() -> None:
        about = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a", "path": "a", "run": "1"}
        with tracer.start_as_current_span("invoke_agent a", attributes=about):
            for number in range(TURNS):
                await chat()
                called = {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": "add_one",
                    "gen_ai.tool.type": "function",
                    "gen_ai.tool.call.id": str(number),
                    "path": "a/add_one",
                }
                with tracer.start_as_current_span("execute_tool add_one", attributes=called):
                    pass
            await chat()

    return run


async def measure() -> dict[str, float]:
    """Median microseconds for a turn, each way."""
    spans, lines = InMemorySpanExporter(), io.StringIO()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    logger = structlog.wrap_logger(
        structlog.PrintLogger(lines),  # type: ignore[arg-type]
        processors=[structlog.processors.add_log_level, structlog.processors.LogfmtRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    ours = agent(TURNS, 1, [])
    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "nothing": lambda: ours.run("go"),
        "a hook": lambda: ours.run("go", hooks=[lambda event: None]),
        "logs": lambda: ours.run("go", hooks=[Logs(logger=logger)]),
        "traces": lambda: ours.run("go", hooks=[Traces(provider=provider)]),
        "by hand": by_hand(provider),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 2):
        for name, run in ways.items():
            began = time.perf_counter()
            await run()
            if number >= 2:
                took[name].append((time.perf_counter() - began) / TURNS * 1e6)
        spans.clear()
        lines.seek(0)
        lines.truncate()
    return {name: statistics.median(found) for name, found in took.items()}


def main() -> None:
    """Print the table."""
    found = asyncio.run(measure())
    base = found["nothing"]
    print(f"{'':<28} {'us a turn':>10} {'above nothing':>14} {'ratio':>7}")
    for name, value in found.items():
        above = "" if name in ("nothing", "by hand") else f"{value - base:.1f}"
        print(f"{name:<28} {value:>10.1f} {above:>14} {'' if name == 'by hand' else f'{value / base:.2f}':>7}")
    print(f"traces above nothing / the same spans by hand: {(found['traces'] - base) / found['by hand']:.2f}")


if __name__ == "__main__":
    main()
