"""The ear: how loud, how bright and how rough a sound is, from its samples alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..sounding.wave import decode

LOUD = ((0.03, "hardly to be heard"), (0.10, "low"), (0.19, "plain"), (1.1, "loud"))
BRIGHT = ((320.0, "deep"), (900.0, "full"), (1800.0, "clear"), (9e9, "bright"))
"""Upper ends of how loud (root mean square, 0 to 1) and how bright (crossings of zero, in hertz) a word means."""


def hear(artifacts: dict[str, Any]) -> dict[str, Any] | None:
    """Loudness, brightness and roughness of the first sound, and the same in words; None when there is none."""
    for item in artifacts.get("audios") or ():
        data = getattr(item.get("payload") if isinstance(item, dict) else None, "data", None)
        if not isinstance(data, bytes):
            continue
        try:
            samples, rate = decode(data)
        except ValueError:
            continue
        loud = float(np.sqrt(np.mean(samples * samples)))
        crossings = int(np.count_nonzero((samples[1:] >= 0) != (samples[:-1] >= 0)))
        bright = crossings * rate / (2.0 * max(1, len(samples)))
        peak = float(np.abs(samples).max())
        rough = peak / loud if loud > 1e-6 else 0.0
        words = f"{_word(LOUD, loud)} and {_word(BRIGHT, bright)}{', with sharp strokes in it' if rough > 6.5 else ''}"
        return {"loudness": round(loud, 4), "brightness": round(bright), "roughness": round(rough, 2), "words": words}
    return None


def _word(scale: tuple[tuple[float, str], ...], value: float) -> str:
    return next(word for end, word in scale if value < end)
