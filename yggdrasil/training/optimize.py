"""Optimizers and schedules by name, over the groups of a plan; and their state as tensors and JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yggdrasil.errors import ConfigError, close_names
from yggdrasil.training.plan import TrainPlan

OPTIMIZERS: Mapping[str, str] = {
    "adamw": "AdamW", "adam": "Adam", "adamax": "Adamax", "nadam": "NAdam", "radam": "RAdam", "sgd": "SGD",
    "rmsprop": "RMSprop", "adagrad": "Adagrad", "adadelta": "Adadelta", "adafactor": "Adafactor",
}  # fmt: skip
"""Those of torch.optim, by the names a config uses."""


def optimizer_for(plan: TrainPlan, kind: str | Callable[..., Any], lr: float, weight_decay: float | None) -> Any:
    """The optimizer over what learns, each parameter once, one of its groups per group of the plan.

    kind   a name of OPTIMIZERS, or a function of torch's parameter groups
    """
    import torch

    common: dict[str, Any] = {"lr": lr}
    if weight_decay is not None:
        common["weight_decay"] = weight_decay
    groups = []
    for number in range(-1, len(plan.groups)):
        mine = [p.parameter for p in plan.learning if p.group == number]
        if mine:
            said = {} if number < 0 else dict(plan.groups[number].options)
            said.pop("freeze", None)
            groups.append({"params": mine, **common, **said})
    if callable(kind):
        return _checked(kind, groups)
    if kind not in OPTIMIZERS:
        hint = "a name, or a function of parameter groups: lambda groups: torch.optim.SGD(groups)"
        raise ConfigError(f"no optimizer {kind!r}; {close_names(kind, OPTIMIZERS)}", hint=hint)
    made = getattr(torch.optim, OPTIMIZERS[kind])
    try:
        return made(groups, lr=lr)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the optimizer {kind} refuses its options: {error}") from error


def _checked(kind: Callable[..., Any], groups: list[dict[str, Any]]) -> Any:
    import torch

    try:
        found = kind(groups)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the optimizer refuses its groups: {error}") from error
    if not isinstance(found, torch.optim.Optimizer):
        hint = "lambda groups: torch.optim.SGD(groups)"
        raise ConfigError(f"the optimizer is {type(found).__name__}, not one of torch's", hint=hint)
    return found


SCHEDULES = (
    "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial",
)  # fmt: skip


def schedule_for(optimizer: Any, kind: str | Callable[[int], float], warmup: int, steps: int) -> Any:
    """How the learning rate goes: a schedule of diffusers by name, or a function from a step to a factor."""
    import torch

    if callable(kind):
        try:
            first = kind(0)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the schedule says nothing of step 0: {error}", hint="lambda step: 1.0") from error
        if isinstance(first, bool) or not isinstance(first, int | float):
            raise ConfigError(f"the schedule gives {first!r}, not a factor", hint="lambda step: 1.0")
        return torch.optim.lr_scheduler.LambdaLR(optimizer, kind)
    if kind == "constant" and not warmup:
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)  # without loading diffusers for it
    if kind not in SCHEDULES:
        raise ConfigError(f"no schedule {kind!r}; {close_names(kind, SCHEDULES)}", hint="a name, or step -> factor")
    from diffusers.optimization import get_scheduler

    name = "constant_with_warmup" if kind == "constant" else kind
    return get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=steps)


def flat_state(optimizer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Its state as (tensors by `index/name`, the rest as JSON). ConfigError for a state that is neither."""
    import torch

    state = optimizer.state_dict()
    tensors: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}/{name}"] = value
            elif value is None or isinstance(value, bool | int | float | str):
                numbers[f"{index}/{name}"] = value
            else:
                kind = type(optimizer).__name__
                raise ConfigError(f"{kind} keeps {name!r} as {type(value).__name__}, which cannot be saved exactly")
    groups = [{k: _plain(v) for k, v in group.items()} for group in state["param_groups"]]
    return tensors, {"state": numbers, "groups": groups}


def restore_state(optimizer: Any, tensors: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    """The reverse of `flat_state`, on an optimizer over the same parameters."""
    state: dict[int, dict[str, Any]] = {}
    for place, value in [*tensors.items(), *said["state"].items()]:
        index, _, name = place.partition("/")
        state.setdefault(int(index), {})[name] = value
    groups = [
        {k: tuple(v) if isinstance(there.get(k), tuple) else v for k, v in group.items()}
        for group, there in zip(said["groups"], optimizer.param_groups, strict=True)
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _plain(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.item()
    return list(value) if isinstance(value, tuple) else value
