"""Clock: the date and the time of day now, in a time zone; a durable run records what it read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from yggdrasil import PortError, RunContext, tool


@tool
async def clock(ctx: RunContext, zone: str = "UTC") -> dict[str, Any]:
    """Say what date and time it is.

    `zone` is a name such as "Europe/Oslo", or an offset such as "+02:00"; UTC without it. The answer has `time` (ISO
    8601), `date`, `weekday`, `zone` and `epoch`, in seconds since 1970.
    """
    where = _zone(zone)

    async def read(key: str) -> float:
        return ctx.run.clock()

    # Time comes from outside of the run: read once, recorded, and the same again when the run is resumed or replayed.
    epoch = await ctx.child("reading").effect("tool", {"tool": "clock"}, read)
    now = datetime.fromtimestamp(epoch, where)
    return {
        "time": now.isoformat(timespec="seconds"),
        "date": now.date().isoformat(),
        "weekday": now.strftime("%A"),
        "zone": zone,
        "epoch": round(epoch, 3),
    }


def _zone(name: str) -> tzinfo:
    """The zone of a name or an offset; PortError for any other text."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if name.upper() in ("UTC", "Z", ""):
        return UTC
    try:
        if name[0] in "+-":
            spread = datetime.strptime(name[1:], "%H:%M")
            offset = timedelta(hours=spread.hour, minutes=spread.minute)
            return timezone(-offset if name[0] == "-" else offset)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PortError(f"{name!r} is no time zone", hint='"Europe/Oslo" or "+02:00"') from None
