"""Blocks whose weights are parts of a pipeline of diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from yggdrasil.blocks.diffusers.source import Source
from yggdrasil.blocks.neural import Neural
from yggdrasil.errors import ConfigError


class Sourced(Neural):
    """Subclass it with a `spec` and a `compute`; with `modules` where it is not `part` that it computes with.

    ref, revision, dtype   where the pipeline lies (see `Source`)
    source                 one that is open already, instead
    part                   the name of the part
    """

    def __init__(self, ref: str, revision: str, dtype: str, source: Source | None, part: str = "") -> None:
        if source is None and not ref:
            raise ConfigError(f"{self.block_type} is loaded from a ref", hint='ref: "hf://org/name"')
        self.ref, self.revision, self.dtype, self.part = ref, revision, dtype, part
        self.source = source or Source(ref, revision, dtype)
        self.from_ref = bool(ref)

    def written(self, **own: tuple[Any, Any]) -> dict[str, Any]:
        """A config of the ref and of what differs from its default. ConfigError where the pipeline lies nowhere."""
        if not self.ref:
            sentence = f"{self.label} was given a model that lies nowhere, so it cannot be saved"
            raise ConfigError(sentence, hint="pipeline.save_pretrained(folder), and Graph.from_diffusers(folder)")
        given: Mapping[str, tuple[Any, Any]] = {"revision": (self.revision, ""), "dtype": (self.dtype, ""), **own}
        return {"ref": self.ref, **{name: value for name, (value, default) in given.items() if value != default}}

    def module(self, device: str | None = None) -> Any:
        """The part, loaded by now; ConfigError when it is no model."""
        found = self.source.require(self.part, device)
        if not isinstance(found, torch.nn.Module):
            raise ConfigError(f"{self.part} of {self.ref} is {type(found).__name__}, no model", hint='part: "unet"')
        return found

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The part, by its name (`unet`, `transformer`, `vae`); none where it has none of its own."""
        return {self.part: self.module(device)} if self.part else {}

    def unload(self) -> None:
        """Give its parts back to the pool; the next call takes them again."""
        self.source.close()
