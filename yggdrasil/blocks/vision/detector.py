"""What is where on a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from typing_extensions import TypedDict

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.llm.holding import LoadOptions
from yggdrasil.blocks.llm.weights import Given
from yggdrasil.blocks.vision.model import Looking, label_of
from yggdrasil.blocks.vision.pictures import read_pictures, sizes
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, PortError


class Thing(TypedDict):
    """What was found: its class, how sure that is (0..1), and left, top, right, bottom in pixels of the picture."""

    label: str
    score: float
    box: list[float]


_SPEC = Spec.declare(
    [port("image", "image", doc="One picture.")],
    [
        port("things", list[Thing], doc="What was found, the surest first."),
        port("labels", list[str], doc="The classes of these."),
        port("scores", "tensor[N] float", doc="How sure each of them is."),
        port("boxes", "tensor[N,4] float", doc="Left, top, right, bottom of each, in pixels."),
    ],
    "Finds things on a picture.",
)


class Detector(Looking):
    """Object detection (AutoModelForObjectDetection): `Detector("hf://org/name", threshold=0.7)`.

    model      a ref, or (module, image processor); revision, dtype, share: as of local models
    threshold  what is less sure is left out
    Nothing of it is trained by its outputs: boxes are matched with what is there by the losses of transformers.
    """

    block_type = "detector/transformers"
    auto = "AutoModelForObjectDetection"

    def __init__(self, model: Given, threshold: float = 0.5, **options: Unpack[LoadOptions]) -> None:
        if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
            raise ConfigError(f"threshold is {threshold!r}", hint="threshold: 0.5   # from 0 to 1")
        self.threshold = float(threshold)
        super().__init__(model, options)

    @property
    def spec(self) -> Spec:
        """A picture in; things, and their boxes as tensors, out."""
        return _SPEC

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it; ConfigError for a module that was given."""
        return self.written(threshold=(self.threshold, 0.5))

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Look at it."""
        pictures, _ = read_pictures(inputs["image"], ctx.path)
        if len(pictures) > 1:
            raise PortError(
                f"it takes one picture, and was given {len(pictures)}", path=ctx.path, hint="type: flow/map"
            )
        module: Any = self.weights.module(ctx.device)
        read = getattr(self.weights.words, "post_process_object_detection", None)
        if read is None:
            kind = type(self.weights.words).__name__
            raise ConfigError(f"{kind} of {self.weights.name} does not say how boxes are read", path=ctx.path)
        found = read(module(**self.pixels(pictures, module)), threshold=self.threshold, target_sizes=sizes(pictures))[0]
        order = found["scores"].argsort(descending=True, stable=True)
        scores, boxes = found["scores"][order].float().detach().cpu(), found["boxes"][order].float().detach().cpu()
        labels = [label_of(module, number) for number in found["labels"][order].tolist()]
        rows = zip(labels, scores.tolist(), boxes.tolist(), strict=True)
        things = [Thing(label=label, score=score, box=box) for label, score, box in rows]
        return {"things": things, "labels": labels, "scores": scores, "boxes": boxes}
