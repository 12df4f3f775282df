"""A hand-off: a tool by which one agent leaves the talk to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.ports import Spec, port

if TYPE_CHECKING:
    from yggdrasil.agent.block import Agent


class HandOff(Runnable):
    """What a model sees of another agent that it may leave the talk to. The loop acts on the call; it never runs."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        doc = f" {agent.label}: {agent.spec.doc}" if agent.spec.doc else ""
        self._spec = Spec.declare(
            [port("reason", str, optional=True, doc="Why, in a few words.")],
            {"output": str},
            f"Leave this talk to {agent.label}, who goes on with it and answers.{doc}",
        )

    @property
    def spec(self) -> Spec:
        """In: reason."""
        return self._spec

    @property
    def label(self) -> str:
        """`transfer_to_NAME`."""
        return f"transfer_to_{self.agent.label}"

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Nothing happens here: `Loop` ends its part of the talk."""
        return {"output": f"{self.agent.label} goes on with this talk"}
