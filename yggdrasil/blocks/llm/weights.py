"""What a local model is made of: a module and the tokenizer or processor that reads for it, out of the pool."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from yggdrasil.blocks.hub import Ref
from yggdrasil.errors import ConfigError
from yggdrasil.runtime.pool import POOL, Key, Lease

if TYPE_CHECKING:
    import torch

Given = str | tuple[Any, Any]
"""A ref ("hf://org/name", a folder), or the pair (module, tokenizer or processor)."""

_constructing = threading.Lock()  # transformers sets torch's default dtype while it builds a module
_private = itertools.count(1)


class Weights:
    """A module and its words, loaded on first use; given back when this is gone. Blocking: use it on a worker thread.

    model     a ref, or (module, tokenizer)
    auto      the class of transformers that loads the module: "AutoModelForCausalLM"
    words     the one that loads what reads for it: "AutoTokenizer", "AutoProcessor"
    revision  which of it; dtype: "" as it is stored; device: "" where the run says, else the CPU
    share     False: a copy of one's own
    """

    def __init__(
        self,
        model: Given,
        *,
        auto: str,
        words: str = "AutoTokenizer",
        revision: str = "",
        dtype: str = "",
        device: str = "",
        share: bool = True,
    ) -> None:
        for name, value in (("revision", revision), ("dtype", dtype), ("device", device)):
            if not isinstance(value, str):
                raise ConfigError(f"{name} is {type(value).__name__}, not text", hint=f'{name}="..."')
        if isinstance(model, str):
            if not model:
                raise ConfigError("a local model is loaded from a ref", hint='"hf://org/name", or a folder')
        elif not isinstance(model, tuple) or len(model) != 2:
            raise ConfigError(f"a local model is a ref or (module, tokenizer), not {type(model).__name__}")
        self.model, self.auto, self.kind_of_words = model, auto, words
        self.revision, self.dtype, self.device = revision, dtype, device
        self._options: dict[str, Any] = {} if share else {"private": next(_private)}
        self._leases: dict[tuple[str, str], Lease[Any]] = {}
        weakref.finalize(self, _give_back, self._leases)

    @property
    def ref(self) -> str:
        """Where it lies; "" when it was given."""
        return self.model if isinstance(self.model, str) else ""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.ref or type(self.model[0]).__name__

    @property
    def words(self) -> Any:
        """The tokenizer or processor."""
        if not isinstance(self.model, str):
            return self.model[1]
        return self._leased(self.kind_of_words, "cpu", "", self._load_words)

    def module(self, device: str | None = None) -> torch.nn.Module:
        """The module, on the device of this, else `device`, else the CPU; one that was given is where it is."""
        if not isinstance(self.model, str):
            return self.model[0]  # type: ignore[no-any-return]
        where = self.device or device or next((d for kind, d in self._leases if kind == self.auto), "cpu")
        return self._leased(self.auto, where, self.dtype, self._load_module)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Give all of it back."""
        _give_back(self._leases)

    def _leased(self, kind: str, device: str, dtype: str, load: Callable[[Ref, str], Any]) -> Any:
        lease = self._leases.get((kind, device))
        if lease is None:
            ref = Ref.of(self.ref, self.revision)
            key = Key.of(f"transformers.{kind}", ref.name, dtype=dtype, device=device, **self._options)
            taken = POOL.lease(key, lambda: load(ref, device))
            lease = self._leases.setdefault((kind, device), taken)
            if lease is not taken:  # another thread was quicker
                taken.release()
        return lease.value

    def _load_words(self, ref: Ref, device: str) -> Any:
        import transformers

        words = self._loaded(getattr(transformers, self.kind_of_words), ref)
        tokenizer = getattr(words, "tokenizer", words)
        tokenizer("", add_special_tokens=False)  # a saved truncation is turned off now, by one thread
        return words

    def _load_module(self, ref: Ref, device: str) -> Any:
        import torch
        import transformers

        dtype = getattr(torch, self.dtype, None) if self.dtype else "auto"
        if self.dtype and not isinstance(dtype, torch.dtype):
            raise ConfigError(f"{self.dtype!r} is no dtype", hint='dtype="bfloat16"')
        with _constructing, _quietly():
            module, info = self._loaded(
                getattr(transformers, self.auto),
                ref,
                dtype=dtype,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named below
            )
        wrong = [f"{name} is missing" for name in sorted(info["missing_keys"])]
        wrong += [
            f"{found[0]} is {tuple(found[1])}, not {tuple(found[2])}" for found in sorted(info["mismatched_keys"])
        ]
        if wrong:
            raise ConfigError(f"the weights of {ref.name} do not fit {type(module).__name__}: {'; '.join(wrong[:5])}")
        return module.eval().to(device)

    def _loaded(self, auto: Any, ref: Ref, **options: Any) -> Any:
        from safetensors import SafetensorError

        folder = ref.folder()
        try:
            return auto.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **options)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, SafetensorError) as error:
            said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            pickled = "use_safetensors" in options and any(folder.glob("*.bin")) and not any(folder.glob("*.safe*"))
            raise ConfigError(
                f"{ref.name} holds its weights as a pickle, which may run anything when it is read"
                if pickled
                else f"{ref.name} cannot be loaded as {auto.__name__}: {said}",
                hint="model.save_pretrained(folder) where you trust it: it writes safetensors" if pickled else "",
            ) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Without bars on the terminal, which is somebody else's."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _give_back(leases: dict[tuple[str, str], Lease[Any]]) -> None:
    while leases:
        leases.popitem()[1].release()
