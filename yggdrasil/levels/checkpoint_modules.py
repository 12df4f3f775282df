"""The modules of a level: each one once with all its users, written as records, and put back so that they share again.

A module is known by its identity, a tensor by the memory it lies in: what shares on one side shares on the other.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.runnable import Runnable
from yggdrasil.errors import ConfigError, Problem, close_names
from yggdrasil.levels.checkpoint_format import Origin, Tensor, Tie, Weights
from yggdrasil.levels.checkpoint_tensors import Mapped, shards
from yggdrasil.runtime.pool import POOL
from yggdrasil.storage.archive import Part
from yggdrasil.storage.tensor_bytes import TensorBytes, dtype_name, tensor_bytes

if TYPE_CHECKING:
    from yggdrasil.blocks.neural import Neural

Places = Mapping[str, Runnable]
"""The blocks of a level by path."""


@dataclass
class Used:
    """A module and the places that use it, each with the names it has there."""

    module: Any
    users: dict[str, list[str]] = field(default_factory=dict)


def neural(block: Any) -> Neural | None:
    """The block, when it computes with torch."""
    known = sys.modules.get("yggdrasil.blocks.neural")
    return block if known is not None and isinstance(block, known.Neural) else None


def modules_of(places: Places) -> list[Used]:
    """Every module, once, in the order of paths."""
    found: dict[int, Used] = {}
    for path, block in places.items():
        made = neural(block)
        for name, module in (made.modules() if made is not None else {}).items():
            found.setdefault(id(module), Used(module)).users.setdefault(path, []).append(name)
    return list(found.values())


# --- written


def write_modules(places: Places, parts: dict[str, Part], size: int, *, nonfinite: bool = False) -> list[Weights]:
    """A record for every module; its files go into `parts`. ConfigError for what cannot be written.

    nonfinite   whether parameters may hold NaN or infinity
    """
    seen: dict[Any, Tie] = {}
    found = modules_of(places)
    for used in () if nonfinite else found:
        path = next(iter(used.users))
        for name, value in used.module.named_parameters():
            if not value.is_meta and not _finite(value):
                hint = "save_checkpoint(..., nonfinite=True)   # when it is meant"
                raise ConfigError(f"{name} holds NaN or infinity", path=path, hint=hint)
    return [_written(used, number, seen, parts, size, nonfinite) for number, used in enumerate(found)]


def _written(
    used: Used, number: int, seen: dict[Any, Tie], parts: dict[str, Part], size: int, nonfinite: bool
) -> Weights:
    path, module = next(iter(used.users)), used.module
    own: dict[str, TensorBytes] = {}
    ties: dict[str, Tie] = {}
    for name, value in module.state_dict(keep_vars=True).items():
        if not hasattr(value, "data_ptr"):
            sentence = f"{name} is {type(value).__name__}, not a tensor"
            raise ConfigError(sentence, path=path, hint="keep it in the block's config")
        _ready(value, name, path)
        made = tensor_bytes(value, f"{path}: {name}")
        same = (value.data_ptr(), value.dtype, tuple(value.shape), value.stride(), value.device)
        tie = seen.setdefault(same if value.numel() else id(value), Tie(record=number, name=name))
        if tie.record == number and tie.name == name:
            own[name] = made
        else:
            ties[name] = tie
    files, lies = shards(own, parts, size)
    tensors = {n: Tensor(dtype=t.dtype, shape=list(t.shape), file=lies[n]) for n, t in own.items()}
    frozen = sorted(n for n, p in module.named_parameters() if not p.requires_grad)
    whole = bool(frozen) and len(frozen) == len(list(module.parameters()))
    return Weights(
        users={user: sorted(names) for user, names in used.users.items()},
        origin=_origin(module),
        training=module.training,
        unlike=sorted(name for name, inner in module.named_modules() if inner.training != module.training),
        frozen=whole or frozen or False,
        nonfinite=nonfinite,
        files=files,
        tensors=tensors,
        ties=ties,
    )


def _ready(value: Any, name: str, path: str) -> None:
    if type(value).__name__.startswith("Uninitialized"):
        raise ConfigError(f"{name} has no shape yet", path=path, hint="run the block once before it is saved")


def _origin(module: Any) -> Origin | None:
    key = POOL.key_of(module)
    if key is None:
        return None
    return Origin(kind=key.kind, ref=key.ref, revision=key.revision, options=key.options, dtype=key.dtype)


# --- and back


@dataclass
class Meant:
    """A record and the places that it is for: the blocks with the names, and the modules that are there now."""

    record: Weights
    tensors: Mapped
    path: str
    spots: list[tuple[Any, str, Any]]
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def module(self) -> Any:
        """The one that will serve all."""
        return self.spots[0][2]


def match_modules(places: Places, records: list[tuple[Weights, Mapped]], label: str) -> list[Meant]:
    """Which record is for which modules; nothing is changed. ConfigError names by path all that does not fit."""
    problems: list[Problem] = []
    meant = [_meant(places, weights, mapped, label, problems) for weights, mapped in records]
    claimed: dict[int, str] = {}
    for one in meant:
        for module in {id(module) for _, _, module in one.spots}:
            other = claimed.setdefault(module, one.path)
            if other != one.path:
                problems.append(Problem(one.path, f"shares its module with {other}, in the checkpoint it does not"))
    for used in modules_of(places):
        if id(used.module) not in claimed and used.module.state_dict():
            path = f"{label}/{next(iter(used.users))}"
            problems.append(Problem(path, "the checkpoint has no weights for it"))
    if not problems:
        for one in meant:
            one.values = {name: one.tensors.tensor(name) for name in one.record.tensors}
        for one in meant:
            one.values |= {n: meant[tie.record].values[tie.name] for n, tie in one.record.ties.items()}
            problems += _misfits(one)
    _refuse(problems)
    return meant


def _meant(places: Places, weights: Weights, mapped: Mapped, label: str, problems: list[Problem]) -> Meant:
    spots = []
    for path, names in weights.users.items():
        block = neural(places.get(path))
        if block is None:
            what = "which computes without weights" if path in places else f"which is not here; {_close(path, places)}"
            problems.append(Problem(f"{label}/{path}", f"the checkpoint has weights for {path}, {what}"))
            continue
        there = block.modules()
        for name in names:
            if name in there:
                spots.append((block, name, there[name]))
            else:
                sentence = f"the checkpoint has weights for {name!r}; {close_names(name, there)}"
                problems.append(Problem(f"{label}/{path}", sentence))
    return Meant(weights, mapped, f"{label}/{next(iter(weights.users))}", spots)


def _close(path: str, places: Places) -> str:
    return close_names(path, [p for p, block in places.items() if neural(block) is not None])


def _misfits(one: Meant) -> list[Problem]:
    found: list[str] = []
    for module in {id(m): m for _, _, m in one.spots}.values():
        there = module.state_dict(keep_vars=True)
        found += [f"{name} is missing" for name in there.keys() - one.values.keys()]
        found += [
            f"{name} is not of this block; {close_names(name, there)}" for name in one.values.keys() - there.keys()
        ]
        for name in there.keys() & one.values.keys():
            value, here = one.values[name], there[name]
            if type(here).__name__.startswith("Uninitialized"):
                continue
            if value.shape != here.shape:
                found.append(f"{name} is {tuple(value.shape)}, here {tuple(here.shape)}")
            elif value.dtype != here.dtype and not (value.is_floating_point() and here.is_floating_point()):
                found.append(f"{name} is {dtype_name(value.dtype)}, here {dtype_name(here.dtype) or here.dtype}")
    if not found and not one.record.nonfinite:
        names = [name for name, _ in one.module.named_parameters()]
        found = [f"{name} holds NaN or infinity" for name in names if not _finite(one.values.get(name))]
    return [Problem(one.path, sentence) for sentence in sorted(set(found))]


def _finite(value: Any) -> bool:
    from yggdrasil.blocks.weights import is_finite

    return value is None or is_finite(value.detach())


def _refuse(problems: list[Problem]) -> None:
    if problems:
        first = problems[0]
        here = [p.sentence for p in problems if p.path == first.path]
        others = sorted({p.path for p in problems} - {first.path})
        sentence = "; ".join(here[:5]) + (f"; and {len(here) - 5} more" if len(here) > 5 else "")
        sentence += f"; others do not fit either: {', '.join(others[:5])}" if others else ""
        raise ConfigError(f"the weights do not fit: {sentence}", path=first.path)


def put_modules(meant: Iterable[Meant]) -> None:
    """Let everybody who shared a module share it again, and copy the tensors. Nothing is changed unless all can."""
    import torch

    listed = list(meant)
    chosen = [_own(one) for one in listed]
    undo: list[tuple[Any, str, Any]] = []
    try:
        for one, module in zip(listed, chosen, strict=True):
            for block, name, there in one.spots:
                if there is not module:
                    undo.append((block, name, there))
                    block.adopt({name: module})
                    if block.modules()[name] is not module:
                        sentence = f"{type(block).__name__} does not take another module for its {name!r}"
                        raise ConfigError(sentence, path=one.path, hint="adopt(modules) makes it compute with them")
    except ConfigError:
        for block, name, there in reversed(undo):
            block.adopt({name: there})
        raise
    with torch.no_grad():
        for one, module in zip(listed, chosen, strict=True):
            if POOL.key_of(module) is None:
                _fill(module, one.values)
            _modes(module, one.record)
    for one, module in zip(listed, chosen, strict=True):
        for name, tie in one.record.ties.items():
            _tie(module, name, chosen[tie.record], tie.name)


def _own(one: Meant) -> Any:
    """The module that takes the tensors: one from the pool stays what its ref says, and trained weights get a copy."""
    module = one.module
    if POOL.key_of(module) is None:
        return module
    there = module.state_dict()
    same = all(there[n].dtype == v.dtype and there[n].cpu().equal(v) for n, v in one.values.items())
    return module if same else copy.deepcopy(module)


def _fill(module: Any, values: Mapping[str, Any]) -> None:
    for name, here in module.state_dict(keep_vars=True).items():
        if here.dtype != values[name].dtype:  # as it was cast when it was saved
            here.data = here.data.to(values[name].dtype)
    module.load_state_dict(dict(values), strict=True)


def _modes(module: Any, record: Weights) -> None:
    module.train(record.training)
    inner = dict(module.named_modules())
    for name in record.unlike:
        if name in inner:
            inner[name].training = not record.training
    frozen = record.frozen
    names = None if isinstance(frozen, bool) else set(frozen)
    for name, parameter in module.named_parameters():
        if parameter.is_floating_point() or parameter.is_complex():
            parameter.requires_grad_(not (frozen if names is None else name in names))


def _tie(module: Any, name: str, other: Any, there: str) -> None:
    """Let two modules hold the same tensor, where both hold it under its name in their state."""
    (mine, attribute), (theirs, original) = _holder(module, name), _holder(other, there)
    for kind in ("_parameters", "_buffers"):
        own, source = getattr(mine, kind, {}), getattr(theirs, kind, {})
        if attribute in own and original in source and own[attribute] is not source[original]:
            own[attribute] = source[original]


def _holder(module: Any, name: str) -> tuple[Any, str]:
    path, _, attribute = name.rpartition(".")
    return dict(module.named_modules(remove_duplicate=False)).get(path), attribute
