"""Text to speech by a model that runs here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import torch

from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.llm.generation import placed
from yggdrasil.blocks.llm.holding import LoadOptions
from yggdrasil.blocks.llm.model import seed_of
from yggdrasil.blocks.llm.weights import Given
from yggdrasil.blocks.speech.local import LocalSpeech
from yggdrasil.blocks.speech.seeded import Seeded
from yggdrasil.blocks.speech.sound import sound_of
from yggdrasil.core.messages import Usage
from yggdrasil.core.model_ports import SPEECH
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import PortError

_SPEC = Spec(
    SPEECH["speak"].inputs,
    {**SPEECH["speak"].outputs, "waveform": port("waveform", "tensor", optional=True, doc="[N], from -1 to 1.")},
    SPEECH["speak"].doc,
)


class LocalVoice(LocalSpeech):
    """A voice (VITS, as in MMS-TTS; AutoModelForTextToWaveform): `LocalVoice("hf://org/name")`.

    model   a ref, or (module, tokenizer); revision, dtype, share: as of `LocalModel`
    params  speaker_id, speaking_rate (1 is as it was trained, 2 twice as fast), seed
    The same seed is the same sound: what `torch.manual_seed(seed)` before the module's `forward` gives.
    """

    block_type = "speech/local"
    takes = ("speaker_id", "speaking_rate", "seed")

    def __init__(
        self, model: Given, *, params: Mapping[str, Any] | None = None, **options: Unpack[LoadOptions]
    ) -> None:
        super().__init__(model, "AutoModelForTextToWaveform", "AutoTokenizer", options, params or {})

    @property
    def spec(self) -> Spec:
        """Those of speech/api that speaks, and the sound as a tensor. The sound is a WAV file."""
        return _SPEC

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Say it; PortError where there is nothing to say."""
        chosen = self.chosen(inputs, ctx.path)
        seed = chosen.pop("seed", None)
        module: Any = self.weights.module(ctx.device)
        words = placed(module, dict(self.weights.words(inputs["prompt"], return_tensors="pt")))
        if not words["input_ids"].numel():
            raise PortError(f"{inputs['prompt'][:40]!r} has nothing that {self.weights.name} can say", path=ctx.path)
        with Seeded(seed_of(ctx) if seed is None else seed):
            waveform: torch.Tensor = module(**words, **chosen).waveform[0]
        heard = waveform.detach().float().cpu().numpy()
        return {
            "audio": sound_of(heard, module.config.sampling_rate),
            "usage": Usage(words["input_ids"].shape[1], requests=1),
            "waveform": waveform,
        }
