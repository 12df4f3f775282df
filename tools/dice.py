"""Dice: a roll in the notation of table-top games, from the run's own seed."""

from __future__ import annotations

import re
from typing import Any

from yggdrasil import PortError, RunContext, tool

_NOTATION = re.compile(r"\s*(\d{0,6})\s*[dD]\s*(\d{1,6}|%)\s*(?:k([hl]?)\s*(\d{1,6}))?\s*([+-]\s*\d{1,6})?\s*")

MOST = 1000
"""The most dice and the most sides of one roll."""


@tool
def dice(notation: str, ctx: RunContext) -> dict[str, Any]:
    """Roll dice and say how they fell.

    `notation` is NdS, with keep-highest or keep-lowest and a bonus where wanted: "2d6+1", "d20", "4d6k3"
    (the three highest), "2d20kl1" (the lower), "d%". The answer has every die in `rolls`, the ones that
    count in `kept`, and the `total`. Within a run that has a seed, the same place rolls the same.
    """
    found = _NOTATION.fullmatch(notation)
    if found is None:
        raise PortError(f"{notation!r} is no roll of dice", hint='"2d6+1", "d20", "4d6k3" or "2d20kl1"')
    count, sides = int(found[1] or 1), 100 if found[2] == "%" else int(found[2])
    keep = int(found[4]) if found[4] else count
    if not (1 <= count <= MOST and 2 <= sides <= MOST and 1 <= keep <= count):
        raise PortError(
            f"{notation!r} cannot be rolled: 1 to {MOST} dice of 2 to {MOST} sides, and as many kept as rolled",
            hint='"2d6"',
        )
    chance = ctx.random()
    rolls = [chance.randint(1, sides) for _ in range(count)]
    ranked = sorted(rolls, reverse=found[3] != "l")
    kept = ranked[:keep] if found[4] else rolls
    return {"rolls": rolls, "kept": kept, "total": sum(kept) + int((found[5] or "0").replace(" ", ""))}
