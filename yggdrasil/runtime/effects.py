"""Effects of a durable run: recorded in the journal before anyone sees them, and never repeated.

An effect is known by its path, its ordinal there (the order in which it was issued) and the digest of its request.
A failed one gives its ordinal back, so that trying again asks at the same place; that it failed is recorded with
what succeeded there, so that a run which is taken up again fails in the same way and goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, final

from yggdrasil import errors
from yggdrasil.abc.context import RunContext
from yggdrasil.abc.effects import Effect, Effects, Turns
from yggdrasil.core.approval import Answer, Approval, approval_id
from yggdrasil.core.blob import Blob, detach
from yggdrasil.core.canonical import digest
from yggdrasil.core.facts import (
    EffectBegun,
    EffectDone,
    EffectsAbandoned,
    EffectsMigrated,
    Fact,
    ToolAnswered,
    ToolAsked,
)
from yggdrasil.core.frozen import thaw
from yggdrasil.core.typed import tagged
from yggdrasil.errors import BlockError, EffectMismatchError, EffectUnknownError, StoreError, WorldError, YggdrasilError
from yggdrasil.runtime.revive import revived

Place = tuple[str, int]

_MEND = "look outside whether it happened: world.settle(result) if it did, world.abandon() if it did not"


class Recorder(Protocol):
    """Where effects are recorded: a world's journal, a thread's."""

    @property
    def keeps_turns(self) -> bool:
        """Whether iterations of loops are recorded as well."""
        ...

    async def record(self, fact: Fact, blobs: Iterable[Blob] = (), *, now: bool = False) -> None:
        """Append a fact, its blobs before it. `now`: it is durable when this returns, whatever the durability level."""
        ...

    async def blob(self, digest: str) -> bytes:
        """The bytes of a blob."""
        ...


@final
class JournalEffects(Effects, Turns):
    """The effects of one scope (`tick:12`) of one stream.

    recorded   the facts about effects that the journal holds for this scope already, in order
    mend       the hint for an effect of which nobody knows whether it happened
    """

    def __init__(
        self, stream: str, scope: str, recorder: Recorder, recorded: Iterable[Fact] = (), *, mend: str = _MEND
    ) -> None:
        self.stream, self.scope = stream, scope
        self._recorder, self._mend = recorder, mend
        self._done: dict[Place, EffectDone] = {}
        self._begun: dict[Place, EffectBegun] = {}
        self._failed: dict[Place, list[dict[str, Any]]] = {}
        self._next: dict[str, int] = {}
        self._free: dict[str, set[int]] = {}
        self._migrated: set[Place] = set()
        self._asked: set[str] = set()
        self._asking: set[str] = set()
        self._answers: dict[str, Answer] = {}
        for fact in recorded:
            self.take(fact)
        self._earlier = set(self._done)

    def take(self, fact: Fact) -> None:
        """Learn of a fact that was recorded: when the run is taken up, or an answer that came while it runs."""
        match fact:
            case EffectDone():
                self._done[fact.path, fact.ordinal] = fact
            case EffectBegun():
                self._begun[fact.path, fact.ordinal] = fact
            case EffectsAbandoned():
                for place in [p for p in (*self._done, *self._begun) if _abandons(fact, p)]:
                    self._done.pop(place, None)
                    self._begun.pop(place, None)
            case EffectsMigrated():
                self._migrated.update(place for place in self._done if _under(place[0], fact.path))
            case ToolAsked():
                self._asked.add(fact.approval)
            case ToolAnswered():
                # nothing but a plain yes is a yes: the letter may come from anywhere
                arguments = fact.arguments if isinstance(fact.arguments, Mapping) else None
                self._answers[fact.approval] = Answer(fact.approved is True, str(fact.note), arguments)

    async def call(self, ctx: RunContext, effect: Effect) -> Any:
        """The recorded result, or perform the effect now and record it.

        EffectMismatchError when another request was recorded at this place; EffectUnknownError when the effect is
        `idempotent=False` and was under way when the process ended.
        """
        path = ctx.path
        self._asking.add(path)
        request = digest([effect.kind, effect.request() if callable(effect.request) else effect.request])
        place = path, self._issue(path)
        try:
            done = self._done.get(place)
            if done is None:
                done = await self._perform(place, effect, request)
            elif done.request != request and place not in self._migrated:
                self._differs(done, request)
        except BaseException:
            self._free.setdefault(path, set()).add(place[1])
            raise
        result = effect.decode(await self._attached(done.result))
        if place in self._earlier:
            self._earlier.discard(place)
            if effect.recalled is not None:
                effect.recalled(result)
        return result

    async def asked(self, ctx: RunContext, tool: str, arguments: Mapping[str, Any]) -> tuple[Approval, Answer | None]:
        """The question, recorded the first time it is asked; and the answer, when there is one."""
        place = f"{ctx.path}/approval"
        approval = Approval(
            approval_id(self.stream, self.scope, ctx.path, self._issue(place)), tool, arguments, ctx.path
        )
        if approval.id not in self._asked:
            await self._recorder.record(ToolAsked(self.scope, ctx.path, approval.id, tool, thaw(arguments)), now=True)
            self._asked.add(approval.id)
        return approval, self._answers.get(approval.id)

    async def answered(self, approval: Approval, answer: Answer) -> None:
        """Record an answer that was given in this process."""
        fact = ToolAnswered(approval.id, answer.approved, answer.note, answer.arguments)
        await self._recorder.record(fact, now=True)
        self._answers[approval.id] = answer

    @property
    def turns(self) -> Turns | None:
        """Itself, where iterations are recorded too."""
        return self if self._recorder.keeps_turns else None

    async def last_turn(self, ctx: RunContext, loop: Sequence[str], given: str) -> tuple[int, Any] | None:
        """The last of the iterations that were kept here and follow each other."""
        path = _turns(ctx, loop)
        first, turn, last = self._next.get(path, 0), 0, None
        while (done := self._done.get((path, first + turn))) is not None:
            if done.request != given or done.result["turn"] != turn:
                break
            turn, last = turn + 1, done
        if last is None:
            return None
        self._next.update({**last.result["issued"], path: first + turn})
        return turn - 1, await self._attached(last.result["carried"])

    async def keep_turn(self, ctx: RunContext, loop: Sequence[str], given: str, turn: int, carried: Any) -> None:
        """Record it, unless the loop asks the outside: then its answers are recorded, and iterations made of them."""
        below = [f"{ctx.path}/{node}" for node in loop]
        if any(_under(path, node) for path in self._asking for node in below):
            return
        path = _turns(ctx, loop)
        issued = {p: n for p, n in self._next.items() if any(_under(p, node) for node in below)}
        ordinal = self._issue(path)
        blobs: list[Blob] = []
        plain = detach(carried, blobs.append, f"{ctx.path} / iteration {turn}", tagged)
        result = {"turn": turn, "issued": issued, "carried": plain}
        done = EffectDone(self.scope, path, ordinal, given, "turn", result)
        await self._recorder.record(done, blobs)
        self._done[path, ordinal] = done

    async def blob(self, digest: str) -> bytes:
        """The bytes of a blob."""
        return await self._recorder.blob(digest)

    async def _perform(self, place: Place, effect: Effect, request: str) -> EffectDone:
        path, ordinal = place
        key = digest([self.stream, self.scope, path, ordinal, request])
        begun = self._begun.get(place)
        if begun is not None:
            raise EffectUnknownError(
                f"effect {ordinal} ({begun.what}) was under way when the process ended, "
                "and is not to be repeated by itself",
                path=path,
                hint=self._mend,
            )
        if not effect.idempotent:
            intent = EffectBegun(self.scope, path, ordinal, request, key, effect.kind)
            await self._recorder.record(intent, now=True)
            self._begun[place] = intent
        try:
            result = await effect.perform(key)
        except (StoreError, WorldError):
            raise
        except Exception as error:
            self._begun.pop(place, None)
            self._failed.setdefault(place, []).append(_failure(request, error))
            if not effect.idempotent:
                # it ended, and its caller is told: nothing is unknown any more
                await self._recorder.record(EffectsAbandoned(self.scope, path, ordinal), now=True)
            raise
        blobs: list[Blob] = []
        plain = detach(effect.encode(result), blobs.append, f"{path} / effect {ordinal}", tagged)
        failed = tuple(f for f in self._failed.pop(place, ()) if f["request"] != request)
        done = EffectDone(self.scope, path, ordinal, request, effect.kind, plain, failed or None)
        await self._recorder.record(done, blobs)
        self._done[place] = done
        self._begun.pop(place, None)
        return done

    def _differs(self, done: EffectDone, request: str) -> None:
        for failure in done.failed or ():
            if failure["request"] == request:
                raise _failed_again(failure, done.path)
        raise EffectMismatchError(
            f"effect {done.ordinal} ({done.what}) asks for something else than was recorded for it "
            f"(request {request[:12]}, recorded {done.request[:12]})",
            path=done.path,
            hint="undo the change of the block or prompt; or world.abandon() drops what this stage has "
            "recorded, and world.migrate() takes it for what is asked now",
        )

    async def _attached(self, result: Any) -> Any:
        whole = await revived(result, self._recorder.blob)
        return thaw(result) if whole is result else whole

    def _issue(self, path: str) -> int:
        free = self._free.get(path)
        if free:
            ordinal = min(free)
            free.discard(ordinal)
            return ordinal
        ordinal = self._next.get(path, 0)
        self._next[path] = ordinal + 1
        return ordinal

    def mark(self, path: str) -> Mapping[str, int]:
        """How many effects were issued at and under `path`, by path."""
        return {p: n for p, n in self._next.items() if _under(p, path)}

    def rewind(self, path: str, mark: Mapping[str, int]) -> None:
        """Count from the mark again: what is recorded already is given back."""
        for p in [p for p in self._next if _under(p, path)]:
            self._next[p] = mark.get(p, 0)
            self._free.pop(p, None)

    def unknown(self) -> EffectBegun | None:
        """The effect of which nobody knows whether it happened, if there is one."""
        return next((b for place, b in self._begun.items() if place not in self._done), None)


def _turns(ctx: RunContext, loop: Sequence[str]) -> str:
    """Where a loop's iterations are kept; no node can be called so."""
    return f"{ctx.path}/{loop[0]}:turns"


def _abandons(fact: EffectsAbandoned, place: Place) -> bool:
    if fact.ordinal is not None:
        return place == (fact.path, fact.ordinal)
    return _under(place[0], fact.path)


def _under(path: str, above: str) -> bool:
    return path == above or path.startswith(above + "/") or above == ""


def _failure(request: str, error: Exception) -> dict[str, Any]:
    said = error.sentence if isinstance(error, YggdrasilError) else str(error)
    return {"request": request, "type": type(error).__name__, "error": said}


def _failed_again(failure: Mapping[str, Any], path: str) -> Exception:
    """The error that was recorded, as far as it is one of ours."""
    kind: Callable[..., Exception] | None = getattr(errors, failure["type"], None)
    if isinstance(kind, type) and issubclass(kind, YggdrasilError):
        return kind(failure["error"], path=path)
    return BlockError(f"{failure['type']}: {failure['error']}", path=path)
