"""A Python function as a block: `@block` and `@tool`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, overload

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.abc.tool import FREE, Asks, Policy
from yggdrasil.core.ports import MISSING, Many, Spec
from yggdrasil.core.signature import read_signature, underlying
from yggdrasil.errors import ConfigError, PortError, close_names
from yggdrasil.runtime.processes import importable, in_process
from yggdrasil.runtime.registry import active_registry
from yggdrasil.runtime.threads import in_thread

Function = Callable[..., Any]

_LONGEST_NOTE = 200


class FunctionBlock(Block):
    """A function as a block.

    Positional parameters are input ports (with a default: optional), keyword-only ones are config, and one
    named `ctx` gets the RunContext. The return value is the port `output`; with a TypedDict as return type,
    or several `outputs`, a mapping of ports is returned. A generator's items are its output as a list.
    `blocking=True` runs a synchronous function in a worker thread, which cannot be stopped; `killable=True` in a worker
    process, which is killed when the run is cancelled. The block can be called like the function.
    """

    def __init__(
        self,
        function: Function,
        *,
        block_type: str = "",
        name: str = "",
        outputs: Any = None,
        many: Mapping[str, Many] | None = None,
        blocking: bool = False,
        killable: bool = False,
        idempotent: bool = True,
        bound: Mapping[str, Any] | None = None,
        policy: Policy = FREE,
    ) -> None:
        signature = read_signature(function, outputs)
        self.function = function
        self.block_type = block_type
        self.name = name or getattr(function, "__name__", type(function).__name__).strip("<>")
        self.outputs = outputs
        self.many = dict(many or {})
        self.blocking, self.killable = blocking, killable
        self.idempotent = idempotent
        self.policy = policy
        self.bound = _bound(self.name, dict(bound or {}), signature.config)
        self._missing = [k for k, default in signature.config.items() if default is MISSING and k not in self.bound]
        self._spec = _with_many(self.name, signature.spec, self.many)
        if killable:
            _require_killable(self.name, function, signature.context)
        self._only = "" if signature.several else next(iter(self._spec.outputs), "")
        self._context = signature.context
        # its one output cannot be misnamed; values are checked at the boundary of the run
        self.trusted = bool(self._only)
        self._invoke = self._invoker()
        self.__doc__ = function.__doc__

    def _invoker(self) -> Callable[[Mapping[str, Any], RunContext], Awaitable[Any]]:
        function, bound, context = self.function, self.bound, self._context
        target = underlying(function)

        def call(inputs: Mapping[str, Any], ctx: RunContext) -> Any:
            if context:
                return function(**inputs, **bound, **{context: ctx})
            return function(**inputs, **bound) if bound else function(**inputs)

        def listed(inputs: Mapping[str, Any], ctx: RunContext) -> Any:
            return [_told(item, number, ctx) for number, item in enumerate(call(inputs, ctx), 1)]

        plain = listed if inspect.isgeneratorfunction(target) else call

        async def generated(inputs: Mapping[str, Any], ctx: RunContext) -> Any:
            items: list[Any] = []
            async for item in call(inputs, ctx):
                items.append(_told(item, len(items) + 1, ctx))
            return items

        async def threaded(inputs: Mapping[str, Any], ctx: RunContext) -> Any:
            ended = False

            def work() -> Any:
                nonlocal ended
                try:
                    return plain(inputs, ctx)
                finally:
                    ended = True

            try:
                return await in_thread(work)
            except BaseException:
                if not ended:
                    ctx.warn(f"{self.name} was abandoned: its thread runs on until it looks, or ends by itself")
                raise

        async def processed(inputs: Mapping[str, Any], ctx: RunContext) -> Any:
            return await in_process(target, {**inputs, **bound})

        async def direct(inputs: Mapping[str, Any], ctx: RunContext) -> Any:
            result = plain(inputs, ctx)
            return await result if inspect.isawaitable(result) else result

        if self.killable:
            return processed
        if inspect.isasyncgenfunction(target):
            return generated
        if inspect.iscoroutinefunction(function):
            return call if context or bound else lambda inputs, ctx: function(**inputs)
        return threaded if self.blocking else direct

    @property
    def spec(self) -> Spec:
        """The ports, read from the signature."""
        return self._spec

    @property
    def label(self) -> str:
        """The function's name."""
        return self.block_id or self.name

    @property
    def config(self) -> dict[str, Any]:
        """The keyword-only arguments it was given."""
        if not self.block_type:
            raise ConfigError(
                f"the function {self.name} is not registered, so it cannot be saved",
                hint=f'@block("my/{self.name}") above its def',
            )
        return dict(self.bound)

    def require_config(self) -> None:
        """ConfigError when a keyword-only parameter has neither a default nor a value."""
        if self._missing:
            raise ConfigError(
                f"{self.name} has keyword-only parameters (its config) without a value: {', '.join(self._missing)}",
                hint=f"block({self.name}).configured({self._missing[0]}=...), or give it a default",
            )

    def configured(self, **config: Any) -> FunctionBlock:
        """The same function with other keyword-only arguments: what a config builds."""
        made = FunctionBlock(
            self.function,
            block_type=self.block_type,
            name=self.name,
            outputs=self.outputs,
            many=self.many,
            blocking=self.blocking,
            killable=self.killable,
            idempotent=self.idempotent,
            bound=config,
            policy=self.policy,
        )
        made.require_config()
        return made

    def __get__(self, instance: Any, owner: type | None = None) -> FunctionBlock:
        """Of a method the block whose `self` is given, as Python does it; other functions stay as they are."""
        if instance is None or next(iter(self._spec.inputs), "") != "self":
            return self
        method = self.function.__get__(instance, owner)
        return FunctionBlock(
            method,
            block_type=self.block_type,
            name=self.name,
            outputs=self.outputs,
            many=self.many,
            blocking=self.blocking,
            killable=self.killable,
            idempotent=self.idempotent,
            bound=self.bound,
            policy=self.policy,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function itself gives."""
        return self.function(*args, **{**self.bound, **kwargs})

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Call the function."""
        if self._missing:
            self.require_config()
        result = await self._invoke(inputs, ctx)
        if self._only:
            return {self._only: result}
        if result is None and not self._spec.outputs:
            return {}
        if not isinstance(result, Mapping):
            raise PortError(
                f"{self.name} returned {type(result).__name__}, not a mapping of its outputs",
                path=ctx.path,
                hint="return {" + ", ".join(f'"{n}": ...' for n in self._spec.outputs) + "}",
            )
        return result


def _require_killable(name: str, function: Function, context: str) -> None:
    target = underlying(function)
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if any(is_kind(target) for is_kind in kinds):
        raise ConfigError(f"{name} is async or a generator: only a plain function is killable", hint=f"def {name}(...)")
    if context:
        raise ConfigError(f"{name} takes {context!r}, which cannot go to another process", hint="leave it out")
    importable(target)


def _told(item: Any, number: int, ctx: RunContext) -> Any:
    if ctx.listening:
        ctx.progress(number, note=str(item)[:_LONGEST_NOTE])
    return item


def _bound(name: str, given: dict[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    for key in given:
        if key not in config:
            raise ConfigError(f"{name} has no config {key!r}; {close_names(key, config)}")
    return given


def _with_many(name: str, spec: Spec, many: Mapping[str, Many]) -> Spec:
    if not many:
        return spec
    for key in many:
        if key not in spec.inputs:
            raise PortError(f"{name} has no input {key!r}; {close_names(key, spec.inputs)}")
    inputs = {
        n: p.replace(many=many.get(n, p.many)) for n, p in spec.inputs.items()
    }
    return Spec(inputs, spec.outputs, spec.doc)


@overload
def block(function: Function, /) -> FunctionBlock: ...
@overload
def block(
    block_type: str = ...,
    /,
    *,
    outputs: Any = ...,
    many: Mapping[str, Many] | None = ...,
    blocking: bool = ...,
    killable: bool = ...,
    idempotent: bool = ...,
) -> Callable[[Function], FunctionBlock]: ...


def block(what: Any = "", /, **options: Any) -> Any:
    """Make a block of a function: `@block`, or `@block("role/impl", ...)` to register it for configs too.

    Options: outputs ({name: type}), many ({input: aggregation}), blocking, killable, idempotent (False: never
    repeated by itself after a crash).
    """
    if callable(what):
        return FunctionBlock(what, **options)

    def decorate(function: Function) -> FunctionBlock:
        made = FunctionBlock(function, block_type=what, **options)
        if what:
            active_registry().register(what, made.configured, source=f"{function.__module__}.{function.__qualname__}")
        return made

    return decorate


@overload
def tool(function: Function, /) -> FunctionBlock: ...
@overload
def tool(
    *,
    name: str = ...,
    blocking: bool = ...,
    killable: bool = ...,
    idempotent: bool = ...,
    approval: Asks = ...,
    timeout: float | None = ...,
    limit: int | None = ...,
) -> Callable[[Function], FunctionBlock]: ...


def tool(
    function: Function | None = None,
    /,
    *,
    name: str = "",
    approval: Asks = False,
    timeout: float | None = None,
    limit: int | None = None,
    **options: Any,
) -> Any:
    """Make a tool of a function: `@tool`. Its name, docstring and type hints are what a model sees.

    name        what the model calls it instead
    blocking    run a synchronous function in a worker thread; one that may look calls
                `anyio.from_thread.check_cancelled()`, which raises when the run was cancelled
    killable    run it in a worker process, which is killed when the run is cancelled
    idempotent  False: never repeated by itself after a crash
    approval    a person must say yes before it runs: True, or a function of the arguments that says whether
    timeout     seconds for one call
    limit       how many of its calls run at once in one run
    """
    policy = Policy(approval, timeout, limit)

    def decorate(function: Function) -> FunctionBlock:
        called = name or function.__name__
        return FunctionBlock(function, name=called, block_type=f"tool/{called}", policy=policy, **options)

    return decorate(function) if function is not None else decorate
