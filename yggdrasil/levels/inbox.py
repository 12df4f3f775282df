"""What others posted to a world: actions, answers and commands become facts, or are dropped with a warning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.store import Letter
from yggdrasil.core.facts import ActionTaken, Paused, Resumed, Stepped, ToolAnswered, fact_of
from yggdrasil.core.remedy import REMEDIES
from yggdrasil.errors import CorruptError, YggdrasilError
from yggdrasil.levels.mending import prescribe

if TYPE_CHECKING:
    from yggdrasil.levels.loop import WorldLoop


async def read_letters(loop: WorldLoop, *, stale: bool = False) -> None:
    """Take what others posted: actions and commands. A `stop` that waited before the run began is dropped."""
    loop.letters = False
    for letter in await loop.journal.store.inbox(loop.journal.stream):
        data = letter.data if isinstance(letter.data, Mapping) else {}
        if letter.id in loop.journal.taken:
            continue
        if letter.kind == "action":
            loop._quiet_since = loop._clock()
            loop._note(ActionTaken(str(data.get("text", ""))), taken=(letter.id,))
        elif letter.kind == ToolAnswered.kind:
            _answer(loop, letter)
        elif letter.kind == "command":
            _obey(loop, data, letter.id, stale)


def _answer(loop: WorldLoop, letter: Letter) -> None:
    """A person's answer to an approval. One that cannot be read is dropped: nobody has said yes."""
    try:
        fact = fact_of(letter.kind, letter.data, f"{loop.name} / letter {letter.id}")
    except CorruptError as error:
        loop._root.warn(error.sentence)
        _drop(loop, letter.id)
        return
    loop.journal.effects.append(fact)
    loop._effects.take(fact)
    loop._note(fact, taken=(letter.id,))


def _obey(loop: WorldLoop, data: Mapping[str, Any], letter: int, stale: bool) -> None:
    command = data.get("command")
    if command == "pause" and not loop.status.resting:
        loop._note(Paused(), taken=(letter,))
    elif command == "resume" and loop.status.paused:
        loop._note(Resumed(), taken=(letter,))
    elif command == "step":
        loop._note(Stepped(), taken=(letter,))
    elif command in REMEDIES:
        try:
            prescribe(loop, str(command), data.get("value"), (letter,))
        except YggdrasilError as error:  # the trouble is another one by now, or the value does not fit
            loop._root.warn(f"{command} came too late or does not fit: {error.sentence}")
            _drop(loop, letter)
    else:
        if command == "stop" and not stale:
            loop.stopping = loop.stopping or "somebody asked for it"
        _drop(loop, letter)


def _drop(loop: WorldLoop, letter: int) -> None:
    loop.journal.take(letter)
    loop._due = loop._due or "effect"  # the least that can be due
