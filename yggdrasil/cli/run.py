"""`yggdrasil run`: a world lives until its ticks are done, it is parked, or someone stops it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import anyio

from yggdrasil.abc.catalog import find
from yggdrasil.cli.display import Display, choose
from yggdrasil.cli.exits import DONE, FAILED, STOPPED
from yggdrasil.cli.failure import innermost, report
from yggdrasil.cli.pictures import pictures_of, sounds_beside, write_pictures, write_sounds
from yggdrasil.cli.places import Place, locate
from yggdrasil.core.budget import Budget
from yggdrasil.core.events import TickFinished, WorldParked
from yggdrasil.errors import BudgetError, EndWorldError, ParkedError
from yggdrasil.levels.live import LiveWorld
from yggdrasil.levels.world import World
from yggdrasil.levels.world_file import load_world, parameters_of

MODEL_OVERLAY = "llm"
"""What a world lays over itself when a language model is to take its stages."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for on the command line."""

    world: str
    ticks: int = 1
    action: str | None = None
    store: str | None = None
    seed: int | None = None
    overlay: str | None = None
    model: str | None = None
    endpoint_url: str | None = None
    image_model: str | None = None
    budget: int | None = None
    max_cost: float | None = None
    name: str | None = None

    def line(self) -> str:
        """The command line that asks for this."""
        words = ["yggdrasil", "run", self.world, "--ticks", str(self.ticks)]
        for option in fields(self)[2:]:
            value = getattr(self, option.name)
            if value is not None:
                words += [f"--{option.name.replace('_', '-')}", str(value)]
        return shlex.join(words)

    def with_overlays(self) -> Order:
        """A model implies the overlay `llm`, unless the world has a place for a model as it is."""
        if self.model is None or "model" in parameters_of(find(self.world, "world", overlay=self.overlay)):
            return self
        return replace(self, overlay=",".join(filter(None, (MODEL_OVERLAY, self.overlay))))

    def parameters(self) -> dict[str, Any]:
        """What the world's document leaves open. The endpoint is that of the model, and of images at its provider."""
        known = parameters_of(find(self.world, "world", overlay=self.overlay))
        models = {"model": self.model, "image_model": self.image_model or known.get("image_model")}
        return {
            name: {"name": model, "endpoint_url": self.endpoint_url} if self._there(model) else model
            for name, model in models.items()
            if isinstance(model, str)
        }

    def _there(self, model: str) -> bool:
        """Whether `model` is at the endpoint that was given."""
        named = self.model or self.image_model or ""
        return self.endpoint_url is not None and model.partition(":")[0] == named.partition(":")[0]


class _Stops:
    """Counts the signals: the first asks the world to stop at its next safe point, the second ends it at once."""

    def __init__(self, order: Order, display: Display) -> None:
        self.order = order
        self.display = display
        self.asked = False
        self.done = 0

    def rest(self) -> str:
        """The line to go on with: what is left of the ticks, the action given already."""
        left = max(self.order.ticks - self.done, 1)
        return replace(self.order, ticks=left, action=self.order.action if self.done == 0 else None).line()

    async def listen(self, world: LiveWorld) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if self.asked:
                    self.at_once()
                self.asked = True
                self.display.note("stopping at the next safe point; Ctrl-C again stops at once, and loses nothing")
                world.stop("a signal")

    def at_once(self) -> None:
        """Leave without a word to anyone: the journal holds everything, and the lease of a dead process passes on."""
        self.display.close()
        print(f"stopped; go on with: {self.rest()}", file=sys.stderr, flush=True)
        os._exit(STOPPED.code)


def run_world(order: Order, as_json: bool) -> int:
    """Run, show, and return the exit code."""
    order = order.with_overlays()
    place = locate(order.world, order.store, order.overlay)
    if order.name is not None:
        place = replace(place, pictures=pictures_of(place.pictures, order.name))
    world = load_world(order.world, overlay=order.overlay, parameters=order.parameters())
    if world.ended:
        raise EndWorldError(
            f"{world.name} is an End World: its content is fixed",
            path=order.world,
            hint=f"yggdrasil show {order.world}",
        )
    world.validate(strict=True)  # before the store is opened: what is wrong leaves nothing behind
    display = choose(place.found.name, as_json, order.ticks)
    stops = _Stops(order, display)
    try:
        parked = anyio.run(_live, world, order, place, display, stops)
    except KeyboardInterrupt:  # before the world was open, or where signals cannot be received
        display.close()
        _go_on(stops, "stopped; go on with")
        return STOPPED.code
    except Exception as error:
        display.close()
        if isinstance(innermost(error), BrokenPipeError):  # whoever read the output has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return STOPPED.code
        cause = innermost(error)
        if isinstance(cause, BudgetError):
            cause.hint = ""  # the line to go on with says it
        failed = report(error)
        if isinstance(cause, ParkedError):
            _go_on(stops, "mend it, and go on with")
        elif isinstance(cause, BudgetError):
            _go_on(stops, "nothing is lost; go on, with a new budget, with")
        return failed
    display.close()
    if stops.asked and stops.done < order.ticks:
        _go_on(stops, "stopped; go on with")
        return STOPPED.code
    if parked:
        _go_on(stops, "parked; mend it, and go on with")
        return FAILED.code
    return DONE.code


def _go_on(stops: _Stops, words: str) -> None:
    print(f"{words}: {stops.rest()}", file=sys.stderr, flush=True)


async def _live(definition: World, order: Order, place: Place, display: Display, stops: _Stops) -> bool:
    """Stream the ticks; whether the world was parked."""
    parked = False
    budget = Budget(tokens=order.budget, cost=order.max_cost)
    async with World.open(definition, store=place.store, seed=order.seed, name=order.name) as world:
        await _catch_up(world, place)
        async with _listening(stops, world):
            async for event in world.stream(ticks=order.ticks, action=order.action, budget=budget):
                display.hear(event if event.tick is not None else event.replace(tick=world.tick))
                if isinstance(event, TickFinished):
                    stops.done += 1
                    async for path in write_pictures(place.pictures, event.tick or 0, event.state, world.blob):
                        display.picture(event.tick or 0, path)
                    sounds = sounds_beside(place.pictures)
                    async for path in write_sounds(sounds, event.tick or 0, event.state, world.blob):
                        display.sound(event.tick or 0, path)
                elif isinstance(event, WorldParked):
                    parked = True
    return parked


async def _catch_up(world: LiveWorld, place: Place) -> None:
    """Write the pictures and sounds of the last tick, in case a crash came between the tick and them."""
    if world.tick:
        async for _ in write_pictures(place.pictures, world.tick, world.state, world.blob):
            pass
        async for _ in write_sounds(sounds_beside(place.pictures), world.tick, world.state, world.blob):
            pass


@asynccontextmanager
async def _listening(stops: _Stops, world: LiveWorld) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        group.start_soon(stops.listen, world)
        yield
        group.cancel_scope.cancel()
