"""Sounds between bytes and numbers: WAV files, one channel, any rate."""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

from yggdrasil.core.blob import Blob
from yggdrasil.errors import PortError

Samples = NDArray[np.float32]
"""[N], from -1 to 1."""

_TYPES: dict[int, tuple[str, float, float]] = {1: ("u1", 128, 2.0**7), 2: ("<i2", 0, 2.0**15), 4: ("<i4", 0, 2.0**31)}
"""By bytes: the type, what silence is, and what 1 is."""


def samples_of(sound: Blob, rate: int, path: str = "") -> Samples:
    """A WAV file (8, 16 or 32 bits, whole numbers) as samples at `rate` per second; PortError for anything else."""
    hint = "16 bit PCM: ffmpeg -i in.mp3 -c:a pcm_s16le out.wav"
    try:
        with wave.open(io.BytesIO(sound.data)) as file:
            width, channels, own = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError, ValueError) as error:
        raise PortError(f"{sound!r} is no WAV file: {error or 'it ends early'}", path=path, hint=hint) from error
    if width not in _TYPES or own < 1:
        raise PortError(f"{sound!r} has samples of {8 * width} bits at {own} Hz", path=path, hint=hint)
    kind, zero, scale = _TYPES[width]
    whole = len(data) - len(data) % (width * channels)
    found = (np.frombuffer(data[:whole], dtype=np.dtype(kind)).astype(np.float32) - zero) / scale
    mono = found.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    if not mono.size:
        raise PortError(f"{sound!r} is silent: it has no samples", path=path)
    return mono if own == rate else resampled(mono, own, rate)


def resampled(samples: Samples, own: int, rate: int) -> Samples:
    """The same sound at another rate: its spectrum, cut off or filled up with nothing.

    Source: the Fourier method, as in `scipy.signal.resample`.
    """
    count = max(1, round(samples.size * rate / own))
    spectrum = np.fft.rfft(samples)
    kept = min(spectrum.size, count // 2 + 1)
    found = np.fft.irfft(spectrum[:kept], count) * (count / samples.size)
    return found.astype(np.float32)


def sound_of(samples: Samples, rate: int) -> Blob:
    """Samples as a WAV file of 16 bits; what is louder than 1 is cut off."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())
    return Blob(buffer.getvalue(), "audio/wav")
