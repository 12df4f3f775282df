"""A pipeline of diffusers: its parts by name, each loaded once for everybody who names it alike."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from yggdrasil.blocks.constructing import constructing, require_whole
from yggdrasil.blocks.hub import Ref
from yggdrasil.blocks.shared import Shared, file_bytes
from yggdrasil.errors import ConfigError, close_names

INDEX = "model_index.json"
_LIBRARIES = ("diffusers", "transformers")


class Source:
    """Parts of a pipeline, by `ref` (see `Ref`), or of one that is given. Blocking: use it on a worker thread.

    ref       a folder that `save_pretrained` wrote, or a model of a hub
    revision  which of it
    dtype     of the weights: "float16", "bfloat16", "float32"; "" as they are stored
    """

    def __init__(self, ref: str = "", revision: str = "", dtype: str = "", *, pipeline: Any = None) -> None:
        if dtype and not isinstance(getattr(torch, dtype, None), torch.dtype):
            raise ConfigError(f"{dtype!r} is no dtype", hint='dtype: "float16"')
        self.ref, self.revision, self.dtype = ref, revision, dtype
        self._given = pipeline
        self._parts: dict[str, Shared[Any]] = {}
        self._plain: set[str] = set()
        self._made: tuple[dict[str, Any], Any] | None = None
        self._gate = threading.Lock()
        self._index: dict[str, Any] | None = None
        self._folder: Path | None = None

    @property
    def pipeline_class(self) -> str:
        """The name of the pipeline's class."""
        return type(self._given).__name__ if self._given is not None else str(self.index.get("_class_name", ""))

    @property
    def index(self) -> Mapping[str, Any]:
        """What `model_index.json` says."""
        if self._index is None:
            self._folder = Ref.of(self.ref, self.revision).folder()
            path = self._folder / INDEX
            try:
                self._index = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                hint = "a folder written by save_pretrained; single files are not read"
                raise ConfigError(f"{self.ref} holds no pipeline: no {INDEX}", hint=hint) from None
            except (OSError, ValueError) as error:
                raise ConfigError(f"{path.name} of {self.ref} cannot be read: {error}") from error
            if not isinstance(self._index, dict):
                raise ConfigError(f"{path.name} of {self.ref} is no mapping")
        return self._index

    def class_of(self, name: str) -> str:
        """The name of a part's class; nothing is loaded. ConfigError where there is no such part."""
        if self._given is not None:
            return type(self.require(name)).__name__
        named = self.index.get(name)
        if not isinstance(named, list) or len(named) != 2 or not isinstance(named[1], str):
            names = [n for n in self.index if not n.startswith("_")]
            raise ConfigError(f"{self.ref} has no {name!r}; {close_names(name, names)}")
        self._require_library(str(named[0]), named[1])
        return named[1]

    def part(self, name: str, device: str | None = None) -> Any:
        """A part: a module, a tokenizer, a scheduler; None where the pipeline has none by that name.

        device  where its weights are: None where they are by now. A pipeline that was given is where it is.
        """
        if self._given is not None and name not in self._parts:
            return getattr(self._given, name, None)
        shared = self._shared(name)
        if shared is None:
            return None
        return shared.get(None if name in self._plain else device)

    def _shared(self, name: str) -> Shared[Any] | None:
        """The hold of a part, which loads it when it is first asked for."""
        with self._gate:
            named = self.index.get(name) if self._given is None else None
            if name not in self._parts and isinstance(named, list) and named[:1] != [None]:
                kind, ref = self._class(*map(str, named[:2])), Ref.of(self.ref, self.revision).name
                if not issubclass(kind, torch.nn.Module):
                    self._plain.add(name)
                self._parts[name] = Shared(
                    ".".join(map(str, named)), f"{ref}/{name}", partial(self._load, name, kind), dtype=self.dtype,
                    expected=partial(self._bytes, name),
                )  # fmt: skip
            return self._parts.get(name)

    def require(self, name: str, device: str | None = None) -> Any:
        """The same; ConfigError where there is none."""
        found = self.part(name, device)
        if found is None:
            names = [] if self._given is not None else [n for n in self.index if not n.startswith("_")]
            raise ConfigError(f"{self.ref or self.pipeline_class} has no {name!r}; {close_names(name, names)}")
        return found

    def pipeline(self, device: str | None, needed: Collection[str]) -> Any:
        """The pipeline of all parts, for what its class does; never called as a whole.

        needed  the parts that will compute on the device; the others stay where they are, once they are somewhere
        """
        if self._given is not None:
            return self._given
        names = [name for name, value in self.index.items() if isinstance(value, list)]
        stays = {name for name in names if name not in needed and self._is_loaded(name)}
        parts = {name: self.part(name, None if name in stays else device) for name in names}
        with self._gate:
            if self._made is None or any(self._made[0][name] is not part for name, part in parts.items()):
                kind = self._class("diffusers", self.pipeline_class)
                plain = {n: v for n, v in self.index.items() if not n.startswith("_") and not isinstance(v, list)}
                self._made = (parts, kind(**parts, **plain))
            return self._made[1]

    def _is_loaded(self, name: str) -> bool:
        return name in self._parts and self._parts[name].loaded

    def adopt(self, modules: Mapping[str, Any]) -> None:
        """Have these parts from now on, in place of those of the ref: trained ones, from a checkpoint."""
        for name, module in modules.items():
            shared = self._shared(name) or self._parts.setdefault(name, Shared(name, self.ref, lambda device: None))
            shared.adopt({name: module})

    def close(self) -> None:
        """Give all parts back."""
        self._made = None
        for shared in self._parts.values():
            shared.close()

    def _bytes(self, name: str) -> int:
        """What a part will take, as the headers of its files say."""
        assert self._folder is not None
        return file_bytes(self._folder / name, self.dtype)

    def _load(self, name: str, kind: Any, device: str) -> Any:
        assert self._folder is not None
        from transformers import PreTrainedModel

        is_module, ours = issubclass(kind, torch.nn.Module), issubclass(kind, PreTrainedModel)
        options: dict[str, Any] = {}
        if is_module:
            options = {"use_safetensors": True, "output_loading_info": True}
            if self.dtype or ours:
                options["dtype" if ours else "torch_dtype"] = getattr(torch, self.dtype) if self.dtype else "auto"
        try:
            with constructing():
                made = kind.from_pretrained(str(self._folder / name), local_files_only=True, **options)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ConfigError(f"{name} of {self.ref} cannot be loaded: {said}") from error
        if is_module:
            made, info = made
            require_whole(info, f"{name} of {self.ref}", made)
            made.eval().to(device)
        return made

    def _require_library(self, library: str, name: str) -> str:
        """Where a part's class is: nothing else is imported because a file names it."""
        if library in _LIBRARIES:
            return library
        if library in importlib.import_module("diffusers.pipelines")._import_structure:  # the safety checker
            return f"diffusers.pipelines.{library}"
        raise ConfigError(f"{self.ref} wants {library}.{name}; only parts of {' and '.join(_LIBRARIES)} are loaded")

    def _class(self, library: str, name: str) -> Any:
        found = getattr(importlib.import_module(self._require_library(library, name)), name, None)
        if not isinstance(found, type):
            hint = f"pip install -U {library}"
            raise ConfigError(f"{self.ref} wants {library}.{name}, which is not there", hint=hint)
        return found
