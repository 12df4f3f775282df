"""Anything that runs, as a tool: under a name of its own, with some inputs bound, and rules for calling it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.ports import Spec, misfit
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, PortError, close_names

Asks = bool | Callable[[Mapping[str, Any]], bool]
"""Whether a person must approve a call: always, never, or as a function of its arguments says."""


class Policy(Value):
    """How a tool may be called.

    approval   a person must say yes before it runs: True, or a function of the arguments that says whether
    timeout    seconds for one call; then the model is told
    limit      how many of its calls run at once in one run
    """

    approval: Asks = False
    timeout: float | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.approval, bool) and not callable(self.approval):
            raise ConfigError(f"approval is {self.approval!r}", hint="approval=True, or a function of the arguments")
        timeout, limit = self.timeout, self.limit
        if timeout is not None and (
            isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < float("inf")
        ):
            raise ConfigError(f"timeout is {timeout!r}", hint="timeout=10   # seconds")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise ConfigError(f"limit is {limit!r}", hint="limit=2   # calls at once")

    def over(self, inner: Policy) -> Policy:
        """What this says, and where it says nothing what `inner` says."""
        return Policy(
            inner.approval if self.approval is False else self.approval,
            inner.timeout if self.timeout is None else self.timeout,
            inner.limit if self.limit is None else self.limit,
        )


FREE = Policy()
"""No rules."""


class Tool(Runnable):
    """`inner` as a tool: `Runnable.as_tool(...)` makes one.

    name          what a model calls it
    description   what it is told of it
    policy        the rules for calling it
    bound         inputs that are given here and hidden from the model
    """

    def __init__(
        self,
        inner: Runnable,
        *,
        name: str | None = None,
        description: str | None = None,
        policy: Policy = FREE,
        bound: Mapping[str, Any] | None = None,
    ) -> None:
        self.inner = inner
        self.name, self.description = name, description
        self.policy = policy.over(policy_of(inner))
        if bound is not None and not isinstance(bound, Mapping):
            raise ConfigError(f"bind is {type(bound).__name__}", hint='bind={"input": value}')
        self.bound = dict(bound or {})
        spec = inner.spec
        for key, value in self.bound.items():
            if key not in spec.inputs:
                raise PortError(f"{inner.label} has no input {key!r}; {close_names(key, spec.inputs)}")
            reason = misfit(spec.inputs[key].type, value)
            if reason:
                raise PortError(f"input {key!r} of {inner.label} {reason}")
        shown = {n: p for n, p in spec.inputs.items() if n not in self.bound}
        self._spec = Spec(shown, spec.outputs, spec.doc if description is None else description)

    @property
    def spec(self) -> Spec:
        """The ports that are not bound."""
        return self._spec

    @property
    def label(self) -> str:
        """Its name, or the inner one's."""
        return self.name or self.inner.label

    @property
    def block_type(self) -> str:
        """The inner one's type."""
        return self.inner.block_type

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run the inner one with what is bound."""
        return await self.inner.execute({**inputs, **self.bound} if self.bound else inputs, ctx)


def policy_of(runnable: Any) -> Policy:
    """The rules that a runnable, or what it is wrapped around, comes with."""
    while True:
        found = getattr(runnable, "policy", None)
        if isinstance(found, Policy):
            return found
        if not hasattr(runnable, "inner"):
            return FREE
        runnable = runnable.inner
