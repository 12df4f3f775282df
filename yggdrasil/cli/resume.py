"""A turn of a durable talk that is under way: what was asked, and ending it without an answer."""

from __future__ import annotations

import os
import socket

from yggdrasil.runtime.thread import Thread, find, opened, stream_of


async def under_way(thread: str, store: str) -> str | None:
    """What was asked in the run that was cut off; None when there is none, or it was no text."""
    async with opened(store) as place:
        found = await find(place, stream_of(thread))
    asked = None if found.started is None else found.started.data.get("asked")
    return asked if isinstance(asked, str) else None


async def give_up(thread: str, store: str) -> None:
    """End the run under way, if there is one: the next begins anew, and what was remembered stays as it was.

    LeaseError while another process runs the thread.
    """
    async with opened(store) as place:
        stream = stream_of(thread)
        lease = await place.acquire(stream, f"{socket.gethostname()}:{os.getpid()}")
        try:
            found = await find(place, stream)
            if found.started is not None:
                ended = Thread(place, stream, lease)
                ended.number, ended.kept = found.started.data["run"], found.kept
                await ended.finish()
        finally:
            await place.release(lease)
