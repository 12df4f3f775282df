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

from yggdrasil.errors import ConfigError, StoreError

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
        new, place = self.folder / f".step-{step:08d}.new", self.folder / f"step-{step:08d}"
        shutil.rmtree(new, ignore_errors=True)
        try:
            new.mkdir(parents=True)
            write_tensors(new / TENSORS, tensors)
            (new / ABOUT).write_text(json.dumps({"format": FORMAT, **about}, allow_nan=False), encoding="utf-8")
        except OSError as error:
            raise StoreError(f"the training cannot be written: {error}", path=str(new)) from error
        for file in new.iterdir():
            _flush(file)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(new, place)
        _flush(self.folder)
        for old in self.steps()[: -self._last]:
            shutil.rmtree(self.folder / f"step-{old:08d}")
        return place

    def read(self, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was written of a step: (about, tensors). ConfigError when it cannot be read, or is of a newer format."""
        place = self.folder / f"step-{step:08d}"
        about = read_json(place / ABOUT)
        if about.get("format") != FORMAT:
            raise ConfigError(f"the format of the training is {about.get('format')!r}, here {FORMAT}", path=str(place))
        return about, read_tensors(place / TENSORS)


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    """Tensors as safetensors; those that share memory are written each. StoreError when the disk refuses."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    seen: set[int] = set()
    whole = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        plain = tensor.detach().contiguous()
        whole[name] = plain.clone() if place in seen else plain
        seen.add(place)
    try:
        save_file(whole, path)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"the training cannot be written: {error}", path=str(path)) from error


def read_tensors(path: Path) -> dict[str, Any]:
    """Tensors by name; ConfigError for a file that is broken or is something else."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, Any] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"the tensors cannot be read: {error}", path=str(path), hint="an older step-*") from error
    return found


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; ConfigError when it is none."""
    from yggdrasil.storage.files import parse, read_text

    found = parse(read_text(path, size=1 << 30), str(path), json_text=True)
    if not isinstance(found, dict):
        raise ConfigError("this is no mapping", path=str(path))
    return found


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
