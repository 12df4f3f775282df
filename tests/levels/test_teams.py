"""Teams: graph templates of agents. What they promise, and what every level has: durable, cancelled, budgets, files."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil import (
    Agent,
    BudgetError,
    ConfigError,
    Graph,
    PortError,
    ScriptedModel,
    SuspendedError,
    ValidationError,
    YggdrasilError,
    approve,
    block,
    tool,
)
from yggdrasil.core.budget import Budget
from yggdrasil.core.events import LoopIterated, ModelCalled, NodeStarted, Token
from yggdrasil.core.messages import Message, Reply, Request, Text, ToolCall, ToolResult, Usage
from yggdrasil.levels import team_templates
from yggdrasil.levels.draw import draw
from yggdrasil.levels.templates import template_names
from yggdrasil.models.scripted import echo
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.testing import RUNNABLE_CHECKS, CallCounter, Case, Check

pytestmark = pytest.mark.anyio

FILES = sorted((Path(team_templates.__file__).parent / "teams").glob("*.yaml"))
TEAMS: dict[str, dict[str, Any]] = {
    "debate": {"debaters": 3},
    "map_reduce": {"splitter": False},
    "plan_and_execute": {},
    "reflect": {},
    "router": {"agents": {"law": "You know the law.", "craft": "You know how to build."}},
}


def team(name: str, model: Any = "scripted:echo", **parameters: Any) -> Graph:
    return Graph.from_template(name, model=model, **{**TEAMS[name], **parameters})


def listed(*items: str) -> str:
    return json.dumps({"result": items})


def asked(model: ScriptedModel, number: int) -> str:
    return model.requests[number].messages[-1].text


@pytest.mark.parametrize("check", RUNNABLE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", TEAMS)
async def test_contract(name: str, check: Check) -> None:
    inputs = {"prompt": "Do we cross?"} | ({"items": ["north", "south"]} if name == "map_reduce" else {})
    await check(Case(lambda: team(name), inputs))


def test_there_is_a_file_for_each() -> None:
    assert {path.stem for path in FILES} == set(TEAMS) <= set(template_names("graph"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_each_file_is_a_graph_by_itself(path: Path, tmp_path: Path) -> None:
    graph = Graph.load(shutil.copy(path, tmp_path))
    assert graph.validate() == []
    assert (await graph.run("Do we cross?")).output


@pytest.mark.parametrize("name", TEAMS)
def test_each_validates_saves_and_is_drawn(name: str) -> None:
    made = team(name)
    assert made.validate() == []
    assert Graph.from_config(made.to_config()).to_config() == made.to_config()
    boxes = {box.id for box in draw(made).boxes}
    assert set(made.nodes) <= boxes


# --- what they promise


async def test_reflect_until_the_critic_is_satisfied() -> None:
    writer = ScriptedModel(["one", "two", "three"])
    critic = ScriptedModel([
        '{"satisfied": false, "remarks": "too short"}', '{"satisfied": true, "remarks": "good"}',
    ])  # fmt: skip
    made = team("reflect", writer, critic={"model": critic}, rounds=5)
    result = await made.run("Write of the ford.")
    assert dict(result) == {"response": "two", "satisfied": True, "remarks": "good"}
    assert result.output == "two"
    assert "Write of the ford." in asked(critic, 0)
    assert "one" in asked(critic, 0)
    assert [m.text for m in writer.requests[1].messages[1:3]] == ["Write of the ford.", "one"]
    assert "too short" in asked(writer, 1)


async def test_reflect_ends_after_its_rounds() -> None:
    writer = ScriptedModel(["one", "two", "never"])
    critic = ScriptedModel(lambda request: '{"satisfied": false, "remarks": "no"}')
    result = await team("reflect", writer, critic={"model": critic}, rounds=2).run("Write.")
    assert dict(result) == {"response": "two", "satisfied": False, "remarks": "no"}
    assert (writer.calls, critic.calls) == (2, 2)


async def test_parts_may_be_played_by_functions() -> None:
    @block
    def short(draft: str, task: str) -> dict[str, Any]:
        return {"satisfied": len(draft) < 5, "remarks": f"shorter: {task}"}

    @block
    def writing(task: str) -> str:
        return "long ago" if "shorter" not in task else "ago"

    result = await team("reflect", writer=writing, critic=short).run("Write.")
    assert dict(result) == {"response": "ago", "satisfied": True, "remarks": "shorter: Write."}


async def test_debate_hears_all_and_decides() -> None:
    speakers = {name: ScriptedModel([f"{name} 1", f"{name} 2"]) for name in ("kara", "bo", "odd")}
    judge = ScriptedModel(["kara is right"])
    made = team(
        "debate",
        debaters={n: {"model": m, "instructions": f"You are {n}."} for n, m in speakers.items()},
        judge={"model": judge},
    )
    result = await made.run("Do we cross?")
    assert result.output == "kara is right"
    assert result["minutes"].startswith("Round 1\nbo: bo 1\n\nkara: kara 1\n\nodd: odd 1\n\nRound 2\nbo: bo 2")
    for name, model in speakers.items():
        assert model.requests[0].messages[0].text == f"You are {name}."
        assert asked(model, 0) == "Do we cross?"
        assert all(f"{other} 1" in asked(model, 1) for other in speakers)
        assert [m.text for m in model.requests[1].messages[1:3]] == ["Do we cross?", f"{name} 1"]
    assert "Do we cross?" in asked(judge, 0)
    assert result["minutes"] in asked(judge, 0)


async def test_debaters_speak_at_the_same_time() -> None:
    now = most = 0

    async def slowly(request: Request) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.sleep(0.01)
        now -= 1
        return "aye"

    await team("debate", ScriptedModel(slowly), debaters=4, rounds=1).run("Well?")
    assert most == 4


async def test_router_runs_one_alone() -> None:
    models = {name: ScriptedModel([f"{name} answers"]) for name in ("law", "craft", "war")}
    classifier = ScriptedModel([listed("craft")[:10] + '"craft"}'])
    roles: dict[str, Any] = {
        "law": {"model": models["law"], "description": "questions of right"},
        "craft": {"model": models["craft"], "instructions": "You build.\nWell."},
        "war": Agent(models["war"], description="battles"),
    }
    made = Graph.from_template("router", model="scripted:echo", agents=roles, classifier={"model": classifier})
    result = await made.run("How is a boat built?")
    assert dict(result) == {"response": "craft answers", "choice": "craft"}
    assert [m.calls for m in models.values()] == [0, 1, 0]
    (request,) = classifier.requests
    assert request.output is not None
    assert request.output["properties"]["result"]["enum"] == ["law", "craft", "war"]
    said = request.messages[0].text
    assert said.endswith("- law: questions of right\n- craft: You build.\n- war: battles")
    assert "counsel" not in said
    assert asked(models["craft"], 0) == "How is a boat built?"


async def test_map_reduce_splits_works_and_reduces() -> None:
    def working(request: Request) -> str:
        assert "Count the herds." in request.messages[0].text  # it knows the whole task
        return f"{request.messages[-1].text} has 3"

    reducer = ScriptedModel(["six"])
    made = team(
        "map_reduce",
        splitter={"model": ScriptedModel([listed("north", "south")])},
        worker={"model": ScriptedModel(working)},
        reducer={"model": reducer},
        at_once=1,
    )
    assert dict(await made.run("Count the herds.")) == {"response": "six", "results": ["north has 3", "south has 3"]}
    assert "Part 1\nnorth has 3\n\nPart 2\nsouth has 3" in asked(reducer, 0)


async def test_map_reduce_of_a_given_list_by_a_function() -> None:
    made = team("map_reduce", splitter=False, worker=lambda part: part.upper())
    assert set(made.spec.inputs) == {"prompt", "items"}
    assert (await made.run(prompt="all", items=["a", "b"]))["results"] == ["A", "B"]
    with pytest.raises(PortError, match="items"):
        await made.run("all")


@tool
def look(place: str) -> str:
    """Look at a place."""
    return f"the {place} is frozen"


def planning(*replies: Any) -> ScriptedModel:
    return ScriptedModel(list(replies))


async def test_plan_and_execute_with_a_plan_that_changes() -> None:
    model = planning(
        listed("look at the ford", "build a boat"),
        ToolCall("1", "look", {"place": "ford"}),
        "it is frozen",
        listed("walk over"),
        "walked",
        listed(),
        "We crossed on the ice.",
    )
    result = await team("plan_and_execute", model, tools=[look]).run("Cross the river.")
    assert result.output == "We crossed on the ice."
    assert result["done"] == ["Step 1: look at the ford\nit is frozen", "Step 2: walk over\nwalked"]
    results = [p for m in model.requests[2].messages for p in m.parts if isinstance(p, ToolResult)]
    assert results[0].content == "the ford is frozen"
    assert "(nothing)" in asked(model, 1)
    assert '["build a boat"]' in asked(model, 3)
    assert "it is frozen" in asked(model, 4)
    assert asked(model, 4).endswith("walk over")
    assert all(text in asked(model, 6) for text in ("Cross the river.", "it is frozen", "walked"))


async def test_plan_and_execute_of_no_steps_and_of_too_many() -> None:
    model = planning(listed(), "Nothing to do.")
    assert dict(await team("plan_and_execute", model).run("Rest.")) == {"response": "Nothing to do.", "done": []}
    model = planning(listed("a"), "did a", listed("b"), "did b", listed("c"), "not all")
    result = await team("plan_and_execute", model, steps=2).run("Go on.")
    assert result["done"] == ["Step 1: a\ndid a", "Step 2: b\ndid b"]
    assert asked(model, 5).endswith('What was left undone: ["c"]')


# --- what every level has


async def test_teams_are_tools_nodes_and_stream() -> None:
    inner = team("router", "scripted:echo")
    outer = Agent("scripted:tools", tools=[inner.as_tool(description="ask the house")])
    assert "router: " in (await outer.run("Well?")).output
    events = [e async for e in team("reflect").stream("hail")]
    assert "".join(e.text for e in events if isinstance(e, Token) and e.path == "reflect/writer") == "hail"
    assert [e.iteration for e in events if isinstance(e, LoopIterated)] == [0]


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("name", TEAMS)
async def test_a_durable_team_asks_no_model_twice(name: str) -> None:
    inputs = {"prompt": "Do we cross?"} | ({"items": ["a", "b"]} if name == "map_reduce" else {})
    calls = broken = 0

    def echoing(request: Request) -> Any:
        nonlocal calls
        calls += 1
        if calls == broken:
            raise Killed
        return echo(request)

    expected = await team(name, ScriptedModel(echoing)).run(inputs)
    needed, calls, broken = calls, 0, 2
    async with MemoryStore() as store:
        with pytest.raises(Killed):
            await team(name, ScriptedModel(echoing)).run(inputs, thread="t", store=store)
        broken = 0
        result = await team(name, ScriptedModel(echoing)).run(inputs, thread="t", store=store)
    assert dict(result) == dict(expected)
    assert needed < calls <= needed + 2  # the one that broke, and what ran beside it


async def test_a_person_is_asked_inside_a_team() -> None:
    bought: list[str] = []

    @tool(approval=True)
    def buy(what: str) -> str:
        """Buy it."""
        bought.append(what)
        return f"bought a {what}"

    model = planning(
        listed("buy a boat"), ToolCall("1", "buy", {"what": "boat"}), "bought it", listed(), "We have a boat."
    )
    made = team("plan_and_execute", model, tools=[buy])
    async with MemoryStore() as store:
        with pytest.raises(SuspendedError) as waits:
            await made.run("Get a boat.", thread="t", store=store)
        assert waits.value.pending[0].path.startswith("plan_and_execute/executor")
        await approve("t", store=store)
        assert (await made.run("Get a boat.", thread="t", store=store)).output == "We have a boat."
    assert (bought, model.calls) == (["boat"], 5)


def costly(text: str) -> Callable[[Request], Reply]:
    def reply(request: Request) -> Reply:
        said = '{"satisfied": false, "remarks": "no"}' if request.output else text
        return Reply(Message("assistant", (Text(said),)), Usage(requests=1, input_tokens=40, output_tokens=10))

    return reply


async def test_budgets_nest() -> None:
    model = ScriptedModel(costly("draft"))
    with pytest.raises(BudgetError) as spent:
        await team("reflect", model, rounds=9).run("Write.", budget=Budget(tokens=120))
    assert model.calls == 3
    assert spent.value.path == "reflect/critic"
    critic = {"model": ScriptedModel(lambda request: "no JSON"), "budget": {"steps": 1}}
    with pytest.raises(BudgetError) as own:
        await team("reflect", critic=critic).run("Write.", budget=Budget(steps=100))
    assert own.value.path == "reflect/critic"


async def test_a_cancelled_team_leaves_nothing_running() -> None:
    async def never(request: Request) -> str:
        await anyio.sleep(60)
        return ""

    for name in TEAMS:
        counted = CallCounter(team(name, ScriptedModel(never)))
        with anyio.move_on_after(0.02) as scope:
            inputs: Mapping[str, Any] = {"prompt": "go"} | ({"items": ["a", "b"]} if name == "map_reduce" else {})
            await counted.run(inputs)
        assert scope.cancelled_caught
        assert counted.running == 0


async def test_events_of_parallel_workers_name_their_places() -> None:
    heard: list[Any] = []
    await team("map_reduce").run(prompt="all", items=["a", "b"], hooks=[heard.append])
    assert {e.path for e in heard if isinstance(e, NodeStarted)} >= {"map_reduce/workers/1", "map_reduce/workers/2"}
    assert "map_reduce/workers/2" in {e.path for e in heard if isinstance(e, ModelCalled)}


# --- who plays a part


def test_options_go_over_the_file() -> None:
    made = team("reflect", writer="Be brief.", critic={"instructions": "Be hard.", "max_steps": 3, "retry": 2})
    writer, critic = made.nodes["writer"], made.nodes["critic"]
    assert isinstance(writer.block, Agent)
    assert isinstance(critic.block, Agent)
    assert writer.block.instructions == "Be brief."
    assert (critic.block.instructions, critic.block.max_steps, critic.retry) == ("Be hard.", 3, 2)
    assert critic.block.output == {"satisfied": "bool", "remarks": "str"}


async def test_other_kinds_files_and_ready_agents(tmp_path: Path) -> None:
    path = tmp_path / "inner.yaml"
    team("router").save(path)
    ready = Agent(ScriptedModel(["ready"]), name="ready")
    made = team(
        "debate",
        debaters=[{"type": "agent/react"}, {"type": "agent/api", "provider": "scripted", "model_id": "echo"}, path],
        judge=ready,
        rounds=1,
    )
    assert made.nodes["debater1"].block.block_type == "agent/react"
    assert made.nodes["debater2"].block.block_type == "agent/api"
    assert made.nodes["debater3"].block.block_type == "graph"
    result = await made.run("hail")
    assert result.output == "ready"
    assert "debater3: hail" in result["minutes"]


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("reflect", {"rounds": 0}, "rounds is 0"),
        ("reflect", {"writer": {"instuctions": "x"}}, "instuctions"),
        ("reflect", {"writer": Agent("scripted:echo"), "tools": [look]}, "give the agent its tools"),
        ("reflect", {"tools": look}, "tools is FunctionBlock, and is a list"),
        ("map_reduce", {"tools": 7}, "tools is int, and is a list"),
        ("debate", {"debaters": {1: "x"}}, "1 is no node id"),
        ("debate", {"debaters": {"": "x"}}, "'' is no node id"),
        ("router", {"agents": {r"a\1": "x"}}, "is no node id"),
        ("debate", {"debaters": 0}, "debaters is 0"),
        ("debate", {"debaters": []}, "needs debaters"),
        ("debate", {"debaters": {"judge": "x"}}, "'judge' is a node of this team already"),
        ("router", {"agents": {}}, "needs agents by name"),
        ("router", {"agents": {"a b": "x"}}, "a b"),
        ("map_reduce", {"at_once": True}, "at_once is True"),
        ("plan_and_execute", {"steps": 1.5}, "steps is 1.5"),
        ("plan_and_execute", {"planner": 7}, "cannot be a node"),
        ("reflect", {"writer": {"ref": 0, 0: None}}, "a key is 0"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        team(name, **wrong)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=5), st.binary(max_size=3),
    st.lists(st.none() | st.text(max_size=3), max_size=2), st.builds(object),
    st.dictionaries(
        st.sampled_from(["", "a", "a b", "type", "model", "tools", "output", "retry", "gate", "memory", "kind", "ref"])
        | st.integers(),
        st.none() | st.integers() | st.text(max_size=3) | st.just("agent/llm"), max_size=3,
    ),
)  # fmt: skip
PARAMETERS = [(name, said) for name in TEAMS for said in signature(getattr(team_templates, name)).parameters]


@given(st.sampled_from(PARAMETERS), ODD)
def test_anything_else_makes_a_team_or_is_refused_with_a_reason(place: tuple[str, str], value: Any) -> None:
    name, parameter = place
    with contextlib.suppress(YggdrasilError):
        made = Graph.from_template(name, **{"model": "scripted:echo", **TEAMS[name], parameter: value})
        assert made.validate() == []


def test_a_part_whose_answer_does_not_fit_is_refused() -> None:
    @block
    def grumble(draft: str) -> int:
        return 7

    with pytest.raises((ConfigError, ValidationError)):
        team("plan_and_execute", planner=grumble)
