"""Speech to text by a model that runs here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Unpack, get_args

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.llm.generation import placed
from yggdrasil.blocks.llm.holding import LoadOptions
from yggdrasil.blocks.llm.weights import Given
from yggdrasil.blocks.speech.local import LocalSpeech
from yggdrasil.blocks.speech.sound import samples_of
from yggdrasil.core.messages import Usage
from yggdrasil.core.model_ports import SPEECH
from yggdrasil.core.ports import Spec
from yggdrasil.errors import ConfigError, PortError

Kind = Literal["seq2seq", "ctc"]
_AUTO: Mapping[str, str] = {"seq2seq": "AutoModelForSpeechSeq2Seq", "ctc": "AutoModelForCTC"}


class LocalRecognition(LocalSpeech):
    """An ear: `LocalRecognition("hf://org/name")`.

    model   a ref, or (module, processor); revision, dtype, share: as of `LocalModel`
    kind    "seq2seq" (Whisper: writes token by token, the likeliest one each time) or "ctc" (wav2vec2, HuBERT)
    params  seq2seq: language, task ("transcribe", "translate"), max_tokens
    It hears WAV files of any rate. One call is at most what the model hears at once (Whisper: 30 s).
    """

    block_type = "asr/local"
    takes = ("language", "task", "max_tokens")

    def __init__(
        self,
        model: Given,
        *,
        kind: Kind = "seq2seq",
        params: Mapping[str, Any] | None = None,
        **options: Unpack[LoadOptions],
    ) -> None:
        if kind not in _AUTO:
            raise ConfigError(f"kind of {self.block_type} is {kind!r}", hint=f"kind: {' or '.join(get_args(Kind))}")
        self.kind = kind
        super().__init__(model, _AUTO[kind], "AutoProcessor", options, params or {})

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it; ConfigError for a module that was given."""
        return self.written(params=(self.params, {}), kind=(self.kind, "seq2seq"))

    @property
    def spec(self) -> Spec:
        """Those of speech/api that transcribes."""
        return SPEECH["transcribe"]

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Write it down; PortError for what is no sound, or too long a one."""
        chosen = self.chosen(inputs, ctx.path)
        if inputs.get("prompt") or (self.kind == "ctc" and chosen):
            what = "a prompt" if inputs.get("prompt") else ", ".join(chosen)
            raise PortError(f"{self.block_type} ({self.kind}) takes a sound alone, not {what}", path=ctx.path)
        module: Any = self.weights.module(ctx.device)
        processor = self.weights.words
        rate = processor.feature_extractor.sampling_rate
        sound = samples_of(inputs["audio"], rate, ctx.path)
        longest = getattr(processor.feature_extractor, "chunk_length", None)
        if longest is not None and sound.size > longest * rate:
            sentence = f"the sound has {sound.size / rate:.1f} s, and {self.weights.name} hears {longest} s at once"
            raise PortError(sentence, path=ctx.path, hint="pieces of it, one call each")
        heard = dict(processor(sound, sampling_rate=rate, return_tensors="pt"))
        heard = {k: v.to(module.dtype) if v.is_floating_point() else v for k, v in placed(module, heard).items()}
        ids = self._written(module, heard, chosen)
        text = processor.decode(ids, **({"skip_special_tokens": True} if self.kind == "seq2seq" else {}))
        return {"text": text.strip(), "usage": Usage(0, int(ids.numel()), requests=1)}

    def _written(self, module: Any, heard: Mapping[str, Any], chosen: Mapping[str, Any]) -> torch.Tensor:
        if self.kind == "ctc":
            found: torch.Tensor = module(**heard).logits[0].argmax(-1)
            return found
        asked = {k: v for k, v in chosen.items() if k != "max_tokens"}
        limit = {"max_new_tokens": chosen["max_tokens"]} if "max_tokens" in chosen else {}
        with torch.no_grad():
            written: torch.Tensor = module.generate(**heard, do_sample=False, **limit, **asked)[0]
        return written
