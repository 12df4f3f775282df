"""Voices and ears that run here: equal to the models of transformers they are made of."""

from __future__ import annotations

import io
import json
import math
import wave
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
import torch
from transformers import (
    AutoProcessor,
    VitsConfig,
    VitsModel,
    VitsTokenizer,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Processor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
)

from tests.blocks import tiny_language as tiny
from yggdrasil.blocks.speech.recognition import LocalRecognition
from yggdrasil.blocks.speech.seeded import Seeded
from yggdrasil.blocks.speech.sound import resampled, samples_of, sound_of
from yggdrasil.blocks.speech.voice import LocalVoice
from yggdrasil.core.blob import Blob
from yggdrasil.core.model_ports import SPEECH
from yggdrasil.errors import ConfigError, PortError
from yggdrasil.runtime.registry import REGISTRY

pytestmark = pytest.mark.anyio
RATE = 16_000


def tone(hertz: float, seconds: float = 0.3, rate: int = RATE) -> Any:
    return (0.5 * np.sin(2 * math.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("voice")
    letters = {c: n for n, c in enumerate("_ abcdefghijklmnopqrstuvwxyz")}
    (folder / "letters.json").write_text(json.dumps(letters))
    words = VitsTokenizer(str(folder / "letters.json"), pad_token="_", unk_token="_", phonemize=False, is_uroman=False)
    torch.manual_seed(3)
    config = VitsConfig(
        vocab_size=len(letters), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16,
        flow_size=16, spectrogram_bins=9, prior_encoder_num_flows=2, prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1, duration_predictor_num_flows=1, depth_separable_num_layers=1,
        upsample_initial_channel=16, upsample_rates=[4, 4], upsample_kernel_sizes=[8, 8],
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]], sampling_rate=8_000,
    )  # fmt: skip
    VitsModel(config).eval().save_pretrained(folder / "model")
    words.save_pretrained(folder / "model")
    return str(folder / "model")


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("whisper")
    words = tiny.tokenizer(template=None)
    torch.manual_seed(4)
    config = WhisperConfig(
        vocab_size=len(words), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=8, max_source_positions=50,
        max_target_positions=40, init_std=0.5, pad_token_id=words.pad_token_id, eos_token_id=words.eos_token_id,
        bos_token_id=words.eos_token_id, decoder_start_token_id=words.convert_tokens_to_ids("<|assistant|>"),
    )  # fmt: skip
    module = WhisperForConditionalGeneration(config).eval()
    module.generation_config.update(begin_suppress_tokens=None, suppress_tokens=None)
    module.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=8, chunk_length=1), words).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("listener")
    (folder / "letters.json").write_text(json.dumps({c: n for n, c in enumerate(["<pad>", "<unk>", "|", *"abcde"])}))
    words = Wav2Vec2CTCTokenizer(str(folder / "letters.json"), bos_token=None, eos_token=None)
    torch.manual_seed(5)
    config = Wav2Vec2Config(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8, 8), conv_stride=(8, 8), conv_kernel=(10, 8), num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2, pad_token_id=words.pad_token_id, initializer_range=1.0,
    )  # fmt: skip
    Wav2Vec2ForCTC(config).eval().save_pretrained(folder / "model")
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(), words).save_pretrained(folder / "model")
    return str(folder / "model")


async def test_a_voice_equals_its_module(voice: str) -> None:
    block = REGISTRY.build("speech/local", {"model": voice})
    assert isinstance(block, LocalVoice)
    assert block.spec.inputs == SPEECH["speak"].inputs
    module, words = VitsModel.from_pretrained(voice), VitsTokenizer.from_pretrained(voice)
    await block.run("hello there")  # while it is built, its module draws its first weights
    torch.manual_seed(7)
    expected = module(**words("hello there", return_tensors="pt")).waveform[0]
    before = torch.random.get_rng_state()
    found = await block.run("hello there", seed=7)
    assert torch.equal(found["waveform"], expected)
    assert torch.equal((await block.run({"prompt": "hello there", "params": {"seed": 7}}))["waveform"], expected)
    other = (await block.run("hello there", seed=8))["waveform"]
    assert other.shape != expected.shape or not torch.equal(other, expected)
    assert torch.equal(torch.random.get_rng_state(), before)
    with wave.open(io.BytesIO(found["audio"].data)) as file:
        assert (file.getframerate(), file.getnframes()) == (8_000, expected.shape[0])
    assert found["audio"].media_type == "audio/wav"


