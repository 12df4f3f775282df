"""What a picture is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from typing_extensions import TypedDict

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.llm.holding import LoadOptions
from yggdrasil.blocks.llm.weights import Given
from yggdrasil.blocks.vision.model import Looking, label_of, placed, whole
from yggdrasil.blocks.vision.pictures import read_pictures
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import PortError


class Class(TypedDict):
    """One class of a picture, and how probable it is (0..1)."""

    label: str
    score: float


_SPEC = Spec.declare(
    [
        port("image", "image", optional=True, doc="A picture, or several: a list, or a batch [B,H,W,3]."),
        port("pixels", "tensor[B,C,H,W] float", optional=True, doc="Instead: pictures that are prepared already."),
    ],
    [
        port("label", str, optional=True, doc="The most probable class, where the image is a single picture."),
        port("labels", list[str], doc="The most probable class of each picture."),
        port("classes", list[list[Class]], doc="The `top_k` most probable classes of each picture, the best first."),
        port("logits", "tensor[B,N] float", doc="What the model gave for all classes, before softmax."),
    ],
    "Says what a picture is of.",
)


class Classifier(Looking):
    """Image classification (AutoModelForImageClassification): `Classifier("hf://org/name")`.

    model    a ref, or (module, image processor); revision, dtype, share: as of local models
    top_k    how many classes are told of each picture
    Gradients go through `logits` in a training run, to the weights, and to `pixels`.
    """

    block_type = "classifier/transformers"
    auto = "AutoModelForImageClassification"

    def __init__(self, model: Given, top_k: int = 5, **options: Unpack[LoadOptions]) -> None:
        self.top_k = whole("top_k", top_k, 1, "top_k: 5")
        super().__init__(model, options)

    @property
    def spec(self) -> Spec:
        """Pictures in; labels, scores and logits out."""
        return _SPEC

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it; ConfigError for a module that was given."""
        return self.written(top_k=(self.top_k, 5))

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Look at all of them at once."""
        image, pixels = inputs.get("image"), inputs.get("pixels")
        if (image is None) == (pixels is None):
            said = "both" if image is not None else "neither"
            raise PortError(f"it takes `image` or `pixels`, and was given {said}", path=ctx.path, hint="run(image=...)")
        module: Any = self.weights.module(ctx.device)
        alone = False
        if pixels is None:
            pictures, alone = read_pictures(image, ctx.path)
            given = self.pixels(pictures, module)
        else:
            given = {"pixel_values": placed(torch.as_tensor(pixels), module)}
        logits = module(**given).logits.float()
        classes = self._classes(module, logits)
        labels = [found[0]["label"] for found in classes]
        return {"labels": labels, "classes": classes, "logits": logits, **({"label": labels[0]} if alone else {})}

    def _classes(self, module: Any, logits: torch.Tensor) -> list[list[Class]]:
        scores = logits.detach().softmax(-1).sort(stable=True, dim=-1, descending=True)
        return [
            [Class(label=label_of(module, number), score=score) for score, number in zip(row, numbers, strict=True)]
            for row, numbers in zip(
                scores.values[:, : self.top_k].tolist(), scores.indices[:, : self.top_k].tolist(), strict=True
            )
        ]
