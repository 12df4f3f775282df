"""Pictures by an API: the OpenAI images endpoints, and every server that is compatible with them, as a block."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Unpack

from yggdrasil.abc.context import RunContext
from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Usage
from yggdrasil.core.model_ports import blobs_of
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, ModelReplyError, PortError
from yggdrasil.models.parts import count_in
from yggdrasil.models.rate import estimate_text
from yggdrasil.models.remote_block import Answer, Call, RemoteBlock, RemoteBlockOptions

SPEC = Spec.declare(
    [
        port("prompt", "text", doc="What the picture shows; with an image, what becomes of it."),
        port("image", Blob | list[Blob], optional=True, doc="A picture to change, or several to make one of."),
        port("mask", Blob, optional=True, doc="A PNG: where it is transparent, the picture is changed."),
        port("params", dict, optional=True, doc="The model's own for this call, over those of the config."),
    ],
    [
        port("image", Blob, doc="The picture as the server sent it: PNG, JPEG, GIF or WebP."),
        port("images", list[Blob], optional=True, doc="All of them, when `count` asks for several."),
    ],
    doc="Ask an image model for a picture, or to change one.",
)
"""The ports of every `image/...` block that asks an API."""

_KINDS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


class ImageBlock(RemoteBlock):
    """Pictures of `model`, e.g. "openai:gpt-image-1"; with the input `image` it changes one.

    count    how many pictures one call makes
    params   the model's own: size, quality, background, ...
    Sources: https://platform.openai.com/docs/api-reference/images/create, .../images/createEdit
    """

    block_type = "image/api"
    makes = "pictures"
    ours = ("prompt", "n", "image", "mask")

    def __init__(
        self, model: str | Mapping[str, Any] | None = None, *, count: int = 1, **options: Unpack[RemoteBlockOptions]
    ) -> None:
        super().__init__(model, **options)
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ConfigError(f"count of {self.block_type} is {count!r}; at least one picture is made", hint="count: 1")
        self.count = count

    @property
    def spec(self) -> Spec:
        """In: prompt, image?, mask?, params?. Out: image, images?."""
        return SPEC

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Ask once. In a durable run the pictures are recorded before they are returned, and never asked for twice."""
        body = self.body(inputs, prompt=inputs["prompt"])
        given, mask = blobs_of(inputs.get("image")), inputs.get("mask")
        if mask is not None and not given:
            raise PortError("a mask without an image", path=ctx.path, hint="run(prompt=..., image=..., mask=...)")
        if given:
            body["image"] = given if len(given) > 1 else given[0]
        if mask is not None:
            body["mask"] = mask
        call = Call(
            "image",
            {**body, "n": self.count},
            ("model", "prompt", "image", "mask"),
            _edit if given else _generate,
            lambda answer, at: pictures_of(answer, at, self.count),
            estimate_text(inputs["prompt"]),
        )
        images = (await self.ask(call, ctx)).value
        return {"image": images[0], "images": images} if self.count > 1 else {"image": images[0]}


async def _generate(sdk: Any, arguments: dict[str, Any]) -> Any:
    return await sdk.images.generate(**arguments)


async def _edit(sdk: Any, arguments: dict[str, Any]) -> Any:
    return await sdk.images.edit(**arguments)


def pictures_of(answer: Any, at: str, count: int) -> Answer:
    """The first `count` pictures of an answer, as Blobs; ModelReplyError when there are fewer."""
    sent = getattr(answer, "data", None)
    images = [_picture(one, at) for one in (sent if isinstance(sent, list) else ())]
    if len(images) < count:
        many = f"{len(images)} of {count} pictures" if images else "no picture"
        raise ModelReplyError(f"{at} sent {many}", hint="params: {response_format: b64_json}")
    usage = getattr(answer, "usage", None)
    tokens = Usage(count_in(usage, "input_tokens"), count_in(usage, "output_tokens"), requests=1)
    counts = {
        "input_image_tokens": count_in(getattr(usage, "input_tokens_details", None), "image_tokens"),
        # where the server does not say which is which, all that came are pictures
        "output_image_tokens": count_in(getattr(usage, "output_tokens_details", None), "image_tokens")
        or tokens.output_tokens,
    }
    return Answer(images[:count], tokens, {name: number for name, number in counts.items() if number})


def _picture(sent: Any, at: str) -> Blob:
    coded = getattr(sent, "b64_json", None)
    if not coded or not isinstance(coded, str):
        raise ModelReplyError(f"{at} sent no picture", hint="params: {response_format: b64_json}")
    try:
        data = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        raise ModelReplyError(f"{at} sent a picture that is not base64") from None
    return Blob(data, media_type(data, at))


def media_type(data: bytes, at: str) -> str:
    """PNG, JPEG, GIF or WebP, by the first bytes; ModelReplyError for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    found = next((kind for sign, kind in _KINDS if data.startswith(sign)), None)
    if found is None:
        raise ModelReplyError(f"{at} sent {len(data)} bytes that are no PNG, JPEG, GIF or WebP")
    return found
