"""WAV (RIFF, Microsoft 1991; PCM) of one channel and eight bits: written with nothing but the sound, read carefully."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

RATE = 11025
"""Samples a second: enough for wind and water, a quarter of the bytes of more."""


def encode(sound: NDArray[np.float32]) -> bytes:
    """Samples of -1 to 1 as a WAV; eight bits are unsigned, silence is 128."""
    data: bytes = np.clip(sound * np.float32(127) + np.float32(128.5), 0, 255).astype(np.uint8).tobytes()
    data += b"\x80" * (len(data) % 2)
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE, 1, 8, b"data", len(data)
    )
    return head + data


def decode(data: bytes) -> tuple[NDArray[np.float32], int]:
    """Samples of -1 to 1 (the first channel) and their rate; ValueError for what is no PCM of 8 or 16 bits."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("no WAV")
    at, form, samples = 12, (0, 0, 0, 0), b""
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt " and size >= 16:
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at + 8)
            form = (kind, channels, rate, bits)
        elif name == b"data":
            samples = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    kind, channels, rate, bits = form
    if kind != 1 or channels < 1 or rate < 1 or bits not in (8, 16) or not samples:
        raise ValueError("no PCM of 8 or 16 bits")
    if bits == 8:
        return (np.frombuffer(samples, np.uint8)[::channels].astype(np.float32) - np.float32(128)) / np.float32(
            127
        ), rate
    whole = samples[: len(samples) // 2 * 2]
    return np.frombuffer(whole, "<i2")[::channels].astype(np.float32) / np.float32(32767), rate
