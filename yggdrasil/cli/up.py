"""`yggdrasil up`: many worlds live in one process until they are stopped."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Sequence

import anyio

from yggdrasil.cli.exits import DONE, FAILED, STOPPED
from yggdrasil.cli.failure import report
from yggdrasil.cli.places import locate
from yggdrasil.cli.plain import line
from yggdrasil.cli.streams import json_line
from yggdrasil.core.events import (
    ActionReceived,
    ApprovalAsked,
    Event,
    RunFailed,
    TickFinished,
    TicksMissed,
    Token,
    Warned,
    WorldMended,
    WorldOpened,
    WorldParked,
    WorldPaused,
    WorldResumed,
    WorldStopped,
    event_to_json,
)
from yggdrasil.levels.supervisor import Supervisor
from yggdrasil.levels.world_file import load_world
from yggdrasil.storage.open import open_store


def live_worlds(worlds: Sequence[str], store: str | None, overlay: str | None, as_json: bool) -> int:
    """Run the supervisor; the exit code."""
    supervisor = Supervisor(store=store, hooks=(_as_json if as_json else _told,))
    for what in worlds:
        world = load_world(what, overlay=overlay)
        world.store = locate(what, store, overlay).store
        supervisor.add(world)
    stops = _Stops(supervisor, worlds, store, overlay)
    try:
        anyio.run(stops.live)
    except KeyboardInterrupt:  # where signals cannot be received
        return STOPPED.code
    except BrokenPipeError:  # whoever read the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED.code
    if stops.asked:
        print(f"stopped; go on with: {stops.line()}", file=sys.stderr, flush=True)
        return STOPPED.code
    codes = [report(error) for error in supervisor.failed.values()]
    return DONE.code if not codes else codes[0] if len(codes) == 1 else FAILED.code


class _Stops:
    """The first signal stops all worlds at safe points, the second ends the process at once."""

    def __init__(self, supervisor: Supervisor, worlds: Sequence[str], store: str | None, overlay: str | None) -> None:
        self._supervisor, self._worlds, self._store, self._overlay = supervisor, worlds, store, overlay
        self.asked = False

    def line(self) -> str:
        """The command line that goes on."""
        more = [] if self._store is None else ["--store", open_store(self._store).url]  # without a password
        more += [] if self._overlay is None else ["--overlay", self._overlay]
        return shlex.join(["yggdrasil", "up", *self._worlds, *more])

    async def live(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen)
            await self._supervisor.run()
            group.cancel_scope.cancel()

    async def _listen(self) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if self.asked:  # the journals hold everything, and the leases of a dead process pass on
                    os._exit(STOPPED.code)
                self.asked = True
                print("stopping at the next safe points; again stops at once, and loses nothing", file=sys.stderr)
                self._supervisor.stop("a signal")


def _as_json(event: Event) -> None:
    if not isinstance(event, Token):
        print(json_line(event_to_json(event)), flush=True)


def _told(event: Event) -> None:
    """What a person is told: a line for what happens to a world."""
    said = _words(event)
    if said:
        print(line(f"{event.path.partition('/')[0]}: {said}", 400), flush=True)


def _words(event: Event) -> str:
    match event:
        case WorldOpened():
            return f"opened at tick {event.tick}" if event.resumed else "begun"
        case TickFinished():
            return f"tick {event.tick}"
        case TicksMissed():
            return f"{event.missed} ticks were missed"
        case ActionReceived():
            return f"action: {event.action}"
        case WorldParked():
            return f"parked at {event.stage}: {event.error}"
        case WorldMended():
            return f"goes on with {event.stage}: {event.how}"
        case WorldPaused():
            return "paused"
        case WorldResumed():
            return "goes on"
        case WorldStopped():
            return f"stopped: {event.reason}"
        case ApprovalAsked():
            return f"{event.tool} waits for a yes: {event.approval}"
        case RunFailed():
            return f"cannot live on: {event.error}"
        case Warned():
            return event.sentence
    return ""

