"""Recorded effects and nothing else: what a replay is given instead of the outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, final

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.effects import Effect, Effects
from yggdrasil.core.approval import Answer, Approval
from yggdrasil.errors import EffectMismatchError


@final
class RecordedEffects(Effects):
    """Gives back what `inner` has recorded; EffectMismatchError where that is nothing: the outside is never asked."""

    def __init__(self, inner: Effects) -> None:
        self._inner = inner

    async def call(self, ctx: RunContext, effect: Effect) -> Any:
        """The recorded result."""

        async def refuse(key: str) -> NoReturn:
            raise EffectMismatchError(
                f"an effect ({effect.kind}) that was never recorded, and a replay asks nothing outside",
                path=ctx.path,
                hint="undo the change of the block or prompt; or fork the world and live on from there",
            )

        return await self._inner.call(ctx, effect.replace(perform=refuse, idempotent=True))

    async def asked(self, ctx: RunContext, tool: str, arguments: Mapping[str, Any]) -> tuple[Approval, Answer | None]:
        """The question, with the answer that was recorded."""
        return await self._inner.asked(ctx, tool, arguments)

    async def answered(self, approval: Approval, answer: Answer) -> None:
        """Nobody is asked in a replay."""
        await self._inner.answered(approval, answer)

    async def blob(self, digest: str) -> bytes:
        """The bytes of a blob."""
        return await self._inner.blob(digest)

    def mark(self, path: str) -> Any:
        """See `Effects.mark`."""
        return self._inner.mark(path)

    def rewind(self, path: str, mark: Any) -> None:
        """See `Effects.rewind`."""
        self._inner.rewind(path, mark)
