"""Rules for calling tools: names, inputs bound and given, timeouts, limits, toolsets; pictures and large results."""

from __future__ import annotations

import re
import time
from typing import Any

import anyio
import pytest

from yggdrasil import Agent, Blob, ConfigError, PortError, RunContext, ScriptedModel, SpecError, block, tool
from yggdrasil.agent.toolset import Tools
from yggdrasil.core.events import Event, Progress
from yggdrasil.core.messages import File, Image, ToolCall, ToolResult
from yggdrasil.core.ports import Given

pytestmark = pytest.mark.anyio


def call(name: str, number: int = 0, /, **arguments: Any) -> ToolCall:
    return ToolCall(f"id{number}", name, arguments)


def results(model: ScriptedModel, request: int = -1) -> list[ToolResult]:
    return [p for p in model.requests[request].messages[-1].parts if isinstance(p, ToolResult)]


@tool
def add(a: int, b: int = 10) -> int:
    """Add two numbers."""
    return a + b


async def test_anything_is_a_tool_under_another_name_with_inputs_bound() -> None:
    model = ScriptedModel([call("plus_five", a=1), "done"])
    plus = add.as_tool(name="plus_five", description="Add five.", bind={"b": 5})
    await Agent(model, tools=[plus, add]).run("go")
    spec = model.requests[0].tools[0]
    assert (spec.name, spec.description, list(spec.parameters["properties"])) == ("plus_five", "Add five.", ["a"])
    assert results(model)[0].content == "6"
    assert add.spec.doc == "Add two numbers.", "what it was made of is as it was"
    with pytest.raises(PortError, match="no input 'c'; available: a, b"):
        add.as_tool(bind={"c": 1})
    with pytest.raises(PortError, match="'b'"):
        add.as_tool(bind={"b": "five"})


async def test_a_tool_gets_what_the_agent_was_given_and_the_model_does_not_see_it() -> None:
    class User:
        name = "Kara"

    @tool
    def greet(word: str, user: Given[User]) -> str:
        """Greet."""
        return f"{word}, {user.name}"

    model = ScriptedModel([call("greet", word="Hail"), "done"])
    helper = Agent(model, name="helper", tools=[greet])
    await helper.run({"prompt": "go", "given": {"user": User()}})
    assert list(model.requests[0].tools[0].parameters["properties"]) == ["word"]
    assert results(model)[0].content == "Hail, Kara"

    model.__init__([call("greet", word="Hail"), "done"])  # type: ignore[misc]
    outer = Agent(ScriptedModel([call("helper", prompt="greet"), "done"]), tools=[helper])
    await outer.run({"prompt": "go", "given": {"user": User()}})
    assert results(model)[0].content == "Hail, Kara", "an agent as a tool is given what its caller was given"

    model.__init__([call("greet", word="Hail")])  # type: ignore[misc]
    with pytest.raises(SpecError, match="needs 'user', which the agent was not given"):
        await helper.run("go")


async def test_instructions_may_depend_on_what_is_given() -> None:
    model = ScriptedModel(["done"] * 2)

    async def instructions(given: Any, context: Any) -> str:
        return f"You serve {given['user']} in {context}."

    await Agent(model, instructions=instructions).run({"prompt": "go", "given": {"user": "Kara"}, "context": "snow"})
    assert model.requests[0].messages[0].text == "You serve Kara in snow.\n\nsnow"
    with pytest.raises(ConfigError, match="takes 'user', and there are ctx, context, given"):
        Agent(model, instructions=lambda user: user)
    with pytest.raises(PortError, match="instructions gave int"):
        await Agent(model, instructions=lambda: 5).run("go")


async def test_a_tool_that_takes_too_long_is_stopped_and_told_to_the_model() -> None:
    ended: list[str] = []

    @tool(timeout=0.05)
    async def wait() -> str:
        """Wait."""
        try:
            await anyio.sleep(60)
        finally:
            ended.append("yes")
        return "never"

    model = ScriptedModel([call("wait"), "done"])
    await Agent(model, tools=[wait]).run("go")
    assert results(model)[0].content == "wait took longer than 0.05 s and was stopped"
    assert results(model)[0].failed
    assert ended == ["yes"]


