"""What is heavy is loaded once: one instance for everybody in the process who names it alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from yggdrasil.core.canonical import canonical
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError

T = TypeVar("T")


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
    def of(cls, kind: str, ref: str, *, revision: str = "", dtype: str = "", device: str = "cpu", **options: Any) -> Key:
        """A key with load options by name; ConfigError where one is no JSON."""
        try:
            written = canonical(options)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the load options of {ref} are no JSON: {error}") from error
        return cls(kind, ref, revision, written, dtype, device)


class Lease(Generic[T]):
    """One user's hold of an instance. `release` it when it is needed no more."""

    def __init__(self, pool: Pool, key: Key, value: T) -> None:
        self._pool, self.key = pool, key
        self._value: T | None = value

    @property
    def value(self) -> T:
        """The instance; ConfigError once it was released."""
        if self._value is None:
            raise ConfigError(f"{self.key.ref} was released", hint="take a new lease")
        return self._value

    def release(self) -> None:
        """Give it up; the last one unloads it. Nothing happens the second time."""
        if self._value is not None:
            self._value = None
            self._pool._give_back(self.key)


class _Entry:
    __slots__ = ("gate", "users", "value")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.value: Any = None
        self.users = 0


class Pool:
    """Instances by key, counted. Blocking: call it on a worker thread."""

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}
        self._gate = threading.Lock()

    def lease(self, key: Key, load: Callable[[], T]) -> Lease[T]:
        """A hold of the instance of `key`, loaded by the first who asks; those who ask meanwhile wait for it."""
        with self._gate:
            entry = self._entries.setdefault(key, _Entry())
            entry.users += 1
        try:
            with entry.gate:
                if entry.value is None:
                    entry.value = load()
                return Lease(self, key, entry.value)
        except BaseException:
            self._give_back(key)
            raise

    def _give_back(self, key: Key) -> None:
        with self._gate:
            entry = self._entries[key]
            entry.users -= 1
            if not entry.users:
                del self._entries[key]

    def users(self, key: Key) -> int:
        """How many hold it."""
        with self._gate:
            return self._entries[key].users if key in self._entries else 0

    def key_of(self, value: Any) -> Key | None:
        """The key of an instance; None when it is not from here."""
        with self._gate:
            return next((key for key, entry in self._entries.items() if entry.value is value), None)

    def keys(self) -> list[Key]:
        """What is loaded."""
        with self._gate:
            return list(self._entries)


POOL = Pool()
"""The pool of the process."""
