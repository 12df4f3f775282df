"""How a parked world goes on: tried again, or as a person says. What follows from that is decided in `core.remedy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yggdrasil.core.content import apply
from yggdrasil.core.cycle import UPDATE
from yggdrasil.core.facts import OF_EFFECTS, Retried
from yggdrasil.core.remedy import answered, remedy
from yggdrasil.errors import ParkedError, RunError, SuspendedError

if TYPE_CHECKING:
    from yggdrasil.levels.loop import WorldLoop


def parked_error(loop: WorldLoop, failure: Any, path: str) -> ParkedError:
    """The error of a run that ends because its world is parked."""
    assert loop.status.trouble is not None
    return ParkedError(
        f"tick {loop.status.running} is parked at stage {loop.status.trouble.stage}: "
        f"{getattr(failure, 'sentence', failure)}",
        path=getattr(failure, "path", path),
        hint=getattr(failure, "hint", "") or "mend it and run again: the tick goes on with this stage",
    )


async def retry(loop: WorldLoop) -> None:
    """Go on with a parked stage: at once when ticks are asked for, when it is time in a life by timers."""
    trouble = loop.status.trouble
    assert trouble is not None
    if not loop._living:
        loop._note(Retried(trouble.stage))
        return
    if not loop._patient:
        raise parked_error(loop, RunError(trouble.error, path=trouble.path), trouble.path)
    until = None
    if trouble.transient:
        loop._failures += 1
        until = loop._clock() + loop.patience.wait(loop._failures)
        loop._root.warn(f"stage {trouble.stage} is tried again in {loop.patience.wait(loop._failures):g} s")
    while loop.status.trouble is not None and loop.stopping is None:
        asked = trouble.error_type == SuspendedError.__name__
        over = until is not None and loop._clock() >= until
        if over or (asked and answered(loop.journal.effects) - loop._answered):
            loop._note(Retried(trouble.stage))
        else:
            await loop._alarm.wait(until)
            await loop._poll()
            await loop._settle()


def prescribe(loop: WorldLoop, how: str, value: Any, taken: tuple[int, ...] = ()) -> None:
    """Note what follows from a remedy; nothing when it is refused."""
    reads = {name: seat.requires for name, seat in loop.seats.items()}
    step = None if loop.status.trouble is None else loop.cycle.step(loop.status.trouble.stage)
    facts = remedy(loop.cycle, loop.status, how, reads, loop.name)
    if how == "edit" and step is not None:
        loop.seats[step.name].check(value, loop.cycle.schema, f"{loop.name}/{step.name}")
        if step.name == UPDATE:
            apply(loop.status.content, value)  # what does not apply is refused before anything is noted
    for fact in facts:
        if isinstance(fact, OF_EFFECTS):
            loop.journal.effects.append(fact)
            loop._effects.take(fact)
        loop._note(fact, taken=taken)
        taken = ()
    if how == "edit" and step is not None:
        loop._root.run.kept = dict(loop.status.kept)
        loop._take(step, value, f"{loop.name}/{step.name}")
