"""Training in several processes, and with mixed precision: what accelerate is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from yggdrasil.errors import ConfigError
from yggdrasil.levels.places import places
from yggdrasil.training.places import Level

BUCKET = 8 * 1024 * 1024
"""Numbers that are sent to the other processes at once."""


def accelerator_for(precision: str | None, device: str | None) -> Any:
    """An Accelerator: the processes that `accelerate launch` or torchrun started, the device, the precision."""
    import torch
    from accelerate import Accelerator  # type: ignore[import-untyped]
    from accelerate.state import AcceleratorState  # type: ignore[import-untyped]

    # without a word it looks for a GPU only, and takes two processes on CPUs for two lone ones
    cpu = device == "cpu" or not torch.accelerator.is_available()
    precision = precision or os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if AcceleratorState._shared_state:  # it is one for the process: what a training before had is not this one's
        before = AcceleratorState()
        if (before.mixed_precision, before._cpu) != (precision, cpu):
            AcceleratorState._reset_state(reset_partial_state=before.num_processes == 1)
    try:
        return Accelerator(mixed_precision=precision, cpu=cpu)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(f"precision {precision!r} on {device or 'this machine'}: {error}") from error


def device_for(accelerator: Any, asked: str | None) -> Any:
    """Where to compute: as asked, else where accelerate says. ConfigError for a device that is not there."""
    import torch

    if asked is None:
        return accelerator.device
    try:
        found = torch.device(asked)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"device is {asked!r}", hint='device="cuda:0"') from error
    if found.type != accelerator.device.type:
        raise ConfigError(f"there is no {found} here, but {accelerator.device}", hint='device="cpu"')
    return found


def on_device(level: Level, precision: str | None, device: str | None) -> None:
    """Have what a level's blocks hold where it will be trained, before anybody looks at it. Blocks."""
    from yggdrasil.blocks.neural import Neural

    where = str(device_for(accelerator_for(precision, device), device))
    for place in places(level):
        if isinstance(place.block, Neural):
            place.block.modules(where)


def alike(accelerator: Any, tensors: Sequence[Any]) -> None:
    """Give every process the values that the first one has."""
    import torch

    if accelerator.num_processes > 1:
        with torch.no_grad():
            for tensor in tensors:
                torch.distributed.broadcast(tensor.detach(), 0)


def add_up(accelerator: Any, parameters: Sequence[Any]) -> None:
    """Sum gradients over the processes; where only some have one, the others count as zero."""
    import torch

    if accelerator.num_processes == 1:
        return
    there = torch.tensor([p.grad is not None for p in parameters], dtype=torch.int32, device=accelerator.device)
    some = accelerator.reduce(there, "sum").tolist()
    for bucket in _buckets([p for p, count in zip(parameters, some, strict=True) if count]):
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in bucket]
        flat: Any = torch.cat([g.reshape(-1) for g in grads])
        torch.distributed.all_reduce(flat)
        for p, part in zip(bucket, flat.split([p.numel() for p in bucket]), strict=True):
            p.grad = part.view_as(p).clone()


def _buckets(parameters: Sequence[Any]) -> Iterator[list[Any]]:
    """Parameters of one kind, some at a time."""
    bucket: list[Any] = []
    size = 0
    for parameter in parameters:
        other = bool(bucket) and (bucket[0].dtype, bucket[0].device) != (parameter.dtype, parameter.device)
        if bucket and (other or size + parameter.numel() > BUCKET):
            yield bucket
            bucket, size = [], 0
        bucket.append(parameter)
        size += parameter.numel()
    if bucket:
        yield bucket
