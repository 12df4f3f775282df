"""What is heavy is loaded once: one instance for everybody in the process who names it alike.

Nothing here knows what an instance is: how many bytes it takes, and how it is moved, its `Handling` says.
"""

from __future__ import annotations

import gc
import itertools
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, Self, TypeVar

from yggdrasil.core.canonical import canonical
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, PortError

T = TypeVar("T")

_NOTHING: Final = object()


class Key(Value):
    """What makes two instances the same one.

    kind      how it is loaded: "diffusers.UNet2DConditionModel", "transformers.AutoModelForCausalLM"
    ref       where it comes from: a folder, a file, a hub id
    revision  which of it
    options   the load options, as canonical JSON
    dtype     "" as it is stored
    device    where it lives
    """

    kind: str
    ref: str
    revision: str = ""
    options: str = "{}"
    dtype: str = ""
    device: str = "cpu"

    @classmethod
    def of(
        cls, kind: str, ref: str, *, revision: str = "", dtype: str = "", device: str = "cpu", **options: Any
    ) -> Key:
        """A key with load options by name; ConfigError where one is no JSON."""
        try:
            written = canonical(options)
        except PortError as error:
            raise ConfigError(f"the load options of {ref} are no JSON: {error.sentence}") from error
        return cls(kind, ref, revision, written, dtype, device)


class Handling(Value):
    """How instances are measured and moved; these functions must not call the pool.

    size        the bytes of a loaded one
    expected    the bytes it will take, asked before it is loaded; None: not known until then
    away, back  move one to the CPU when its device is needed for others, and to its device again; None: it is dropped
                instead, and loaded anew
    """

    size: Callable[[Any], int]
    expected: Callable[[], int] | None = None
    away: Callable[[Any], None] | None = None
    back: Callable[[Any], None] | None = None


class Lease(Generic[T]):
    """One user's hold of an instance. `release` it when it is needed no more; one that is forgotten releases itself."""

    def __init__(self, pool: Pool, slot: Slot, value: T) -> None:
        self.key = slot[0]
        self._value: Any = value
        self._end = weakref.finalize(self, pool._take_back, slot)
        self._end.atexit = False

    @property
    def value(self) -> T:
        """The instance; ConfigError once it was released."""
        value = self._value
        if value is _NOTHING:
            raise ConfigError(f"{self.key.ref} was released", hint="take a new lease")
        return value  # type: ignore[no-any-return]

    def release(self) -> None:
        """Give it up; without a budget for its device the last one unloads it. Nothing happens the second time."""
        self._value = _NOTHING
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.release()


Slot = tuple[Key, int]
"""A key, and 0 for the shared instance; the private ones are numbered."""


class _Entry:
    """place: where its bytes are, "" while it is not loaded; size: how many, reserved before it is."""

    __slots__ = ("gate", "handling", "place", "size", "users", "value")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.value: Any = _NOTHING
        self.handling: Handling | None = None
        self.place = ""
        self.size = 0
        self.users = 0

    def empty(self) -> None:
        """Let go of the instance."""
        self.value, self.place, self.size = _NOTHING, "", 0