class Busy:
    def __init__(self) -> None:
        self.now = self.most = 0

    async def work(self) -> str:
        self.now += 1
        self.most = max(self.most, self.now)
        await anyio.sleep(0.01)
        self.now -= 1
        return "done"


@pytest.mark.parametrize(("limit", "parallel", "most"), [(None, True, 6), (2, True, 2), (None, False, 1)])
async def test_how_many_calls_run_at_once(limit: int | None, parallel: bool, most: int) -> None:
    busy = Busy()

    async def work() -> str:
        """Work."""
        return await busy.work()

    model = ScriptedModel([[call("work", i) for i in range(6)], "done"])
    await Agent(model, tools=[tool(limit=limit)(work)], parallel=parallel).run("go")
    assert busy.most == most
    assert [r.id for r in results(model)] == [f"id{i}" for i in range(6)]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": "soon"}, "timeout is 'soon'"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": True}, "limit is True"),
        ({"approval": "yes"}, "approval is 'yes'"),
    ],
)
def test_rules_that_make_no_sense_are_refused_at_once(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        tool(**rule)(lambda: 1)


async def test_a_toolset_is_opened_for_a_run_and_changed_without_changing_it() -> None:
    opened: list[str] = []

    class Set(Tools):
        def open(self) -> Any:
            opened.append("open")
            return super().open()

    @tool
    def read(path: str) -> str:
        """Read."""
        return f"read {path}"

    @tool
    def write(path: str) -> str:
        """Write."""
        return f"wrote {path}"

    disk = Set(read, write)
    model = ScriptedModel([call("disk_read", path="a"), "done", call("put", path="b"), "done"])
    await Agent(model, tools=[disk.prefix("disk_"), add]).run("go")
    assert sorted(t.name for t in model.requests[0].tools) == ["add", "disk_read", "disk_write"]
    assert results(model)[0].content == "read a"
    await Agent(model, tools=[disk.only("write").rename({"write": "put"})]).run("go")
    assert results(model)[0].content == "wrote b"
    assert opened == ["open"] * 2
    with pytest.raises(ConfigError, match="no 'reed'; did you mean 'read'"):
        await Agent(model, tools=[disk.only("reed")]).run("go")
    agent = Agent(model, tools=[disk.without("read").approve("write")])
    with pytest.raises(PortError, match="must approve each call of write"):
        await agent.run("go")


async def test_pictures_and_files_of_a_tool_are_shown_to_the_model() -> None:
    @tool
    def look() -> dict[str, Any]:
        """Look."""
        return {"picture": Blob(b"abc", "image/png"), "notes": File(Blob(b"x", "text/plain"), name="n.txt")}

    model = ScriptedModel([call("look"), "done"])
    await Agent(model, tools=[look]).run("go")
    assert results(model)[0].media == (Image(Blob(b"abc", "image/png")), File(Blob(b"x", "text/plain"), name="n.txt"))


async def test_a_large_result_is_read_in_pieces() -> None:
    text = "".join(f"line {i}\n" for i in range(3000))

    @tool
    def saga() -> str:
        """Tell all."""
        return text

    seen: list[str] = []

    def script(request: Any) -> Any:
        last = request.messages[-1]
        if last.role == "user":
            return call("saga")
        content = last.parts[0].content
        found = re.search(r'link="([^"]+)", offset=(\d+)', content)
        if found is not None:
            script.link = found[1]  # type: ignore[attr-defined]
            seen.append(content.split("\n\n[These are")[0])
            return call("read_result", 1, link=found[1], offset=int(found[2]), length=9000)
        piece, _, rest = content.rpartition("\n\n[")
        seen.append(piece)
        more = re.search(r"offset=(\d+)", rest)
        if more is not None:
            return call("read_result", 1, link=script.link, offset=int(more[1]), length=9000)  # type: ignore[attr-defined]
        return "all read"

    model = ScriptedModel(script)
    agent = Agent(model, tools=[saga], max_result=10_000)
    assert (await agent.run("go")).output == "all read"
    assert "".join(seen) == text
    assert [t.name for t in model.requests[0].tools] == ["saga"], "no reader before there is something to read"
    assert [t.name for t in model.requests[1].tools] == ["saga", "read_result"]


async def test_reading_nonsense_is_told_to_the_model() -> None:
    @tool
    def saga() -> str:
        """Tell all."""
        return "x" * 100

    asked = [
        call("saga"),
        [
            call("read_result", 1, link="ygg://blob/none"),
            call("read_result", 2, link="../../etc/passwd"),
            call("read_result", 3, link="x", offset=-5),
        ],
        "done",
    ]
    model = ScriptedModel(asked)
    await Agent(model, tools=[saga], max_result=50, max_retries=5).run("go")
    assert all("there is no result" in r.content and r.failed for r in results(model))


async def test_a_generator_tells_its_progress() -> None:
    @tool
    async def crawl(pages: int) -> Any:
        """Crawl."""
        for page in range(pages):
            yield f"page {page}"

    events: list[Event] = []
    model = ScriptedModel([call("crawl", pages=3), "done"])
    await Agent(model, tools=[crawl]).run("go", hooks=[events.append])
    told = [(e.done, e.note, e.path) for e in events if isinstance(e, Progress)]
    assert told == [(i + 1, f"page {i}", "agent/crawl") for i in range(3)]
    assert results(model)[0].content == '["page 0", "page 1", "page 2"]'


async def test_methods_and_callable_objects_are_tools() -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name

        @tool
        def price(self, item: str, ctx: RunContext) -> str:
            """What it costs."""
            return f"{item} at {self.name}: {ctx.path}"

        def stock(self, item: str) -> str:
            """What is there."""
            return f"{self.name} has {item}"

    shop = Shop("Hakon's")
    model = ScriptedModel([[call("price", 1, item="axe"), call("stock", 2, item="nets")], "done"])
    await Agent(model, tools=[shop.price, shop.stock]).run("go")
    assert [r.content for r in results(model)] == ["axe at Hakon's: agent/price", "Hakon's has nets"]


async def test_blocking_tools_do_not_hold_the_loop() -> None:
    @tool(blocking=True)
    def slow() -> str:
        """Be slow."""
        time.sleep(0.2)
        return "done"

    ticks = 0

    async def count() -> None:
        nonlocal ticks
        while True:
            await anyio.sleep(0.01)
            ticks += 1

    async with anyio.create_task_group() as group:
        group.start_soon(count)
        await Agent(ScriptedModel([call("slow"), "done"]), tools=[slow]).run("go")
        group.cancel_scope.cancel()
    assert ticks > 3


async def test_rules_in_a_config() -> None:
    @block("tool/test_rules_bell")
    def bell(times: int, loud: bool = False) -> str:
        """Ring."""
        return "ding " * times + str(loud)

    config = {
        "type": "test_rules_bell", "name": "ring", "timeout": 5, "limit": 1, "bind": {"loud": True},
        "description": "Ring the bell.",
    }  # fmt: skip
    agent = Agent("scripted:tools", tools=[config])
    assert (await agent.run("go")).output == "ring: ding True"
    rebuilt = Agent("scripted:tools", tools=[bell.as_tool(name="ring", timeout=5, bind={"loud": True})])
    written = rebuilt.config["tools"][0]
    assert written == {"type": "tool/test_rules_bell", "name": "ring", "timeout": 5, "bind": {"loud": True}}
    assert (await Agent(**rebuilt.config).run("go")).output == "ring: ding True"
    with pytest.raises(ConfigError, match="a function, which cannot be saved"):
        _ = Agent("scripted:tools", tools=[bell.as_tool(approval=lambda arguments: True)]).config
