"""One container serves Graph, Pipeline and Stage: nodes, edges, exposures, a plan, an engine. What differs is data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self
from weakref import WeakSet

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.address import matches
from yggdrasil.core.check import call_problems, check, edge_problems
from yggdrasil.core.plan import Plan, make_plan
from yggdrasil.core.ports import Spec
from yggdrasil.core.topology import Call, Edge, Endpoint, Topology, endpoint
from yggdrasil.core.wiring import Place, Wiring, auto_wire
from yggdrasil.errors import ConfigError, PortError, Problem, ValidationError, close_names
from yggdrasil.levels.calls import Calling, bound_port, calling_spec
from yggdrasil.levels.node import Node, as_runnable, check_policies
from yggdrasil.runtime.engine import LoopBound, Program
from yggdrasil.runtime.limits import Limits

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
        self.name = name or self.kind
        self.description = ""
        self.nodes: dict[str, Node] = {}
        self.num_loop_steps = num_loop_steps
        self.until = until
        self.limits = Limits(resources or {})
        self._edges: list[Edge] = []
        self._calls: list[Call] = []
        self._inputs: dict[str, tuple[Endpoint, ...]] | None = None
        self._outputs: dict[str, Endpoint] | None = None
        self._parents: WeakSet[Container] = WeakSet()
        self._made: _Made | None = None

    # --- what it is

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
        return self._ready().calls

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
        else:
            name = str(what)
        if isinstance(child, Mapping | str | Path):
            from yggdrasil.levels.read import read_child

            block, found = read_child(child)
            options = {**found, **options}
        else:
            block = as_runnable(child)
        name = name or self._free_name(block)
        if name in self.nodes:
            raise ConfigError(f"node id {name!r} is taken", path=self.name, hint=f'add("{name}2", ...)')
        if not name.replace("_", "").replace("-", "").isalnum():
            raise ConfigError(f"{name!r} is no node id", path=self.name, hint="letters, digits, _ and -")
        if block is self or (isinstance(block, Container) and self in block.descendants()):
            raise ConfigError(f"{self.name} cannot contain itself", path=name)
        node = Node(name, block, **options)
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
        number = 1
        while f"{role}{number}" in self.nodes:
            number += 1
        return f"{role}{number}"

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
        listed = [what] if isinstance(what, str) or _is_pair(what) else list(what)
        return tuple(self._end(item, side) for item in listed)  # type: ignore[arg-type]

    def _end(self, what: End, side: str) -> Endpoint:
        if not isinstance(what, str) or "." in what:
            return endpoint(what)
        if what not in self.nodes:
            raise ValidationError([Problem(what, f"there is no node {what!r}", close_names(what, self.nodes))])
        ports = getattr(self._node_spec(what), side)
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
        """Make an input of a node an input of this level, called `name` (else `node.port`); several may share a name."""
        end = self._end(f"{node}.{port}" if port else node, "inputs")
        self._known(end, "inputs")
        inputs = dict(self._inputs or {})
        inputs[name or str(end)] = (*inputs.get(name or str(end), ()), end)
        self._inputs = inputs
        self._changed()

    def expose_output(self, node: str, port: str = "", name: str = "") -> None:
        """Make an output of a node an output of this level, called `name` (else `node.port`)."""
        end = self._end(f"{node}.{port}" if port else node, "outputs")
        self._known(end, "outputs")
        outputs = dict(self._outputs or {})
        if (name or str(end)) in outputs:
            raise ConfigError(f"output {name or end!s} is exposed already", path=self.name)
        outputs[name or str(end)] = end
        self._outputs = outputs
        self._changed()

    def _known(self, end: Endpoint, side: str) -> None:
        if end.node not in self.nodes:
            raise ValidationError([Problem(str(end), f"there is no node {end.node!r}", close_names(end.node, self.nodes))])
        ports = getattr(self.nodes[end.node].block.spec, side)
        if end.port not in ports and not (self.nodes[end.node].gate and end.port == "when"):
            raise ValidationError(
                [Problem(str(end), f"node {end.node!r} has no {side[:-1]} {end.port!r}", close_names(end.port, ports))]
            )

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
    def from_template(cls, name: str, **parameters: Any) -> Self:
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
        """Its document: structure and configs, never weights. `refs=True` keeps children that came from files as refs."""
        from yggdrasil.levels.write import level_document

        return level_document(self, refs=refs)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A level from a YAML or JSON file."""
        from yggdrasil.levels.read import read_file

        level = read_file(path)
        if not isinstance(level, cls):
            raise ConfigError(f"this is a {level.kind}, not a {cls.kind}", path=str(path), hint=f"{type(level).__name__}.load(...)")
        return level

    def save(self, path: str | Path, *, refs: bool = False) -> None:
        """Write its document as YAML, or as JSON when the path ends in .json."""
        from yggdrasil.storage.files import write_config

        write_config(path, self.to_config(refs=refs))

    # --- walking

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Every node below, with its path from here (`draft/llm`), by id."""
        for name, node in sorted(self.nodes.items()):
            path = f"{prefix}{name}"
            yield path, node
            if isinstance(node.block, Container):
                yield from node.block.walk(f"{path}/")

    def descendants(self) -> Iterator[Runnable]:
        """Every block and level below."""
        return (node.block for _, node in self.walk())

    def trainable_parameters(self) -> list[Any]:
        """The trainable parameters below, each shared one once."""
        blocks = {id(n.block): n.block for _, n in self.walk() if n.trainable and not isinstance(n.block, Container)}
        found = {id(p): p for b in blocks.values() for p in getattr(b, "trainable_parameters", tuple)()}
        return list(found.values())

    def state_dict(self) -> dict[str, Any]:
        """The state of every block below that has any, by path; a block in several places once."""
        seen: set[int] = set()
        found = {}
        for path, node in self.walk():
            if isinstance(node.block, Container) or id(node.block) in seen:
                continue
            seen.add(id(node.block))
            state = getattr(node.block, "state_dict", dict)()
            if state:
                found[path] = state
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`; ConfigError names a path that is not here."""
        blocks = dict(self.walk())
        for path, values in state.items():
            if path not in blocks:
                raise ConfigError(f"the state has {path!r}, which is not here; {close_names(path, blocks)}", path=self.name)
            blocks[path].block.load_state_dict(values)  # type: ignore[attr-defined]

    # --- checking

    def validate(self, *, strict: bool = False) -> list[Problem]:
        """Every problem here and below, each with its path. With `strict` errors are raised (ValidationError)."""
        problems = self._own_problems()
        for name, node in sorted(self.nodes.items()):
            if isinstance(node.block, Container):
                problems += [
                    Problem(f"{name}/{p.path}", p.sentence, p.hint, p.level) for p in node.block.validate()
                ]
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
        return await made.program.execute(inputs, ctx)  # type: ignore[union-attr]

    def _compile(self) -> _Made:
        errors = [p for p in self._own_problems() if p.level == "error"]
        if errors:
            raise ValidationError(errors)
        made = self._ready()
        until = endpoint(self.until) if isinstance(self.until, str) else self.until
        made.program = Program(self.plan, self._runnables(made), LoopBound(self.num_loop_steps, until))
        return made

    def _runnables(self, made: _Made) -> dict[str, Runnable]:
        runnables = {}
        for name, node in self.nodes.items():
            called = [c.target for c in made.calls if c.source == name]
            block: Runnable | None = None
            if called:
                tools = {t: self.nodes[t].runnable(self.limits) for t in called}
                block = Calling(node.block, tools, made.bound.get(name, ()), name)
            runnables[name] = node.runnable(self.limits, block)
        return runnables

    # --- what follows from the parts

    def _changed(self) -> None:
        self._made = None
        for parent in self._parents:
            parent._changed()

    def _node_spec(self, name: str) -> Spec:
        node = self.nodes[name]
        return node.runnable(self.limits).spec if node.gate else node.block.spec

    def _plain_topology(self) -> Topology:
        # specs are read on demand, so that adding n edges costs n, not n squared
        return Topology(_Specs(self), loops=self.loops)

    def _ready(self) -> _Made:
        if self._made is None:
            specs = {name: self._node_spec(name) for name in self.nodes}
            places = {
                name: Place(node.role, specs[name], node.auto_connect, node.connect) for name, node in self.nodes.items()
            }
            wiring = auto_wire(places, self._edges)
            calls = tuple(sorted({*self._calls, *wiring.calls}, key=str))
            gated = frozenset(n for n, node in self.nodes.items() if node.gate)
            plain = Topology(
                specs, (*self._edges, *wiring.edges), calls, self._inputs, self._outputs, self.loops, gated
            )
            self._made = _with_bound(plain, {n: node.block for n, node in self.nodes.items()}, wiring)
        return self._made


