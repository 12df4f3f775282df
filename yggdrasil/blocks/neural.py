"""Neural blocks: whatever computes with torch, on a worker thread, and the plainest of them, around any module."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import lru_cache
from typing import Any, ClassVar

import torch

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.adapter.active import adapted
from yggdrasil.core.ports import Spec
from yggdrasil.core.signature import read_signature
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.runtime.threads import in_thread


class Neural(Block):
    """Subclass it with a `spec` and a `compute`. What holds weights, `modules` names.

    It computes on a worker thread (`heavy = False`: in place, for what takes microseconds), without gradients unless
    the run is `training=True`, and with the adapters that the run asks for at its path.
    """

    heavy: ClassVar[bool] = True
    from_ref = False
    """Whether all its weights are those of the ref in its config: two of one config then compute the same."""

    @abstractmethod
    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """The work: input ports to output ports. It may block."""

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """What holds its weights, by name, on a device (None: where it is by now); loads what is not loaded yet.

        Empty for solvers and the like.
        """
        return {}

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Compute, away from the event loop."""
        if not self.heavy:
            return self._compute(inputs, ctx)
        return await in_thread(self._compute, inputs, ctx)

    def _compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        if ctx.device:
            require_device(ctx.device, ctx.path)
        with torch.set_grad_enabled(ctx.run.training), _precise(ctx), adapted(lambda: self.modules(ctx.device), ctx):
            return self.compute(inputs, ctx)

    # --- weights

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """Every parameter with its name, `module.name` where there are several modules."""
        for prefix, module in self._named():
            for name, parameter in module.named_parameters():
                yield prefix + name, parameter

    def trainable_parameters(self) -> list[torch.nn.Parameter]:
        """The parameters that are not frozen, each once."""
        return list({id(p): p for _, p in self.named_parameters() if p.requires_grad}.values())

    def freeze(self, frozen: bool = True) -> None:
        """Take all its parameters out of training, or back in."""
        for _, parameter in self.named_parameters():
            parameter.requires_grad_(not frozen)

    def state_dict(self) -> dict[str, Any]:
        """Its tensors by name, not copied."""
        return {prefix + name: value for prefix, m in self._named() for name, value in m.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over tensors; nothing is changed unless all fit: ConfigError names those that do not."""
        there = self.state_dict()
        wrong = [f"{name} is missing" for name in there.keys() - state.keys()]
        wrong += [f"{name} is not of this block; {close_names(name, there)}" for name in state.keys() - there.keys()]
        wrong += [
            f"{name} is {tuple(state[name].shape)}, here {tuple(there[name].shape)}"
            for name in there.keys() & state.keys()
            if state[name].shape != there[name].shape
        ]
        if wrong:
            raise ConfigError(f"the weights do not fit: {'; '.join(sorted(wrong)[:5])}", path=self.label)
        with torch.no_grad():
            for name, value in there.items():
                value.copy_(state[name])

    def adopt(self, modules: Mapping[str, torch.nn.Module]) -> None:
        """Compute with these in place of its own, by their names in `modules()`: a checkpoint says who shares one.

        It is the attribute that holds the old one, or that is called so; else whatever it has that adopts modules.
        """
        there = self.modules()
        self.from_ref = False
        for name, module in modules.items():
            kept = [attribute for attribute, value in vars(self).items() if value is there.get(name, self)]
            for attribute in kept or [name] * (name in vars(self)):
                setattr(self, attribute, module)
            if not kept and name not in vars(self):
                for holder in [value for value in vars(self).values() if callable(getattr(value, "adopt", None))]:
                    holder.adopt({name: module})

    def _named(self) -> list[tuple[str, torch.nn.Module]]:
        modules = self.modules()
        return [("" if len(modules) == 1 else f"{name}.", module) for name, module in modules.items()]


class NeuralBlock(Neural):
    """A torch module, or a function over tensors: `NeuralBlock(torch.nn.Linear(4, 2))`.

    module      its `forward` (or the function) gives the ports: positional parameters are inputs, those with a default
                optional; keyword-only ones and `*args` cannot be fed
    outputs     names of several outputs, when it returns a mapping or a tuple; by default one, `output`
    block_type  the name under which a config builds it (see `register`), with the `config` that it was built from
    """

    def __init__(
        self,
        module: torch.nn.Module | Callable[..., Any],
        *,
        name: str = "",
        outputs: Any = None,
        block_type: str = "",
        config: Mapping[str, Any] | None = None,
    ) -> None:
        signature = read_signature(module.forward if isinstance(module, torch.nn.Module) else module, outputs)
        if signature.config:
            names = ", ".join(signature.config)
            hint = "functools.partial(function, ...)"
            raise ConfigError(f"keyword-only parameters cannot be fed: {names}", hint=hint)
        self.module = module
        self.name = name or getattr(module, "__name__", type(module).__name__.lower()).strip("<>")
        self.block_type = block_type
        self._config = dict(config or {})
        self._signature = signature

    @property
    def spec(self) -> Spec:
        """The ports, read from the signature."""
        return self._signature.spec

    @property
    def label(self) -> str:
        """The module's name."""
        return self.block_id or self.name

    @property
    def config(self) -> dict[str, Any]:
        """What it was built from; ConfigError where that is not known."""
        if not self.block_type:
            hint = '@register("backbone/mine") above a function of its config that returns NeuralBlock(...)'
            raise ConfigError(f"the module {self.name} is not registered, so it cannot be saved", hint=hint)
        return dict(self._config)

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        """The module; it moves where a run wants it."""
        return {"module": moved(self.module, device)} if isinstance(self.module, torch.nn.Module) else {}

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Call it."""
        context = {self._signature.context: ctx} if self._signature.context else {}
        given = self.module(**self._placed(inputs, ctx.device), **context)
        names = list(self.spec.outputs)
        if not self._signature.several:
            return {names[0]: given}
        return dict(given) if isinstance(given, Mapping) else dict(zip(names, given, strict=True))

    def _placed(self, inputs: Mapping[str, Any], device: str | None) -> dict[str, Any]:
        """The inputs where the weights are; of a function, on the device of the run."""
        where: Any = device
        if isinstance(self.module, torch.nn.Module):
            weights = next(moved(self.module, device).parameters(), None)
            where = device if weights is None else weights.device
        if where is None:
            return dict(inputs)
        return {n: v.to(where) if isinstance(v, torch.Tensor) else v for n, v in inputs.items()}


def _precise(ctx: RunContext) -> torch.autocast | nullcontext[None]:
    """The mixed precision that a training asks for: torch keeps it per thread, so it is set where the work is done."""
    asked = ctx.run.options.get("precision")
    if asked is None:
        return nullcontext()
    kind = torch.device(ctx.device or "cpu").type
    return torch.autocast(kind, dtype=torch.bfloat16 if asked == "bf16" else torch.float16)


@lru_cache
def _fault_of(device: str) -> str:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return str(error).strip().splitlines()[0]
    return ""


def require_device(device: str, path: str) -> None:
    """ConfigError for a device that is not here."""
    if fault := _fault_of(device):
        raise ConfigError(f"there is no device {device!r}: {fault}", path=path, hint="device: cpu")


def moved(module: torch.nn.Module, device: str | None) -> torch.nn.Module:
    """The module, on a device; None: where it is. What is there already is not looked through."""
    weights = next(module.parameters(), None)
    if device is None or (weights is not None and weights.device == torch.device(device)):
        return module
    return module.to(device)


def is_module(what: Any) -> bool:
    """Whether it is a torch module."""
    return isinstance(what, torch.nn.Module) and not inspect.isclass(what)
