"""The Creator: a scene blueprint as a painted picture and its sound, the same bytes for the same blueprint."""

from __future__ import annotations

from typing import Any

from yggdrasil import Blob, block

HOURS = {"day": "by day", "dawn": "at first light", "dusk": "in the evening", "night": "at night"}


@block("midgard/painter", outputs={"artifacts": dict}, blocking=True)
def painter(blueprint: dict[str, Any]) -> dict[str, Any]:
    """Block 3: one PNG, 512 x 384 unless the blueprint says otherwise, and one WAV of four seconds."""
    # Loaded here, so that a world without pictures needs neither numpy nor Pillow.
    from .painting.picture import paint
    from .painting.png import encode
    from .sounding.ambience import sound_of
    from .sounding.wave import encode as encode_sound

    hour, season = HOURS.get(str(blueprint.get("light")), ""), blueprint.get("season") or "summer"
    caption = " ".join(filter(None, (str(blueprint.get("name") or "A valley"), hour, f"in {season}")))
    name = str(blueprint.get("name") or "a valley")
    return {
        "images": [{"payload": Blob(encode(paint(blueprint)), "image/png"), "description": caption}],
        "audios": [
            {"payload": Blob(encode_sound(sound_of(blueprint)), "audio/wav"), "description": f"What is heard at {name}"}
        ],
    }
