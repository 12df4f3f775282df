"""Classifier-free guidance (Ho and Salimans, arXiv 2207.12598): away from what the model would draw of nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.neural import Neural
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, PortError


class Guidance(Neural):
    """`uncond + scale * (cond - uncond)`.

    scale    what the port `scale` says where nothing feeds it; up to 1 the prediction stays what it is
    rescale  how far the contrast is brought back to that of the conditional one (arXiv 2305.08891, section 3.4); 0: not

    Ports: `pred` is one batch [uncond, cond] (as the backbone gives it for conditions stacked so), or `pred_cond` and
    `pred_uncond` come apart, from two calls. Without the unconditional one the conditional one passes as it is.
    """

    heavy = False
    block_type = "guidance/cfg"

    def __init__(self, scale: float = 7.5, rescale: float = 0.0) -> None:
        for name, value in (("scale", scale), ("rescale", rescale)):
            if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
                raise ConfigError(f"{name} is {value!r}", hint=f"{name}: 7.5")
        self.scale, self.rescale = scale, rescale

    @property
    def spec(self) -> Spec:
        """The ports of the role."""
        return _SPEC

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Guide."""
        scale = inputs.get("scale", self.scale)
        if "pred" in inputs:
            if scale <= 1:
                return {"pred_guided": inputs["pred"]}
            if inputs["pred"].shape[0] % 2:
                raise PortError(f"pred is a batch of {inputs['pred'].shape[0]}, which has no halves", path=ctx.path)
            uncond, cond = inputs["pred"].chunk(2)
        elif "pred_cond" in inputs:
            if "pred_uncond" not in inputs:
                return {"pred_guided": inputs["pred_cond"]}
            uncond, cond = inputs["pred_uncond"], inputs["pred_cond"]
        else:
            raise PortError("nothing came to be guided", path=ctx.path, hint="feed pred, or pred_cond and pred_uncond")
        guided = uncond + scale * (cond - uncond)
        return {"pred_guided": self._rescaled(guided, cond) if self.rescale else guided}

    def _rescaled(self, guided: torch.Tensor, cond: torch.Tensor) -> torch.Tensor:
        axes = list(range(1, cond.ndim))
        ratio = cond.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True)
        return self.rescale * (guided * ratio) + (1 - self.rescale) * guided


_SPEC = Spec.declare(
    [
        port("pred", "tensor", optional=True),
        port("pred_cond", "tensor", optional=True),
        port("pred_uncond", "tensor", optional=True),
        port("scale", float, optional=True),
    ],
    [port("pred_guided", "tensor")],
)
