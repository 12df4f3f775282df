"""`fit`: train a block, a graph, a pipeline, a stage or a world on data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from yggdrasil.abc.hook import Hook
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.events import RunFailed, RunFinished, RunStarted
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.runtime.threads import in_thread
from yggdrasil.training.fitted import Fitted
from yggdrasil.training.keeping import Keeping
from yggdrasil.training.places import Level
from yggdrasil.training.plan import TrainPlan, train_plan
from yggdrasil.training.processes import on_device
from yggdrasil.training.settings import Settings
from yggdrasil.training.trainer import OnStep, Trainer, context_for

PLAN = ("select", "groups", "losses")


async def fit(
    level: Level,
    data: Any,
    *,
    select: str | None = None,
    losses: Any = None,
    groups: Any = None,
    collate: Callable[[list[Any]], Mapping[str, Any]] | None = None,
    device: str | None = None,
    checkpoint: str | Path | None = None,
    every: int | None = None,
    resume: bool = True,
    logs: str | Path | None = None,
    on_step: OnStep | None = None,
    hooks: Iterable[Hook] = (),
    adapters: Mapping[str, Any] | None = None,
    **how: Any,
) -> Fitted:
    """Train in place what `select` names of a level, until its losses are small; what was done is a Fitted.

    data        rows (mappings) in a list or a torch Dataset, {column: tensor}, or a function from a number to a batch.
                Columns named like inputs of the level go in; losses may take any of them
    select      a glob over paths of blocks; by default "**", with adapters nothing but them
    losses      {"output": ("mse", "column")}, an inner output by `path/node.port`; see `losses.read_losses`
    groups      {glob: {"lr": ..., "weight_decay": ..., "freeze": True}}; see `train_plan`
    collate     makes a batch of rows; by default tensors and numbers are stacked, the rest is a list
    device      where; by default where accelerate says
    checkpoint  a folder to keep the training in, at its end, when it is stopped, and `every` so many steps. With
                `resume` a training that is kept there goes on, bit for bit as if it had never stopped
    logs        a folder for a TensorBoard event file
    on_step     called with each Step, may be async; hooks hear Progress
    adapters    what neural blocks compute with, as in `run(adapters=...)`; by default the world's own
    how         optimizer="adamw", lr=1e-4, weight_decay, schedule="constant" (or linear, cosine, polynomial, ...),
                warmup (steps, or a part of all), epochs or steps, batch_size=8, accumulate=1, clip (the length of the
                gradient), precision="no" ("bf16", "fp16"), ema (0.999), seed=0, shuffle=True

    What is not said is taken from the level's own `training`, as it was saved with it; afterwards that says what was
    done. Started by `accelerate launch` or torchrun it trains in all processes: a step has `batch_size` x `accumulate`
    rows of each. Random generators are set anew, from the seed, for each batch of each step.

    ConfigError before anything is spent; RunError when a loss is no number; what a block raises as in `run`.
    """
    said = {**_saved(level), **{k: v for k, v in how.items() if v is not None}}
    named = {"select": select, "groups": groups, "losses": losses}
    said |= {name: value for name, value in named.items() if value is not None}
    chosen = {name: said.pop(name) for name in PLAN if name in said}
    for name in said:
        if name not in Settings._fields:
            raise ConfigError(f"fit has no {name!r}; {close_names(name, Settings._fields)}", path=level.label)
    settings = Settings(**said)
    if "losses" not in chosen:
        raise ConfigError("there is no loss", path=level.label, hint='losses={"pred": ("mse", "target")}')
    adapters = adapters if adapters is not None else getattr(level, "adapters", None) or None
    if isinstance(level, Runnable):
        await in_thread(on_device, level, settings.precision, device)
    plan = train_plan(level, **chosen, adapters=adapters)
    if not plan.learning:
        hint = "await search(level, data, losses=...)   # yggdrasil.training.around"
        raise ConfigError(f"{', '.join(plan.searched)} learn by trying, not by gradients", path=level.label, hint=hint)
    context = context_for(level, settings.seed, tuple(hooks), adapters)
    trainer = Trainer(
        level, plan, settings, data, collate=collate, device=device, every=every, on_step=on_step, context=context,
        keeping=None if checkpoint is None else Keeping(checkpoint), logs=None if logs is None else str(logs),
    )  # fmt: skip
    context.emit(RunStarted, block="training")
    try:
        fitted = await trainer.run(resume=resume)
    except Exception as error:
        context.emit(RunFailed, error=str(error), error_type=type(error).__name__)
        raise
    level_says = getattr(level, "training", None)
    if isinstance(level_says, Mapping):
        level.training = _to_save(plan, settings)  # type: ignore[attr-defined]
    context.emit(RunFinished, result=fitted)
    return fitted


def _to_save(plan: TrainPlan, settings: Settings) -> dict[str, Any]:
    """What was done, for the level's document. Functions cannot be written: who trains it again gives them again."""
    said: dict[str, Any] = {"select": plan.select}
    if plan.groups:
        said["groups"] = {group.select: dict(group.options) for group in plan.groups}
    if all(isinstance(loss.kind, str) for loss in plan.losses):
        said["losses"] = [loss.to_config() for loss in plan.losses]
    return said | {name: value for name, value in settings.changed().items() if not callable(value)}


def _saved(level: Level) -> dict[str, Any]:
    return dict(getattr(level, "training", None) or {})
