"""What one would write under a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.llm.holding import LoadOptions
from yggdrasil.blocks.llm.weights import Given, Weights
from yggdrasil.blocks.vision.model import Looking, placed, whole
from yggdrasil.blocks.vision.pictures import read_pictures
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, PortError

_SPEC = Spec.declare(
    [
        port("image", "image", doc="One picture."),
        port("prompt", str, optional=True, doc="How the text begins, for models that go on from a text (BLIP)."),
    ],
    [port("text", str, doc="What the picture shows.")],
    "Says in words what a picture shows.",
)


class Captioner(Looking):
    """Captions of encoder-decoder models (BLIP, GIT, VisionEncoderDecoder): `Captioner("hf://org/name")`.

    model       a ref, or (module, (image processor, tokenizer)); revision, dtype, share: as of local models
    max_tokens  how long the text may be
    beams       how many ways to go on are kept; the best is told. Nothing is drawn at random
    A model that answers in a dialogue (it has a chat template) is a `vlm/local`.
    """

    block_type = "caption/transformers"
    auto = "AutoModelForImageTextToText"

    def __init__(self, model: Given, max_tokens: int = 40, beams: int = 1, **options: Unpack[LoadOptions]) -> None:
        self.max_tokens = whole("max_tokens", max_tokens, 1, "max_tokens: 40")
        self.beams = whole("beams", beams, 1, "beams: 3")
        self._words: Any = None
        if not isinstance(model, str):
            if not isinstance(model, tuple) or len(model) != 2 or not isinstance(model[1], tuple):
                raise ConfigError(
                    f"a captioner is a ref or (module, (image processor, tokenizer)), not {type(model).__name__}"
                )
            model, self._words = (model[0], model[1][0]), model[1][1]
        super().__init__(model, options)
        if isinstance(model, str):
            self._tokenizer = Weights(model, auto=self.auto, words="AutoTokenizer", **options)

    @property
    def spec(self) -> Spec:
        """A picture, and the beginning of a text, in; a text out."""
        return _SPEC

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it; ConfigError for a module that was given."""
        return self.written(max_tokens=(self.max_tokens, 40), beams=(self.beams, 1))

    def unload(self) -> None:
        """Give module and tokenizer back to the pool."""
        super().unload()
        if isinstance(self.model, str):
            self._tokenizer.close()

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Look at it, and write."""
        pictures, _ = read_pictures(inputs["image"], ctx.path)
        if len(pictures) > 1:
            raise PortError(
                f"it takes one picture, and was given {len(pictures)}", path=ctx.path, hint="type: flow/map"
            )
        words = self._words if self._words is not None else self._tokenizer.words
        if getattr(words, "chat_template", None):
            sentence = f"{self.weights.name} answers in a dialogue: it is no captioner"
            raise ConfigError(sentence, path=ctx.path, hint="type: vlm/local")
        module: Any = self.weights.module(ctx.device)
        given = {"pixel_values": self.pixels(pictures, module)["pixel_values"]}
        if inputs.get("prompt"):
            if module.config.is_encoder_decoder:
                sentence = f"{type(module).__name__} does not go on from a text"
                raise PortError(sentence, path=ctx.path, hint="leave prompt out")
            read = words(inputs["prompt"], return_tensors="pt")
            given |= {name: placed(read[name], module) for name in ("input_ids", "attention_mask")}
        ids = module.generate(**given, max_new_tokens=self.max_tokens, num_beams=self.beams, do_sample=False)
        return {"text": words.decode(ids[0], skip_special_tokens=True).strip()}
