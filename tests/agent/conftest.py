"""Agents are tried with scripted models, and the same bodies over the real SDKs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.effects import Effect, Effects
from yggdrasil.abc.model import Model
from yggdrasil.runtime.providers import resolve


@pytest.fixture(params=["scripted", "openai", "anthropic"])
def any_model(request: pytest.FixtureRequest) -> Callable[[], Model]:
    """A model that calls the tool it is offered, then answers: scripted, or a provider's SDK over loopback."""
    if request.param == "scripted":
        return lambda: resolve("scripted:tools")
    server = request.getfixturevalue("llmock")
    return lambda: resolve(f"{request.param}:test-model", endpoint_url=server.base_url(request.param))


class Journal(Effects):
    """Records every effect by path and order; a second run with the same journal gets them back."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], Any] = {}
        self.keys: list[str] = []
        self.kinds: list[tuple[str, str, bool]] = []
        self._counts: dict[str, int] = {}

    def again(self) -> Journal:
        """The same records, for a run from the start."""
        other = Journal()
        other.records = self.records
        return other

    async def call(self, ctx: RunContext, effect: Effect) -> Any:
        place = ctx.path
        count = self._counts[place] = self._counts.get(place, 0) + 1
        request = effect.request() if callable(effect.request) else effect.request
        if (place, count) in self.records:
            known, kept = self.records[place, count]
            assert known == request, "the request changed"
            return effect.decode(kept)
        key = f"key-{place}-{count}"
        result = await effect.perform(key)
        self.keys.append(key)
        self.kinds.append((effect.kind, place, effect.idempotent))
        self.records[place, count] = (request, effect.encode(result))
        return result

    async def asked(self, ctx: RunContext, tool: str, arguments: Any) -> Any:
        raise NotImplementedError("approvals are tested over a real store")

    async def answered(self, approval: Any, answer: Any) -> None:
        raise NotImplementedError("approvals are tested over a real store")

    async def blob(self, digest: str) -> bytes:
        raise NotImplementedError("blobs are tested over a real store")

    def mark(self, path: str) -> Any:
        return dict(self._counts)

    def rewind(self, path: str, mark: Any) -> None:
        self._counts = dict(mark)


@pytest.fixture
def journal() -> Journal:
    return Journal()
