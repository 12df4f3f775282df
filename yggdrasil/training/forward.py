"""A level run for its losses: a batch in, the outputs that the losses name out, with their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.binding import bind
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.levels.container import Container
from yggdrasil.levels.exposing import exposing
from yggdrasil.levels.world import World
from yggdrasil.runtime.call import located
from yggdrasil.training.losses import Loss
from yggdrasil.training.places import Level


class Part(Value):
    """What is run: under which name, and its outputs as the losses call them."""

    name: str
    what: Runnable
    outputs: Mapping[str, str]


class Forward:
    """The level with every output that a loss names. Of a world, each stage that a loss is in is run by itself.

    Between the stages of a world lies state, which is data: a stage's inputs come from the batch.
    """

    def __init__(self, level: Level, losses: Sequence[Loss]) -> None:
        needed = [name for loss in losses for name in loss.of]
        wanted = [loss.target for loss in losses if loss.target]
        self._label = level.label
        self._parts = _stages(level, needed, wanted) if isinstance(level, World) else [_part("", level, needed, wanted)]

    async def __call__(self, batch: Mapping[str, Any], ctx: RunContext) -> dict[str, Any]:
        """The outputs, by the losses' names."""
        found: dict[str, Any] = {}
        for part in self._parts:
            here = ctx if not part.name else ctx.child(part.name)
            spec = part.what.spec
            inputs = bind(spec, {name: batch[name] for name in spec.inputs if name in batch}, {}, here.path)
            try:
                given = await part.what.execute(inputs, here)
            except Exception as error:
                failure = located(error, here.path)
                if failure is error:
                    raise
                raise failure from failure.__cause__
            found |= {name: given[port] for name, port in part.outputs.items() if port in given}
        return found


def _part(name: str, level: Runnable, needed: Sequence[str], wanted: Sequence[str]) -> Part:
    own = level.spec.outputs
    inner = [end for end in needed if end not in own]
    if not isinstance(level, Container):
        if inner:
            raise ConfigError(f"there is no output {inner[0]!r}; {close_names(inner[0], own)}", path=level.label)
        return Part(name, level, {end: end for end in (*needed, *wanted) if end in own})
    inner += [end for end in wanted if end not in own and _is_there(level, end)]
    for end in inner:
        if "." not in end:
            there = [*own, *(f"{p}.{o}" for p, node in level.walk() for o in node.spec.outputs)]
            raise ConfigError(f"there is no output {end!r}; {close_names(end, there)}", path=level.label)
    shown, names = exposing(level, inner) if inner else (level, {})
    return Part(name, shown, {end: end for end in (*needed, *wanted) if end in own} | names)


def _is_there(level: Container, end: str) -> bool:
    path, slash, last = end.rpartition("/")
    node, dot, port = last.partition(".")
    nodes = dict(level.walk())
    return bool(dot) and f"{path}{slash}{node}" in nodes and port in nodes[f"{path}{slash}{node}"].spec.outputs


def _stages(world: World, needed: Sequence[str], wanted: Sequence[str]) -> list[Part]:
    parts = []
    for name in (n for n in world.order if n in world.nodes):
        here = [_within(name, end) for end in needed if _within(name, end)]
        if not here:
            continue
        node = world.nodes[name]
        part = _part(name, node.block, here, [_within(name, end) for end in wanted if _within(name, end)])
        run = replace(node, block=part.what).runnable(world.limits)
        outside = {(f"{name}.{end}" if end in node.block.spec.outputs else f"{name}/{end}"): port
                   for end, port in part.outputs.items()}  # fmt: skip
        parts.append(Part(name, run, outside))
    lost = [end for end in needed if not any(end in part.outputs for part in parts)]
    if lost:
        stages = close_names(lost[0], world.nodes)
        raise ConfigError(f"{lost[0]!r} is in no stage; {stages}", path=world.name, hint='"creator/draw/backbone.pred"')
    return parts


def _within(stage: str, end: str) -> str:
    """What an output of a world is called in a stage; "" when it is in another one."""
    if end.startswith((f"{stage}/", f"{stage}.")):
        return end[len(stage) + 1 :]
    return ""
