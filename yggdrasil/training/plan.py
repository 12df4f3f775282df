"""What a training would change, said before anything is: parameters, groups, what stays, where gradients stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.levels.container import Container
from yggdrasil.levels.places import Place, places
from yggdrasil.levels.world import World
from yggdrasil.training.flow import reached
from yggdrasil.training.forward import Forward
from yggdrasil.training.losses import Loss, read_losses
from yggdrasil.training.places import Level, is_tried, parameters_of, stops

OPTIONS = ("lr", "weight_decay", "freeze", "betas", "eps", "momentum")
"""What a group may say of its parameters."""

_NO_OPTIONS: Mapping[str, Any] = {}


class Group(Value):
    """Parameters that learn alike: those of the blocks that the glob names, after the groups before it.

    select   a glob over paths; what follows a colon is one over the parameters' own names: `**/unet:*.bias`
    options  lr, weight_decay, freeze, betas, eps, momentum; what is not said is as for all
    """

    select: str
    options: Mapping[str, Any] = _NO_OPTIONS


class Learned(Value):
    """One parameter.

    name     `path:name` in the first of the blocks that use it
    users    the paths of all of them
    group    which group it is in; -1: none
    frozen   why it does not learn; "" when it does
    """

    name: str
    users: tuple[str, ...]
    parameter: Any
    group: int = -1
    frozen: str = ""

    def __repr__(self) -> str:
        return f"Learned({self.name!r}, {tuple(self.parameter.shape)}, users={self.users}, frozen={self.frozen!r})"


class Stop(Value):
    """A block through which no gradient comes back, and why."""

    path: str
    block_type: str
    reason: str


@dataclass(frozen=True)
class TrainPlan:
    """What `train_plan` found. `str(plan)` is for people.

    parameters  each once, however many blocks use it, in the order of the optimizer
    stops       where gradients end
    searched    blocks without gradients that learn by trying (see `around.search`): prompt adapters and the like
    losses      what it is for; empty when none were named, and then nobody asked what they reach
    """

    select: str
    groups: tuple[Group, ...]
    parameters: tuple[Learned, ...]
    stops: tuple[Stop, ...]
    losses: tuple[Loss, ...] = ()
    searched: tuple[str, ...] = ()

    @property
    def learning(self) -> tuple[Learned, ...]:
        """Those that learn."""
        return tuple(p for p in self.parameters if not p.frozen)

    @property
    def frozen(self) -> tuple[Learned, ...]:
        """Those that do not."""
        return tuple(p for p in self.parameters if p.frozen)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def train_plan(
    level: Level,
    select: str | None = None,
    *,
    groups: Any = None,
    losses: Any = None,
    adapters: Mapping[str, Any] | None = None,
) -> TrainPlan:
    """What training `level` would change, for the blocks that the glob `select` names (and levels named by it).

    select    by default all, "**"; with adapters nothing but them
    groups    {glob: {"lr": 1e-4, "weight_decay": 0.0, "freeze": True}}: the first that names a parameter has it
    losses    as for `fit`: then what no loss reaches counts as frozen
    adapters  what it runs with, as in `run(adapters=...)`: all of them learn; `adapters/NAME` is their path

    A node's `trainable: false` keeps what is below it out, unless a node nearer says true. A block in several nodes is
    trained if one of those chosen may be. ConfigError when nothing matches, or when nothing would learn.
    """
    _require_words(level, select, adapters)
    made = read_groups(groups)
    found = read_losses(losses) if losses is not None else ()
    if found:
        Forward(level, found)  # an output that is not there is named before anything else is
    there = list(places(level))
    added = dict(_adapters(level, there, adapters or {}))
    select = select if select is not None else "" if added else "**"
    chosen = {p.path for p in there if p.named_by(select)} | {place.path for place in added}
    if not chosen:
        hint = "; ".join(p.path for p in there[:12]) or "the level is empty"
        raise ConfigError(f"no block matches {select!r}", path=level.label, hint=hint)
    useful = reached(level, loss_ends(level, found)) if found else {p.path for p in there}
    useful |= {place.path for place, users in added.items() if useful & set(users)}
    parameters = tuple(_learned(p, uses, select, chosen, useful, made) for p, uses in _shared([*there, *added]))
    stopping = [Stop(p.path, p.block.block_type, stops(p)) for p in there if p.home == p.path or p.node is None]
    searched = tuple(p.path for p in there if p.path in chosen and p.allowed is not False and is_tried(p.block))
    plan = TrainPlan(select, made, parameters, tuple(s for s in stopping if s.reason), found, searched)
    _require_learning(level, plan, there, chosen)
    return plan


def _require_words(level: Any, select: Any, adapters: Any) -> None:
    if not isinstance(level, Runnable):
        hint = "a block, a graph, a pipeline, a stage, a world"
        raise ConfigError(f"{type(level).__name__} cannot be trained", hint=hint)
    if select is not None and not isinstance(select, str):
        raise ConfigError(f"select is {select!r}, which is no glob", path=level.label, hint='select="**/backbone"')
    if adapters is not None and not isinstance(adapters, Mapping):
        hint = 'adapters={"**/backbone": lora}'
        raise ConfigError(f"adapters is {type(adapters).__name__}, not a mapping", path=level.label, hint=hint)


def read_groups(groups: Any) -> tuple[Group, ...]:
    """Groups from what a caller or a file says; ConfigError for an option that there is not."""
    if not isinstance(groups, Mapping | None):
        raise ConfigError(f"groups is {groups!r}", hint='groups={"**/unet": {"lr": 1e-4}}')
    found = []
    for select, options in (groups or {}).items():
        if not isinstance(select, str) or not isinstance(options, Mapping):
            raise ConfigError(f"the group {select!r} is {options!r}", hint='groups={"**/unet": {"lr": 1e-4}}')
        for name in options:
            if name not in OPTIONS:
                raise ConfigError(
                    f"a group has no {name!r}; {close_names(str(name), OPTIONS)}", path=f"groups/{select}"
                )
        found.append(Group(select, dict(options)))
    return tuple(found)


def loss_ends(level: Level, losses: Sequence[Loss]) -> list[tuple[str, str]]:
    """The outputs that losses take, as (path of the node, port); "" is the level's own."""
    outputs = level.spec.outputs if not isinstance(level, World) else {}
    names = [name for loss in losses for name in (*loss.of, loss.target) if name]
    found = []
    for name in names:
        path, slash, last = name.rpartition("/")
        if name in outputs:
            found.append(("", name))
        elif isinstance(level, Container | World) and "." in last:
            node, _, port = last.partition(".")
            found.append((f"{path}{slash}{node}", port))
    return found


