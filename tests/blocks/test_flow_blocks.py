"""The small blocks of teams: fields, switch, first, take, join, log, and map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from yggdrasil import (
    Agent,
    BlockError,
    ConfigError,
    Graph,
    PortError,
    ScriptedModel,
    SuspendedError,
    approve,
    block,
    tool,
)
from yggdrasil.blocks.flow import Fields, First, Switch, Take
from yggdrasil.blocks.text import Join, Log
from yggdrasil.core.events import NodeFinished, Progress
from yggdrasil.core.messages import ToolCall
from yggdrasil.levels.map import Map
from yggdrasil.runtime.registry import REGISTRY, Registry, using
from yggdrasil.storage.memory import MemoryStore
from yggdrasil.testing import RUNNABLE_CHECKS, CallCounter, Case, Check, Sleeper

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def registry() -> Any:
    with using(Registry(REGISTRY)):
        yield


CASES = {
    "fields": Case(lambda: Fields({"done": "bool", "left": "list[str]"}), {"value": {"done": True, "left": ["a"]}}),
    "switch": Case(lambda: Switch(["north", "south"]), {"choice": "south"}),
    "first": Case(First, {"value": 3}),
    "take": Case(Take, {"items": [1, 2]}),
    "join": Case(lambda: Join(title="Part"), {"items": ["a", 2]}),
    "log": Case(lambda: Log("Round"), {"said": {"a.response": "hail"}, "heading": "first"}),
    "map": Case(
        lambda: Map({"type": "agent/llm", "model": "scripted:echo", "retry": 2}, at_once=2), {"items": ["a", "b", "c"]}
    ),
}


@pytest.mark.parametrize("check", RUNNABLE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CASES)
async def test_contract(name: str, check: Check) -> None:
    await check(CASES[name])


@dataclass
class Verdict:
    done: bool
    left: list[str]


async def test_fields_of_mappings_and_of_objects() -> None:
    fields = Fields({"done": "bool", "left": "list[str]"})
    assert dict(await fields.run({"value": {"done": True, "left": [], "more": 1}})) == {"done": True, "left": []}
    assert dict(await fields.run({"value": Verdict(False, ["a"])})) == {"done": False, "left": ["a"]}
    with pytest.raises(PortError, match="no field 'left'"):
        await fields.run({"value": {"done": True}})
    with pytest.raises(PortError, match="'done' is str"):
        await fields.run({"value": {"done": "yes", "left": []}})
    with pytest.raises(ConfigError, match="no output type 'boole'"):
        Fields({"done": "boole"})
    with pytest.raises(ConfigError):
        Fields({})


async def test_switch() -> None:
    assert dict(await Switch(["north", "south"]).run("north")) == {"north": True, "south": False}
    with pytest.raises(PortError, match="no case 'nord'; did you mean 'north'"):
        await Switch(["north", "south"]).run("nord")
    for wrong in ([], "north", ["a", "a"], [1], [""], {"a": 1}, None):
        with pytest.raises(ConfigError, match="lists different names"):
            Switch(wrong)  # type: ignore[arg-type]


async def test_take() -> None:
    assert dict(await Take().run({"items": [1, 2]})) == {"item": 1, "rest": [2], "taken": True, "empty": False}
    assert dict(await Take().run({"items": []})) == {"rest": [], "taken": False, "empty": True}


async def test_join_and_log() -> None:
    assert (await Join().run({"items": ["a", {"b": 1}]})).output == 'a\n\n{"b": 1}'
    assert (await Join("Part").run({"items": ["a"]})).output == "Part 1\na"
    log = Log("Round")
    one = await log.run(said={"kara.response": "hail", "bo.response": 2}, heading="greetings")
    assert one["log"] == one["new"] == "Round 1: greetings\nkara: hail\n\nbo: 2"
    two = await log.run(said={"kara.response": "farewell"}, before=one["entries"])
    assert two["log"] == f"{one['log']}\n\nRound 2\nfarewell"
    none = await log.run(before=two["entries"])
    assert none["log"] == two["log"]
    assert "new" not in none
    assert (await Log().run(said={"a.x": "hail"}))["log"] == "hail"
    for made in (lambda: Join(7), lambda: Join(separator=None), lambda: Log(["Round"])):  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="and is a text"):
            made()


async def test_map_keeps_order_shares_inputs_and_holds_its_limit() -> None:
    now = most = 0

    @block
    async def slow(number: int, offset: int = 0) -> int:
        nonlocal now, most
        now += 1
        most = max(now, most)
        await anyio.sleep(0.002 * (5 - number % 5))
        now -= 1
        return number + offset

    heard: list[Any] = []
    result = await Map(slow, at_once=3, port="number").run(items=list(range(10)), offset=100, hooks=[heard.append])
    assert result["results"] == list(range(100, 110))
    assert most == 3
    assert [e.done for e in heard if isinstance(e, Progress)] == list(range(1, 11))
    assert sorted(e.path for e in heard if isinstance(e, NodeFinished)) == sorted(f"map/{n}" for n in range(1, 11))
    assert (await Map(slow, port="number").run(items=[]))["results"] == []


async def test_map_seeds_differ_by_item_and_not_by_run() -> None:
    @block
    def dice(number: int, ctx: Any) -> float:
        return ctx.random().random()

    one = (await Map(dice).run(items=[1, 1, 1], seed=7))["results"]
    assert len(set(one)) == 3
    assert one == (await Map(dice, at_once=1).run(items=[1, 1, 1], seed=7))["results"]


async def test_map_says_which_item_failed_and_ends_the_others() -> None:
    @block
    async def some(number: int) -> int:
        if number == 2:
            raise LookupError("no such rune")
        await anyio.sleep(30)
        return number

    counted = CallCounter(some)
    with anyio.fail_after(5):
        with pytest.raises(BlockError, match="no such rune") as failure:
            await Map(counted).run(items=[1, 2, 3])
    assert failure.value.path == "map/2"
    assert counted.running == 0
    with pytest.raises(PortError, match="'number' is str") as unfit:
        await Map(some).run(items=["one"])
    assert unfit.value.path == "map/1"


async def test_map_is_cancelled_whole() -> None:
    counted = CallCounter(Sleeper(30))
    with anyio.move_on_after(0.02):
        await Map(counted, port="value").run(items=[1, 2, 3])
    assert counted.running == 0


async def test_items_that_wait_for_a_person_let_the_others_go_on() -> None:
    bought: list[str] = []

    @tool(approval=True)
    def buy(what: str) -> str:
        """Buy it."""
        bought.append(what)
        return f"bought {what}"

    def said(request: Any) -> Any:
        prompt = next(m.text for m in request.messages if m.role == "user")
        if prompt == "rest" or request.messages[-1].role == "tool":
            return f"done: {prompt}"
        return ToolCall("1", "buy", {"what": prompt})

    shop = Map(Agent(ScriptedModel(said), tools=[buy]))
    async with MemoryStore() as store:
        with pytest.raises(SuspendedError) as suspended:
            await shop.run(items=["axe", "rest", "boat"], thread="t", store=store)
        assert [a.arguments["what"] for a in suspended.value.pending] == ["axe", "boat"]
        for approval in suspended.value.pending:
            await approve("t", store=store, approval=approval.id)
        result = await shop.run(items=["axe", "rest", "boat"], thread="t", store=store)
    assert result["results"] == ["done: axe", "done: rest", "done: boat"]
    assert sorted(bought) == ["axe", "boat"]


def test_map_refuses_what_it_cannot_run() -> None:
    @block
    def two(a: int, b: int) -> int:
        return a + b

    @block
    def named(items: int, b: int) -> int:
        return b

    with pytest.raises(ConfigError, match="which port"):
        Map(two)
    with pytest.raises(ConfigError, match="no port 'c'"):
        Map(two, port="c")
    with pytest.raises(ConfigError, match="an input 'items' besides"):
        Map(named, port="b")
    with pytest.raises(ConfigError, match="gate cannot stand in"):
        Map({"type": "agent/llm", "model": "scripted:echo", "gate": True})
    for wrong in (0, True, "8"):
        with pytest.raises(ConfigError, match="at_once"):
            Map(two, at_once=wrong, port="a")  # type: ignore[arg-type]


async def test_map_over_a_graph_in_a_file() -> None:
    inner = {"kind": "graph", "nodes": {"a": {"type": "text/prompt", "template": "hail {name}"}}}
    document = {
        "kind": "graph",
        "version": 1,
        "name": "greet",
        "nodes": {"all": {"type": "flow/map", "each": inner}},
    }
    graph = Graph.from_config(document)
    assert (await graph.run({"items": ["Kara", "Bo"]}))["results"] == ["hail Kara", "hail Bo"]
    assert Graph.from_config(graph.to_config()).to_config() == graph.to_config()


async def test_choices_and_lists_as_outputs_in_configs() -> None:
    choosing = Agent("scripted:echo", output=["north", "south"])
    assert (await choosing.run("where?")).output == "north"
    assert choosing.config["output"] == ["north", "south"]
    listing = Agent(ScriptedModel(['{"result": ["a"]}']), output="list[str]")
    assert (await listing.run("what?")).output == ["a"]
    assert Agent("scripted:echo", output=list[str]).config["output"] == "list[str]"
    for wrong in ([], [1.5], [["a"]]):
        with pytest.raises(ConfigError, match="are no choices"):
            Agent("scripted:echo", output=wrong)
