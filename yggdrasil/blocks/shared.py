"""How a block holds a module of the pool: loaded when it is first needed, one for all who name it alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from yggdrasil.blocks.weights import module_bytes
from yggdrasil.errors import ConfigError
from yggdrasil.runtime.pool import POOL, Handling, Key, Lease, Pool
from yggdrasil.storage.weights import Weights
from yggdrasil.storage.weights_header import BITS

T = TypeVar("T")


class Shared(Generic[T]):
    """A module (or whatever else is heavy), by its ref. Blocking: use it on a worker thread.

    load      called with the device, by the first who needs it
    kind, ref, revision, dtype, options    what makes it the same one as another block's
    device    where it is when `get` is not told; "" for the CPU
    share     False: a copy of one's own
    expected  the bytes it will take; None: what the headers of the weights in `ref` say, where it is a folder or file

    It is given back by `close`, or when this is gone.
    """

    def __init__(
        self,
        kind: str,
        ref: str,
        load: Callable[[str], T],
        *,
        revision: str = "",
        dtype: str = "",
        device: str = "",
        share: bool = True,
        expected: Callable[[], int] | None = None,
        pool: Pool = POOL,
        **options: Any,
    ) -> None:
        self.kind, self.ref, self.revision, self.dtype = kind, ref, revision, dtype
        self.device, self.share, self.options = device, share, options
        self._load, self._expected, self._pool = load, expected, pool
        self._leases: dict[str, Lease[T]] = {}
        self._own: list[Any] = []
        self._gate = threading.RLock()

    def get(self, device: str | None = None) -> T:
        """The instance on a device (None: where it is by now), loaded if need be; moving gives the old one back."""
        with self._gate:
            where = device or self.device or next(iter(self._leases), "cpu")
            if self._own:
                return self._own[0] if not device else self._own[0].to(device)  # type: ignore[no-any-return]
            if where not in self._leases:
                self.close()
                key = Key.of(
                    self.kind, self.ref, revision=self.revision, dtype=self.dtype, device=where, **self.options
                )
                expected = self._expected or (lambda: file_bytes(self.ref, self.dtype))
                handling = module_handling(where, expected)
                lease = self._pool.lease(key, lambda: self._load(where), handling=handling, share=self.share)
                self._leases[where] = lease
            return self._leases[where].value

    @property
    def loaded(self) -> bool:
        """Whether it holds an instance."""
        return bool(self._leases or self._own)

    def adopt(self, modules: Mapping[str, Any]) -> None:
        """Hold this one from now on, in place of what the ref says: a trained one, from a checkpoint."""
        with self._gate:
            self.close()
            self._own = list(modules.values())

    def close(self) -> None:
        """Give it back; the next `get` takes it again."""
        with self._gate:
            while self._leases:
                self._leases.popitem()[1].release()


def module_handling(device: str, expected: Callable[[], int] | None = None) -> Handling:
    """How torch modules are measured, and moved between the CPU and `device`. What is no module has no size."""

    def size(value: Any) -> int:
        return module_bytes(value) if isinstance(value, torch.nn.Module) else 0

    if device == "cpu":
        return Handling(size, expected)
    return Handling(size, expected, away=lambda module: module.to("cpu"), back=lambda module: module.to(device))


def file_bytes(ref: str | Path, dtype: str = "") -> int:
    """The bytes that the weights of a folder or file take, as its headers say, in `dtype` ("float16"); 0: not known."""
    path = Path(ref)
    if not path.exists() or (path.is_dir() and not any(path.glob("*.safetensors"))):
        return 0
    wide = getattr(torch, dtype, None) if dtype else None
    if dtype and not isinstance(wide, torch.dtype):
        raise ConfigError(f"{dtype!r} is no dtype", hint='dtype="bfloat16"')
    total = 0
    for entry in Weights(path).entries.values():
        is_float = entry.dtype.startswith(("F", "BF"))
        total += entry.nbytes * 8 * wide.itemsize // BITS[entry.dtype] if wide and is_float else entry.nbytes
    return total
