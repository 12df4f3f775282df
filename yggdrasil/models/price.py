"""What a reply costs: from a kept price list at the provider's own endpoint, else as said, else unknown.

The list is the package `genai-prices` as it was installed: nothing is fetched. An unknown price is said
(`Usage.unpriced`), never guessed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import anyio.to_thread

from yggdrasil.core.messages import Usage
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, close_names

_MILLION = 1_000_000
_LIST = "genai_prices"
# what a count needs a price for, by the names of the list: any of these
_PRICES = {
    "input_tokens": ("input_mtok",),
    "output_tokens": ("output_mtok",),
    "input_characters": ("input_mchars",),
    "audio_seconds": ("audio_hours", "input_audio_hours"),
    "input_audio_tokens": ("input_audio_mtok",),
    "output_audio_tokens": ("output_audio_mtok",),
}
_NO_COUNTS: Mapping[str, float] = {}


class Price(Value):
    """Dollars per million tokens.

    cached    of those that the provider had kept; as `input` when it is None
    written   of those that it keeps from now on, where that costs more (Anthropic); as `input` when it is None
    """

    input: float
    output: float
    cached: float | None = None
    written: float | None = None

    def of(self, usage: Usage, written: float = 0) -> float:
        """Dollars; `written` are the tokens among those that were read which the provider keeps from now on."""
        kept = min(usage.cached_tokens, usage.input_tokens)
        new = min(written, usage.input_tokens - kept)
        cached = self.input if self.cached is None else self.cached
        keeping = self.input if self.written is None else self.written
        read = (usage.input_tokens - kept - new) * self.input + kept * cached + new * keeping
        return (read + usage.output_tokens * self.output) / _MILLION


def price_of(said: Mapping[str, Any] | None, model: str) -> Price | None:
    """The `price` option: {"input": 2.5, "output": 10, "cached": 0.25?, "written": 3?}, dollars per million tokens."""
    if said is None:
        return None
    hint = "price: {input: 2.5, output: 10.0}  (dollars per million tokens)"
    if not isinstance(said, Mapping):
        raise ConfigError(f"price of {model} is {said!r}", hint=hint)
    known = Price._fields
    for name, value in said.items():
        if name not in known:
            raise ConfigError(f"price of {model} has no {name!r}; {close_names(str(name), known)}", hint=hint)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise ConfigError(f"price of {model}: {name} is {value!r}; it is dollars, 0 or more", hint=hint)
    missing = [name for name in ("input", "output") if name not in said]
    if missing:
        raise ConfigError(f"price of {model} does not say {missing[0]!r}", hint=hint)
    return Price(**said)


async def priced(
    usage: Usage,
    provider: str,
    models: Iterable[str],
    *,
    own: bool,
    price: Price | None = None,
    tier: Any = None,
    counts: Mapping[str, float] = _NO_COUNTS,
) -> Usage:
    """`usage` with its cost; with `unpriced` where nobody knows it.

    models   what the model may be listed as: as it was asked for, and as the reply calls it; the first that is listed
    own      the provider's own endpoint: only there does the list hold
    price    what was said in the config goes before the list
    tier     the `service_tier` that was asked for
    counts   what was used besides tokens, by the names of the list: input_characters, audio_seconds, ...
    """
    found = None
    if price is not None:
        written = counts.get("cache_write_tokens", 0)
        found = price.of(usage, written) if usage.input_tokens or usage.output_tokens else None
    elif own:
        if _LIST not in sys.modules:
            await anyio.to_thread.run_sync(_load)  # a third of a second that the event loop must not be held for
        used = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": min(usage.cached_tokens, usage.input_tokens),
            **counts,
        }
        found = _listed(provider, models, {name: count for name, count in used.items() if count}, tier)
    return usage.replace(unpriced=usage.requests or 1) if found is None else usage.replace(cost=found)


def _load() -> None:
    from genai_prices.data_snapshot import get_snapshot

    get_snapshot()


def _listed(provider: str, models: Iterable[str], used: Mapping[str, float], tier: Any) -> float | None:
    """Dollars by the list; None for a model or tier it does not have, or for a count that it has no price for."""
    from genai_prices import calc_price
    from genai_prices.types import Usage as Counted

    if not used:
        return None  # the server has counted nothing
    context = {"service_tier": tier} if isinstance(tier, str) and tier not in ("auto", "default") else None
    for model in models:
        try:
            found = calc_price(Counted(**used), model, provider_id=provider, price_context=context)
        except LookupError:
            continue
        except ValueError:
            return None  # counts that overlap, so that the list cannot tell which price holds
        prices = [name for name, value in vars(found.model_price).items() if value is not None]
        known = all(set(names) & set(prices) for count, names in _PRICES.items() if count in used)
        tiers = [variant.when for variant in found.model.price_variants or ()]
        return float(found.total_price) if known and (context is None or context in tiers) else None
    return None
