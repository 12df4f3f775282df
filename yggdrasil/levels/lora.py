"""A LoRA for a level: fresh weights beside what its neural blocks hold, which stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.address import matches
from yggdrasil.errors import ConfigError
from yggdrasil.levels.adapting import modules_by_path

if TYPE_CHECKING:
    from yggdrasil.blocks.adapter.lora import LoRA


def fresh_lora(level: Runnable, rank: int, select: str, **options: Any) -> LoRA:
    """A LoRA for the blocks that the glob names, each module once; everything in the level is frozen.

    select   a glob over paths of nodes, without the level's own name in front, or with it
    options  as `LoRA.new` takes them: alpha, seed, dropout, dtype, name; `layers`, a glob over names of submodules

    Its parts are what the blocks call their modules (`unet`), or where two are called alike, their node. ConfigError
    when no block with weights is named. Nothing is frozen then.
    """
    from yggdrasil.blocks.adapter.lora import LoRA

    there = modules_by_path(level, level.label)
    named = [path for path in there if _matches(select, path)]
    found: dict[int, tuple[str, str, Any]] = {}
    for path in named:
        for name, module in there[path]().items():
            found.setdefault(id(module), (name, path, module))
    if not found:
        hint = "; ".join(there) or "it has none"
        raise ConfigError(f"{select!r} names no block with weights", path=level.label, hint=f"one of {hint}")
    made = LoRA.new(_parts(list(found.values())), rank, select=options.pop("layers", "**"), **options)
    for modules in there.values():
        for module in modules().values():
            module.requires_grad_(False)
    return made


def _matches(select: str, path: str) -> bool:
    return matches(select, path) or matches(select, path.partition("/")[2])


def _parts(found: list[tuple[str, str, Any]]) -> dict[str, Any]:
    names = [name for name, _, _ in found]
    parts: dict[str, Any] = {}
    for name, path, module in found:
        node = path.rpartition("/")[2]
        choices = [name] if names.count(name) == 1 else []
        choices += [node, path.partition("/")[2].replace("/", "_"), path.replace("/", "_")]
        part = next(choice for choice in (*choices, f"{node}{len(parts)}") if choice and choice not in parts)
        parts[part] = module
    return parts
