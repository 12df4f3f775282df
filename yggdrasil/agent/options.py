"""What an agent may be given besides its model and its output type: for type checkers and editors only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from yggdrasil.agent.block import Handoffs
from yggdrasil.agent.loop import Validator
from yggdrasil.agent.memory import Memory
from yggdrasil.agent.talk import Instructions
from yggdrasil.agent.toolbox import AnyTool
from yggdrasil.core.budget import Budget
from yggdrasil.core.turn import OnLimit


class AgentOptions(TypedDict, total=False):
    """See `Agent`."""

    name: str | None
    description: str | None
    instructions: Instructions | None
    tools: Sequence[AnyTool]
    handoffs: Handoffs | Callable[[], Handoffs]
    validators: Sequence[Validator]
    max_steps: int
    max_retries: int
    on_limit: OnLimit
    params: Mapping[str, Any] | None
    memory: bool | Mapping[str, Any] | Memory | None
    budget: Budget | Mapping[str, Any] | None
    parallel: bool
    max_result: int | None
