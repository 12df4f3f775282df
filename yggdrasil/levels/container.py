"""One container serves Graph, Pipeline and Stage: nodes, edges, exposures, a plan, an engine. What differs is data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Self
from weakref import WeakSet

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.address import matches
from yggdrasil.core.check import call_problems, check, edge_problems, end_problem
from yggdrasil.core.plan import Plan, make_plan
from yggdrasil.core.ports import Port, Spec
from yggdrasil.core.topology import Call, Edge, Endpoint, Topology, endpoint
from yggdrasil.core.wiring import Place, auto_wire
from yggdrasil.errors import ConfigError, PortError, Problem, ValidationError, close_names
from yggdrasil.levels.adapting import check_adapters
from yggdrasil.levels.calls import CALLS_START, Caller, Calling, not_a_caller
from yggdrasil.levels.joined import Joined, Specs, join
from yggdrasil.levels.node import Node, as_runnable, check_policies
from yggdrasil.levels.places import places
from yggdrasil.runtime.engine import LoopBound, Program
from yggdrasil.runtime.limits import Limits
from yggdrasil.storage.saved import Saved, is_checkpoint

End = str | tuple[str, str]
Child = Runnable | Callable[..., Any] | Mapping[str, Any] | str | Path


class Container(Runnable):
    """Nodes joined by edges. Use Graph, Pipeline or Stage.

    num_loop_steps, until   when its loops end: a number; `"node.port"` that is true, or a predicate over the
                            loop's values by `node.port`
    resources               named limits, as {"gpu": 1}
    """

    kind: ClassVar[str] = ""
    loops: ClassVar[bool] = False
    trusted = True

    def __init__(
        self,
        name: str = "",
        *,
        num_loop_steps: int | None = None,
        until: str | Callable[[Mapping[str, Any]], bool] | None = None,
        resources: Mapping[str, int] | None = None,
    ) -> None:
        if not isinstance(name, str):
            raise ConfigError(f"the name is {type(name).__name__}", hint=f'{type(self).__name__}("{self.kind}")')
        self.name = name or self.kind
        self.description, self.training = "", dict[str, Any]()
        self.nodes: dict[str, Node] = {}
        self._made: Joined | None = None
        self._parents: WeakSet[Container] = WeakSet()
        self.num_loop_steps = num_loop_steps
        self.until = until
        self.limits = Limits({} if resources is None else resources)
        self._edges: list[Edge] = []
        self._calls: list[Call] = []
        self._inputs: dict[str, tuple[Endpoint, ...]] | None = None
        self._outputs: dict[str, Endpoint] | None = None

    # --- what it is

    @property
    def num_loop_steps(self) -> int | None:
        """How many iterations its loops make."""
        return self._num_loop_steps

    @num_loop_steps.setter
    def num_loop_steps(self, steps: int | None) -> None:
        if steps is not None and (not isinstance(steps, int) or isinstance(steps, bool) or steps < 1):
            raise ConfigError(f"num_loop_steps is {steps!r}", path=self.name, hint="num_loop_steps: 30")
        self._num_loop_steps = steps
        self._changed()

    @property
    def until(self) -> str | Callable[[Mapping[str, Any]], bool] | None:
        """What ends its loops: an output that is true, or a predicate."""
        return self._until

    @until.setter
    def until(self, until: str | Callable[[Mapping[str, Any]], bool] | None) -> None:
        if isinstance(until, str):
            endpoint(until)
        elif until is not None and not callable(until):
            raise ConfigError(f"until is {until!r}", path=self.name, hint='until: "critic.done"')
        self._until = until
        self._changed()

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    @property
    def block_type(self) -> str:
        """The level's name."""
        return self.kind

    @property
    def spec(self) -> Spec:
        """The exposed ports, or the unconnected ones when nothing was exposed."""
        return self._ready().topology.spec

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges that were added, and those that the roles' rules gave."""
        return self._ready().topology.edges

    @property
    def calls(self) -> tuple[Call, ...]:
        """The call edges, those by rule included."""
        return self._ready().topology.calls

    @property
    def plan(self) -> Plan:
        """The order of running; ValidationError when there is none."""
        made = self._ready()
        if made.plan is None:
            made.plan = make_plan(made.topology)
        return made.plan

    def children(self) -> Mapping[str, Runnable]:
        """The blocks by node id."""
        return {name: node.block for name, node in self.nodes.items()}

    # --- building

    def add(self, what: Child, child: Child | None = None, /, **options: Any) -> Node:
        """Add a child: `add("name", child)`, or `add(child)` for an automatic name (its role and a counter).

        A child is anything runnable, a function, a config mapping, or a path to a file. Options: the policies
        of the node (retry, timeout, cache, limit, gate, trainable, device, endpoint_url), `auto_connect=True`
        to follow the roles' default edges, and `connect="name"` to pick among several that fit.

        ConfigError when the name is taken.
        """
        connect = options.pop("connect", ())
        options["connect"] = frozenset({connect} if isinstance(connect, str) else connect)
        check_policies(options)
        if child is None:
            name, child = "", what
        elif isinstance(what, str):
            name = what
        else:
            raise ConfigError(f"a node id is text, not {type(what).__name__}", hint='add("name", block)')
        if isinstance(child, Mapping | str | Path):
            from yggdrasil.levels.read import read_child

            block, found = read_child(child)
            options = {**found, **options}
        else:
            block = as_runnable(child)
        name = name or self._free_name(block)
        if name in self.nodes:
            raise ConfigError(f"node id {name!r} is taken", path=self.name, hint=f'add("{name}2", ...)')
        if not all(c.isalnum() or c in "_-" for c in name):
            raise ConfigError(f"{name!r} is no node id", path=self.name, hint="letters, digits, _ and -")
        if block is self or (isinstance(block, Container) and any(node.block is self for _, node in block.walk())):
            raise ConfigError(f"{self.name} cannot contain itself", path=name)
        node = Node(name, block, **options)
        _ = node.spec  # what cannot be here is refused before it is
        self.nodes[name] = node
        if isinstance(block, Container):
            block._parents.add(self)
        self._changed()
        return node

    def add_node(self, what: Child, child: Child | None = None, /, **options: Any) -> Node:
        """Add a child; see `add`."""
        return self.add(what, child, **options)

    def _free_name(self, block: Runnable) -> str:
        role = getattr(block, "role", "") or block.label
        return next(name for n in count(1) if (name := f"{role}{n}") not in self.nodes)

    def add_edge(self, source: End | Sequence[End], target: End | Sequence[End]) -> Edge:
        """Join outputs to inputs: `add_edge("reader.text", "writer.prompt")`; lists make a hyperedge.

        A node id alone stands for its only output, or its only required input. ValidationError names both ends,
        both types and a hint when they do not fit; nothing is added then.
        """
        edge = Edge(self._ends(source, "outputs"), self._ends(target, "inputs"))
        problems = edge_problems(self._plain_topology(), edge)
        if problems:
            raise ValidationError(problems)
        self._edges.append(edge)
        self._changed()
        return edge

    def _ends(self, what: End | Sequence[End], side: str) -> tuple[Endpoint, ...]:
        several = isinstance(what, Iterable) and not isinstance(what, str) and not _is_pair(what)
        listed: list[Any] = list(what) if several else [what]
        if not listed:
            raise ConfigError("an edge has two ends", path=self.name, hint='add_edge("reader.text", "writer.prompt")')
        return tuple(self._end(item, side) for item in listed)

    def _end(self, what: End, side: str) -> Endpoint:
        if not isinstance(what, str) or "." in what:
            return endpoint(what)
        if what not in self.nodes:
            raise ValidationError([Problem(what, f"there is no node {what!r}", close_names(what, self.nodes))])
        ports = getattr(self.nodes[what].spec, side)
        required = [n for n, p in ports.items() if p.required] if side == "inputs" else list(ports)
        chosen = required if len(required) == 1 else list(ports)
        if len(chosen) != 1:
            named = ", ".join(f"{what}.{p}" for p in ports) or "none"
            raise ValidationError([Problem(what, f"which of its {side}: {named}?", f'"{what}.port"')])
        return Endpoint(what, chosen[0])

    def add_call(self, agent: str, *tools: str) -> None:
        """Let the agent at node `agent` call the nodes `tools` (call edges)."""
        if not self.loops:
            raise ConfigError(f"a {self.kind} has no call edges; they belong to a graph", path=self.name)
        for tool in tools:
            call = Call(agent, tool)
            problems = call_problems(self._plain_topology(), call)
            if problems:
                raise ValidationError(problems)
            if call not in self._calls:
                self._calls.append(call)
        self._changed()

    def expose_input(self, node: str, port: str = "", name: str = "") -> None:
        """Make an input of a node an input of this level, called `name` (else `node.port`), which several may share."""
        end = self._end(f"{node}.{port}" if port else node, "inputs")
        self._known(end, "inputs")
        exposed = Port(name or str(end)).name
        inputs = dict(self._inputs or {})
        if end not in inputs.get(exposed, ()):
            inputs[exposed] = (*inputs.get(exposed, ()), end)
        self._inputs = inputs
        self._changed()

    def expose_output(self, node: str, port: str = "", name: str = "") -> None:
        """Make an output of a node an output of this level, called `name` (else `node.port`)."""
        end = self._end(f"{node}.{port}" if port else node, "outputs")
        self._known(end, "outputs")
        exposed = Port(name or str(end)).name
        outputs = dict(self._outputs or {})
        if exposed in outputs:
            raise ConfigError(f"output {exposed} is exposed already", path=self.name)
        outputs[exposed] = end
        self._outputs = outputs
        self._changed()

    def _known(self, end: Endpoint, side: str) -> None:
        problem = end_problem(self._plain_topology(), end, side[:-1])
        if problem is not None:
            raise ValidationError([problem])

    def set_trainable(self, trainable: bool = True, select: str = "**") -> list[str]:
        """Say of the nodes whose path matches the glob `select` whether training may change them; the paths set."""
        found = []
        for path, node in self.walk():
            if matches(select, path):
                node.trainable = trainable
                found.append(path)
        if not found:
            raise ConfigError(f"no node matches {select!r}", path=self.name, hint="; ".join(p for p, _ in self.walk()))
        return found

    def to(self, device: str) -> Self:
        """Run every node on `device`."""
        for _, node in self.walk():
            node.device = device
        return self

    # --- files and templates

    @classmethod
    def from_template(cls, name: str, /, **parameters: Any) -> Self:
        """A level from a registered template and its parameters."""
        from yggdrasil.levels.templates import from_template

        made: Self = from_template(cls.kind, name, parameters)
        return made

    @classmethod
    def from_config(cls, document: Mapping[str, Any]) -> Self:
        """A level from its document: the reverse of `to_config`."""
        from yggdrasil.levels.read import read_level

        return read_level(document, kind=cls.kind)  # type: ignore[return-value]

    def to_config(self, *, refs: bool = False) -> dict[str, Any]:
        """Its document: structure and configs, never weights. `refs=True` keeps what came from files as refs."""
        from yggdrasil.levels.write import level_document

        return level_document(self, refs=refs)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A level from a YAML or JSON file, or with its weights from a checkpoint: a folder, or a .ygg archive."""
        from yggdrasil.levels.read import read_file

        if is_checkpoint(Path(path)):
            from yggdrasil.levels.saving import load

            return load(cls, path)  # type: ignore[no-any-return]
        level = read_file(path)
        if not isinstance(level, cls):
            hint = f"{type(level).__name__}.load(...)"
            raise ConfigError(f"this is a {level.kind}, not a {cls.kind}", path=str(path), hint=hint)
        return level

    def save(self, path: str | Path, *, refs: bool = False) -> Saved:
        """Write its document (.yaml, .yml, .json), or a checkpoint with weights: a folder, or a .ygg archive.

        `refs=True` keeps what came from files as refs in a document; ConfigError when one would not be found there.
        """
        from yggdrasil.levels.saving import save

        return save(self, path, refs=refs)

    # --- walking

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Every node below, with its path from here (`draft/llm`), by id."""
        for name, node in sorted(self.nodes.items()):
            path = f"{prefix}{name}"
            yield path, node
            if isinstance(node.block, Container):
                yield from node.block.walk(f"{path}/")

    def trainable_parameters(self) -> list[Any]:
        """The trainable parameters below, each shared one once."""
        chosen = [n.block for _, n in self.walk() if n.trainable and not isinstance(n.block, Container)]
        blocks = {id(place.block): place.block for top in chosen for place in places(top)}
        found = {id(p): p for b in blocks.values() for p in getattr(b, "trainable_parameters", tuple)()}
        return list(found.values())

    def state_dict(self) -> dict[str, Any]:
        """The state of every block below that has any, by path; a block in several places once."""
        seen: set[int] = set()
        found = {}
        for path, block in self._blocks().items():
            if id(block) not in seen:
                seen.add(id(block))
                state: dict[str, Any] = getattr(block, "state_dict", dict)()
                if state:
                    found[path] = state
        return found

    def _blocks(self) -> dict[str, Runnable]:
        return {place.path: place.block for place in places(self)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`; ConfigError names a path that is not here."""
        blocks = self._blocks()
        for path in state:
            if path not in blocks or not hasattr(blocks[path], "load_state_dict"):
                sentence = f"the state has {path!r}, which is not here; {close_names(path, blocks)}"
                raise ConfigError(sentence, path=self.name)
        for path, values in state.items():
            blocks[path].load_state_dict(values)  # type: ignore[attr-defined]

    # --- checking

    def validate(self, *, strict: bool = False) -> list[Problem]:
        """Every problem here and below, each with its path. With `strict` errors are raised (ValidationError)."""
        problems = self._own_problems()
        for name, node in sorted(self.nodes.items()):
            if isinstance(node.block, Container):
                problems += [replace(p, path=f"{name}/{p.path}") for p in node.block.validate()]
        errors = [p for p in problems if p.level == "error"]
        if strict and errors:
            raise ValidationError(errors)
        return problems

    def _own_problems(self) -> list[Problem]:
        if not self.nodes:
            return [Problem(self.name, f"the {self.kind} is empty", 'add_node("name", block)')]
        made = self._ready()
        problems = [*check(made.topology), *made.wiring.warnings]
        for name, node in sorted(self.nodes.items()):
            try:
                node.runnable(self.limits)
                if node.limit is not None and node.limit not in self.limits.capacities:
                    raise ConfigError(f"no resource {node.limit!r}", hint=f"resources: {{{node.limit}: 1}}")
            except (ConfigError, PortError) as error:
                problems.append(Problem(name, error.sentence, error.hint))
        agents = sorted({call.source for call in made.topology.calls} & self.nodes.keys())
        blocks = [(agent, self.nodes[agent].block) for agent in agents]
        problems += [Problem(n, not_a_caller(b), CALLS_START) for n, b in blocks if not isinstance(b, Caller)]
        if isinstance(self.until, str) and not problems:
            end = endpoint(self.until)
            if end.node not in self.nodes or end.port not in self.nodes[end.node].block.spec.outputs:
                problems.append(Problem("until", f"there is no output {self.until!r}", '"node.port"'))
            elif not any(end.node in loop.nodes for loop in self.plan.loops):
                hint = f"an edge from {end} back to a node of the loop"
                problems.append(Problem("until", f"{self.until} lies in no loop, so it can end none", hint))
        if not any(p.level == "error" for p in problems):
            problems += self._level_problems()
        return problems

    def _level_problems(self) -> list[Problem]:
        """What only this level can find wrong."""
        return []

    def dry_order(self) -> Iterable[str]:
        """The paths a run visits, in canonical order; ValidationError when something is wrong."""
        self.validate(strict=True)
        for name in self.plan.order:
            block = self.nodes[name].block
            if isinstance(block, Container):
                yield from (f"{self.name}/{path}" for path in block._dry_below(name))
            else:
                yield f"{self.name}/{name}"

    def _dry_below(self, name: str) -> Iterable[str]:
        return (f"{name}/{path.partition('/')[2]}" for path in self.dry_order())

    # --- running

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Run the plan."""
        made = self._made
        if made is None or made.program is None:
            made = self._compile()
        if ctx.run.adapters:
            await check_adapters(self, ctx)
        return await made.program.execute(inputs, ctx)  # type: ignore[union-attr]

    def _compile(self) -> Joined:
        self.validate(strict=True)
        made = self._ready()
        until = endpoint(self.until) if isinstance(self.until, str) else self.until
        made.program = Program(self.plan, self._runnables(made), LoopBound(self.num_loop_steps, until, self._lengths()))
        return made

    def _lengths(self) -> dict[str, int]:
        """The schedule lengths that blocks bring along; a nested level's own loops are its own."""
        found = {n: getattr(node.block, "num_loop_steps", None) for n, node in self.nodes.items()}
        return {n: k for n, k in found.items() if k is not None and not isinstance(self.nodes[n].block, Container)}

    def _runnables(self, made: Joined) -> dict[str, Runnable]:
        """Each node's block in its policies; an agent with the nodes that it calls, which may be agents that call."""
        runnables: dict[str, Runnable] = {}

        def ready(name: str) -> Runnable:
            if name not in runnables:
                node = self.nodes[name]
                tools = {c.target: ready(c.target) for c in made.topology.calls if c.source == name}
                block = Calling(node.block, tools, made.bound.get(name, ()), name) if tools else node.block
                runnables[name] = node.runnable(self.limits, block)
            return runnables[name]

        for name in self.nodes:
            ready(name)
        return runnables

    # --- what follows from the parts

    def _changed(self) -> None:
        self._made = None
        for parent in self._parents:
            parent._changed()

    def _plain_topology(self) -> Topology:
        return Topology(Specs(self.nodes), loops=self.loops)

    def _ready(self) -> Joined:
        if self._made is None:
            specs = {name: node.spec for name, node in self.nodes.items()}
            nodes = self.nodes.items()
            places = {name: Place(n.role, specs[name], n.auto_connect, n.connect) for name, n in nodes}
            wiring = auto_wire(places, self._edges)
            calls = tuple(sorted({*self._calls, *wiring.calls}, key=str))
            gated = frozenset(name for name, n in nodes if n.gate)
            edges = (*self._edges, *wiring.edges)
            plain = Topology(specs, edges, calls, self._inputs, self._outputs, self.loops, gated)
            self._made = join(plain, wiring)
        return self._made


def _is_pair(what: Any) -> bool:
    return isinstance(what, tuple) and len(what) == 2 and all(isinstance(w, str) and "." not in w for w in what)
