"""A world: stages in a cycle that evolve a persisted content, with or without a user."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.store import Store
from yggdrasil.core.budget import Budget
from yggdrasil.core.content import content_of
from yggdrasil.core.cycle import CANON, DEVELOPMENT, UPDATE, Condition, Cycle, static_problems
from yggdrasil.core.patience import Patience
from yggdrasil.core.ports import Port, Spec, port_type
from yggdrasil.core.retention import Keep
from yggdrasil.core.state import StateSchema
from yggdrasil.core.timers import Timers
from yggdrasil.errors import ConfigError, EndWorldError, Problem, ValidationError, YggdrasilError, close_names
from yggdrasil.levels.container import Child, Container
from yggdrasil.levels.contract import contract_problems
from yggdrasil.levels.journal import DURABILITY
from yggdrasil.levels.life import zone_of
from yggdrasil.levels.node import Node, as_runnable, check_policies
from yggdrasil.levels.seat import Seat, as_condition
from yggdrasil.levels.stage import Stage
from yggdrasil.runtime.limits import Limits
from yggdrasil.storage.open import open_store
from yggdrasil.storage.saved import Saved, is_checkpoint

if TYPE_CHECKING:
    from yggdrasil.blocks.adapter.lora import LoRA
    from yggdrasil.levels.live import Opening

SPEC = Spec(
    {
        "state": Port("state", port_type("state"), optional=True, doc="a state to begin the next tick with"),
        "action": Port("action", port_type(str), optional=True, doc="what a user does; development sees it"),
    },
    {"state": Port("state", port_type("state"), doc="the five blocks after the last tick")},
    "One or more ticks of a world.",
)

ENVIRONMENT = {"update": UPDATE, "development": DEVELOPMENT}
ORDER = tuple(step.name for step in CANON)


class World(Runnable):
    """Stages in a cycle, and a content. Open it on a store to let it live.

        async with World.open("midgard", store="sqlite:///midgard.db") as world:
            await world.run(ticks=10, action="Kara lights the beacon")

    A world that is run without being opened opens itself on `store=` (memory by default) for that call.
    """

    keeps_itself: ClassVar[bool] = True

    def __init__(self, name: str = "world", *, resources: Mapping[str, int] | None = None) -> None:
        if not isinstance(name, str) or not name.isprintable() or not name.strip() or "/" in name:
            raise ConfigError(f"{name!r} is no name for a world", hint='World("midgard")')
        self.name = name
        self.description, self.training = "", dict[str, Any]()
        self.nodes: dict[str, Node] = {}
        self.limits = Limits({} if resources is None else resources)
        self.schema = StateSchema()
        self.seed: int | None = None
        self.timers: Timers | None = None
        self.patience = Patience()
        self.budget: Budget | None = None
        self.adapters: Mapping[str, Any] = {}
        """What its neural blocks compute with, as in `run(adapters=...)`, which goes before it; in no document."""
        self.durability = "effect"
        self.keep = Keep()
        self.ticks: int | None = None
        self.store: str | None = None
        self.parameters: Mapping[str, Any] = {}
        self.sections: Mapping[str, Any] = {}
        self.content_ref: str | None = None
        self._order: tuple[str, ...] = ORDER
        self._conditions: dict[str, Condition] = {}
        self._made: tuple[dict[str, Seat], Cycle] | None = None

    # --- what it is

    @property
    def spec(self) -> Spec:
        """In: state?, action?. Out: state."""
        return SPEC

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    @property
    def block_type(self) -> str:
        """`world`."""
        return "world"

    def accept(self, value: Any) -> Any:
        """A bare text is an action, a bare mapping of blocks a state."""
        if isinstance(value, str):
            return {"action": value}
        if isinstance(value, Mapping) and not value.keys() <= SPEC.inputs.keys():
            return {"state": value}
        return value

    @property
    def ended(self) -> bool:
        """Whether it is an End World: content without stages, which can be read and never written."""
        return not self.nodes

    def children(self) -> Mapping[str, Runnable]:
        """The stages by name, in the order they were added."""
        return {name: node.block for name, node in self.nodes.items()}

    @property
    def order(self) -> tuple[str, ...]:
        """The stages' names in the order of a tick."""
        return self._order

    # --- building

    def add_stage(self, name: str, stage: Child | Mapping[str, Any] | None = None, /, **options: Any) -> Node:
        """Add a stage: a Stage, anything runnable with ports named like blocks, a function, a config, or a path.

        `environment` takes its two: `add_stage("environment", {"update": ..., "development": ...})`; each alone is
        `add_stage("environment/update", ...)`, or `update` and `development` for short. Options are the policies of
        the node (retry, timeout, limit, ...). ConfigError when the name is taken.
        """
        if name == "environment" and isinstance(stage, Mapping) and set(stage) <= set(ENVIRONMENT):
            made = [self.add_stage(ENVIRONMENT[part], child, **options) for part, child in stage.items()]
            return made[-1]
        name = ENVIRONMENT.get(name, name)
        check_policies(options)
        if stage is None:
            raise ConfigError(f"no stage was given for {name!r}", hint=f'add_stage("{name}", stage)')
        if isinstance(stage, Mapping | str | Path):
            from yggdrasil.levels.read import read_child

            block, found = read_child(stage)
            options = {**found, **options}
        else:
            block = as_runnable(stage)
        if name in self.nodes:
            raise ConfigError(f"stage {name!r} is there already", path=self.name)
        node = Node(name, block, **options)
        self.nodes[name] = node
        self._made = None
        return node

    add = add_stage

    def set_cycle(
        self, order: Sequence[str], conditions: Mapping[str, Condition] | None = None
    ) -> None:
        """Another order of stages, and conditions of some: blocks that must be filled, a preset's name, a predicate.

        `environment` stands for its update, then its development.
        """
        names: list[str] = []
        for name in order:
            names += [UPDATE, DEVELOPMENT] if name == "environment" else [ENVIRONMENT.get(name, name)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(f"stage {twice!r} is in the cycle twice", path=self.name)
        for name, condition in (conditions or {}).items():
            self._conditions[ENVIRONMENT.get(name, name)] = as_condition(condition, f"{self.name}/{name}")
        self._order = tuple(names)
        self._made = None

    def set_canonical_cycle(self) -> None:
        """Philosopher, Author, Environment (update, development), Architect, Creator, each under its own condition."""
        self._order, self._conditions, self._made = ORDER, {}, None

    def set_execution_condition(self, stage: str, condition: Condition) -> None:
        """Say when one stage runs."""
        name = ENVIRONMENT.get(stage, stage)
        self._conditions[name] = as_condition(condition, f"{self.name}/{stage}")
        self._made = None

    def set_state_contract(
        self,
        stage: str,
        reads: Sequence[str] | None = None,
        fills: str | None = None,
        ports: Mapping[str, str] | None = None,
    ) -> None:
        """Say which state blocks a stage reads, which one it fills, and which port stands for which block.

        ConfigError when the stage is a bare block: its ports are its contract.
        """
        name = ENVIRONMENT.get(stage, stage)
        if name not in self.nodes:
            raise ConfigError(f"there is no stage {stage!r}; {close_names(stage, self.nodes)}", path=self.name)
        block = self.nodes[name].block
        if not isinstance(block, Stage):
            raise ConfigError(
                f"{name} is no Stage, so its contract is its ports", path=self.name, hint="put it into a Stage"
            )
        block.set_state_contract(reads, fills, ports)
        self._made = None

    def set_state_schema(self, schema: StateSchema | Mapping[str, Any] | Sequence[str]) -> None:
        """Extra blocks beside the five, and the slots of artifacts."""
        self.schema = schema if isinstance(schema, StateSchema) else StateSchema.from_config(schema)
        self._made = None

    def set_storage(self, store: str) -> None:
        """The store's URL it is opened on when none is given; ConfigError when it is none."""
        open_store(store)  # looks at the words only
        self.store = store

    def set_initial_world(self, sections: Mapping[str, Any]) -> None:
        """The content a new world begins with: sections by name, `history` as a list of entries."""
        content_of(sections, lambda blob: None)
        self.sections = dict(sections)
        self.content_ref = None

    def set_durability(self, level: str) -> None:
        """How soon what happens is durable: step, effect (default), stage, tick or none; see `levels.journal`."""
        if level not in DURABILITY:
            raise ConfigError(f"durability is {level!r}; {close_names(level, DURABILITY)}", path=self.name)
        self.durability = level

    def set_keep(self, last: int | None = None, every: int | None = None, days: float | None = None) -> None:
        """Which ticks can be gone back to: the last so many, of older ones every so many, none younger than `days`.

        Without any of them all are kept. ConfigError for what is no number of ticks or days.
        """
        self.keep = Keep.from_config({"last": last, "every": every, "days": days}, f"{self.name}/keep")

    def set_timers(self, timers: Timers | Mapping[str, Any] | float | None) -> None:
        """When it ticks while it is lived: `{every: 60}`, `{at: ["06:00"], zone: "Europe/Oslo"}`, see `core.timers`."""
        made = timers if timers is None or isinstance(timers, Timers) else Timers.from_config(timers, "")
        zone_of(made)
        self.timers = made

    def set_errors(self, errors: Patience | Mapping[str, Any]) -> None:
        """How often a stage is tried before the world is parked, where its error may pass: `{retry: 5, first: 1}`.

        A node's own `retry` goes before it.
        """
        self.patience = errors if isinstance(errors, Patience) else Patience.from_config(errors, "")
        self._made = None

    def set_budget(self, budget: Budget | Mapping[str, Any] | None) -> None:
        """What it may spend: `{tokens: 100_000, per: "day"}`; without `per` in each run."""
        self.budget = Budget.of(budget)

    def set_trainable(self, trainable: bool = True, select: str = "**") -> list[str]:
        """Say of the nodes below whose path matches whether training may change them; the paths set."""
        found = []
        for name, node in self.nodes.items():
            if isinstance(node.block, Container):
                found += [f"{name}/{path}" for path in node.block.set_trainable(trainable, select)]
        return found

    def lora(self, rank: int = 8, select: str = "**/backbone|**/llm", **options: Any) -> LoRA:
        """Freeze all its weights and lay a fresh LoRA beside those of the blocks that the glob names.

        It is one of its `adapters` from now on: `fit(world, ...)` trains it and nothing else, `run` computes with it.
        `lora.save(folder)` writes the pack, and `LoRA.load(folder)` reads it, anywhere, for the same base.

        options  alpha, seed, dropout, name; `layers`, a glob over the names of submodules

        ConfigError when no block with weights is named.
        """
        from yggdrasil.levels.lora import fresh_lora

        made = fresh_lora(self, rank, select, **options)
        before = self.adapters.get(select)
        self.adapters = {**self.adapters, select: made if before is None else [before, made]}
        return made

    def to(self, device: str) -> Self:
        """Run every stage on `device`."""
        for node in self.nodes.values():
            node.device = device
            if isinstance(node.block, Container):
                node.block.to(device)
        return self

    # --- the cycle

    def seats(self) -> dict[str, Seat]:
        """What runs in each place; made once."""
        return self._ready()[0]

    @property
    def cycle(self) -> Cycle:
        """The steps with their conditions, and the schema."""
        return self._ready()[1]

    def _ready(self) -> tuple[dict[str, Seat], Cycle]:
        if self._made is None:
            seats = {
                name: Seat(name, self.nodes[name], self.limits, self._conditions.get(name), self.patience)
                for name in self._order
                if name in self.nodes
            }
            self._made = seats, Cycle(tuple(seat.step for seat in seats.values()), self.schema)
        return self._made

    def validate(self, *, strict: bool = False) -> list[Problem]:
        """Every problem here and below; with `strict` errors are raised (ValidationError).

        The state contract is proved on the cycle: a stage that reads a block nobody fills before it is an error.
        """
        problems = [] if self.ended else sorted(self._problems(), key=lambda p: p.level != "error")
        errors = [p for p in problems if p.level == "error"]
        if strict and errors:
            raise ValidationError([Problem(f"{self.name}/{p.path}", p.sentence, p.hint, p.level) for p in errors])
        return problems

    def _problems(self) -> list[Problem]:
        problems = [
            Problem(name, f"the cycle has no stage {name!r}", f'{name}: {{ref: ...}}, or add_stage("{name}", stage)')
            for name in self._order
            if name not in self.nodes
        ]
        for name in self.nodes:
            if name not in self._order:
                close = close_names(name, self._order)
                problems.append(Problem(name, f"the stage is not in the cycle; {close}", "set_cycle([...])"))
        try:
            seats, cycle = self._ready()
            needs = [block for seat in seats.values() for block in seat.step.needs]
        except YggdrasilError as error:
            return [*problems, Problem(error.path, error.sentence, error.hint)]
        for seat in seats.values():
            problems += seat.problems(self.schema)
        problems += _unknown_needs(cycle, needs) + _two_writers(seats) + contract_problems(seats, cycle)
        if not problems or all(p.level == "warning" for p in problems):
            reads = {name: seat.requires for name, seat in seats.items()}
            for stage, block in static_problems(cycle, reads):
                sentence = f"it reads {block!r}, which nobody fills before it in the cycle"
                there = ", ".join(_filled_before(cycle, stage))
                problems.append(Problem(stage, sentence, f"reads: [{there}]   # what is filled by then"))
        return problems

    def dry_order(self) -> Iterable[str]:
        """The stages a full tick visits, in order; ValidationError when something is wrong."""
        if self.ended:
            raise EndWorldError(f"{self.name} is an End World: nothing in it runs", path=self.name)
        self.validate(strict=True)
        return [f"{self.name}/{name}" for name in self._order]

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Every node below, with its path from here."""
        for name, node in self.nodes.items():
            yield name, node
            if isinstance(node.block, Container):
                yield from node.block.walk(f"{name}/")

    # --- running

    @staticmethod
    def open(
        what: World | Mapping[str, Any] | str | Path,
        *,
        store: Store | str | None = None,
        seed: int | None = None,
        overlay: str | None = None,
        model: Any = None,
        parameters: Mapping[str, Any] | None = None,
        name: str | None = None,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> Opening:
        """Open a world, to be used as `async with World.open(...) as world`.

        what       a World, a document, a path to a file or a checkpoint, or a name in the catalogue
        store      a store or its URL; else the one its file names, else memory
        seed       for a new world (else its file's, else 0); an old one keeps its own: ConfigError for another
        overlay    `NAME.yaml` beside the world's file, laid over it; several in order: "llm,llm-image"
        model      the parameter `model`: the language model of its agents, as Agent takes it
        parameters values of what the document leaves open under `parameters:`
        name       the stream in the store; by default the world's name
        read_only  read it while another process runs it; needs no lease
        clock      seconds since the epoch, for its timers, its budget of a day and the time of events

        LeaseError names the process that runs it already.
        """
        from yggdrasil.levels.live import Opening

        if isinstance(what, World):
            world = what
            if overlay is not None or model is not None or parameters:
                raise ConfigError("a World object has neither overlays nor parameters", hint="World.open(path, ...)")
        else:
            from yggdrasil.levels.world_file import load_world

            given = {**(parameters or {}), **({} if model is None else {"model": model})}
            if not isinstance(what, Mapping) and is_checkpoint(Path(what)):
                world = World.load(what, overlay=overlay, parameters=given)
            else:
                world = load_world(what, overlay=overlay, parameters=given)
        return Opening(world, store if store is not None else world.store, seed, name, read_only, clock)

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Open it on `store=` (memory by default) for this call, and run `ticks=`."""
        options = ctx.run.options
        async with World.open(self, store=options.get("store"), seed=ctx.run.seed) as live:
            return await live.execute(inputs, ctx)

    # --- files and templates

    @classmethod
    def from_template(cls, name: str, /, **parameters: Any) -> World:
        """A world from a registered template: canon, storytelling, art_generation, or a user's own."""
        from yggdrasil.levels.templates import from_template

        made: World = from_template("world", name, parameters)
        return made

    @classmethod
    def from_config(cls, document: Mapping[str, Any]) -> World:
        """A world from its document."""
        from yggdrasil.levels.world_file import load_world

        return load_world(document)

    @classmethod
    def load(
        cls, path: str | Path, *, overlay: str | None = None, parameters: Mapping[str, Any] | None = None
    ) -> World:
        """A world from its file, by its name in the catalogue, or from a checkpoint: a folder, or a .ygg archive."""
        if is_checkpoint(Path(path)):
            from yggdrasil.levels.saving import load

            if overlay is not None or parameters:
                hint = "World.load(checkpoint)"
                raise ConfigError("a checkpoint has neither overlays nor parameters", path=str(path), hint=hint)
            return load(cls, path)  # type: ignore[no-any-return]
        from yggdrasil.levels.world_file import load_world

        return load_world(path, overlay=overlay, parameters=parameters)

    def to_config(self, *, refs: bool = False) -> dict[str, Any]:
        """Its document: execution and content. `refs=True` keeps what came from files as refs."""
        from yggdrasil.levels.world_file import world_document

        return world_document(self, refs=refs)

    def save(self, path: str | Path, *, refs: bool = False) -> Saved:
        """Write its document (.yaml, .yml, .json), or a checkpoint with weights: a folder, or a .ygg archive."""
        from yggdrasil.levels.saving import save

        return save(self, path, refs=refs)


def _filled_before(cycle: Cycle, stage: str) -> list[str]:
    """The blocks that are there when a stage's turn comes; development begins a new state."""
    names = [step.name for step in cycle.steps]
    start = names.index(DEVELOPMENT) if DEVELOPMENT in names else 0
    order = (*cycle.steps[start:], *cycle.steps[:start])
    kept = [name for name, extra in cycle.schema.extra.items() if extra.keep]
    return kept + [step.fills for step in order[: [step.name for step in order].index(stage)]]


def _unknown_needs(cycle: Cycle, needs: Iterable[str]) -> list[Problem]:
    known = cycle.schema.blocks
    wrong = sorted({block for block in needs if block not in known})
    return [Problem("cycle", f"a condition names no state block: {b!r}; {close_names(b, known)}") for b in wrong]


def _two_writers(seats: Mapping[str, Seat]) -> list[Problem]:
    writers: dict[str, list[str]] = {}
    for name, seat in seats.items():
        writers.setdefault(seat.fills, []).append(name)
    return [
        Problem(names[1], f"{names[0]} fills {block!r} too; a block is filled by one stage")
        for block, names in writers.items()
        if len(names) > 1
    ]


Predicate = Callable[[Mapping[str, Any]], bool]
