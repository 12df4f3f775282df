"""The loop of a training. What a step does follows from the weights, the seed and the number of the step alone."""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import anyio
import anyio.to_thread

from yggdrasil.abc.context import Run, RunContext
from yggdrasil.core.canonical import derive
from yggdrasil.core.events import Progress
from yggdrasil.errors import ConfigError, RunError
from yggdrasil.levels.places import places
from yggdrasil.runtime.call import located
from yggdrasil.training.average import Average
from yggdrasil.training.data import Piece, Rows
from yggdrasil.training.fitted import Fitted, Step
from yggdrasil.training.forward import Forward
from yggdrasil.training.keeping import Keeping
from yggdrasil.training.losses import Loss
from yggdrasil.training.optimize import flat_state, optimizer_for, restore_state, schedule_for
from yggdrasil.training.places import Level
from yggdrasil.training.plan import TrainPlan
from yggdrasil.training.processes import accelerator_for, add_up, alike, device_for
from yggdrasil.training.settings import Settings
from yggdrasil.training.tensorboard import EventFile

OnStep = Callable[[Step], Any]


class Trainer:
    """One training of one level in one process; `run` it once."""

    def __init__(
        self,
        level: Level,
        plan: TrainPlan,
        settings: Settings,
        data: Any,
        *,
        collate: Callable[[list[Any]], Mapping[str, Any]] | None = None,
        device: str | None = None,
        keeping: Keeping | None = None,
        every: int | None = None,
        logs: str | None = None,
        on_step: OnStep | None = None,
        context: RunContext,
    ) -> None:
        self.accelerator = accelerator_for(settings.precision, device)
        self._device = device_for(self.accelerator, device)
        self._ranks, self._rank = self.accelerator.num_processes, self.accelerator.process_index
        self._level, self._plan, self._settings = level, plan, settings
        pieces = settings.accumulate * self._ranks
        self._rows = Rows(data, settings.batch_size, pieces, settings.seed, settings.shuffle, collate)
        self.total = settings.total(self._rows.steps)
        self._forward = Forward(level, plan.losses)
        self._parameters = {p.name: p.parameter for p in plan.learning}
        self._modules = _modules(level)
        self._keeping, self._every, self._logs, self._on_step = keeping, every, logs, on_step
        self._ctx = context
        self.step = 0
        self._curve: list[Step] = []
        self._sums: dict[str, float] = {}
        self._seen: set[str] = set()
        self._norm = 0.0

    async def run(self, *, resume: bool) -> Fitted:
        """Train to the end. However it ends, what it has come to is kept, where it is kept at all."""
        with ExitStack() as stack:
            stack.enter_context(_same_luck())
            stack.enter_context(self._learning())
            self._prepare()
            if self._keeping is not None and self._keeping.steps():
                self._take_up(resume)
            log = stack.enter_context(EventFile(self._logs)) if self._logs and self._rank == 0 else None
            self._buffers = {} if self._keeping is None else self._changing()
            try:
                while self.step < self.total:
                    await self._one(log)
            except BaseException:
                if self._keeping is not None and self.step and self._rank == 0 and not self._is_kept():
                    with anyio.CancelScope(shield=True):
                        await anyio.to_thread.run_sync(self._write, self._buffers)
                raise
            if self._keeping is not None and not self._is_kept():
                await self._keep()
        unreached = tuple(name for name in self._parameters if name not in self._seen) if self._seen else ()
        folder = None if self._keeping is None else self._keeping.folder
        return Fitted(self._plan, tuple(self._curve), self._average, unreached, folder)

    # --- before

    @contextmanager
    def _learning(self) -> Iterator[None]:
        """Only what learns wants gradients, and only modules that learn are in training mode; undone afterwards."""
        kept = [(p.parameter, p.parameter.requires_grad) for p in self._plan.parameters]
        modes = [(m, m.training) for module in self._modules.values() for m in module.modules()]
        mine = {id(p) for p in self._parameters.values()}
        for parameter, _ in kept:
            parameter.requires_grad_(id(parameter) in mine)
        users = {path for p in self._plan.learning if p.name.startswith("adapters/") for path in p.users}
        for name, module in self._modules.items():
            module.train(name.partition(":")[0] in users or any(id(p) in mine for p in module.parameters()))
        try:
            yield
        finally:
            for parameter, wanted in kept:
                parameter.requires_grad_(wanted)
                parameter.grad = None
            for module, mode in modes:
                module.training = mode

    def _prepare(self) -> None:
        for module in self._modules.values():
            module.to(self._device)
        everything = [p.parameter for p in self._plan.parameters] + list(self._changing(copied=False).values())
        alike(self.accelerator, everything)
        said = self._settings
        plain = optimizer_for(self._plan, said.optimizer, said.lr, said.weight_decay)
        self._optimizer = plain
        self._stepping = self.accelerator.prepare_optimizer(plain)
        self._schedule = schedule_for(plain, said.schedule, said.warming(self.total), self.total)
        self._average = None if said.ema is None else Average(self._parameters, said.ema)

    def _changing(self, *, copied: bool = True) -> dict[str, Any]:
        """Buffers that a step changes (running means and the like) of modules that learn, by name."""
        found = {}
        for name, module in self._modules.items():
            if module.training:
                kept = module.state_dict(keep_vars=True)
                for own, buffer in module.named_buffers():
                    if own in kept:
                        found[f"{name}:{own}"] = buffer.detach().clone() if copied else buffer
        return found

    # --- a step

    async def _one(self, log: EventFile | None) -> None:
        began = time.monotonic()
        self._sums = {}
        self._stepping.zero_grad(set_to_none=True)
        for piece in await anyio.to_thread.run_sync(self._pieces):
            await self._piece(piece)
        await anyio.to_thread.run_sync(self._update, began)
        if self._keeping is not None:
            self._buffers = self._changing()
        told = self._curve[-1]
        if self.step == 1 and (lost := [name for name in self._parameters if name not in self._seen]):
            self._ctx.warn(f"no gradient reached {', '.join(lost[:5])}{', ...' if len(lost) > 5 else ''}")
        if log is not None:
            log.scalars(self.step, _scalars(told))
        self._ctx.emit(Progress, done=self.step, total=self.total, note=f"loss {told.loss:.4g}")
        if self._on_step is not None:
            given = self._on_step(told)
            if inspect.isawaitable(given):
                await given
        if self._keeping is not None and self._every and self.step % self._every == 0:
            await self._keep()
        await anyio.lowlevel.checkpoint()

    def _pieces(self) -> list[Piece]:
        _seed(derive(self._settings.seed, "rows", self.step, self._rank))  # for data that are made when asked for
        return self._rows.step(self.step, self._rank, self._ranks)

    async def _piece(self, piece: Piece) -> None:
        seed = derive(self._settings.seed, "step", self.step, "piece", piece.number)
        _seed(seed)
        batch = {name: _there(value, self._device) for name, value in piece.batch.items()}
        precision = self.accelerator.mixed_precision
        run = self._ctx.run.under(
            seed=seed,
            training=True,
            hooks=(),
            device=str(self._device),
            options={} if precision == "no" else {"precision": precision},
        )
        here = RunContext(run, self._ctx.name, self._ctx.parent, self._ctx.budget)
        try:
            outputs = await self._forward(batch, here)
        finally:
            self._ctx.run.absorb(run)
        await anyio.to_thread.run_sync(self._backward, outputs, batch, piece.share)

    def _backward(self, outputs: Mapping[str, Any], batch: Mapping[str, Any], share: float) -> None:
        import torch

        with torch.enable_grad():
            values = [(loss, self._value(loss, outputs, batch)) for loss in self._plan.losses]
            total = sum((value * loss.weight for loss, value in values), torch.zeros((), device=values[0][1].device))
        for loss, value in values:
            self._sums[loss.name] = self._sums.get(loss.name, 0.0) + share * float(value.detach())
        self._sums["loss"] = self._sums.get("loss", 0.0) + share * float(total.detach())
        if not torch.isfinite(total):
            said = ", ".join(f"{loss.name} {float(value.detach()):g}" for loss, value in values)
            hint = f"lr={self._settings.lr / 10:g}, clip=1.0; or look at the batch"
            raise RunError(f"the loss is no number at step {self.step + 1}: {said}", path=self._ctx.path, hint=hint)
        if not total.requires_grad:
            stops = "; ".join(f"{s.path}: {s.reason}" for s in self._plan.stops) or "a function left torch, or detached"
            raise ConfigError(f"no gradient goes from the losses to what is to learn: {stops}", path=self._ctx.path)
        self.accelerator.backward(total * share)

    def _value(self, loss: Loss, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
        try:
            return loss.value(outputs, batch)
        except Exception as error:
            failure = located(error, f"{self._ctx.path}/{loss.name}")
            if failure is error:
                raise
            raise failure from failure.__cause__

    def _update(self, began: float) -> None:
        """All that changes the state of the training, in one go that cannot be cancelled half way."""
        import torch

        parameters = list(self._parameters.values())
        add_up(self.accelerator, parameters)
        self._seen.update(name for name, p in self._parameters.items() if p.grad is not None)
        limit = self._settings.clip
        if limit is None:
            norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        else:
            norm = self.accelerator.clip_grad_norm_(parameters, limit)
        rates = tuple(group["lr"] for group in self._optimizer.param_groups)
        self._stepping.step()
        self._schedule.step()
        self.step += 1
        if self._average is not None:
            self._average.update(self.step)
        losses = self._everywhere(self._sums)
        epoch = 0 if self._rows.steps is None else (self.step - 1) // self._rows.steps
        loss = losses.pop("loss")
        self._curve.append(Step(self.step, epoch, loss, losses, rates, float(norm), time.monotonic() - began))

    def _everywhere(self, sums: Mapping[str, float]) -> dict[str, float]:
        """What was summed here, over all processes; one may have had no piece of a last, short step."""
        import torch

        names = [*(loss.name for loss in self._plan.losses), "loss"]
        if self._ranks == 1:
            return {name: sums[name] for name in names}
        values = torch.tensor([sums.get(name, 0.0) for name in names], dtype=torch.float64)
        return dict(
            zip(names, self.accelerator.reduce(values.to(self.accelerator.device), "sum").tolist(), strict=True)
        )

    # --- kept

    def _is_kept(self) -> bool:
        assert self._keeping is not None
        return self.step in self._keeping.steps()

    async def _keep(self) -> None:
        if self._rank == 0:
            await anyio.to_thread.run_sync(self._write, self._changing(copied=False))
        self.accelerator.wait_for_everyone()
        if self._rank and self.step == self.total:  # who leaves at once closes what gloo's other end still reads
            await anyio.sleep(0.5)

    def _write(self, buffers: Mapping[str, Any]) -> None:
        assert self._keeping is not None
        tensors = {f"parameter/{name}": p for name, p in self._parameters.items()}
        tensors |= {f"buffer/{name}": b for name, b in buffers.items()}
        flat, numbers = flat_state(self._optimizer)
        tensors |= {f"optimizer/{name}": t for name, t in flat.items()}
        if self._average is not None:
            tensors |= {f"average/{name}": t for name, t in self._average.values.items()}
        scaler = self.accelerator.scaler
        about = {
            "step": self.step,
            "asked": self._asked(),
            "optimizer": numbers,
            "schedule": {k: v for k, v in self._schedule.state_dict().items() if k != "lr_lambdas"},
            "scaler": None if scaler is None else scaler.state_dict(),
            "seen": sorted(self._seen),
            "curve": [step.to_json() for step in self._curve],
        }
        self._keeping.write(self.step, about, tensors)

    def _asked(self) -> dict[str, Any]:
        """What must be the same for a training to go on as if it had never stopped."""
        said = self._settings
        name = said.optimizer if isinstance(said.optimizer, str) else getattr(said.optimizer, "__name__", "function")
        return {
            "optimizer": name,
            "seed": said.seed,
            "shuffle": said.shuffle,
            "rows": self._rows.count,
            "batch_size": said.batch_size,
            "batches in a step": said.accumulate * self._ranks,
            "ema": said.ema,
            "learning": list(self._parameters),
            "losses": [loss.name for loss in self._plan.losses],
        }

    def _take_up(self, resume: bool) -> None:
        """Go on from the last step that is kept. ConfigError when it is of another training; nothing changes then."""
        import torch

        assert self._keeping is not None
        last, folder = self._keeping.steps()[-1], str(self._keeping.folder)
        if not resume:
            hint = "resume=True, or checkpoint= another folder"
            raise ConfigError(f"a training is kept here already, at step {last}", path=folder, hint=hint)
        about, tensors = self._keeping.read(last)
        asked = self._asked()
        for name, value in asked.items():
            if about["asked"].get(name) != value:
                sentence = f"the training that is kept has another {name}: {about['asked'].get(name)}, now {value}"
                raise ConfigError(sentence, path=folder, hint="ask for the same, or checkpoint= another folder")
        there = {f"parameter/{n}": p for n, p in self._parameters.items()}
        there |= {f"buffer/{n}": b for n, b in self._changing(copied=False).items()}
        if self._average is not None:
            there |= {f"average/{n}": t for n, t in self._average.values.items()}
        for name, value in there.items():
            if name not in tensors or tensors[name].shape != value.shape:
                found = tuple(tensors[name].shape) if name in tensors else "missing"
                raise ConfigError(f"{name} is {found}, here {tuple(value.shape)}", path=folder)
        with torch.no_grad():
            for name, value in there.items():
                value.copy_(tensors[name])
        own = {n.removeprefix("optimizer/"): t for n, t in tensors.items() if n.startswith("optimizer/")}
        restore_state(self._optimizer, own, about["optimizer"])
        self._schedule.load_state_dict({**self._schedule.state_dict(), **about["schedule"]})
        if about["scaler"] is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(about["scaler"])
        self._seen = set(about["seen"])
        self._curve = [Step.from_json(data) for data in about["curve"]]
        self.step = about["step"]


def _modules(level: Level) -> dict[str, Any]:
    """Every module of the level once, by `path:name`."""
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for place in places(level):
        for name, module in getattr(place.block, "modules", dict)().items():
            if id(module) not in seen:
                seen.add(id(module))
                found[f"{place.path}:{name}"] = module
    return found


def _scalars(step: Step) -> dict[str, float]:
    rates = {f"lr/{n}" if len(step.rates) > 1 else "lr": rate for n, rate in enumerate(step.rates)}
    losses = {f"loss/{name}": value for name, value in step.losses.items()} if len(step.losses) > 1 else {}
    return {"loss": step.loss, **losses, **rates, "gradient": step.norm}


def _there(value: Any, device: Any) -> Any:
    import torch

    return value.to(device) if isinstance(value, torch.Tensor) else value


def _seed(seed: int) -> None:
    """Set the generators that modules and data may use without being given one."""
    import numpy
    import torch

    torch.manual_seed(seed)
    random.seed(seed)
    numpy.random.seed(seed % 2**32)


@contextmanager
def _same_luck() -> Iterator[None]:
    """Leave the process's random generators as they were found."""
    import numpy
    import torch

    kept = random.getstate(), numpy.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(kept[0])
            numpy.random.set_state(kept[1])


def context_for(level: Level, seed: int, hooks: tuple[Any, ...], adapters: Mapping[str, Any] | None) -> RunContext:
    """Where a training tells what it does."""
    return RunContext(Run(seed=seed, hooks=hooks, training=True, adapters=adapters or {}), level.label)
