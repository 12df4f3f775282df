"""The Creator of the neural overlay: a blueprint drawn by a network, from noise, in a loop of small steps.

Its nodes are in graphs/creator-neural.yaml; examples/train_neural_midgard.py trains what they load.
"""

from __future__ import annotations

from typing import Any

from yggdrasil import Blob, Block, ConfigError, block, register
from yggdrasil.core.canonical import derive

from .drawing.scene import things_of
from .painter import HOURS

LATENT = (1, 8, 18, 24)
"""What the network draws on: a picture of 96 x 72 is four times as wide and high as it."""


def require_torch() -> None:
    """ConfigError where torch is missing."""
    try:
        import torch  # noqa: F401 - it is loaded here and nowhere before
    except ImportError:
        hint = "pip install 'yggdrasil-worlds[torch]'   # or run midgard without this overlay"
        raise ConfigError("the neural midgard needs torch, which is not installed", hint=hint) from None


@block("midgard/scene", outputs=dict.fromkeys(("words", "numbers", "latent", "timestep"), "tensor"))
def scene(blueprint: dict[str, Any]) -> dict[str, Any]:
    """What the network is told of, and the noise that it starts from, the same for the same blueprint."""
    require_torch()
    import torch

    words, numbers = things_of(blueprint)
    seed = derive(int(blueprint.get("texture") or 0), "noise", str(blueprint.get("place"))) % 2**63
    return {
        "words": torch.tensor([words]),
        "numbers": torch.tensor([numbers]),
        "latent": torch.randn(LATENT, generator=torch.Generator().manual_seed(seed)),
        "timestep": torch.tensor(1000.0),
    }


@block("midgard/step", outputs={"next_latent": "tensor", "next_timestep": "tensor", "done": bool})
def step(latent: Any, timestep: Any, pred: Any, *, steps: int = 24) -> dict[str, Any]:
    """One of `steps` steps of Euler's along the flow from noise (1000) to a picture (0)."""
    after = timestep - 1000 / steps
    done = bool(after < 500 / steps)  # sums of fractions miss the end by a hair
    after = after * 0 if done else after
    return {"next_latent": latent + pred * ((after - timestep) / 1000), "next_timestep": after, "done": done}


@block("midgard/frame", outputs={"artifacts": dict}, blocking=True)
def frame(image: Any, blueprint: dict[str, Any]) -> dict[str, Any]:
    """Block 3: the picture enlarged to the blueprint's size, and the painter's sound, which no network makes."""
    import numpy as np
    from PIL import Image

    from .painting.png import encode
    from .sounding.ambience import sound_of
    from .sounding.wave import encode as encode_sound

    small = (image[0].permute(1, 2, 0).float().cpu().numpy() * 255).round().astype(np.uint8)
    width, height = blueprint.get("size") or (512, 384)
    large = np.asarray(Image.fromarray(small).resize((int(width), int(height)), Image.Resampling.BICUBIC))
    name, hour = str(blueprint.get("name") or "A valley"), HOURS.get(str(blueprint.get("light")), "")
    caption = " ".join(filter(None, (name, hour, f"in {blueprint.get('season') or 'summer'}")))
    return {
        "images": [{"payload": Blob(encode(large), "image/png"), "description": f"{caption}, drawn by a network"}],
        "audios": [
            {"payload": Blob(encode_sound(sound_of(blueprint)), "audio/wav"), "description": f"What is heard at {name}"}
        ],
    }


@register("midgard/conditioner")
def conditioner(weights: str = "") -> Block:
    """What a scene means to the network; `weights`: a folder, by default what ships with midgard."""
    return _network("conditioner", weights)


@register("midgard/backbone")
def backbone(weights: str = "", pack: str = "") -> Block:
    """The network that draws, with a LoRA pack or without one."""
    return _network("backbone", weights, pack)


@register("midgard/decoder")
def decoder(weights: str = "") -> Block:
    """From latents to pixels."""
    return _network("decoder", weights)


@register("midgard/reader")
def reader(weights: str = "") -> Block:
    """The Philosopher: a small network says what a picture shows, in the words of the painter's."""
    require_torch()
    from .drawing.blocks import Looking

    return Looking(weights)


def _network(side: str, weights: str, pack: str = "") -> Block:
    require_torch()
    from .drawing.blocks import Network

    return Network(side, weights, pack)
