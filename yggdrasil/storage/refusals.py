"""What a store says when it refuses, the same words in every implementation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from yggdrasil.errors import ConflictError, CorruptError, LeaseError, StoreError

if TYPE_CHECKING:
    from yggdrasil.abc.store import Lease


def check_name(name: str) -> None:
    """A stream's name is text, not empty, without control characters; StoreError otherwise."""
    if not isinstance(name, str) or not name or not name.isprintable():
        raise StoreError(f"{name!r} cannot name a stream", hint='give it a printable name: "midgard"')


def conflict(stream: str, expected: int, head: int) -> ConflictError:
    """Somebody else has appended since the writer looked."""
    return ConflictError(
        f"the writer expected record {expected} to be the last, but it is {head}: somebody else wrote first",
        path=f"stream {stream}",
        hint=f"read(stream, after={min(expected, head)}) and decide again",
    )


def held(stream: str, holder: str, who: str, seconds: float) -> LeaseError:
    """Somebody alive holds the stream. `who` tells the process and its machine, `seconds` what is left."""
    return LeaseError(
        f"is held by {holder!r} ({who}), for {max(seconds, 0):.0f} s more unless renewed",
        holder=holder,
        path=f"stream {stream}",
        hint="stop that process or wait for it; or fork the stream and go your own way",
    )


def passed_on(lease: Lease, token: int, holder: str, who: str) -> LeaseError:
    """The writer's lease is no longer the newest, or was released."""
    if token == lease.token or not holder:
        now = "it was released" if token == lease.token else "it has passed on and was released since"
    else:
        now = f"it has passed on to {holder!r} ({who})"
    return LeaseError(
        f"the lease of {lease.holder!r} (token {lease.token}) is no longer good: {now}",
        holder=holder,
        path=f"stream {lease.stream}",
        hint="stop writing; acquire the stream again and read what was written meanwhile",
    )


def other_stream(stream: str, lease: Lease) -> LeaseError:
    """A lease of one stream was shown for another."""
    return LeaseError(
        f"the lease shown is for stream {lease.stream!r}", path=f"stream {stream}", hint=f"acquire({stream!r}, ...)"
    )


def letters_gone(stream: str, ids: Iterable[int]) -> ConflictError:
    """Letters that somebody else has taken, or that never were."""
    names = ", ".join(map(str, sorted(ids)))
    return ConflictError(
        f"letter {names} is not in the inbox: taken already, or never posted",
        path=f"stream {stream}",
        hint="read the inbox again",
    )


def name_taken(name: str) -> ConflictError:
    """A fork needs a new name."""
    return ConflictError("exists already", path=f"stream {name}", hint=f'choose another name: "{name}-2"')


def no_such_record(stream: str, at: int, head: int) -> StoreError:
    """A fork point beyond the stream."""
    there = f"its records are 1 to {head}" if head else "there is no such stream, or it is empty"
    return StoreError(f"cannot be forked at record {at}: {there}", path=f"stream {stream}", hint=f"at={head}")


def pruned(stream: str, at: int) -> StoreError:
    """A fork point that cannot be folded: records before it were pruned."""
    return StoreError(
        f"cannot be forked at record {at}: records before it were pruned, and no snapshot stands there",
        path=f"stream {stream}",
        hint=f"snapshots({stream!r}) lists the places that are left",
    )


def nothing_to_fold(stream: str, upto: int) -> StoreError:
    """Pruning that would leave a stream nobody could read a state from."""
    return StoreError(
        f"cannot be pruned up to record {upto}: no snapshot stands there or later",
        path=f"stream {stream}",
        hint="append(stream, [], snapshot=...) first",
    )


def out_of_order(stream: str, sequence: int, head: int) -> ConflictError:
    """Records to adopt that do not follow what is there."""
    return ConflictError(
        f"record {sequence} cannot be adopted: the last one is {head}",
        path=f"stream {stream}",
        hint=f"adopt records after {head}, in their order",
    )


def no_place(stream: str, sequence: int, start: int, head: int) -> StoreError:
    """A snapshot to adopt that stands at no record of the stream."""
    return StoreError(
        f"a snapshot at {sequence} cannot be adopted: the stream's own records are {start + 1} to {head}",
        path=f"stream {stream}",
    )


def not_open() -> StoreError:
    """A store was used before `open` or after `close`."""
    return StoreError("the store is not open", hint="use it inside `async with store:`")


def missing_record(stream: str, sequence: int) -> CorruptError:
    """A stream has a gap."""
    return CorruptError(
        "is missing, though later ones are there",
        path=f"stream {stream} / record {sequence}",
        hint="restore the file from a backup",
    )


def missing_blob(digest: str) -> CorruptError:
    """A blob that is referred to, and is not there."""
    return CorruptError("is not in the store", path=f"blob {digest}", hint="put_blob its bytes again")


def changed_blob(digest: str) -> CorruptError:
    """A blob whose bytes do not have its digest."""
    return CorruptError("is not what was put: its SHA-256 differs", path=f"blob {digest}", hint="put_blob it again")