async def test_voices_side_by_side_say_what_each_says_alone(voice: str) -> None:
    block = LocalVoice(voice)
    alone = [(await block.run("hello there", seed=n))["waveform"] for n in range(4)]
    together: dict[int, Any] = {}

    async def one(n: int) -> None:
        together[n] = (await block.run("hello there", seed=n))["waveform"]

    async with anyio.create_task_group() as group:
        for n in range(4):
            group.start_soon(one, n)
    assert all(torch.equal(together[n], alone[n]) for n in range(4))


async def test_an_ear_that_writes_token_by_token(whisper: str) -> None:
    block = REGISTRY.build("asr/local", {"model": whisper, "params": {"max_tokens": 12}})
    assert isinstance(block, LocalRecognition)
    assert block.spec is SPEECH["transcribe"]
    module, processor = WhisperForConditionalGeneration.from_pretrained(whisper), AutoProcessor.from_pretrained(whisper)
    texts = []
    for hertz in (300, 2500):
        sound = sound_of(tone(hertz), RATE)
        heard = processor(samples_of(sound, RATE), sampling_rate=RATE, return_tensors="pt")
        expected = processor.decode(module.generate(**heard, max_new_tokens=12)[0], skip_special_tokens=True)
        found = await block.run({"audio": sound})
        assert found["text"] == expected.strip()
        texts.append(expected)
    assert all(texts)
    with pytest.raises(PortError, match=r"1\.5 s, and .* hears 1 s at once"):
        await block.run({"audio": sound_of(tone(300, 1.5), RATE)})
    with pytest.raises(PortError, match="no parameter 'languag'; did you mean 'language'"):
        await block.run({"audio": sound_of(tone(300), RATE), "params": {"languag": "en"}})


async def test_an_ear_of_ctc(listener: str) -> None:
    block = REGISTRY.build("asr/local", {"model": listener, "kind": "ctc"})
    assert isinstance(block, LocalRecognition)
    assert block.config == {"model": listener, "kind": "ctc"}
    module, processor = Wav2Vec2ForCTC.from_pretrained(listener), AutoProcessor.from_pretrained(listener)
    rng = np.random.default_rng(1)
    sound = sound_of(rng.uniform(-1, 1, 4000).astype(np.float32), RATE)
    heard = processor(samples_of(sound, RATE), sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        expected = processor.batch_decode(module(**heard).logits.argmax(-1))[0]
    assert (await block.run({"audio": sound}))["text"] == expected.strip()
    assert expected.strip()
    with pytest.raises(PortError, match="takes a sound alone, not language"):
        await block.run({"audio": sound, "params": {"language": "en"}})


async def test_what_is_refused(voice: str, whisper: str, tmp_path: Path) -> None:
    with pytest.raises(PortError, match=r"nothing that .* can say"):
        await LocalVoice(voice).run("")
    for bad in (b"", b"RIFF....WAVE", sound_of(tone(300), RATE).data[:30]):
        with pytest.raises(PortError, match="is no WAV file"):
            await LocalRecognition(whisper).run({"audio": Blob(bad, "audio/wav")})
    with pytest.raises(PortError, match="has no samples"):
        await LocalRecognition(whisper).run({"audio": sound_of(tone(300, 0), RATE)})
    with pytest.raises(ConfigError, match="kind"):
        LocalRecognition(whisper, kind="rnnt")  # type: ignore[arg-type]
    with pytest.raises(PortError, match="no parameter 'speed'"):
        LocalVoice(voice, params={"speed": 2})
    with pytest.raises(ConfigError, match="no folder"):
        await LocalVoice(str(tmp_path / "nowhere")).run("hello")


def test_sounds_of_all_forms() -> None:
    sound = tone(440, 0.1)
    assert np.abs(samples_of(sound_of(sound, RATE), RATE) - sound).max() < 1e-4
    half = resampled(sound, RATE, 8_000)
    inner = slice(80, -80)
    assert np.abs(half - tone(440, 0.1, 8_000))[inner].max() < 0.01
    assert resampled(sound, RATE, 44_100).size == round(sound.size * 44_100 / RATE)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(1)
        file.setframerate(RATE)
        file.writeframes(bytes([128, 255, 0, 0]))
    assert samples_of(Blob(buffer.getvalue()), RATE) == pytest.approx([127 / 256, -1.0])


def test_draws_are_those_of_the_global_generator() -> None:
    def draws() -> list[torch.Tensor]:
        x = torch.zeros(3, 2)
        chances = torch.tensor([0.2, 0.5, 0.3])
        return [
            torch.randn(4),
            torch.rand(2, 2),
            torch.randn_like(x),
            torch.rand_like(x),
            torch.multinomial(chances, 2),
        ]

    torch.manual_seed(11)
    expected = draws()
    with Seeded(11):
        found = draws()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    with Seeded(None):
        assert not torch.equal(draws()[0], expected[0])
