"""How well midgard's Philosopher sees: random blueprints are painted, looked at, and compared with what was asked for.

    python -m tests.worlds.seer [COUNT] [SEED]

prints, for COUNT (100) blueprints over all places, happenings, seasons, hours and weathers, how often light, season and
weather were named rightly, how often fires, figures and buildings were counted rightly and within one, and what a
picture, a sound and a look took. The Philosopher is given the artifacts and nothing else.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tests.worlds.test_midgard_blocks import ROOT, blocks, scenes

NAMED = ("light", "season", "weather")
COUNTED = {"fires": "fires", "figures": "figures", "buildings": "houses"}


def opening() -> dict[str, Any]:
    """The content a new midgard begins with."""
    folder: Path = ROOT / "worlds" / "midgard" / "content"
    content = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}
    return {**content, "history": {"length": 0, "head": "", "recent": []}}


def score(count: int, seed: int) -> tuple[Counter[str], dict[str, float]]:
    """Right answers by what was asked ("figures" is within one, "figures exactly" is that), and seconds in all."""
    paint, see = blocks("painter").painter, blocks("seer").seer
    right: Counter[str] = Counter()
    spent = {"paint": 0.0, "see": 0.0}
    for blueprint in scenes(opening(), count, seed):
        start = time.process_time()
        artifacts = paint(blueprint)
        between = time.process_time()
        seen = see(artifacts)
        spent["paint"] += between - start
        spent["see"] += time.process_time() - between
        for key in NAMED:
            right[key] += seen[key] == blueprint[key]
        for key, part in COUNTED.items():
            off = abs(seen[key] - len(blueprint[part]))
            right[key] += off <= 1
            right[f"{key} exactly"] += off == 0
    return right, spent


def main() -> None:
    """Print the figures."""
    given = [int(word) for word in sys.argv[1:3]]
    count, seed = (*given, *(100, 4711)[len(given) :])
    right, spent = score(count, seed)
    print(f"{count} blueprints, seed {seed}")
    for key in (*NAMED, *(word for name in COUNTED for word in (name, f"{name} exactly"))):
        note = " (within one)" if key in COUNTED else ""
        print(f"  {key + note:26} {right[key]:4} of {count}  {right[key] / count:6.1%}")
    print(f"  a picture and its sound {spent['paint'] / count:.3f} s of processor, a look {spent['see'] / count:.3f} s")


if __name__ == "__main__":
    main()
