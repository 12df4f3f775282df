"""A plain Python function given to an agent as a tool."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.ports import MISSING, Spec
from yggdrasil.core.signature import read_signature
from yggdrasil.errors import ConfigError


class FunctionTool(Runnable):
    """`function` as a tool: its name, docstring and type hints are what a model sees.

    `ctx` gets the RunContext; keyword-only parameters keep their defaults. `@tool` can say more.
    """

    idempotent = True

    def __init__(self, function: Callable[..., Any]) -> None:
        signature = read_signature(function)
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__).strip("<>")
        missing = [name for name, default in signature.config.items() if default is MISSING]
        if missing:
            raise ConfigError(
                f"the tool {self.name} has keyword-only parameters without a default: {', '.join(missing)}",
                hint=f"tool({self.name}).configured({missing[0]}=...)",
            )
        self._spec = signature.spec
        self._output = next(iter(signature.spec.outputs))
        self._several = signature.several
        self._context = signature.context

    @property
    def spec(self) -> Spec:
        """The ports, read from the signature."""
        return self._spec

    @property
    def label(self) -> str:
        """The function's name."""
        return self.name

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Call the function."""
        context = {self._context: ctx} if self._context else {}
        result = self.function(**inputs, **context)
        if inspect.isawaitable(result):
            result = await result
        elif isinstance(result, AsyncIterator):
            result = [item async for item in result]
        elif isinstance(result, Iterator):
            result = list(result)
        outputs: Mapping[str, Any] = result if self._several else {self._output: result}
        return outputs
