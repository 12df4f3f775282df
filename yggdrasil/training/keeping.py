"""A training on disk: a folder per kept step, safetensors and JSON, whole or not there at all.

    folder/step-00000120/training.json          step, settings, optimizer numbers, schedule, the curve so far
                         tensors.safetensors    parameter/..., buffer/..., optimizer/..., average/...

Random generators are not in it: each piece of each step seeds them anew, from the seed and its number (see `trainer`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yggdrasil.errors import ConfigError
from yggdrasil.storage.disk import flush_folder, refusals
from yggdrasil.storage.files import parse, read_text, show, write_text
from yggdrasil.storage.weights import Weights

FORMAT = 1
ABOUT, TENSORS = "training.json", "tensors.safetensors"


class Keeping:
    """The folder of one training."""

    def __init__(self, folder: str | Path, last: int = 2) -> None:
        self.folder = Path(folder)
        self._last = last

    def steps(self) -> list[int]:
        """The steps that are kept, whole ones only."""
        if not self.folder.is_dir():
            return []
        found = [f.name.removeprefix("step-") for f in self.folder.glob("step-*") if (f / ABOUT).is_file()]
        return sorted(int(name) for name in found if name.isdigit())

    def write(self, step: int, about: Mapping[str, Any], tensors: Mapping[str, Any]) -> Path:
        """Keep a step, and drop older ones. StoreError when the disk refuses; then nothing has changed."""
        from yggdrasil.blocks.weights import save_tensors

        new, place = self.folder / f".step-{step:08d}.new", self.folder / f"step-{step:08d}"
        shutil.rmtree(new, ignore_errors=True)
        save_tensors(tensors, new / TENSORS)
        write_text(new / ABOUT, json.dumps({"format": FORMAT, **about}, allow_nan=False))
        with refusals(show(place)):
            flush_folder(new)
            shutil.rmtree(place, ignore_errors=True)
            os.replace(new, place)
            flush_folder(self.folder)
        for old in self.steps()[: -self._last]:
            shutil.rmtree(self.folder / f"step-{old:08d}")
        return place

    def read(self, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was written of a step: (about, tensors). ConfigError when it cannot be read, or is of a newer format."""
        from yggdrasil.blocks.weights import tensors

        place = self.folder / f"step-{step:08d}"
        about = read_json(place / ABOUT)
        if about.get("format") != FORMAT:
            raise ConfigError(f"the format of the training is {about.get('format')!r}, here {FORMAT}", path=str(place))
        try:
            found = tensors(Weights(place / TENSORS))
        except ConfigError as error:
            sentence = f"the tensors cannot be read: {error.sentence}"
            raise ConfigError(sentence, path=str(place / TENSORS), hint="an older step-*") from error
        return about, {name: value.clone() for name, value in found.items()}


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; ConfigError when it is none."""
    found = parse(read_text(path, size=1 << 30), str(path), json_text=True)
    if not isinstance(found, dict):
        raise ConfigError("this is no mapping", path=str(path))
    return found
