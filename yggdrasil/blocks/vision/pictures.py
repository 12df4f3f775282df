"""Pictures of every kind that an `image` port takes, as PIL images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from yggdrasil.core.arrays import array_kind
from yggdrasil.core.blob import Blob
from yggdrasil.errors import PortError

_HINT = "a Blob, a PIL image, uint8 of 0..255 or float of 0..1 as [H,W,3] or [3,H,W]"


def read_pictures(value: Any, path: str = "") -> tuple[list[Any], bool]:
    """The pictures in a value, in RGB, and whether it is a single one (no list, no batch).

    A Blob, a PIL image, an array or tensor [H,W], [H,W,C], [C,H,W] or a batch of these (C: 1, 3 or 4; where both ends
    could be C, torch has it first and numpy last), a list of any. PortError for what is none, names its place.
    """
    if isinstance(value, list | tuple):
        found = [read_picture(item, path, f"[{number}]") for number, item in enumerate(value)]
        if not found:
            raise PortError("input 'image' holds no picture", path=path, hint=_HINT)
        return found, False
    if array_kind(value) and value.ndim == 4:
        if not len(value):
            raise PortError("input 'image' holds no picture", path=path, hint=_HINT)
        return [_of_array(item, path, f"[{number}]") for number, item in enumerate(value)], False
    return [read_picture(value, path)], True


def read_picture(value: Any, path: str = "", place: str = "") -> Any:
    """One picture as a PIL image in RGB."""
    import PIL.Image

    if isinstance(value, PIL.Image.Image):
        return value.convert("RGB")
    if isinstance(value, Blob):
        try:
            return PIL.Image.open(io.BytesIO(value.data)).convert("RGB")
        except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
            sentence = f"input 'image'{place} is {value.media_type}, and no picture that can be read: {error}"
            raise PortError(sentence, path=path, hint=_HINT) from error
    if array_kind(value):
        return _of_array(value, path, place)
    raise PortError(f"input 'image'{place} is {type(value).__name__}, not a picture", path=path, hint=_HINT)


def _of_array(value: Any, path: str, place: str) -> Any:
    import PIL.Image

    first = array_kind(value) == "tensor"
    pixels = _bytes(value, path, place)
    if pixels.ndim == 3:
        front, back = pixels.shape[0] in (1, 3, 4), pixels.shape[2] in (1, 3, 4)
        if front and (first or not back):
            pixels = pixels.transpose(1, 2, 0)
        if pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)) or not pixels.size:
        shape = ",".join(map(str, value.shape))
        raise PortError(f"input 'image'{place} is [{shape}], which is no picture", path=path, hint=_HINT)
    return PIL.Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")


def _bytes(value: Any, path: str, place: str) -> Any:
    if array_kind(value) == "tensor":
        value = value.detach().cpu()
        value = (value.float() if value.is_floating_point() else value).numpy()
    if value.dtype == np.uint8:
        return value
    if value.dtype.kind != "f" or not value.size:
        raise PortError(f"input 'image'{place} is of {value.dtype}", path=path, hint=_HINT)
    low, high = float(value.min()), float(value.max())
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # NaN is not
        raise PortError(f"input 'image'{place} goes from {low:g} to {high:g}, not from 0 to 1", path=path, hint=_HINT)
    return np.rint(value.clip(0, 1) * 255).astype(np.uint8)


def sizes(pictures: Sequence[Any]) -> list[tuple[int, int]]:
    """Height and width of each."""
    return [(picture.height, picture.width) for picture in pictures]
