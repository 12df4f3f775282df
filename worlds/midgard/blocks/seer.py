"""The Philosopher: what a picture shows, found in its pixels alone.

Light and season come from comparing measured colours with how the eye knows this land: what ground, hills and sky
look like by each hour, weather and season. Fires, people and roofs are patches of telling colour, counted.
"""

from __future__ import annotations

from typing import Any

from yggdrasil import block


@block("midgard/seer", outputs={"description": dict}, blocking=True)
def seer(artifacts: dict[str, Any]) -> dict[str, Any]:
    """Block 4: light, season, weather, colours, where the mass lies; how many fires, people and roofs there are."""
    # Loaded here, so that a world without pictures needs neither numpy nor Pillow.
    from .seeing.description import describe

    return describe(artifacts)
