"""Default edges by role: hints that `auto_connect=True` follows. Pure; users register rules of their own.

An explicit edge always wins, the order of adding does not matter, and a rule joins only what exists, fits,
and is not fed already. Several candidates that fit give no edge, but a warning that names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from yggdrasil.core.ports import Spec, fits
from yggdrasil.core.topology import Call, Edge, Endpoint
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, Problem


class Rule(Value):
    """`source_role.source_port -> target_role.target_port`.

    loop     it closes a loop: it may stand beside another source, which then gives the first value
    unless   a role whose presence switches the rule off
    """

    source_role: str
    source_port: str
    target_role: str
    target_port: str
    loop: bool = False
    unless: str = ""


def rule(text: str, *, loop: bool = False, unless: str = "") -> Rule:
    """A Rule from `"tokenizer.token_ids -> conditioner.input"`."""
    try:
        source, target = (part.strip().split(".") for part in text.split("->"))
        return Rule(source[0], source[1], target[0], target[1], loop, unless)
    except (ValueError, IndexError):
        raise ConfigError(f"{text!r} is no rule", hint='"role.port -> role.port"') from None


RULES: list[Rule] = [
    rule("tokenizer.token_ids -> conditioner.input"),
    rule("conditioner.embedding -> backbone.condition"),
    rule("backbone.pred -> solver.pred", unless="guidance"),
    rule("backbone.pred -> guidance.pred"),
    rule("guidance.pred_guided -> solver.pred"),
    rule("solver.next_input -> backbone.latent", loop=True),
    rule("solver.next_latent -> backbone.latent", loop=True),
    rule("solver.next_timestep -> backbone.timestep", loop=True),
    rule("solver.next_latent -> solver.latent", loop=True),
    rule("solver.next_timestep -> solver.timestep", loop=True),
    rule("solver.next_state -> solver.state", loop=True),
    rule("codec.latent -> backbone.latent"),
    rule("codec.latent -> solver.latent"),
    rule("solver.next_latent -> codec.latent"),
    rule("conditioner.embedding -> adapter.condition"),
    rule("backbone.activations -> adapter.hidden"),
    rule("adapter.adapted -> backbone.adapter_features"),
    rule("schedule.input -> backbone.latent"),
    rule("schedule.latent -> solver.latent"),
    rule("schedule.state -> solver.state"),
    rule("schedule.timestep -> backbone.timestep"),
    rule("schedule.timestep -> solver.timestep"),
    rule("tokenizer.token_ids -> llm.prompt"),
    rule("conditioner.embedding -> agent.context"),
]
"""The canon's default edges."""

CALL_RULES: list[tuple[str, str]] = [("agent", "tool")]
"""Which roles call which as tools."""


def register_rule(text: str, *, loop: bool = False, unless: str = "") -> None:
    """Add a default edge: `register_rule("detector.boxes -> cropper.boxes")`."""
    made = rule(text, loop=loop, unless=unless)
    if made not in RULES:
        RULES.append(made)


class Place(Value):
    """A node as the rules see it. `connect` names the nodes it prefers where several fit."""

    role: str
    spec: Spec
    auto: bool = False
    connect: frozenset[str] = frozenset()


class Wiring(Value):
    """What the rules gave."""

    edges: tuple[Edge, ...] = ()
    calls: tuple[Call, ...] = ()
    warnings: tuple[Problem, ...] = ()


def auto_wire(places: Mapping[str, Place], explicit: Iterable[Edge]) -> Wiring:
    """The edges that the rules add to the explicit ones."""
    if not any(p.auto for p in places.values()):
        return Wiring()
    fed = _Fed(explicit)
    edges: list[Edge] = []
    warnings: list[Problem] = []
    roles = {p.role for p in places.values()}
    for one in RULES:
        if one.unless and one.unless in roles:
            continue
        for node in sorted(n for n, p in places.items() if p.role == one.target_role):
            port = places[node].spec.inputs.get(one.target_port)
            if port is None:
                continue
            target = Endpoint(node, one.target_port)
            found = [Endpoint(c, one.source_port) for c in _candidates(one, node, places)]
            found = [source for source in found if fed.free(one, source, target)]
            if len(found) == 1 or port.many != "single":
                edges += [Edge((source,), (target,)) for source in found]
                fed.add(one, found, target)
            elif found:
                warnings.append(_ambiguous(found, target))
    return Wiring(tuple(edges), tuple(_calls(places)), tuple(warnings))


class _Fed:
    """What feeds each input already: explicit edges, and the rules that came before."""

    def __init__(self, explicit: Iterable[Edge]) -> None:
        self._explicit: dict[Endpoint, set[str]] = {}
        self._following: dict[str, set[str]] = {}
        self._by_rule: set[tuple[Endpoint, bool]] = set()
        for edge in explicit:
            for source, target in edge.pairs():
                self._explicit.setdefault(target, set()).add(source.node)
                self._following.setdefault(source.node, set()).add(target.node)

    def free(self, one: Rule, source: Endpoint, target: Endpoint) -> bool:
        """Whether a rule may feed `target`: one that closes a loop may stand beside a first value from outside it."""
        if (target, one.loop) in self._by_rule:
            return False
        given = self._explicit.get(target, set())
        return not given & self._reached(source.node) if one.loop else not given

    def add(self, one: Rule, sources: Sequence[Endpoint], target: Endpoint) -> None:
        """A rule fed `target`."""
        if sources:
            self._by_rule.add((target, one.loop))

    def _reached(self, node: str) -> set[str]:
        """What explicit edges lead to from `node`, itself included."""
        seen, ahead = {node}, [node]
        while ahead:
            for other in self._following.get(ahead.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    ahead.append(other)
        return seen


def _ambiguous(found: Sequence[Endpoint], target: Endpoint) -> Problem:
    names = ", ".join(source.node for source in found)
    return Problem(
        str(target),
        f"several nodes could feed it: {names}; none does",
        f'add_node(..., connect="{found[0].node}"), or add_edge("{found[0]}", "{target}")',
        "warning",
    )


def _candidates(one: Rule, node: str, places: Mapping[str, Place]) -> list[str]:
    """The nodes whose output fits; those it was told to connect to go before, and a loop on itself does."""
    into = places[node]
    found = []
    for name, place in sorted(places.items()):
        port = place.spec.outputs.get(one.source_port)
        itself = name == node and not one.loop
        if place.role != one.source_role or port is None or itself or not (place.auto or into.auto):
            continue
        if fits(port.type, into.spec.inputs[one.target_port].takes):
            found.append(name)
    preferred = [n for n in found if n in into.connect or node in places[n].connect]
    if not preferred and node in found:
        return [node]
    return preferred or found


def _calls(places: Mapping[str, Place]) -> Iterable[Call]:
    for source_role, target_role in CALL_RULES:
        agents = [n for n, p in sorted(places.items()) if p.role == source_role]
        for name, place in sorted(places.items()):
            if place.role != target_role:
                continue
            callers = [a for a in agents if place.auto or places[a].auto]
            preferred = [a for a in callers if a in place.connect or name in places[a].connect]
            for caller in preferred or callers:
                yield Call(caller, name)
