"""The networks of this world: how large each is, and their weights as files. Torch is needed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from torch import nn

from yggdrasil.blocks.backbone.dit import DiT
from yggdrasil.blocks.codec.tiny import TinyCodec
from yggdrasil.blocks.conditioner.fields import Fields
from yggdrasil.blocks.weights import load_into, save_module
from yggdrasil.errors import ConfigError
from yggdrasil.storage.weights import Weights

from .reader import Reader
from .scene import NUMBERS, VOCABULARY

WEIGHTS = Path(__file__).parents[2] / "weights"
"""What ships: see examples/train_neural_midgard.py."""
KINDS: dict[str, Any] = {"backbone": DiT, "conditioner": Fields, "codec": TinyCodec, "reader": Reader}
WORDS = {"vocabulary": len(VOCABULARY), "numbers": NUMBERS}
SIZES: dict[str, dict[str, dict[str, int]]] = {
    "small": {
        "backbone": {"channels": 8, "patch": 2, "width": 192, "depth": 6, "heads": 6, "expansion": 3, "condition": 128},
        "conditioner": {**WORDS, "width": 128},
        "codec": {"latent": 8, "factor": 4, "width": 64, "depth": 2},
        "reader": {"width": 24},
    },
    "large": {
        "backbone": {
            "channels": 8,
            "patch": 2,
            "width": 512,
            "depth": 12,
            "heads": 8,
            "expansion": 4,
            "condition": 256,
        },
        "conditioner": {**WORDS, "width": 256},
        "codec": {"latent": 8, "factor": 4, "width": 128, "depth": 3},
        "reader": {"width": 48},
    },
}
"""By name: `small` learns on two cores and ships here, `large` wants a GPU."""


def fresh(name: str, size: str = "small") -> Any:
    """An untrained network."""
    return _made(name, SIZES[size][name])


def write(network: Any, path: Path) -> None:
    """A file of its tensors in half precision, with its size in the head."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_module(copy.deepcopy(network).half(), path, metadata={"config": json.dumps(network.config)})


def file_of(name: str, folder: str = "") -> Path:
    """The file of a network, in a folder or among what ships. ConfigError where there is none."""
    path = (Path(folder).expanduser() if folder else WEIGHTS) / f"{name}.safetensors"
    if not path.is_file():
        hint = "python examples/train_neural_midgard.py --minutes 10 --out FOLDER"
        raise ConfigError(f"there are no weights {path.name} in {path.parent.name}", hint=hint)
    return path.resolve()


def restored(name: str, path: Path) -> Any:
    """A network from its file, in single precision. ConfigError where it is broken, or of another network."""
    weights = Weights(path)
    try:
        network = _made(name, json.loads(weights.metadata["config"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"the head of {path.name} does not say how large the network is: {error}") from error
    load_into(network, weights)
    return network.eval()


def _made(name: str, config: dict[str, int]) -> Any:
    network: nn.Module = KINDS[name](**config)
    network.config = config  # type: ignore[assignment]
    return network
