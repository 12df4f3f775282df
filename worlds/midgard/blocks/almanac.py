"""Days, months, seasons and light: a year of twelve months of thirty days, after the old Norse count."""

from __future__ import annotations

YEAR = 360
MONTHS = (
    "Harpa",
    "Skerpla",
    "Solmanuth",
    "Heyannir",
    "Tvimanuth",
    "Haustmanuth",
    "Gormanuth",
    "Ylir",
    "Morsug",
    "Thorri",
    "Goa",
    "Einmanuth",
)
SEASONS = (
    "spring",
    "spring",
    "summer",
    "summer",
    "summer",
    "autumn",
    "autumn",
    "winter",
    "winter",
    "winter",
    "winter",
    "spring",
)
SUN = {"spring": (5, 20), "summer": (3, 22), "autumn": (7, 17), "winter": (9, 15)}
"""The hours of sunrise and sunset; the valley lies far north."""

FEASTS = {1: "first-summer", 63: "midsummer", 75: "assembly", 181: "winter-nights", 252: "yule"}
"""Day of the year to the happening that falls on it."""


def month(day: int) -> int:
    """The month of an absolute day, 0 to 11."""
    return day % YEAR // 30


def season(day: int) -> str:
    """The season of an absolute day."""
    return SEASONS[month(day)]


def light(hour: int, of_season: str) -> str:
    """Night, dawn, day or dusk."""
    rise, down = SUN[of_season]
    if abs(hour - rise) <= 1:
        return "dawn"
    if abs(hour - down) <= 1:
        return "dusk"
    return "day" if rise < hour < down else "night"


def feast_between(after: int, until: int) -> tuple[int, str] | None:
    """The first feast later than day `after` and not later than day `until`."""
    for day in range(after + 1, until + 1):
        if day % YEAR in FEASTS:
            return day, FEASTS[day % YEAR]
    return None


def in_words(day: int, first_year: int) -> dict[str, object]:
    """What the calendar section says of a day."""
    return {"day": day, "year": first_year + day // YEAR, "month": MONTHS[month(day)], "season": season(day)}
