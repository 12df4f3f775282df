"""T2I-Adapter (Mou et al., arXiv 2302.08453): a picture that says where things are, looked at once for all steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.diffusers.source import Source
from yggdrasil.blocks.diffusers.sourced import Sourced
from yggdrasil.core.ports import Spec, port


class T2IAdapter(Sourced):
    """What a T2I-Adapter adds to a UNet's activations.

    ref, part, revision, dtype   where it lies (see `Source`)
    scale                        how much of it is added

    Ports: `hint` the picture that is followed, [B, C, H, W] from 0 to 1; `condition` the backbone's, whose batch says
    whether it is guided. `adapted` goes to the backbone's `adapter_features`.
    """

    block_type = "adapter/t2i"

    def __init__(
        self, ref: str = "", part: str = "adapter", *, scale: float = 1.0, revision: str = "", dtype: str = "",
        source: Source | None = None,
    ) -> None:  # fmt: skip
        super().__init__(ref, revision, dtype, source, part)
        self.scale = scale

    @property
    def config(self) -> dict[str, Any]:
        """Where it lies, and how much of it."""
        return self.written(part=(self.part, "adapter"), scale=(self.scale, 1.0))

    @property
    def spec(self) -> Spec:
        """The ports of the role."""
        return _SPEC

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """What it adds."""
        module = self.module(ctx.device)
        hint = inputs["hint"].to(device=module.device, dtype=module.dtype)
        times = inputs["condition"].shape[0] // hint.shape[0]
        added = [torch.cat([value * self.scale] * times) for value in module(hint)]
        return {"adapted": {"down_intrablock_additional_residuals": added}}


_SPEC = Spec.declare([port("hint", "tensor"), port("condition", "tensor")], [port("adapted", "any")])
