"""What replies cost: by the list at the provider's own endpoint, as said, or unknown and said to be so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import ConfigError
from yggdrasil.core.messages import Usage
from yggdrasil.models.price import price_of, priced
from yggdrasil.models.scripted import ScriptedModel

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
SOME = Usage(1000, 500, 400, 100, 1)


async def test_by_the_list() -> None:
    fresh = await priced(SOME.replace(cached_tokens=0), "openai", ["gpt-5"], own=True)
    cached = await priced(SOME, "openai", ["gpt-5"], own=True)
    assert fresh.cost == pytest.approx(1000 * 1.25e-6 + 500 * 10e-6)
    assert cached.cost == pytest.approx(600 * 1.25e-6 + 400 * 0.125e-6 + 500 * 10e-6)
    assert cached.unpriced == 0
    assert cached.replace(cost=None) == SOME
    dated = await priced(SOME, "anthropic", ["claude-sonnet-4-5-20250929"], own=True)
    assert dated.cost == pytest.approx(600 * 3e-6 + 400 * 0.3e-6 + 500 * 15e-6)
    alias = await priced(SOME, "openai", ["my-alias", "gpt-5-2025-08-07"], own=True)
    assert alias.cost == cached.cost


@pytest.mark.parametrize(
    ("usage", "more"),
    [
        (SOME, {"provider": "openai", "models": ["no-such-model"]}),
        (SOME, {"provider": "zork", "models": ["gpt-5"]}),
        (SOME, {"own": False}),
        (SOME, {"tier": "no-such-tier"}),
        (SOME, {"models": ["tts-1"]}),  # priced by the letter: tokens have no price there
        (Usage(requests=1), {}),  # the server has counted nothing
        (Usage(requests=1), {"models": ["gpt-4o-mini-tts"], "counts": {"input_characters": 100}}),
        (Usage(requests=1), {"own": False, "price": {"input": 1, "output": 1}}),
    ],
)
async def test_unknown_is_said_and_not_guessed(usage: Usage, more: dict[str, Any]) -> None:
    given = {"provider": "openai", "models": ["gpt-5"], "own": True, **more}
    price = price_of(given.pop("price", None), "openai:m")
    found = await priced(usage, given.pop("provider"), given.pop("models"), price=price, **given)
    assert (found.cost, found.unpriced) == (None, 1)


async def test_a_tier_has_its_own_price() -> None:
    plain = await priced(SOME, "openai", ["gpt-5"], own=True)
    flex = await priced(SOME, "openai", ["gpt-5"], own=True, tier="flex")
    assert plain.cost is not None
    assert flex.cost is not None
    assert flex.cost < plain.cost


async def test_letters_and_seconds() -> None:
    once = Usage(requests=1)
    spoken = await priced(once, "openai", ["tts-1"], own=True, counts={"input_characters": 1000})
    assert spoken.cost == pytest.approx(0.015)
    heard = {"audio_seconds": 60.0, "input_audio_seconds": 60.0}
    assert (await priced(once, "openai", ["whisper-1"], own=True, counts=heard)).cost == pytest.approx(0.006)


async def test_what_is_kept_and_what_is_heard_have_prices_of_their_own() -> None:
    async def cost(provider: str, model: str, **counts: float) -> float | None:
        return (await priced(SOME, provider, [model], own=True, counts=counts)).cost

    claude = 400 * 0.3e-6 + 500 * 15e-6
    assert await cost("anthropic", "claude-sonnet-4-5", cache_write_tokens=200) == pytest.approx(
        claude + 400 * 3e-6 + 200 * 3.75e-6
    )
    assert await cost(
        "anthropic", "claude-sonnet-4-5", cache_write_tokens=200, cache_write_1h_tokens=50
    ) == pytest.approx(claude + 400 * 3e-6 + 150 * 3.75e-6 + 50 * 6e-6)
    plain = SOME.replace(cached_tokens=0)
    heard = {"input_audio_tokens": 600, "output_audio_tokens": 400}
    loud = await priced(plain, "openai", ["gpt-audio"], own=True, counts=heard)
    assert loud.cost == pytest.approx(400 * 2.5e-6 + 600 * 32e-6 + 100 * 10e-6 + 400 * 64e-6)
    silent = await priced(plain, "openai", ["gpt-5"], own=True, counts=heard)
    assert (silent.cost, silent.unpriced) == (None, 1), "sounds are not priced as words"
    painted = await priced(plain, "openai", ["gpt-image-1.5"], own=True, counts={"output_image_tokens": 500})
    assert painted.cost == pytest.approx(1000 * 5e-6 + 500 * 32e-6)


async def test_as_said() -> None:
    said = price_of({"input": 1, "output": 2, "cached": 0.1}, "openai:m")
    assert said is not None
    for own in (True, False):
        found = await priced(SOME, "openai", ["gpt-5"], own=own, price=said)
        assert found.cost == pytest.approx((600 * 1 + 400 * 0.1 + 500 * 2) / 1e6)
    plain = price_of({"input": 1, "output": 2}, "openai:m")
    assert plain is not None
    assert plain.of(SOME) == pytest.approx((1000 + 1000) / 1e6)
    assert price_of(None, "openai:m") is None
    kept = price_of({"input": 1, "output": 2, "written": 1.25}, "anthropic:m")
    assert kept is not None
    assert kept.of(SOME, 200) == pytest.approx((400 * 1 + 400 * 1 + 200 * 1.25 + 500 * 2) / 1e6)
    assert plain.of(SOME, 200) == plain.of(SOME)


WRONG = [
    5, [], {}, {"input": 1}, {"output": 1}, {"input": 1, "output": -1}, {"input": 1, "output": float("nan")},
    {"input": 1, "output": "2"}, {"input": True, "output": 1}, {"input": 1, "output": 1, "inputs": 2},
    {"input": 1, "output": float("inf")},
]  # fmt: skip


@pytest.mark.parametrize("said", WRONG)
def test_a_price_that_is_none(said: Any) -> None:
    with pytest.raises(ConfigError, match="price of openai:m"):
        price_of(said, "openai:m")


async def test_a_scripted_model_costs_nothing_and_says_nothing() -> None:
    from yggdrasil.core.messages import Request, user

    usage = (await ScriptedModel(["Hello"]).reply(Request([user("Hi")]))).usage
    assert (usage.cost, usage.unpriced) == (None, 0)


def test_the_list_is_read_at_first_use_and_calls_nobody() -> None:
    script = """
import sys
import yggdrasil.models.provided, yggdrasil.models.price, yggdrasil.models.image
assert "genai_prices" not in sys.modules, "loaded before it is needed"
import anyio
from yggdrasil.core.messages import Usage
from yggdrasil.models.price import priced
asked = []
WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "subprocess.Popen")
sys.addaudithook(lambda event, args: asked.append((event, args)) if event in WATCHED else None)
found = anyio.run(lambda: priced(Usage(10, 10, 0, 0, 1), "openai", ["gpt-5"], own=True))
import threading
assert found.cost and not asked, asked
assert not [t for t in threading.enumerate() if "price" in t.name.lower()], threading.enumerate()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