class _Specs(Mapping[str, Spec]):
    """The specs of a container's nodes, read when asked for."""

    def __init__(self, container: Container) -> None:
        self._container = container

    def __getitem__(self, name: str) -> Spec:
        return self._container._node_spec(name) if name in self._container.nodes else self._container.nodes[name].block.spec

    def __iter__(self) -> Iterator[str]:
        return iter(self._container.nodes)

    def __len__(self) -> int:
        return len(self._container.nodes)


class _Made:
    """What is derived from a container's parts until they change."""

    __slots__ = ("bound", "calls", "plan", "program", "topology", "wiring")

    def __init__(self, topology: Topology, calls: tuple[Call, ...], bound: dict[str, list[tuple[str, str]]], wiring: Wiring) -> None:
        self.topology, self.calls, self.bound, self.wiring = topology, calls, bound, wiring
        self.plan: Plan | None = None
        self.program: Program | None = None


def _with_bound(plain: Topology, blocks: Mapping[str, Runnable], wiring: Wiring) -> _Made:
    """Turn exposed ports of tool-only nodes into hidden inputs of the agents that call them."""
    only = plain.callable_only
    exposed = plain.inputs or {}
    bound: dict[str, list[tuple[str, str]]] = {}
    inputs: dict[str, tuple[Endpoint, ...]] = {}
    for name, ends in exposed.items():
        kept: list[Endpoint] = []
        for end in ends:
            if end.node not in only:
                kept.append(end)
                continue
            for call in plain.calls:
                if call.target == end.node:
                    bound.setdefault(call.source, []).append((end.node, end.port))
                    kept.append(Endpoint(call.source, bound_port(end.node, end.port)))
        inputs[name] = tuple(kept)
    if not bound:
        return _Made(plain, plain.calls, bound, wiring)
    specs = dict(plain.nodes)
    for agent, ports in bound.items():
        specs[agent] = calling_spec(specs[agent], blocks, ports)
    topology = Topology(specs, plain.edges, plain.calls, inputs, plain.outputs, plain.loops, plain.gated)
    return _Made(topology, plain.calls, bound, wiring)


def _is_pair(what: Any) -> bool:
    return isinstance(what, tuple) and len(what) == 2 and all(isinstance(w, str) and "." not in w for w in what)