def _adapters(
    level: Level, there: Sequence[Place], adapters: Mapping[str, Any]
) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """Each adapter as a place of its own, with the paths of the blocks that compute with it."""
    from yggdrasil.blocks.adapter.active import chosen
    from yggdrasil.blocks.adapter.bind import bind
    from yggdrasil.blocks.neural import Neural

    users: dict[int, tuple[Any, list[str]]] = {}
    for place in there if adapters else ():
        if isinstance(place.block, Neural):
            path = f"{level.label}/{place.path}" if place.node is not None else place.path
            for lora, _, wherever in chosen(adapters, path):
                if bind(lora, place.block.modules(), wherever=wherever, path=path):
                    users.setdefault(id(lora), (lora, []))[1].append(place.path)
    if adapters and not users:
        hint = "; ".join(f"{level.label}/{p.path}" for p in there[:12])
        raise ConfigError("no block computes with the adapters", path=level.label, hint=hint)
    for number, (lora, paths) in enumerate(users.values()):
        block = AdapterWeights(lora, tuple(paths))
        yield Place(f"adapters/{lora.name or number}", block), tuple(paths)


class AdapterWeights:
    """The parameters of an adapter, as a block shows its own."""

    def __init__(self, adapter: Any, users: tuple[str, ...]) -> None:
        self.adapter, self.users = adapter, users

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """What it adds, by the name of the layer it adds it to."""
        for name, target in self.adapter.targets.items():
            for part in ("A", "B", "bias"):
                if getattr(target, part) is not None:
                    yield f"{name}.{part}", getattr(target, part)


def _shared(there: Sequence[Place]) -> Iterator[tuple[Any, list[tuple[Place, str]]]]:
    """Each parameter once, with the places that use it and its name there."""
    uses: dict[int, tuple[Any, list[tuple[Place, str]]]] = {}
    for place in there:
        for name, parameter in parameters_of(place.block).items():
            uses.setdefault(id(parameter), (parameter, []))[1].append((place, name))
    yield from uses.values()


