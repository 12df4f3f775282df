"""Losses as data: which output is held against which column of the batch, how, and how much it counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, PortError, UnknownTypeError, close_names

Function = Callable[..., Any]

_REGISTERED: dict[str, Function] = {}

_NO_OPTIONS: Mapping[str, Any] = {}


class Loss(Value):
    """One loss.

    of       the outputs it takes: `pred` of the level, or `path/node.port` of a node inside
    kind     a registered name, or a function of these outputs and the target that gives a number
    target   a column of the batch, or an output; "" when it needs none
    weight   what it counts among the others
    options  what its function takes by name
    """

    of: tuple[str, ...]
    kind: str | Function
    target: str = ""
    weight: float = 1.0
    options: Mapping[str, Any] = _NO_OPTIONS

    @property
    def name(self) -> str:
        """What logs call it: `mse(solver.pred)`."""
        kind = self.kind if isinstance(self.kind, str) else getattr(self.kind, "__name__", "loss")
        return f"{kind}({', '.join(self.of)})"

    def to_config(self) -> dict[str, Any]:
        """As JSON; ConfigError for a function that is not registered."""
        if not isinstance(self.kind, str):
            hint = f'register_loss("mine", {getattr(self.kind, "__name__", "function")})'
            raise ConfigError(f"the loss {self.name} is a function, which cannot be saved", hint=hint)
        said: dict[str, Any] = {"of": list(self.of), "loss": self.kind}
        if self.target:
            said["target"] = self.target
        if self.weight != 1.0:
            said["weight"] = self.weight
        return said | dict(self.options)

    def value(self, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
        """The loss, a tensor of no dimensions; PortError when something is not there or gives no number."""
        import torch

        taken = [self._found(name, outputs, {}) for name in self.of]
        if self.target:
            taken.append(self._found(self.target, outputs, batch))
        first = taken[0]
        if isinstance(first, torch.Tensor):
            taken = [t.to(first.device) if isinstance(t, torch.Tensor) else t for t in taken]
        function = _registered(self.kind) if isinstance(self.kind, str) else self.kind
        given = function(*taken, **self.options)
        if isinstance(given, bool | int | float):
            return torch.tensor(float(given))  # without a gradient: for `search`
        if not isinstance(given, torch.Tensor) or given.numel() != 1:
            shape = tuple(given.shape) if isinstance(given, torch.Tensor) else type(given).__name__
            raise PortError(f"the loss {self.name} gave {shape}, not one number", hint="return loss.mean()")
        return given.reshape(()).float()

    def _found(self, name: str, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
        for values in (batch, outputs):
            if name in values:
                return values[name]
        there = [*batch, *outputs]
        raise PortError(f"the loss {self.name} needs {name!r}, which did not come; {close_names(name, there)}")


def register_loss(name: str, function: Function) -> Function:
    """Name a loss: a function of outputs, and of a target where it needs one, that gives one number.

    ConfigError when the name is taken by another one.
    """
    if _REGISTERED.setdefault(name, function) is not function or name in _STOCK:
        raise ConfigError(f"the loss {name!r} is there already", hint=f'register_loss("my_{name}", ...)')
    return function


def _functional(name: str, **fixed: Any) -> Function:
    def loss(output: Any, target: Any, **options: Any) -> Any:
        import torch

        floating = target.is_floating_point()
        return getattr(torch.nn.functional, name)(
            output.float(), target.float() if floating else target, **fixed, **options
        )

    return loss


def _cross_entropy(output: Any, target: Any, *, dim: int = 1, **options: Any) -> Any:
    """Scores over classes along `dim` against whole numbers (-100 counts for nothing) or probabilities."""
    import torch

    scores = output.float() if dim == 1 else output.float().movedim(dim, 1)
    return torch.nn.functional.cross_entropy(scores, target, **options)


def _cosine(output: Any, target: Any) -> Any:
    """1 - the cosine of the angle between the last axes."""
    import torch

    return 1 - torch.nn.functional.cosine_similarity(output.float(), target.float(), dim=-1).mean()


def _mean(output: Any) -> Any:
    """The output as it is, on average: for a block that makes its own loss."""
    return output.float().mean()


def _mismatch(output: Any, target: Any) -> float:
    """The share of values that differ: 0 when all are the same. It has no gradient; `search` makes it small."""
    pairs = list(zip(output, target, strict=True)) if isinstance(target, list | tuple) else [(output, target)]
    return sum(bool(one != other) for one, other in pairs) / len(pairs)


_STOCK: Mapping[str, Function] = {
    "mse": _functional("mse_loss"),
    "l1": _functional("l1_loss"),
    "huber": _functional("huber_loss"),
    "smooth_l1": _functional("smooth_l1_loss"),
    "cross_entropy": _cross_entropy,
    "bce": _functional("binary_cross_entropy_with_logits"),
    "kl": _functional("kl_div", reduction="batchmean"),
    "cosine": _cosine,
    "mean": _mean,
    "mismatch": _mismatch,
}
"""The losses that are there, of torch.nn.functional, by short names; `bce` takes logits, `kl` log-probabilities."""


def _registered(name: str) -> Function:
    found = _STOCK.get(name) or _REGISTERED.get(name)
    if found is None:
        known = {*_STOCK, *_REGISTERED}
        raise UnknownTypeError(f"no loss {name!r}; {close_names(name, known)}", hint='register_loss("mine", function)')
    return found


def read_losses(given: Any) -> tuple[Loss, ...]:
    """Losses from what a caller or a file says; ConfigError for what says none.

    {"pred": ("mse", "target")}                      output: (loss, column)
    {"pred": ("mse", "target", 0.5)}                 and what it counts
    {"value": "mean", "pred": function}              without a target
    {"pred": [("mse", "target"), ("l1", "target")]}  several
    [{"of": ["pred"], "loss": "huber", "target": "target", "delta": 0.5}]
    """
    if isinstance(given, Mapping):
        found = [loss for of, said in given.items() for loss in _several(of, said)]
    elif isinstance(given, Sequence) and not isinstance(given, str):
        found = [said if isinstance(said, Loss) else _loss(_of(said), said) for said in given]
    else:
        found = []
    if not found:
        raise ConfigError("there is no loss", hint='losses={"pred": ("mse", "target")}')
    return tuple(found)


def _of(said: Any) -> Any:
    if not isinstance(said, Mapping) or "of" not in said:
        raise ConfigError(f"{said!r} does not say of which output it is a loss", hint='{"of": ["pred"], "loss": "mse"}')
    return said["of"]


def _several(of: Any, said: Any) -> list[Loss]:
    return [_loss(of, one) for one in said] if isinstance(said, list) else [_loss(of, said)]


def _loss(of: Any, said: Any) -> Loss:
    outputs = (of,) if isinstance(of, str) else tuple(of) if isinstance(of, list | tuple) else ()
    if not outputs or not all(isinstance(name, str) and name for name in outputs):
        raise ConfigError(f"{of!r} names no output that a loss is of", hint='losses={"pred": ("mse", "target")}')
    if isinstance(said, Mapping):
        options = {str(k): v for k, v in said.items() if k not in ("of", "loss", "target", "weight")}
        parts = (said.get("loss"), said.get("target", ""), said.get("weight", 1.0))
    else:
        options = {}
        parts = (*said, *("", 1.0)[len(said) - 1 :]) if isinstance(said, tuple) and said else (said, "", 1.0)
    if len(parts) != 3:
        raise ConfigError(f"the loss of {', '.join(outputs)} is {said!r}", hint='("mse", "target", 1.0)')
    kind, target, weight = parts
    if isinstance(kind, str):
        _registered(kind)
    elif not callable(kind):
        raise ConfigError(f"the loss of {', '.join(outputs)} is {kind!r}", hint='"mse", or a function')
    if not isinstance(target, str) or not isinstance(weight, int | float) or isinstance(weight, bool):
        raise ConfigError(f"the loss of {', '.join(outputs)} is {said!r}", hint='("mse", "target", 1.0)')
    return Loss(outputs, kind, target, float(weight), options)
