"""A durable run that was killed while something was under way that must not be repeated by itself: a person decides.

`unknown` says what it is; `settle` that it happened, and what it gave; `abandon` that it did not.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from yggdrasil.abc.store import Entry, Store
from yggdrasil.core.facts import EffectBegun, EffectDone, EffectsAbandoned, Fact
from yggdrasil.errors import ConfigError
from yggdrasil.runtime.effects import JournalEffects
from yggdrasil.runtime.thread import Thread, find, opened, stream_of


async def unknown(thread: str, *, store: str | Store) -> EffectBegun | None:
    """The effect of a thread of which nobody knows whether it happened: its path, kind and idempotency key."""
    async with opened(store) as place:
        return await _unknown(place, thread)


async def settle(thread: str, *, store: str | Store, result: Any) -> EffectBegun:
    """Record what the unknown effect gave: text for a tool, or the JSON that the effect records. What it was.

    ConfigError when nothing is unknown, LeaseError while a process runs the thread.
    """
    plain = {"content": result, "failed": False} if isinstance(result, str) else result
    return await _decide(thread, store, lambda b: EffectDone(b.scope, b.path, b.ordinal, b.request, b.what, plain))


async def abandon(thread: str, *, store: str | Store) -> EffectBegun:
    """Say that the unknown effect did not happen: the run does it when it goes on. What it was."""
    return await _decide(thread, store, lambda b: EffectsAbandoned(b.scope, b.path, b.ordinal))


async def _unknown(store: Store, thread: str) -> EffectBegun | None:
    stream = stream_of(thread)
    found = await find(store, stream)
    if found.started is None:
        return None
    scope = f"run:{found.started.data['run']}"
    return JournalEffects(stream, scope, Thread(store, stream, None), found.facts(stream)).unknown()


async def _decide(thread: str, store: str | Store, decision: Any) -> EffectBegun:
    async with opened(store) as place:
        stream = stream_of(thread)
        lease = await place.acquire(stream, f"{socket.gethostname()}:{os.getpid()}")
        try:
            begun = await _unknown(place, thread)
            if begun is None:
                raise ConfigError(f"nothing in thread {thread!r} is unknown", hint="run the same line again")
            fact: Fact = decision(begun)
            await place.append(stream, [Entry(fact.kind, fact.to_json())], lease=lease)
        finally:
            await place.release(lease)
        return begun