def _learned(
    parameter: Any,
    uses: list[tuple[Place, str]],
    select: str,
    chosen: set[str],
    useful: set[str],
    groups: tuple[Group, ...],
) -> Learned:
    first, name = uses[0]
    users = tuple(dict.fromkeys(path for place, _ in uses for path in getattr(place.block, "users", (place.path,))))
    group = next((n for n, g in enumerate(groups) if any(_in(g, place, own) for place, own in uses)), -1)
    named = [place for place, _ in uses if place.path in chosen]
    allowed = [place for place in named if place.allowed is not False]
    away = [p for p in named if p.node is not None and p.node.endpoint_url is not None]
    frozen = ""
    if not named:
        frozen = f"not selected by {select!r}"
    elif not allowed:
        frozen = "its node says trainable: false"
    elif away:
        frozen = stops(away[0])
    elif group >= 0 and groups[group].options.get("freeze"):
        frozen = f"the group {groups[group].select!r} says freeze"
    elif not parameter.requires_grad:
        frozen = "its block froze it (requires_grad is off)"
    elif not any(place.path in useful for place, _ in uses):
        frozen = "no loss reaches it"
    return Learned(f"{first.path}:{name}", users, parameter, group, frozen)


def _in(group: Group, place: Place, name: str) -> bool:
    select, colon, own = group.select.partition(":")
    return place.named_by(select) and (not colon or fnmatchcase(name, own))


def _require_learning(level: Level, plan: TrainPlan, there: list[Place], chosen: set[str]) -> None:
    for group in plan.groups:
        if not any(place.named_by(group.select.partition(":")[0]) for place in there):
            hint = "; ".join(p.path for p in there[:12])
            raise ConfigError(f"no block matches the group {group.select!r}", path=level.label, hint=hint)
    if not plan.learning and not plan.searched:
        reasons = sorted({p.frozen for p in plan.parameters if chosen & {*p.users, p.name.partition(":")[0]}}) or [
            "no block has parameters"
        ]
        hint = 'train_plan(level, select="**/backbone"), set_trainable(), block.freeze(False)'
        raise ConfigError(f"nothing would learn: {'; '.join(reasons)}", path=level.label, hint=hint)
    for place in there:
        node = place.node
        if node is not None and node.cache and any(place.path in p.users for p in plan.learning):
            raise ConfigError("a node that keeps its outputs cannot learn", path=place.path, hint="cache: false")


# --- for people


def _lines(plan: TrainPlan) -> Iterator[str]:
    learning, frozen = plan.learning, plan.frozen
    yield f"train {plan.select!r}: {_count(learning)} learn" + (f"; {_count(frozen)} stay" if frozen else "")
    for number in range(-1, len(plan.groups)):
        mine = [p for p in learning if p.group == number]
        if mine:
            options = {} if number < 0 else plan.groups[number].options
            said = ", ".join(f"{k} {v}" for k, v in options.items())
            yield f"  {plan.groups[number].select if number >= 0 else 'as for all'}{': ' + said if said else ''}"
            yield from (f"    {line}" for line in _by_users(mine))
    if frozen:
        yield "  stay as they are"
        for reason in dict.fromkeys(p.frozen for p in frozen):
            mine = [p for p in frozen if p.frozen == reason]
            yield from (f"    {line}: {reason}" for line in _by_users(mine))
    if plan.searched:
        yield f"  learn by trying: {', '.join(plan.searched)}"
    if plan.stops:
        yield "  gradients stop at"
        yield from (f"    {s.path}{f' ({s.block_type})' if s.block_type else ''}: {s.reason}" for s in plan.stops)
    for loss in plan.losses:
        against = f" against {loss.target}" if loss.target else ""
        yield f"  loss {loss.name}{against}" + (f" x {loss.weight:g}" if loss.weight != 1 else "")


def _by_users(parameters: Sequence[Learned]) -> Iterator[str]:
    for users in dict.fromkeys(p.users for p in parameters):
        mine = [p for p in parameters if p.users == users]
        also = f" (shared with {', '.join(users[1:])})" if len(users) > 1 else ""
        yield f"{users[0]}{also}: {_count(mine)}"


def _count(parameters: Sequence[Learned]) -> str:
    numbers = sum(p.parameter.numel() for p in parameters)
    return f"{len(parameters)} tensor{'s' if len(parameters) != 1 else ''} ({numbers:,} numbers)"
