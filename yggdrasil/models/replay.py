"""Models that give recorded replies again, and ask nobody: `replay:calls.jsonl`, `replay:sqlite:///runs.db#t1`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal, get_args

import anyio
import anyio.to_thread

from yggdrasil.abc.model import Delta, Model
from yggdrasil.abc.store import Store, open_store
from yggdrasil.core.facts import EffectDone, EffectsAbandoned, Fact, fact_of
from yggdrasil.core.frozen import thaw
from yggdrasil.core.messages import Reply, Request
from yggdrasil.errors import ConfigError, ModelRequestError
from yggdrasil.models.recording import Recorded, checked_reply, excerpt, identity, read_recording
from yggdrasil.models.scripted import tell
from yggdrasil.runtime.providers import providers
from yggdrasil.runtime.revive import revived
from yggdrasil.storage.open import is_there

Match = Literal["digest", "order"]
_CALL = "model"


class ReplayModel(Model):
    """What `source` holds, said again: a file of RecordingModel, or `STORE_URL#THREAD` for the journal of a thread.

    match   "digest": each request is given the reply that was recorded for the very same one; asked again, the next
            recorded for it, and at the end the last once more. "order": one after another, whatever is asked.
    model   the name of the model that was recorded, where a journal does not tell it: "openai:gpt-5"
    store   an open Store, when the source is one: ReplayModel("#t1", store=store)
    A request that was not recorded is a ModelRequestError. Usage is as it was recorded: budgets go as they went then.
    """

    def __init__(
        self, source: str | Path, *, match: Match = "digest", model: str | None = None, store: Store | None = None
    ) -> None:
        if match not in get_args(Match):
            raise ConfigError(f"match is {match!r}", hint='match="digest" or match="order"')
        if not isinstance(source, str | Path):
            raise ConfigError(f"the source is {type(source).__name__}", hint='ReplayModel("calls.jsonl")')
        self.source, self.match, self.model = str(source), match, model
        self._store = store
        url, mark, thread = self.source.rpartition("#")
        if (store is not None or "://" in self.source) and not (mark and thread and (url or store)):
            raise ConfigError(f"replay:{source} names no thread", hint="replay:sqlite:///runs.db#THREAD")
        self._place: tuple[str, str] | None = (url, thread) if store is not None or "://" in url else None
        if not (os.path.isfile(self.source) if self._place is None else store is not None or is_there(url)):
            raise ConfigError(
                f"there is no recording {self.source!r}",
                hint='RecordingModel(model, "calls.jsonl") writes one; replay:sqlite:///runs.db#THREAD reads a journal',
            )
        self._reading = anyio.Lock()
        self._recorded: Sequence[Recorded] | None = None
        self._by_digest: dict[str, list[Recorded]] = {}
        self._names: tuple[str, ...] = ()
        self._given: dict[str, int] = {}
        self.calls = 0

    @property
    def name(self) -> str:
        """`replay:` and the source."""
        return f"replay:{self.source}"

    def __repr__(self) -> str:
        return f"ReplayModel({self.source!r}, match={self.match!r})"

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """The recorded reply; with `delta` also in pieces, word by word."""
        recorded = await self._read()
        found = self._next(recorded) if self.match == "order" else self._same(request)
        if found is None:
            raise self._missed(request, recorded)
        self.calls += 1
        if delta is not None:
            tell(found.reply.message, delta)
        return found.reply

    def _next(self, recorded: Sequence[Recorded]) -> Recorded | None:
        return recorded[self.calls] if self.calls < len(recorded) else None

    def _same(self, request: Request) -> Recorded | None:
        for name in self._names:
            digest = identity(name, request)
            found = self._by_digest.get(digest)
            if found:
                given = self._given.get(digest, 0)
                self._given[digest] = given + 1
                return found[min(given, len(found) - 1)]
        return None

    async def _read(self) -> Sequence[Recorded]:
        async with self._reading:
            if self._recorded is None:
                if self._place is None:
                    recorded = await anyio.to_thread.run_sync(read_recording, Path(self.source))
                else:
                    recorded = await self._of_journal(*self._place)
                for entry in recorded:
                    self._by_digest.setdefault(entry.digest, []).append(entry)
                said = [self.model] if self.model is not None else [n for e in recorded for n in _names(e)]
                self._names = tuple(dict.fromkeys(said))
                self._recorded = recorded
            return self._recorded

    async def _of_journal(self, url: str, thread: str) -> list[Recorded]:
        if self._store is not None:
            return await _journal(self._store, thread)
        async with open_store(url) as store:
            return await _journal(store, thread)

    def _missed(self, request: Request, recorded: Sequence[Recorded]) -> ModelRequestError:
        asked = excerpt(request)
        if self.match == "order":
            return ModelRequestError(
                f"{self.name} has {len(recorded)} replies and was asked for number {self.calls + 1}: {asked}",
                hint="record again: the run asks more often than it did then",
            )
        names = ", ".join(self._names) or "nobody"
        sentence = f"{self.name} has no reply to this request: {asked}. It holds {len(recorded)} replies of {names}"
        nearest = max(recorded, key=lambda e: SequenceMatcher(None, e.asked, asked).ratio(), default=None)
        if nearest is not None and nearest.asked:
            sentence += f"; the nearest ({nearest.where}) was asked: {nearest.asked}"
        elif nearest is not None:
            sentence += f"; the first ({nearest.where}) answered: {nearest.reply.message.text[:200]!r}"
        hint = 'record again, or match="order" to give the replies one after another'
        if self._place is not None and self.model is None:
            hint += '; or model="openai:..." if another model was recorded than the journal lets one guess'
        return ModelRequestError(sentence, hint=hint)


def _names(entry: Recorded) -> Iterator[str]:
    """What the model that was asked may be called: a journal tells only who answered."""
    if entry.model:
        yield entry.model
        return
    answered = entry.reply.model
    known = providers()
    if answered.partition(":")[0] in known:
        yield answered
        return
    undated = answered.rstrip("0123456789-")
    for name in dict.fromkeys((answered, undated)):
        yield from (f"{provider}:{name}" for provider in known)


async def _journal(store: Store, thread: str) -> list[Recorded]:
    stream = f"thread:{thread}"
    if not await store.head(stream):
        stream = thread if await store.head(thread) else stream
    if not await store.head(stream):
        known = ", ".join(s.name.removeprefix("thread:") for s in await store.streams()) or "none"
        raise ConfigError(f"the store has no thread {thread!r}; there are: {known}", hint="replay:STORE#THREAD")
    done: list[tuple[int, EffectDone]] = []
    for record in await store.read(stream, kinds=(EffectDone.kind, EffectsAbandoned.kind)):
        fact = fact_of(record.kind, record.data, f"{stream}#{record.sequence}")
        if isinstance(fact, EffectDone):
            done.append((record.sequence, fact))
        else:
            done = [(sequence, other) for sequence, other in done if not _abandons(fact, other)]
    return [
        Recorded(fact.request, "", "", checked_reply(await _whole(store, fact.result)), f"{stream}#{sequence}")
        for sequence, fact in done
        if fact.what == _CALL
    ]


def _abandons(fact: Fact, done: EffectDone) -> bool:
    if not isinstance(fact, EffectsAbandoned) or fact.scope != done.scope:
        return False
    if fact.ordinal is not None:
        return (fact.path, fact.ordinal) == (done.path, done.ordinal)
    return fact.path in ("", done.path) or done.path.startswith(f"{fact.path}/")


async def _whole(store: Store, result: Any) -> Any:
    whole = await revived(result, store.get_blob)
    return thaw(result) if whole is result else whole


def replay(source: str, *, match: Match = "digest", model: str | None = None) -> Model:
    """The model called `replay:source`."""
    return ReplayModel(source, match=match, model=model)
