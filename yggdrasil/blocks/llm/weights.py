"""What a local model is made of: a module and the tokenizer or processor that reads for it, out of the pool."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from yggdrasil.blocks.constructing import constructing, require_whole
from yggdrasil.blocks.hub import Ref
from yggdrasil.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from yggdrasil.blocks.shared import Shared

Given = str | tuple[Any, Any]
"""A ref ("hf://org/name", a folder), or the pair (module, tokenizer or processor)."""


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
        self.revision, self.dtype, self.device, self.share = revision, dtype, device, share
        self._gate = threading.Lock()
        self._shared: dict[str, Shared[Any]] = {}
        self._own: torch.nn.Module | None = None if isinstance(model, str) else model[0]

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
        return self.model[1] if not isinstance(self.model, str) else self._of(self.kind_of_words).get()

    def module(self, device: str | None = None) -> torch.nn.Module:
        """The module, on the device of this, else `device`, else where it is; one that was given is where it is."""
        if self._own is not None:
            return self._own
        return self._of(self.auto).get(self.device or device)  # type: ignore[no-any-return]

    def adopt(self, modules: Mapping[str, torch.nn.Module]) -> None:
        """Hold this module from now on, in place of what the ref says."""
        (self._own,) = modules.values()

    def close(self) -> None:
        """Give back what is the pool's; it is taken again when it is needed."""
        for shared in self._shared.values():
            shared.close()

    def _of(self, kind: str) -> Shared[Any]:
        """The pool's instance of the module or of the words."""
        from yggdrasil.blocks.shared import Shared, file_bytes

        with self._gate:
            if kind not in self._shared:
                ref = Ref.of(self.ref, self.revision)
                weighs, dtype = kind == self.auto, self.dtype
                self._shared[kind] = Shared(
                    f"transformers.{kind}",
                    ref.name,
                    _Loader(kind, ref, dtype).module if weighs else _Loader(kind, ref).words,
                    dtype=dtype if weighs else "",
                    share=self.share or not weighs,
                    expected=lambda: file_bytes(ref.folder(), dtype) if weighs else 0,  # without a hold of this
                )
            return self._shared[kind]


class _Loader:
    """Loads by a class of transformers, from safetensors only, and without any code of the model's own."""

    def __init__(self, kind: str, ref: Ref, dtype: str = "") -> None:
        self._kind, self._ref, self._dtype = kind, ref, dtype

    def words(self, device: str) -> Any:
        words = self._loaded()
        tokenizer = getattr(words, "tokenizer", words)
        if callable(getattr(tokenizer, "encode", None)):  # an image processor has no words
            tokenizer("", add_special_tokens=False)  # a saved truncation is turned off now, by one thread
        return words

    def module(self, device: str) -> Any:
        import torch

        dtype = getattr(torch, self._dtype, None) if self._dtype else "auto"
        if self._dtype and not isinstance(dtype, torch.dtype):
            raise ConfigError(f"{self._dtype!r} is no dtype", hint='dtype="bfloat16"')
        with constructing():
            module, info = self._loaded(
                dtype=dtype,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named below
            )
        require_whole(info, self._ref.name, module)
        return module.eval().to(device)

    def _loaded(self, **options: Any) -> Any:
        import transformers
        from safetensors import SafetensorError

        folder = self._ref.folder()
        auto = getattr(transformers, self._kind)
        try:
            return auto.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **options)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, SafetensorError) as error:
            said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            pickled = "use_safetensors" in options and any(folder.glob("*.bin")) and not any(folder.glob("*.safe*"))
            raise ConfigError(
                f"{self._ref.name} holds its weights as a pickle, which may run anything when it is read"
                if pickled
                else f"{self._ref.name} cannot be loaded as {auto.__name__}: {said}",
                hint="model.save_pretrained(folder) where you trust it: it writes safetensors" if pickled else "",
            ) from error
