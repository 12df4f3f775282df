"""What is remembered for long: passages of text, searched by words, and by meaning when there is an embedding."""

from __future__ import annotations

import base64
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.agent.embedder import Embedder
from yggdrasil.core.recall import (
    EVEN,
    HALF_LIFE,
    Passage,
    Weights,
    best,
    passage_from_json,
    passage_id,
    passage_to_json,
)
from yggdrasil.core.tokens import printable
from yggdrasil.errors import ConfigError, CorruptError, PortError, close_names
from yggdrasil.runtime.registry import active_registry

if TYPE_CHECKING:  # loaded when it is first used
    from yggdrasil.storage.passages import Shelf

LONGEST = 100_000
"""Characters of the longest passage."""

T = TypeVar("T")


class LongTerm:
    """Passages with a text, an importance (0 to 1), a time and tags; `add`, `search`, `forget`.

        long = LongTerm("sqlite:///memory.db", namespace="kara")
        await long.add("The ford floods in spring.", importance=0.8)
        found = await long.search("Can we cross the ford?")

    url         `sqlite:///memory.db` (a file of its own, never a store of runs), or `memory://`: in this object only
    namespace   whose passages: agents that are given the same object, or the same file and namespace, share them
    embedding   a block with a text in and a vector out; words alone are searched without one
    half_life   seconds in which recency halves
    weights     how much recency, importance and relevance count (`core/recall.py` says how)
    clock       seconds since the epoch, for calls without `ctx`; in a run its own clock counts

    It opens itself on first use. `close` it, or use it as `async with`; one that is dropped closes itself.
    With `ctx`, in a durable run, what is added is added once and what was found stays found when the run is resumed.
    FormatError or CorruptError when the file is something else or damaged.
    """

    def __init__(
        self,
        url: str = "memory://",
        *,
        namespace: str = "default",
        embedding: Runnable | None = None,
        half_life: float = HALF_LIFE,
        weights: Weights = EVEN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(namespace, str) or not namespace:
            raise ConfigError(f"namespace is {namespace!r}", hint='LongTerm("sqlite:///memory.db", namespace="kara")')
        if isinstance(half_life, bool) or not isinstance(half_life, int | float) or not half_life > 0:
            raise ConfigError(f"half_life is {half_life!r}", hint="half_life=7 * 24 * 3600.0   # seconds")
        if not isinstance(weights, Weights):
            raise ConfigError(f"weights is {type(weights).__name__}", hint="weights=Weights(relevance=2.0)")
        self.url, self.namespace, self.embedding = url, namespace, embedding
        self.half_life, self.weights = half_life, weights
        self._path = _path(url)
        self._clock = clock
        self._shelf: Shelf | None = None
        self._finish: weakref.finalize[Any, Any] | None = None
        self._embedder = None if embedding is None else Embedder(embedding)

    @classmethod
    def from_config(cls, given: Any) -> LongTerm:
        """From a config: a URL, or a mapping `{url: ..., namespace: ..., embedding: {type: ...}}`."""
        if isinstance(given, LongTerm):
            return given
        if isinstance(given, str):
            return cls(given)
        allowed = ("url", "namespace", "embedding", "half_life", "weights")
        if not isinstance(given, Mapping):
            hint = 'long_term=LongTerm("sqlite:///memory.db")'
            raise ConfigError(f"long_term is {type(given).__name__}, not a LongTerm", hint=hint)
        for key in given:
            if key not in allowed:
                raise ConfigError(f"long_term has no option {key!r}; {close_names(str(key), allowed)}")
        options = dict(given)
        if isinstance(options.get("embedding"), Mapping):
            config = dict(options["embedding"])
            if not isinstance(config.get("type"), str):
                raise ConfigError("the embedding of long_term has no type", hint="embedding: {type: embedding/api}")
            options["embedding"] = active_registry().build(config.pop("type"), config)
        if isinstance(options.get("weights"), Mapping):
            options["weights"] = _weights(options["weights"])
        return cls(**options)

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it, as JSON. ConfigError for an embedding that only exists in Python."""
        found: dict[str, Any] = {"url": self.url, "namespace": self.namespace}
        if self.half_life != HALF_LIFE:
            found["half_life"] = self.half_life
        if self.weights != EVEN:
            found["weights"] = self.weights.values()
        if self.embedding is not None:
            kind = self.embedding.block_type
            if kind not in active_registry().names():
                raise ConfigError(
                    f"the embedding {self.embedding.label} is Python only, so it cannot be saved",
                    hint="embedding: {type: embedding/api, ...}",
                )
            found["embedding"] = {"type": kind, **getattr(self.embedding, "config", {})}
        return found

    # --- what it is for

    async def add(
        self, text: str, *, importance: float = 0.5, tags: Sequence[str] = (), ctx: RunContext | None = None
    ) -> Passage:
        """Remember `text`; durable when it returns. The same text again is the same passage, as of now.

        PortError for an empty or huge text, an importance outside 0 to 1, tags that are no texts.
        """
        new = Passage(passage_id(_text(text)), text, _importance(importance), 0.0, _tags(tags))

        async def perform(key: str) -> Passage:
            from yggdrasil.storage.passages import add

            vector = await self._vector(text, ctx)
            passage = new.replace(time=self._now(ctx))
            return await (await self._opened()).do(add(self.namespace, passage, *vector))

        request = {"add": text, "importance": new.importance, "tags": list(new.tags), "namespace": self.namespace}
        return await _once(ctx, request, perform, passage_to_json, passage_from_json)

    async def search(
        self, query: str, limit: int = 5, *, tags: Sequence[str] = (), ctx: RunContext | None = None
    ) -> list[Passage]:
        """The passages of the highest score, best first; those that have all `tags`, if any are named.

        Any text may be a query; one without a word in it finds the newest.
        """
        if not isinstance(query, str):
            raise PortError(f"the query is {type(query).__name__}, not a text", hint='search("the ford")')
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise PortError(f"limit is {limit!r}", hint="limit=5")
        wanted = _tags(tags)

        async def perform(key: str) -> list[Passage]:
            from yggdrasil.storage.passages import find

            vector = await self._vector(query, ctx) if query.strip() else (None, "")
            found = await (await self._opened()).do(find(self.namespace, query, wanted, *vector))
            return best(found, now=self._now(ctx), limit=limit, half_life=self.half_life, weights=self.weights)

        request = {"search": printable(query), "limit": limit, "tags": list(wanted), "namespace": self.namespace}
        return await _once(
            ctx,
            request,
            perform,
            lambda found: [passage_to_json(p) for p in found],
            lambda kept: [passage_from_json(p) for p in kept],
        )

    async def forget(self, id: str, *, ctx: RunContext | None = None) -> bool:
        """Drop the passage `id`; whether there was one."""

        async def perform(key: str) -> bool:
            from yggdrasil.storage.passages import forget

            return await (await self._opened()).do(forget(self.namespace, printable(str(id))))

        return await _once(ctx, {"forget": printable(str(id)), "namespace": self.namespace}, perform, bool, bool)

    def fresh(self) -> LongTerm:
        """What a new thread searches: the same file, or an empty memory with the same settings."""
        if self._path is not None:
            return self
        return LongTerm(
            namespace=self.namespace,
            embedding=self.embedding,
            half_life=self.half_life,
            weights=self.weights,
            clock=self._clock,
        )

    async def count(self) -> int:
        """How many passages there are."""
        from yggdrasil.storage.passages import count

        return await (await self._opened()).do(count(self.namespace))

    async def restore(self, text: str, importance: float, ctx: RunContext) -> None:
        """Add in memory what a recorded call of this run added in another process; nothing when it is there."""
        if self._path is None:
            from yggdrasil.storage.passages import add, holds

            shelf = await self._opened()
            if not await shelf.do(holds(self.namespace, passage_id(text))):
                new = Passage(passage_id(text), text, importance, self._now(ctx))
                await shelf.do(add(self.namespace, new, *await self._vector(text, ctx)))

    # --- a life

    async def __aenter__(self) -> Self:
        await self._opened()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Write what is pending and close the file. It opens itself again when it is used; in memory all is gone."""
        import anyio
        import anyio.to_thread

        from yggdrasil.storage.passages import give_back

        shelf, self._shelf = self._shelf, None
        if shelf is not None:
            if self._finish is not None:
                self._finish.detach()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(lambda: give_back(shelf, wait=True))

    async def _opened(self) -> Shelf:
        shelf = self._shelf
        if shelf is not None:
            return shelf
        from yggdrasil.storage.passages import borrow, opened

        return self._keep(borrow(None) if self._path is None else await opened(self._path))

    def _keep(self, shelf: Shelf) -> Shelf:
        from yggdrasil.storage.passages import give_back

        if self._shelf is not None:  # opened twice at once
            give_back(shelf, wait=False)
            return self._shelf
        self._shelf = shelf
        self._finish = weakref.finalize(self, give_back, shelf, wait=False)
        return shelf

    # --- saved with the memory it belongs to

    def state_dict(self) -> dict[str, Any]:
        """A file by reference; in memory the passages themselves, as JSON."""
        if self._path is not None:
            return {"url": self.url, "namespace": self.namespace}
        from yggdrasil.storage.passages import all_of

        stored = [] if self._shelf is None else self._shelf.now(all_of(self.namespace))
        return {"namespace": self.namespace, "passages": [_stored_to_json(*s) for s in stored]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`: passages are put in the place of those in memory; a file is only checked.

        ConfigError when one is a file and the other in memory, or the namespace is another. Where the file lies may
        have changed.
        """
        known = {"namespace", "passages"} if self._path is None else {"namespace", "url"}
        if set(state) != known:
            raise ConfigError(
                f"the state is not of a long-term memory like {self!r}: it has {', '.join(sorted(map(str, state)))}",
                hint=f"long_term=LongTerm({str(state.get('url', 'memory://'))!r})",
            )
        if state["namespace"] != self.namespace:
            raise ConfigError(
                f"the state is of namespace {state['namespace']!r}, this memory has {self.namespace!r}",
                hint=f"namespace={state['namespace']!r}",
            )
        if self._path is None:
            from yggdrasil.storage.passages import borrow, replace_all

            stored = [_stored_from_json(s) for s in state["passages"]]
            (self._shelf or self._keep(borrow(None))).now(replace_all(self.namespace, stored))

    def __repr__(self) -> str:
        return f"LongTerm({self.url!r}, namespace={self.namespace!r})"

    def _now(self, ctx: RunContext | None) -> float:
        return float(self._clock() if ctx is None else ctx.run.clock())

    async def _vector(self, text: str, ctx: RunContext | None) -> tuple[bytes | None, str]:
        return (None, "") if self._embedder is None else (await self._embedder.embed(text, ctx), self._embedder.name)


async def _once(
    ctx: RunContext | None,
    request: Mapping[str, Any],
    perform: Callable[[str], Awaitable[T]],
    encode: Callable[[T], Any],
    decode: Callable[[Any], T],
) -> T:
    # inside a tool call that is an effect itself (its key says so) nothing more is to be recorded
    if ctx is None or ctx.run.effects is None or ctx.key:
        return await perform("")
    return await ctx.effect("memory", request, perform, encode=encode, decode=decode)


def _path(url: str) -> Path | None:
    if isinstance(url, str):
        scheme, separator, rest = url.partition("://")
        if scheme == "memory" and separator and not rest:
            return None
        if scheme == "sqlite" and rest.startswith("/"):
            rest = rest[1:]
            if rest.strip() and "\0" not in rest and "?" not in rest and rest != ":memory:":
                return Path(rest).absolute()  # the working folder may change
    shown: Any = url
    if not isinstance(url, str) or "@" in url:  # what comes before @ may be a password
        shown = url.partition("://")[0] + "://..." if isinstance(url, str) else type(url).__name__
    raise ConfigError(
        f"long-term memory is kept in SQLite or in memory, not in {shown!r}", hint="sqlite:///memory.db, or memory://"
    )


def _weights(given: Mapping[str, Any]) -> Weights:
    for key in given:
        if key not in EVEN.values():
            raise ConfigError(f"weights has no {key!r}; {close_names(str(key), EVEN.values())}")
    return Weights(**given)


def _text(text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise PortError(f"a passage needs a text, not {text!r}"[:200], hint='add("The ford floods in spring.")')
    if len(text) > LONGEST:
        raise PortError(f"the passage has {len(text)} characters; the most is {LONGEST}", hint="add it in pieces")
    return text


def _importance(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise PortError(f"importance is {value!r}; it lies between 0 and 1", hint="importance=0.5")
    return float(value)


def _tags(tags: Any) -> tuple[str, ...]:
    if isinstance(tags, str) or not isinstance(tags, Sequence) or not all(isinstance(t, str) for t in tags):
        raise PortError(f"tags are {tags!r}"[:200], hint='tags=["place"]')
    return tuple(dict.fromkeys(printable(t) for t in tags))


def _stored_to_json(passage: Passage, vector: bytes | None, embedding: str) -> dict[str, Any]:
    data = passage_to_json(passage)
    del data["score"]
    return data if vector is None else {**data, "vector": base64.b64encode(vector).decode(), "embedding": embedding}


def _stored_from_json(data: Mapping[str, Any]) -> tuple[Passage, bytes | None, str]:
    try:
        values = dict(data)
        vector, embedding = values.pop("vector", None), values.pop("embedding", "")
        return passage_from_json(values), None if vector is None else base64.b64decode(vector), embedding
    except (TypeError, ValueError) as error:
        raise CorruptError(f"not a passage: {error!r}") from error
