"""Many worlds in one process: each lives by its timers, and what happens to one is no concern of the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup

from yggdrasil.abc.hook import Hook
from yggdrasil.abc.store import Store
from yggdrasil.core.events import Event, RunFailed, Warned, WorldOpened
from yggdrasil.core.patience import Patience, transient
from yggdrasil.errors import ConfigError, EndWorldError, YggdrasilError
from yggdrasil.levels.container import Container
from yggdrasil.levels.live import LiveWorld
from yggdrasil.levels.world import World
from yggdrasil.runtime.limits import Limits
from yggdrasil.storage.open import open_store


class Supervisor:
    """Runs many worlds in one process until they are stopped.

        supervisor = Supervisor(["midgard", "reef"], store="sqlite:///worlds.db", resources={"gpu": 1})
        await supervisor.run()

    worlds     World objects, documents, paths or names in the catalogue
    store      where they are kept: a store or its URL; else each world's own, else memory
    resources  capacities of named resources, for all worlds together; a name that is not here has the capacity that
               the first world with it declares
    hooks      who hears the events of all worlds
    ticks      how many ticks each lives at most; None: until it is stopped
    clock      seconds since the epoch, for timers and budgets of a day

    A world that parks itself waits for a person (`yggdrasil resume`, `yggdrasil approve`), or where its error may
    pass is tried again after a while. One that cannot be opened, or loses its store, is opened again where that may
    help; else it is `failed`, and the others live on.
    """

    def __init__(
        self,
        worlds: Iterable[World | Mapping[str, Any] | str | Path] = (),
        *,
        store: Store | str | None = None,
        resources: Mapping[str, int] | None = None,
        hooks: Sequence[Hook] = (),
        ticks: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(worlds, str | Mapping | World) or not isinstance(worlds, Iterable):
            raise ConfigError(f"worlds is {type(worlds).__name__}, not a list", hint='Supervisor(["midgard"])')
        if not isinstance(hooks, Sequence) or not all(callable(hook) for hook in hooks):
            raise ConfigError("a hook cannot be called", hint="hooks=[print]")
        if ticks is not None and (isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 1):
            raise ConfigError(f"ticks is {ticks!r}", hint="ticks=10, or None")
        if not callable(clock):
            raise ConfigError(f"clock is {type(clock).__name__}, which cannot be called", hint="clock=time.time")
        if store is not None and not isinstance(store, Store | str):
            raise ConfigError(f"store is {type(store).__name__}", hint='store="sqlite:///worlds.db"')
        if store is not None:
            open_store(store)  # looks at the words only
        self.store, self.ticks, self.clock = store, ticks, clock
        self.hooks = tuple(hooks)
        self.limits = Limits({} if resources is None else resources)
        self.living: dict[str, LiveWorld] = {}
        """The worlds that are open now, by name."""
        self.failed: dict[str, Exception] = {}
        """Why a world could not live on."""
        self._definitions: dict[str, World] = {}
        self._stores: dict[str, Store] = {}
        self._stopping: str | None = None
        self._stop: anyio.Event | None = None
        self._group: TaskGroup | None = None
        self._opened = AsyncExitStack()
        self._opening = anyio.Lock()
        for world in worlds:
            self.add(world)

    def add(self, what: World | Mapping[str, Any] | str | Path) -> World:
        """Take in one more world, before or while it runs. ConfigError when its name is taken, or it is none."""
        if not isinstance(what, World | Mapping | str | Path):
            raise ConfigError(f"{type(what).__name__} is no world", hint='a World, its document, a path or a name')
        if isinstance(what, World):
            world = what
        else:
            from yggdrasil.levels.world_file import load_world

            world = load_world(what)
        if world.ended:
            raise EndWorldError(f"{world.name} is an End World: nothing in it runs", path=world.name)
        if world.name in self._definitions:
            raise ConfigError(f"there is a world {world.name!r} already", path=world.name, hint="another name:")
        world.validate(strict=True)
        self._definitions[world.name] = world
        _share(world, self.limits)
        if self._group is not None:
            self._group.start_soon(self._keep, world)
        return world

    async def run(self) -> None:
        """Let them live, until each was stopped, had its ticks, was idle for long enough, or failed."""
        self._stopping, self._stop, self._opening = None, anyio.Event(), anyio.Lock()
        async with AsyncExitStack() as self._opened:
            try:
                async with anyio.create_task_group() as self._group:
                    for world in self._definitions.values():
                        self._group.start_soon(self._keep, world)
            finally:
                self._group = None
                self._stores.clear()

    def stop(self, reason: str = "stop was called") -> None:
        """Let all worlds end at their next safe points: between two stages."""
        self._stopping = reason
        if self._stop is not None:
            self._stop.set()
        for world in self.living.values():
            world.stop(reason)

    async def _keep(self, definition: World) -> None:
        """Open a world and let it live; where something that may pass ended that, again after a while."""
        name, patience, failures, tick = definition.name, definition.patience, 0, -1
        while self._stopping is None:
            try:
                async with World.open(definition, store=await self._store(definition), clock=self.clock) as world:
                    if world.tick > tick >= 0:
                        failures = 0
                    self.living[name] = world
                    await world.live(patient=True, ticks=self.ticks, hooks=(*self.hooks, self._heard))
                return
            except Exception as error:
                tick = self.living[name].tick if name in self.living else tick
                failures += 1
                if not await self._passes(name, error, patience, failures):
                    return
            finally:
                self.living.pop(name, None)

    async def _passes(self, name: str, error: Exception, patience: Patience, failures: int) -> bool:
        """Wait where an error may pass; else the world is given up."""
        said = error.sentence if isinstance(error, YggdrasilError) else f"{type(error).__name__}: {error}"
        if not transient(error):
            self.failed[name] = error
            self._tell(RunFailed(path=name, time=self.clock(), error=said, error_type=type(error).__name__))
            return False
        wait = patience.wait(failures)
        self._tell(Warned(path=name, time=self.clock(), sentence=f"{said}; opened again in {wait:g} s"))
        assert self._stop is not None
        with anyio.move_on_after(wait):
            await self._stop.wait()
        return True

    async def _store(self, definition: World) -> Store:
        """The store of a world, open; worlds of one URL share it."""
        given = self.store if self.store is not None else definition.store
        if isinstance(given, Store):
            return given
        found = open_store(given)
        async with self._opening:
            if found.url not in self._stores:
                await self._opened.enter_async_context(found)
                self._stores[found.url] = found
        return self._stores[found.url]

    def _heard(self, event: Event) -> None:
        """A world that was just being opened when all were to stop."""
        if self._stopping is not None and isinstance(event, WorldOpened) and event.path in self.living:
            self.living[event.path].stop(self._stopping)

    def _tell(self, event: Event) -> None:
        for hook in self.hooks:
            hook(event)


def _share(world: World, limits: Limits) -> None:
    world.limits.share(limits)
    for _, node in world.walk():
        if isinstance(node.block, Container):
            node.block.limits.share(limits)
