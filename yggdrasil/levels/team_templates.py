"""Teams of agents as graph templates. Each is a graph file in `teams/`; these functions put models and agents in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.errors import ConfigError
from yggdrasil.levels.graph import Graph
from yggdrasil.levels.map import Map
from yggdrasil.levels.team import Role, Team, cast, count
from yggdrasil.levels.templates import register_template


@register_template("graph", "reflect")
def reflect(
    model: Any,
    writer: Role = None,
    critic: Role = None,
    rounds: int = 3,
    tools: Sequence[Any] = (),
    name: str = "reflect",
) -> Graph:
    """A writer writes, a critic judges, the writer writes again, until the critic is satisfied or `rounds` are over.

    The critic's answer has the fields satisfied and remarks; a critic that is a function may take draft and task apart.
    `tools` are the writer's. Out: response (what was written last), satisfied, remarks.
    """
    team = Team("reflect", name)
    team.cast("writer", writer, model, tools)
    team.cast("critic", critic, model)
    takes = team.ready["critic"].spec.inputs if "critic" in team.ready else ()
    if "draft" in takes:
        team.drop("review")
        team.edges.append("writer.response -> critic.draft")
        team.inputs["prompt"] += ["critic.task"] if "task" in takes else []
    return team.graph(count("rounds", rounds))


@register_template("graph", "debate")
def debate(
    model: Any,
    debaters: int | Mapping[str, Role] | Sequence[Role] = 2,
    judge: Role = None,
    rounds: int = 2,
    name: str = "debate",
) -> Graph:
    """Debaters speak in each of `rounds`, at the same time, and know what was said before; a judge answers.

    `debaters` is how many, or a list of them, or a mapping of names to them.
    Out: response, minutes (all that was said).
    """
    team = Team("debate", name)
    listed = debaters if isinstance(debaters, Mapping | list | tuple) else [None] * count("debaters", debaters)
    roles = listed if isinstance(listed, Mapping) else {f"debater{n}": role for n, role in enumerate(listed, 1)}
    if not roles:
        raise ConfigError("a debate needs debaters", hint='debaters={"optimist": "...", "sceptic": "..."}')
    team.multiply(("debater1", "debater2"), list(roles))
    for debater, role in roles.items():
        team.cast(debater, role, model)
    team.cast("judge", judge, model)
    return team.graph(count("rounds", rounds))


@register_template("graph", "router")
def router(model: Any, agents: Mapping[str, Role], classifier: Role = None, name: str = "router") -> Graph:
    """A classifier chooses one of `agents` by its name and by what it is for, and only that one runs.

    What an agent is for is its description, else the first line of its instructions. Out: response, choice.
    """
    if not isinstance(agents, Mapping) or not agents:
        raise ConfigError("a router needs agents by name", hint='agents={"law": "You know the law.", "craft": smith}')
    team = Team("router", name)
    team.multiply(("counsel", "craft"), list(agents))
    for agent, role in agents.items():
        team.cast(agent, role, model)
    team.nodes["route"]["cases"] = team.nodes["classifier"]["output"] = list(agents)
    team.cast("classifier", classifier, model)
    chosen = team.nodes["classifier"].get("instructions")
    if isinstance(chosen, str):
        lines = [line for line in chosen.splitlines() if not line.startswith("- ")]
        known = [f"- {agent}: {_purpose(team, agent)}" for agent in agents]
        team.nodes["classifier"]["instructions"] = "\n".join([*lines, *known])
    return team.graph()


def _purpose(team: Team, agent: str) -> str:
    if agent in team.ready:
        doc = team.ready[agent].spec.doc
    else:
        node = team.nodes[agent]
        said = node.get("description") or node.get("instructions")
        doc = said if isinstance(said, str) else ""
    return next(iter(doc.strip().splitlines()), "") or agent


@register_template("graph", "map_reduce")
def map_reduce(
    model: Any,
    worker: Role = None,
    splitter: Role | bool = None,
    reducer: Role = None,
    at_once: int = 8,
    tools: Sequence[Any] = (),
    name: str = "map_reduce",
) -> Graph:
    """A splitter makes parts of the task, a worker does each of them, `at_once` at a time, a reducer makes one answer.

    With `splitter=False` the parts are given: `run(prompt=..., items=[...])`. `tools` are the workers'.
    Out: response, results (of the workers, in the order of the parts).
    """
    team = Team("map_reduce", name)
    each = cast(f"{name}/workers", team.nodes["workers"]["each"], worker, model, tools)
    workers = team.ready["workers"] = Map(each, at_once=count("at_once", at_once))
    if "context" not in workers.spec.inputs:  # what is no agent has no use for the whole task
        team.inputs["prompt"].remove("workers.context")
    if splitter is False:
        team.drop("splitter")
        team.inputs["items"] = ["workers.items"]
    else:
        team.cast("splitter", None if splitter is True else splitter, model)
    team.cast("reducer", reducer, model)
    return team.graph()


@register_template("graph", "plan_and_execute")
def plan_and_execute(
    model: Any,
    tools: Sequence[Any] = (),
    planner: Role = None,
    executor: Role = None,
    replanner: Role = None,
    answerer: Role = None,
    steps: int = 12,
    name: str = "plan_and_execute",
) -> Graph:
    """A planner lists steps, an executor does each with `tools`, a replanner may change what is left, or end it.

    At most `steps` are done; then an answerer answers from what was. Planner and replanner answer with lists of texts.
    Out: response, done (what came of each step).
    """
    team = Team("plan_and_execute", name)
    team.cast("planner", planner, model)
    team.cast("executor", executor, model, tools)
    team.cast("replanner", replanner, model)
    team.cast("answerer", answerer, model)
    return team.graph(count("steps", steps))
