"""What a language model might say for midgard: one answer a stage, as JSON, three days long."""

from __future__ import annotations

import json
from typing import Any

INTENDED: tuple[dict[str, Any], ...] = (
    {
        "kind": "fishing", "gist": "rowed out for the autumn herring", "who": ["kara", "ketil"], "where": "skarnfjord",
        "days": 2, "hour": 8, "weather": "fair",
        "effects": [{"do": "store", "place": "skarvik", "what": "food", "by": 18}], "threads": [],
        "causes": ["the stores at Skarvik run low"],
    },
    {
        "kind": "quarrel", "gist": "stood on the border of the Alder Meadow and gave way by no foot",
        "who": ["bjorn", "ulf"], "where": "eskilund", "days": 3, "hour": 15, "weather": "overcast",
        "effects": [{"do": "tie", "who": "bjorn", "other": "ulf", "by": -1}],
        "threads": [{"op": "raise", "id": "feud-1", "days": 20}], "causes": ["the quarrel over the Alder Meadow"],
    },
    {
        "kind": "arrival", "gist": "took a stranger in", "who": ["gunnhild"], "where": "hrafnstad", "days": 1,
        "hour": 19, "weather": "rain",
        "effects": [{"do": "born", "name": "Sunniva", "sex": "f", "age": 27, "trade": "weaver", "place": "hrafnstad"}],
        "threads": [], "causes": ["the road from Ulfskard is open"],
    },
)  # fmt: skip
DRAWN: tuple[dict[str, Any], ...] = (
    {
        "words": "Two people row a boat on black water under mountains.", "light": "day",
        "figures": [{"who": "kara", "gesture": "row"}, {"who": "ketil", "gesture": "haul", "x": 3.0}], "fires": [],
        "animals": [], "sails": 0,
    },
    {
        "words": "Two men face each other across a ditch under ash trees.", "light": "day",
        "figures": [{"who": "bjorn", "gesture": "point", "x": 0.3}, {"who": "ulf", "gesture": "stand", "x": 0.7}],
        "fires": [{"x": 0.9, "size": 0.05}], "animals": [{"kind": "raven", "count": 2}], "sails": 0,
    },
    {
        "words": "An old woman holds a door open in the rain.", "light": "dusk",
        "figures": [{"who": "gunnhild", "gesture": "raise"}], "fires": [{"x": 0.5, "size": 0.06}], "animals": [],
        "sails": 1,
    },
)  # fmt: skip
DESCRIBED: dict[str, Any] = {
    "words": "Water under mountains. Two people in a boat.", "light": "day", "season": "summer", "weather": "fair",
    "figures": 2, "fires": 0, "buildings": 0, "colours": ["pale blue", "slate"], "mass": "middle",
}  # fmt: skip
TOLD: tuple[dict[str, Any], ...] = (
    {
        "text": "The fjord lay still, and Kara and Ketil filled the boat before the wind turned. Nobody at Skarvik "
        "spoke of the winter that evening.",
        "who": ["kara", "ketil"], "where": "skarnfjord", "happened": ["Skarvik has more to eat."],
    },
    {
        "text": "Under a grey sky Bjorn and Ulf met at the ditch. Neither gave way, and both were seen.",
        "who": ["bjorn", "ulf"], "where": "eskilund", "happened": ["Bjorn thinks less of Ulf.", "The quarrel goes on."],
    },
)  # fmt: skip
RULED: tuple[dict[str, Any], ...] = (
    {"effects": [{"do": "store", "place": "skarvik", "what": "food", "by": 18}], "threads": []},
    {
        "effects": [{"do": "tie", "who": "bjorn", "other": "ulf", "by": -1}],
        "threads": [{"op": "raise", "id": "feud-1", "days": 20}],
    },
)


def three_days() -> list[tuple[str, str]]:
    """Stage and answer, in the order in which three ticks ask for them: 2 + 5 + 5."""
    found: list[tuple[str, dict[str, Any]]] = []
    for day in range(3):
        if day:
            found += [("philosopher", DESCRIBED), ("author", TOLD[day - 1]), ("update", RULED[day - 1])]
        found += [("development", INTENDED[day]), ("architect", DRAWN[day])]
    return [(stage, json.dumps(answer)) for stage, answer in found]
