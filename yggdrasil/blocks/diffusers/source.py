"""A pipeline of diffusers: its parts by name, each loaded once for everybody who names it alike."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from yggdrasil.blocks.constructing import constructing, require_whole
from yggdrasil.blocks.hub import Ref
from yggdrasil.blocks.shared import file_bytes, module_handling
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.runtime.pool import POOL, Key, Lease

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
        self._leases: dict[tuple[str, str], Lease[Any]] = {}
        self._where: dict[str, str] = {}
        self._pipelines: dict[str, Any] = {}
        self._own: dict[str, Any] = {}
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
        if name in self._own:
            return self._own[name] if device is None else self._own[name].to(device)
        if self._given is not None:
            return getattr(self._given, name, None)
        named = self.index.get(name)
        if not isinstance(named, list) or named[:1] == [None]:
            return None
        where = self._where[name] = device or self._where.get(name, "cpu")
        if (name, where) not in self._leases:
            key = Key.of(
                ".".join(map(str, named)),
                f"{Ref.of(self.ref, self.revision).name}/{name}",
                dtype=self.dtype,
                device=where,
            )
            handling = module_handling(where, lambda: self._bytes(name))
            self._leases[name, where] = POOL.lease(key, lambda: self._load(name, named, where), handling=handling)
        return self._leases[name, where].value

    def _bytes(self, name: str) -> int:
        """What a part will take, as the headers of its files say."""
        assert self._folder is not None
        return file_bytes(self._folder / name, self.dtype)

    def require(self, name: str, device: str | None = None) -> Any:
        """The same; ConfigError where there is none."""
        found = self.part(name, device)
        if found is None:
            names = [] if self._given is not None else [n for n in self.index if not n.startswith("_")]
            raise ConfigError(f"{self.ref or self.pipeline_class} has no {name!r}; {close_names(name, names)}")
        return found

    def pipeline(self, device: str | None = None) -> Any:
        """The pipeline of all parts, for what its class does; never called as a whole."""
        if self._given is not None:
            return self._given
        where = device or "cpu"
        if where not in self._pipelines:
            kind = self._class("diffusers", self.pipeline_class)
            parts = {n: self.part(n, device) for n, v in self.index.items() if isinstance(v, list)}
            plain = {n: v for n, v in self.index.items() if not n.startswith("_") and not isinstance(v, list)}
            self._pipelines[where] = kind(**parts, **plain)
        return self._pipelines[where]

    def adopt(self, modules: Mapping[str, Any]) -> None:
        """Have these parts from now on, in place of those of the ref: trained ones, from a checkpoint."""
        self._own.update(modules)
        self._pipelines.clear()

    def close(self) -> None:
        """Give all parts back."""
        for lease in self._leases.values():
            lease.release()
        self._leases.clear()
        self._pipelines.clear()

    def _load(self, name: str, named: list[Any], device: str) -> Any:
        assert self._folder is not None
        kind = self._class(*map(str, named[:2]))
        is_module, ours = issubclass(kind, torch.nn.Module), named[0] == "transformers"
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

    def _require_library(self, library: str, name: str) -> None:
        """Nothing is imported because a file names it."""
        if library not in _LIBRARIES:
            raise ConfigError(f"{self.ref} wants {library}.{name}; only parts of {' and '.join(_LIBRARIES)} are loaded")

    def _class(self, library: str, name: str) -> Any:
        self._require_library(library, name)
        found = getattr(importlib.import_module(library), name, None)
        if not isinstance(found, type):
            raise ConfigError(
                f"{self.ref} wants {library}.{name}, which is not there", hint=f"pip install -U {library}"
            )
        return found
