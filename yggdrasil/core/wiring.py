"""Default edges by role: hints that `auto_connect=True` follows. Pure; users register rules of their own.

An explicit edge always wins, the order of adding does not matter, and a rule joins only what exists, fits,
and is not fed already. Several candidates that fit give no edge, but a warning that names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from yggdrasil.core.ports import Spec, fits
from yggdrasil.core.topology import Call, Edge, Endpoint
from yggdrasil.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class Rule:
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


@dataclass(frozen=True, slots=True)
class Place:
    """A node as the rules see it. `connect` names the nodes it prefers where several fit."""

    role: str
    spec: Spec
    auto: bool = False
    connect: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the rules gave."""

    edges: tuple[Edge, ...] = ()
    calls: tuple[Call, ...] = ()
    warnings: tuple[Problem, ...] = field(default=())


def auto_wire(places: Mapping[str, Place], explicit: Iterable[Edge]) -> Wiring:
    """The edges that the rules add to the explicit ones."""
    if not any(p.auto for p in places.values()):
        return Wiring()
    fed: dict[Endpoint, set[str]] = {}
    for edge in explicit:
        for source, target in edge.pairs():
            fed.setdefault(target, set()).add(places[source.node].role if source.node in places else "")
    edges: list[Edge] = []
    warnings: list[Problem] = []
    roles = {p.role for p in places.values()}
    for one in RULES:
        if one.unless and one.unless in roles:
            continue
        for node in sorted(n for n, p in places.items() if p.role == one.target_role):
            target = Endpoint(node, one.target_port)
            taken = fed.get(target, set())
            if one.target_port not in places[node].spec.inputs or (one.source_role in taken if one.loop else taken):
                continue
            candidates = _candidates(one, node, places)
            if len(candidates) == 1:
                edges.append(Edge((Endpoint(candidates[0], one.source_port),), (target,)))
            elif candidates:
                warnings.append(
                    Problem(
                        str(target),
                        f"several nodes could feed it: {', '.join(candidates)}; none does",
                        f'add_node(..., connect="{candidates[0]}"), or add_edge("{candidates[0]}.{one.source_port}", "{target}")',
                        "warning",
                    )
                )
    return Wiring(tuple(edges), tuple(_calls(places)), tuple(warnings))


def _candidates(one: Rule, node: str, places: Mapping[str, Place]) -> list[str]:
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
    return preferred if len(preferred) == 1 else found


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