class Pool:
    """Instances by key, counted. Blocking: call it on a worker thread.

    A device without a budget holds what is in use, and nothing else. With one, what is used no more stays as long as
    it fits; whoever needs the room has the least recently used ones of these moved away or dropped.
    """

    def __init__(self) -> None:
        self._entries: dict[Slot, _Entry] = {}  # the unused ones in the order in which they were given back
        self._budgets: dict[str, int] = {}
        self._gate = threading.Lock()
        self._returned: deque[Slot] = deque()
        self._private = itertools.count(1)

    # --- taking and giving back

    def lease(
        self, key: Key, load: Callable[[], T], *, handling: Handling | None = None, share: bool = True
    ) -> Lease[T]:
        """A hold of the instance of `key`, loaded by the first who asks; those who ask meanwhile wait for it.

        `share=False`: an instance of one's own, which nobody else is given and which is dropped when it is released.
        ConfigError, before anything is loaded, when the budget of its device has no room for it. When loading fails
        nothing is left of it, and the next who asks tries again.
        """
        slot = (key, 0 if share else next(self._private))
        with self._held():
            entry = self._entries.setdefault(slot, _Entry())
            entry.users += 1
        try:
            with entry.gate:
                if entry.place != key.device:
                    if entry.value is _NOTHING:  # one that was moved away comes back as it went
                        entry.handling = handling
                    self._bring(slot, entry, load)
                    self._tell_of_copies(slot)
                return Lease(self, slot, entry.value)
        except BaseException:
            self._take_back(slot)
            raise

    def _bring(self, slot: Slot, entry: _Entry, load: Callable[[], Any]) -> None:
        """Have the instance on its device: from the CPU where it was moved away, else loaded."""
        handling, device = entry.handling, slot[0].device
        value = entry.value
        try:
            if value is not _NOTHING:
                assert handling is not None, "only what says how is moved away"
                assert handling.back is not None
                self._reserve(slot, entry, entry.size)
                handling.back(value)
                return
            self._reserve(slot, entry, 0 if handling is None or handling.expected is None else handling.expected())
            value = load()
            if handling is not None:
                self._reserve(slot, entry, handling.size(value))
            entry.value = value
        except BaseException:
            value = None  # the traceback keeps this frame, which must not keep what was loaded
            with self._held():
                entry.empty()
            raise
        assert entry.place == device

    def _take_back(self, slot: Slot) -> None:
        # Never waits: a lease may end anywhere, in a destructor too, in a thread that is inside the pool just now.
        self._returned.append(slot)
        self._settle()

    def _settle(self) -> None:
        """Book what was given back; whoever holds the gate does it for those who could not wait."""
        while self._returned and self._gate.acquire(blocking=False):
            try:
                self._book()
            finally:
                self._gate.release()

    def _book(self) -> None:
        while self._returned:
            slot = self._returned.popleft()
            entry = self._entries[slot]
            entry.users -= 1
            if not entry.users:
                del self._entries[slot]
                if entry.place and entry.size and not slot[1] and entry.place in self._budgets:
                    self._entries[slot] = entry  # the last in line
                    self._shrink(entry.place, self._budgets[entry.place])

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._gate:
            self._book()
            yield
        self._settle()

    # --- room

    def budget(self, device: str, size: float | None) -> None:
        """Let instances on `device` take at most `size` bytes together, unused ones included; None: no bound.

        What is used no more is dropped as far as it does not fit. ConfigError when what is in use takes more.
        """
        if size is not None and (isinstance(size, bool) or not isinstance(size, int | float) or not size > 0):
            raise ConfigError(f"the budget of {device} is {size!r}", hint=f'POOL.budget("{device}", 8e9)   # bytes')
        with self._held():
            if size is None:
                self._budgets.pop(device, None)
                self._shrink(device, 0)
                return
            used = sum(entry.size for entry in self._entries.values() if entry.place == device and entry.users)
            if used > size:
                raise ConfigError(f"{_said(used)} of {device} are in use, more than a budget of {_said(size)}")
            self._budgets[device] = int(size)
            self._shrink(device, int(size))

    def _reserve(self, slot: Slot, entry: _Entry, size: int) -> None:
        """Count an entry as `size` bytes on its device, for which others make room. ConfigError when there is none."""
        key = slot[0]
        with self._held():
            limit = self._budgets.get(key.device)
            if limit is not None:
                here = {s: e for s, e in self._entries.items() if e.place == key.device and e is not entry}
                used = {s[0].ref: e.size for s, e in here.items() if e.users and e.size}
                taken = sum(e.size for e in here.values() if e.users)
                if taken + size > limit:
                    others = "".join(f"; {ref} takes {_said(held)}" for ref, held in sorted(used.items()))
                    sentence = f"{key.ref} takes {_said(size)}, and {key.device} has a budget of {_said(limit)}{others}"
                    hint = f'release what is not needed, or POOL.budget("{key.device}", {taken + size:.3g})'
                    raise ConfigError(sentence, path=key.kind, hint=hint)
                left = self._shrink(key.device, limit - size, but=entry)
                if any(reference() is not None for reference in left):
                    gc.collect()  # it lies in a cycle, and the room is needed now
            entry.place, entry.size = key.device, size

    def _shrink(self, device: str, limit: int, but: _Entry | None = None) -> list[weakref.ref[Any]]:
        """Have unused instances leave a device until the rest fits; those that were dropped."""
        here = [(s, e) for s, e in self._entries.items() if e.place == device and e is not but]
        held = sum(entry.size for _, entry in here)
        left: list[weakref.ref[Any]] = []
        for slot, entry in here:
            if held <= limit:
                break
            if not entry.users:
                held -= entry.size
                left += self._leave(slot, entry)
        return left

    def _leave(self, slot: Slot, entry: _Entry) -> list[weakref.ref[Any]]:
        """Move an unused instance to the CPU where that can be done and there is room, else drop it."""
        handling, kept = entry.handling, False
        try:
            away = handling.away if handling is not None and handling.back is not None else None
            if away is not None and entry.place != "cpu" and self._fits_cpu(entry):
                away(entry.value)
                entry.place, kept = "cpu", True
                return []
            return [weakref.ref(entry.value)] if hasattr(entry.value, "__weakref__") else []
        finally:
            if not kept:
                del self._entries[slot]
                entry.empty()

    def _fits_cpu(self, entry: _Entry) -> bool:
        limit = self._budgets.get("cpu")
        if limit is None:
            return True
        self._shrink("cpu", limit - entry.size)
        return entry.size + sum(e.size for e in self._entries.values() if e.place == "cpu") <= limit

    def clear(self) -> int:
        """Drop everything that nobody uses; how many."""
        with self._held():
            unused = [(slot, entry) for slot, entry in self._entries.items() if not entry.users]
            for slot, entry in unused:
                del self._entries[slot]
                entry.empty()
            return len(unused)

    # --- looking

    def _tell_of_copies(self, slot: Slot) -> None:
        key, number = slot
        with self._held():
            shared = [s[0] for s, e in self._entries.items() if not s[1] and e.users and e.place and s[0] != key]
        others = sorted(other.device for other in shared if not number and other.replace(device=key.device) == key)
        if others:
            sentence = f"{key.ref} is loaded twice: on {key.device}, and on {', '.join(others)} already"
            warnings.warn(f"{sentence}; give its nodes one device to share it", RuntimeWarning, stacklevel=3)

    def users(self, key: Key) -> int:
        """How many hold the shared instance."""
        with self._held():
            return self._entries[key, 0].users if (key, 0) in self._entries else 0

    def key_of(self, value: Any) -> Key | None:
        """The key of an instance; None when it is not from here."""
        with self._held():
            return next((slot[0] for slot, entry in self._entries.items() if entry.value is value), None)

    def keys(self) -> list[Key]:
        """What is loaded, used or not; a private instance by the key it was asked for with."""
        with self._held():
            return [slot[0] for slot in self._entries]

    def taken(self, device: str) -> int:
        """The bytes that are taken, or reserved, on a device, as far as they are known."""
        with self._held():
            return sum(entry.size for entry in self._entries.values() if entry.place == device)


def _said(size: float) -> str:
    for unit, width in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= width:
            return f"{size / width:.3g} {unit}"
    return f"{size:.0f} bytes"


POOL = Pool()
"""The pool of the process."""
