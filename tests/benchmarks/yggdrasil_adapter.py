"""Yggdrasil as one more peer of the shared peer benchmark, written the way a user would write it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

from script import Script, object_with, script_json, tool
from workloads.growth import item

from yggdrasil import Agent, Graph, RunContext, ScriptedModel, World, block
from yggdrasil.core.messages import Message, Reply, Text, ToolCall
from yggdrasil.storage.open import open_store


async def chain(n):
    """`n` trivial nodes in a row."""

    async def node(state: dict[str, int]) -> dict[str, int]:
        return {"n": state["n"] + 1}

    graph = Graph("chain")
    for i in range(n):
        graph.add_node(f"node{i}", node)
        if i:
            graph.add_edge(f"node{i - 1}", f"node{i}")

    async def run():
        return (await graph.run({"n": 0})).output["n"]

    return run


async def fan(width, delay):
    """One node, `width` parallel ones, one join."""

    async def source(state: dict[str, int]) -> int:
        return state["n"]

    async def leaf(n: int) -> int:
        await asyncio.sleep(delay)
        return n

    @block(many={"found": "list"})
    async def join(found: list[int]) -> int:
        return sum(found)

    graph = Graph("fan")
    graph.add_node("source", source)
    graph.add_node("join", join)
    for i in range(width):
        graph.add_node(f"leaf{i}", leaf)
        graph.add_edge("source", f"leaf{i}")
        graph.add_edge(f"leaf{i}", "join")

    async def run():
        return (await graph.run({"n": 1})).output

    return run


def _agent(script, function):
    def answer(request):
        reply = script_json(script.next())
        if isinstance(reply, str):
            return reply
        calls = tuple(ToolCall(id, "add_one", json.loads(arguments)) for id, arguments in reply)
        return Reply(Message("assistant", calls), finish="tool_calls")

    agent = Agent(ScriptedModel(answer), tools=[function], max_steps=200)

    async def run():
        return (await agent.run("go")).output

    return run


async def agent(turns):
    """An agent that makes one tool call a turn."""
    return _agent(Script(turns), tool())


async def agent_parallel(calls, delay):
    """An agent that makes `calls` tool calls in one turn."""
    return _agent(Script(1, calls), tool(delay))


@asynccontextmanager
async def durable(store, steps, mark):
    """Steps whose results are in the journal before the next one starts."""

    @block
    async def workflow(n: int, ctx: RunContext) -> int:
        for i in range(n):

            async def step(key: str, i: int = i) -> dict[str, int]:
                mark(i)
                return {"i": i}

            await ctx.effect("step", i, step)
        return n

    async with open_store(_url(store)) as opened:

        async def run(run_id):
            return (await workflow.run(steps, thread=run_id, store=opened)).output

        yield run


@asynccontextmanager
async def growth(store, steps, mark):
    """A thread that grows by an item a step."""

    @block
    async def thread(n: int, ctx: RunContext) -> list:
        state = []
        for i in range(n):

            async def step(key: str, i: int = i) -> str:
                mark(i)
                return item(i)

            state.append(await ctx.effect("step", i, step))
        return state

    async with open_store(_url(store)) as opened:

        async def run():
            await thread.run(steps, thread="growth", store=opened)

        async def load():
            records = await opened.read("thread:growth", kinds=("effect",))
            return len([r.data["result"] for r in records])

        yield object_with(run=run, load=load)


def _url(store):
    return "sqlite:///" + store["sqlite"] if "sqlite" in store else store["postgres"]


async def world(agents, steps, model_called, mark):
    """A world of characters with memories: one acts each tick, the narrator resolves it, all observe it."""

    def answer(request):
        model_called()
        return Reply(Message("assistant", (Text("looks around the square and greets a neighbour"),)))

    model = ScriptedModel(answer)
    character, narrator = Agent(model, name="character"), Agent(model, name="narrator")

    @block(outputs={"intent": dict})
    async def development(world: dict, ctx: RunContext) -> dict:
        actor = world["clock"]["step"] % agents
        memories = "\n".join(world["memories"][str(actor)])
        act = await character.run(memories, context=ctx)
        return {"actor": actor, "act": act.output}

    @block(outputs={"blueprint": dict})
    def architect(intent: dict) -> dict:
        return {"scene": intent}

    @block(outputs={"artifacts": dict})
    async def creator(blueprint: dict, ctx: RunContext) -> dict:
        scene = blueprint["scene"]
        event = await narrator.run(f"agent {scene['actor']} {scene['act']}", context=ctx)
        return {"texts": [{"payload": event.output}]}

    @block(outputs={"description": dict})
    def philosopher(artifacts: dict) -> dict:
        return {"seen": artifacts["texts"][0]["payload"]}

    @block(outputs={"chronicle": dict})
    def author(description: dict) -> dict:
        return {"text": description["seen"]}

    @block(outputs={"patch": list})
    def update(chronicle: dict, world: dict) -> list:
        step = world["clock"]["step"] + 1
        remembered = [{"op": "add", "path": f"/memories/{i}/-", "value": chronicle["text"]} for i in range(agents)]
        return [{"op": "replace", "path": "/clock/step", "value": step}, *remembered]

    living = World("square")
    living.add_stage("philosopher", philosopher)
    living.add_stage("author", author)
    living.add_stage("environment", {"update": update, "development": development})
    living.add_stage("architect", architect)
    living.add_stage("creator", creator)
    living.set_initial_world(
        {"clock": {"step": 0}, "memories": {str(i): ["The day begins."] for i in range(agents)}}
    )

    async def run():
        async with World.open(living) as opened:
            for _ in range(steps):
                await opened.run(ticks=1)
                mark()
            return len(json.dumps(await opened.export_content()))

    return run
