"""One suite over everything that runs: the bodies are `yggdrasil.testing`'s, which users run on their own blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from tests.levels.toy_world import CONTENT
from yggdrasil import Agent, Block, Graph, Pipeline, Stage, World, block, register
from yggdrasil.abc.context import RunContext
from yggdrasil.core.messages import ToolCall
from yggdrasil.core.ports import Spec, port
from yggdrasil.runtime.registry import REGISTRY, Registry, using
from yggdrasil.testing import RUNNABLE_CHECKS, Case, Check, ScriptedModel, check_runnable

pytestmark = pytest.mark.anyio


@register("conformance/noise")
class Noise(Block):
    """Adds noise by seed, and remembers a scale."""

    block_type = "conformance/noise"
    spec = Spec.declare([port("x", float), port("steps", int, default=2)], [port("y", float), port("n", int)])

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def state_dict(self) -> dict[str, Any]:
        return {"scale": self.scale}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.scale = state["scale"]

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        rng = ctx.random()
        for done in range(inputs["steps"]):
            ctx.progress(done, inputs["steps"])
            await anyio.lowlevel.checkpoint()
        return {"y": inputs["x"] + self.scale * rng.random(), "n": inputs["steps"]}


@block("conformance/words")
async def words(text: str, times: int = 2, *, mark: str = "!") -> list[str]:
    """Repeat a text."""
    return [text + mark] * times


@block("conformance/mean", outputs={"mean": float, "array": np.ndarray}, blocking=True)
def mean(array: np.ndarray) -> Any:
    return {"mean": float(array.mean()), "array": array * 2}


@block("conformance/flat")
def flat(found: list[str]) -> str:
    return " ".join(found)


def graph() -> Graph:
    made = Graph("graph", num_loop_steps=3)
    made.add_node("noise", Noise(0.5), retry=2)
    made.add_node("again", Noise(0.1), timeout=30)
    made.add_edge("noise.y", "again.x")
    made.add_edge("again.y", "noise.x")
    made.add_node("words", words, cache=True)
    made.add_node("flat", flat)
    made.add_edge("words", "flat")
    made.expose_input("noise.x", name="x")
    made.expose_input("words.text", name="text")
    made.expose_output("again.y", name="y")
    made.expose_output("flat.output", name="said")
    return made


def pipeline() -> Pipeline:
    made = Pipeline("pipeline")
    made.add_graph("graph", graph())
    made.add_graph("last", Graph.from_template("chain", blocks={"words": words, "flat": flat}))
    made.add_edge("graph.said", "last.text")
    return made


def stage() -> Stage:
    made = Stage("stage")
    made.add_pipeline("pipeline", pipeline())
    made.set_state_contract(fills="chronicle", ports={"chronicle": "output"})
    return made



def repeated(request: Any) -> Any:
    """The same talk however often it is begun."""
    return "hail!" if request.messages[-1].role == "tool" else ToolCall("1", "words", {"text": "hail"})


def world() -> World:
    from tests.levels import toy_world

    made = World("toy")
    for name in ("philosopher", "author", "update", "development", "architect", "creator"):
        made.add_stage(name, getattr(toy_world, name))
    made.set_initial_world(CONTENT)
    return made


CASES: dict[str, Callable[[], Case]] = {
    "block": lambda: Case(Noise, {"x": 1.0}),
    "function": lambda: Case(lambda: words, {"text": "hail"}),
    "arrays": lambda: Case(lambda: mean, {"array": np.arange(6.0).reshape(2, 3)}),
    "agent": lambda: Case(lambda: Agent(ScriptedModel(repeated), tools=[words]), {"prompt": "hi"}, saved=False),
    "named agent": lambda: Case(lambda: Agent("scripted:echo", memory=True), {"prompt": "hi"}, remembers=True),
    "graph": lambda: Case(graph, {"x": 1.0, "text": "hail"}),
    "agent graph": lambda: Case(
        lambda: Graph.from_template("agent", model="scripted:tools", tools=[words]), {"prompt": "hi"}
    ),
    "pipeline": lambda: Case(pipeline, {"x": 1.0, "text": "hail"}),
    "stage": lambda: Case(stage, {"x": 1.0, "text": "hail"}),
    "world": lambda: Case(world, {"action": "Kara lights the beacon"}, {"ticks": 2}, saved=False),
}


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    with using(Registry(REGISTRY)):
        yield


@pytest.mark.parametrize("check", RUNNABLE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CASES)
async def test_contract(name: str, check: Check) -> None:
    await check(CASES[name]())


async def test_the_whole_contract_in_one_call() -> None:
    await check_runnable(lambda: Noise(3.0), {"x": 2.0, "steps": 1})


class Mutates(Block):
    block_type = "conformance/mutates"
    spec = Spec.declare({"xs": list}, {"xs": list})

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        inputs["xs"].append(1)
        return {"xs": inputs["xs"]}


class Undeclared(Block):
    block_type = "conformance/undeclared"
    spec = Spec.declare({"x": int}, {"y": int})

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        return {"y": 1, "z": 2}


class Forgetful(Block):
    """Does not keep its argument."""

    block_type = "conformance/forgetful"
    spec = Spec.declare({"x": int}, {"y": int})

    def __init__(self, step: int = 1) -> None:
        self._step = step

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        return {"y": inputs["x"] + self._step}


class Unseeded(Block):
    """Random without its seed."""

    block_type = "conformance/unseeded"
    spec = Spec.declare({"x": int}, {"y": float})
    count = 0

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        Unseeded.count += 1
        return {"y": float(Unseeded.count)}


@pytest.mark.parametrize(
    ("make", "inputs", "check"),
    [
        (Mutates, {"xs": []}, "check_inputs_untouched"),
        (Undeclared, {"x": 1}, "check_outputs"),
        (Forgetful, {"x": 1}, "check_config"),
        (Unseeded, {"x": 1}, "check_seed"),
    ],
)
async def test_the_contract_finds_what_is_broken(make: Any, inputs: dict[str, Any], check: str) -> None:
    (body,) = [c for c in RUNNABLE_CHECKS if c.__name__ == check]
    with pytest.raises(Exception, match=r"\w") as caught:  # an AssertionError, or our own error that says it
        await body(Case(make, inputs))
    assert isinstance(caught.value, AssertionError) or type(caught.value).__module__ == "yggdrasil.errors"


class Sorts(Block):
    """Changes its input once, so that only who keeps a clean copy sees it."""

    block_type = "conformance/sorts"
    spec = Spec.declare({"xs": list}, {"first": int})

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        inputs["xs"].sort()
        return {"first": inputs["xs"][0]}


async def test_what_one_check_spoils_the_next_one_still_sees() -> None:
    with pytest.raises(AssertionError, match="its inputs were changed"):
        await check_runnable(Sorts, {"xs": [2, 1]})
