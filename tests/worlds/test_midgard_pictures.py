"""What midgard shows and sounds like: places that stay themselves, people on firm ground, and how well it is read."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
import pytest

from tests.worlds.seer import opening, score
from tests.worlds.test_midgard_blocks import blocks, context, scenes
from yggdrasil import Blob

Pixels = np.ndarray[Any, np.dtype[np.int64]]


def blueprint(
    where: str, kind: str = "trade", who: tuple[str, ...] = ("kara", "ulf"), seed: int = 1, **more: Any
) -> Any:
    """A staged scene at noon in fair summer weather, unless `more` says otherwise."""
    when = {"season": more.get("season", "summer"), "light": more.get("light", "day"), "hour": 12}
    sky = {"kind": more.get("weather", "fair"), "wind": more.get("wind", 2), "snow": 0}
    intent = {"kind": kind, "where": where, "who": list(who), "when": when, "weather": sky}
    return blocks("architect").architect(intent, opening(), ctx=context(seed))


def pixels(scene: dict[str, Any]) -> Pixels:
    """The painted scene."""
    from PIL import Image

    payload = blocks("painter").painter(scene)["images"][0]["payload"]
    with Image.open(io.BytesIO(payload.data)) as opened:
        return np.asarray(opened.convert("RGB")).astype(np.int64)


def sound(scene: dict[str, Any]) -> Blob:
    """Its sound."""
    payload = blocks("painter").painter(scene)["audios"][0]["payload"]
    assert isinstance(payload, Blob)
    return payload


def heard(scene: dict[str, Any]) -> dict[str, Any]:
    """What the Philosopher hears."""
    return blocks("seeing/hearing").hear(blocks("painter").painter(scene))  # type: ignore[no-any-return]


def test_a_place_stays_the_same_from_tick_to_tick() -> None:
    def land(where: str, kind: str, seed: int) -> Pixels:
        return pixels(blueprint(where, kind, seed=seed))[130:270]

    for where, other in (("skarvik", "hrafnstad"), ("tingvoll", "haug"), ("heidarsel", "ulfskard")):
        first, again, elsewhere = land(where, "trade", 1), land(where, "quarrel", 8), land(other, "trade", 1)
        assert np.abs(first - again).mean() * 2.5 < np.abs(first - elsewhere).mean(), where


def test_nobody_stands_in_the_water_or_in_the_air() -> None:
    land = blocks("painting/land")
    for scene in scenes(opening(), 120, 99):
        if scene["land"] == "sea":
            assert all(figure["gesture"] in ("row", "haul", "steer") for figure in scene["figures"])
            continue
        edge = land.ground_line(scene, 384, 512)
        for thing in (*scene["figures"], *(a for a in scene["animals"] if a["kind"] not in ("raven", "gull"))):
            assert 0.02 < thing["x"] < 0.98, (scene["place"], thing)
            assert thing["y"] * 384 > edge[int(thing["x"] * 512)] + 2, (scene["place"], thing)
            assert thing["y"] < 0.97


def test_who_is_nearer_is_larger() -> None:
    compared = 0
    for scene in scenes(opening(), 60, 5):
        grown = [f for f in scene["figures"] if f["beard"] and scene["land"] != "sea"]
        for a in grown:
            for b in grown:
                if a["y"] > b["y"] + 0.005:
                    compared += 1
                    assert a["height"] > b["height"]
    assert compared > 5


def test_every_gesture_of_every_scene_can_be_drawn() -> None:
    poses = blocks("painting/poses").POSES
    for kind, scene in blocks("scenes").SCENES.items():
        assert set(scene.gestures) <= set(poses), kind
        assert scene.group in blocks("architect").GROUPS, kind


@pytest.mark.parametrize("weather", ["clear", "fair", "overcast", "rain", "fog", "snow", "storm"])
@pytest.mark.parametrize("light", ["night", "dawn", "day", "dusk"])
def test_each_hour_and_weather_looks_its_own(light: str, weather: str) -> None:
    fair, other = pixels(blueprint("skarvik", light="day")), pixels(blueprint("skarvik", light=light, weather=weather))
    if (light, weather) != ("day", "fair"):
        assert np.abs(fair - other).mean() > 4
    assert other.std() > 11


def test_fire_lights_what_is_near() -> None:
    scene = blueprint("hrafnstad", "yule", light="night", season="winter", weather="clear")
    fire = scene["fires"][0]
    lit, dark = pixels(scene), pixels({**scene, "fires": []})
    x, y = int(fire["x"] * 512), int(fire["y"] * 384)
    near, far = (slice(y + 14, y + 24), slice(x - 40, x + 40)), (slice(y + 14, y + 24), slice(440, 500))
    assert lit[near].mean() > dark[near].mean() + 25
    assert lit[far].mean() < dark[far].mean() + 12


def test_a_sound_is_four_seconds_and_the_same_again() -> None:
    scene = blueprint("skarvik", "beacon", light="night")
    first, again = sound(scene), sound(scene)
    assert first.data == again.data
    assert first.media_type == "audio/wav"
    with wave.open(io.BytesIO(first.data)) as opened:
        assert (opened.getnchannels(), opened.getsampwidth(), opened.getframerate()) == (1, 1, 11025)
        assert opened.getnframes() == 4 * 11025
    assert len(first.data) < 45_000


def test_a_storm_is_louder_than_a_still_night_and_rain_is_brighter_than_wind() -> None:
    still = heard(blueprint("hrafnstad", light="night", season="winter", weather="clear", wind=0))
    storm = heard(blueprint("hrafnstad", weather="storm", wind=9))
    assert storm["loudness"] > 2 * still["loudness"]
    wind, rain = (heard(blueprint("hrafnstad", season="autumn", weather=w, wind=4)) for w in ("overcast", "rain"))
    assert rain["brightness"] > 2 * wind["brightness"]


def test_an_axe_and_a_fire_have_sharp_strokes() -> None:
    quiet = blueprint("myrkskog", "woodcutting", season="winter", weather="overcast", wind=3)
    assert heard(quiet)["roughness"] > heard({**quiet, "figures": []})["roughness"] + 1
    assert "sharp strokes" in heard(quiet)["words"]


def test_the_ear_reads_other_sounds_and_refuses_none() -> None:
    hear = blocks("seeing/hearing").hear
    kept = io.BytesIO()
    with wave.open(kept, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(22050)
        t = np.arange(22050) / 22050
        tone = (np.sin(2 * np.pi * 440 * t) * 16000).astype("<i2")
        file.writeframes(np.stack([tone, tone], axis=1).tobytes())
    found = hear({"audios": [{"payload": Blob(kept.getvalue(), "audio/wav")}]})
    assert 430 < found["brightness"] < 450
    assert 0.33 < found["loudness"] < 0.36
    for wrong in (b"", b"RIFF", b"RIFF\x04\x00\x00\x00WAVE", kept.getvalue()[:40], b"\x89PNG\r\n\x1a\n"):
        assert hear({"audios": [{"payload": Blob(wrong, "audio/wav")}]}) is None
    assert hear({}) is None


def test_the_seer_sees_most_of_it() -> None:
    """Thirty blueprints of the hundred that `python -m tests.worlds.seer` reports, with a margin."""
    right, _ = score(30, 4711)
    assert right["light"] >= 25, right
    assert right["season"] >= 25, right
    assert right["fires"] >= 24, right
    assert right["figures"] >= 21, right
    assert right["buildings"] >= 18, right
