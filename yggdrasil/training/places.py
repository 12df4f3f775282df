"""Which parameters a block has, and what stops a gradient there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.ports import PortType
from yggdrasil.core.value import Value
from yggdrasil.levels.places import Place
from yggdrasil.runtime.function import FunctionBlock

Level = Runnable
"""What can be trained: a block, a graph, a pipeline, a stage, a world."""

ASKING = frozenset({"llm", "vlm", "agent", "embedding", "image", "speech", "mcp"})
"""Roles whose blocks ask somebody else, unless they are neural themselves."""


def parameters_of(block: Any) -> Mapping[str, Any]:
    """Its parameters by name, frozen ones too; empty for what has none."""
    named = getattr(block, "named_parameters", None)
    if named is not None:
        return dict(named())
    return {str(n): p for n, p in enumerate(getattr(block, "trainable_parameters", tuple)())}


def stops(place: Place) -> str:
    """Why no gradient comes back through a block; "" where one may."""
    from yggdrasil.blocks.neural import Neural

    block, node = place.block, place.node
    if node is not None and node.endpoint_url is not None:
        return f"it runs on {node.endpoint_url}"
    if isinstance(block, FunctionBlock) and block.killable:
        return "its function runs in a process of its own"
    if not isinstance(block, Neural) and isinstance(block, Block) and block.role in ASKING:
        return "it asks a model, which gives no gradient back"
    if not isinstance(block, Runnable):
        return ""
    for side, ports in (("takes", block.spec.inputs), ("gives", block.spec.outputs)):
        if not any(carries(port.type) for port in ports.values()):
            kinds = ", ".join(sorted({str(port.type) for port in ports.values()}))
            return f"it {side} {kinds or 'nothing'}, which carries no gradient"
    return ""


_PLAIN = (str, bytes, int, float, bool, complex, type(None), Value)


def carries(kind: PortType) -> bool:
    """Whether values of a port's type may carry a gradient: tensors, and what may hold them."""
    return _carries(kind.annotation)


def _carries(annotation: Any) -> bool:
    if isinstance(annotation, type) and not getattr(annotation, "__args__", ()):
        return not issubclass(annotation, _PLAIN)
    arguments = [a for a in getattr(annotation, "__args__", ()) if a is not ...]
    values = [a for a in arguments if not isinstance(a, str | int | bool)]
    if arguments and not values:
        return False  # a Literal
    holder = getattr(annotation, "__origin__", None)
    if isinstance(holder, type) and issubclass(holder, Mapping):
        values = values[-1:]
    return any(_carries(value) for value in values) if values else True


def is_tried(block: Any) -> bool:
    """Whether a block learns by trying: it has `varied` and `adopt_variant` (see `around.Tried`)."""
    return callable(getattr(block, "varied", None)) and callable(getattr(block, "adopt_variant", None))
