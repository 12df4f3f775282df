"""Small joints between what models give and the blocks of a world's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.core.blob import Blob
from yggdrasil.core.frozen import thaw
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, PortError


class Slot(Block):
    """Puts what was made into a slot of the artifacts: `{"texts": [value]}`. A picture becomes a PNG."""

    block_type = "state/slot"

    def __init__(self, slot: str = "texts") -> None:
        if not isinstance(slot, str) or not slot:
            raise ConfigError(f"slot is {slot!r}", hint="slot: images")
        self.slot = slot
        self._spec = Spec.declare(
            [port("value", doc="a text, a Blob, a picture, or a list of them")],
            [port("artifacts", dict[str, Any])],
            "Artifacts with one slot filled.",
        )

    @property
    def spec(self) -> Spec:
        """In: value. Out: artifacts."""
        return self._spec

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Wrap the value."""
        value = inputs["value"]
        items = list(value) if isinstance(value, list | tuple) else [value]
        return {"artifacts": {self.slot: [_kept(item, ctx) for item in items]}}


def _kept(item: Any, ctx: RunContext) -> Any:
    kind = type(item)
    root = kind.__module__.partition(".")[0]
    if root == "PIL":
        import io

        file = io.BytesIO()
        item.save(file, format="PNG")
        return Blob(file.getvalue(), "image/png")
    if root in ("numpy", "torch"):
        raise PortError(
            f"{kind.__name__} is no artifact", path=ctx.path, hint="give a PIL image or Blob(data, media_type)"
        )
    return item


class Changes(Block):
    """A patch from what a model says has changed.

    changes    `{section: {name: text}}`, as a model gives it; only the `sections` named here are taken
    chronicle  what happened: it becomes the next entry of the history, with the intent
    """

    block_type = "state/changes"

    def __init__(self, sections: Any = ("characters", "places", "threads")) -> None:
        if isinstance(sections, str) or not all(isinstance(s, str) and s and s != "history" for s in sections):
            raise ConfigError(f"sections is {sections!r}", hint="sections: [characters, places]")
        self.sections = list(sections)
        self._spec = Spec.declare(
            [
                port("changes", dict[str, Any], optional=True),
                port("chronicle", doc="what happened"),
                port("intent", optional=True),
                port("world", dict[str, Any]),
            ],
            [port("patch", list[dict[str, Any]])],
            "A JSON Patch of a world's content.",
        )

    @property
    def spec(self) -> Spec:
        """In: changes?, chronicle, intent?, world. Out: patch."""
        return self._spec

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """The operations, sections and names in order."""
        world, changes = inputs["world"], inputs.get("changes") or {}
        patch: list[dict[str, Any]] = []
        for section in self.sections:
            said = changes.get(section)
            if not isinstance(said, Mapping) or not said:
                continue
            present = world.get(section)
            if not isinstance(present, Mapping):
                patch.append({"op": "add", "path": f"/{_escaped(section)}", "value": {}})
            patch += [
                {"op": "add", "path": f"/{_escaped(section)}/{_escaped(name)}", "value": thaw(said[name])}
                for name in sorted(said)
                if name
            ]
        entry = {"chronicle": thaw(inputs["chronicle"])}
        if inputs.get("intent") is not None:
            entry["intent"] = thaw(inputs["intent"])
        return {"patch": [*patch, {"op": "add", "path": "/history/-", "value": entry}]}


def _escaped(name: str) -> str:
    """A step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
