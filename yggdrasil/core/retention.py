"""What of a world's past is kept: a pure policy. What it says is carried out by `levels/retention.py`.

Never pruned, whatever it says: the world's first record, its history, the chain of finished ticks, and what is needed
to fold the world as it is now.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.core.facts import Finished, Opened, Remembered
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, close_names

ALWAYS = (Opened.kind, Remembered.kind, Finished.kind)
"""Kinds of records that are never pruned."""

BATCH = 64
"""Ticks that are pruned at once: so many live on beyond what is asked for, at most."""

DAY = 86_400.0


class Keep(Value):
    """Which ticks of a world can be gone back to. With nothing said: all of them.

    last    the last so many ticks, with all their records
    every   of older ones each tick whose number it divides, by a snapshot
    days    and whatever ended less than so many days ago, with all its records
    """

    last: int | None = None
    every: int | None = None
    days: float | None = None

    @property
    def all(self) -> bool:
        """Whether nothing is ever pruned."""
        return self.last is None and self.every is None and self.days is None

    @property
    def full(self) -> int:
        """How many of the last ticks keep all their records, at least."""
        return 1 if self.last is None else self.last

    def lasts(self, tick: int) -> bool:
        """Whether a pruned tick can still be gone back to."""
        return self.every is not None and tick % self.every == 0

    def to_config(self) -> dict[str, Any]:
        """As in a world's file."""
        return {name: value for name, value in self.values().items() if value is not None}

    @classmethod
    def from_config(cls, data: Any, path: str = "keep") -> Keep:
        """From a world's file: `{last: 50, every: 100, days: 30}`, each of which may be left out.

        ConfigError names the place of what is wrong.
        """
        if isinstance(data, Keep):
            return data
        if not isinstance(data, Mapping):
            raise ConfigError(f"keep is {data!r}", path=path, hint="keep: {last: 50, every: 100, days: 30}")
        for name, value in data.items():
            if name not in cls._fields:
                raise ConfigError(f"there is no {name!r} here; {close_names(str(name), cls._fields)}", path=path)
            if value is None:
                continue
            kinds = int | float if name == "days" else int
            if isinstance(value, bool) or not isinstance(value, kinds):
                sentence = f"{name} is {value!r}, not a {'number' if name == 'days' else 'whole number'}"
                raise ConfigError(sentence, path=f"{path}/{name}", hint=_HINTS[name])
            if not value >= (0 if name == "days" else 1) or not math.isfinite(value):
                sentence = f"{name} is {value}; at least {0 if name == 'days' else 1}"
                raise ConfigError(sentence, path=f"{path}/{name}", hint=_HINTS[name])
        return cls(**data)


_HINTS = {"last": "last: 50", "every": "every: 100", "days": "days: 30"}


class Done(Value):
    """A finished tick: the sequence of its last record, and when that was written, in seconds since the epoch."""

    tick: int
    sequence: int
    time: float


class Pruning(Value):
    """What may go: every record up to the end of `to`, once a snapshot stands there.

    kept: the ticks before it whose snapshots are made first, and stay.
    """

    to: Done
    kept: tuple[Done, ...] = ()


def due(keep: Keep, tick: int, pruned: int, batch: int = BATCH) -> bool:
    """Whether it is worth looking: a batch of ticks after `pruned` (the last one that was) lies beyond the last ones.

    tick: the last finished one
    """
    return not keep.all and tick - keep.full - pruned >= batch


def prune(keep: Keep, done: Sequence[Done], tick: int, now: float, batch: int = BATCH) -> Pruning | None:
    """What of the finished ticks `done` may go: the oldest that were not pruned yet, in order; None when it is too few.

    tick   the last finished one
    now    in seconds since the epoch; where clocks were set back, a younger tick keeps all that come after it
    """
    gone: list[Done] = []
    for one in done:
        if one.tick > tick - keep.full or (keep.days is not None and one.time > now - keep.days * DAY):
            break
        gone.append(one)
    if keep.all or not gone or len(gone) < batch:
        return None
    return Pruning(gone[-1], tuple(one for one in gone[:-1] if keep.lasts(one.tick)))
