"""The stock tools as a user has them: by name, in an agent, in a config; and fed whatever a model may send."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yggdrasil import Agent, ConfigError, PortError, RunError
from yggdrasil.abc.catalog import find
from yggdrasil.abc.context import Run, RunContext
from yggdrasil.abc.tool import policy_of
from yggdrasil.agent.tools.addresses import refusal
from yggdrasil.catalog.catalog import StandardCatalog
from yggdrasil.core.messages import Message, ToolCall, ToolResult
from yggdrasil.core.toolspec import ArgumentsError, tool_contract
from yggdrasil.models.scripted import ScriptedModel
from yggdrasil.runtime.registry import active_registry

pytestmark = pytest.mark.anyio

ASKING = {"shell", "python", "file_writer"}
CONFIGS: dict[str, dict[str, Any]] = {
    "calculator": {},
    "clock": {},
    "dice": {},
    "file_writer": {"root": "."},
    "files": {"root": "."},
    "python": {},
    "search": {},
    "shell": {},
    "web_fetch": {},
    "world_reader": {},
}


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    with find("dice", "tool").scope():
        yield


def build(name: str, **config: Any) -> Any:
    with find(name, "tool").scope():
        return active_registry().build(f"tool/{name}", {**CONFIGS[name], **config})


@pytest.mark.parametrize("name", CONFIGS)
def test_each_can_be_told_to_a_model_and_hides_its_config(name: str) -> None:
    tool = build(name)
    spec = tool_contract(name, tool.spec).spec
    assert spec.description
    assert spec.description.split("\n")[0].endswith((".", ":")), "a first sentence"
    hidden = {"root", "hosts", "seconds", "memory", "output", "folder"}
    assert not hidden & set(spec.parameters["properties"])
    assert (policy_of(tool).approval is True) == (name in ASKING)
    assert tool.idempotent == (name not in {"shell", "python"}), "what cannot be repeated after a crash"


def test_the_files_of_no_folder_cannot_be_had() -> None:
    with pytest.raises(ConfigError, match="root"):
        active_registry().build("tool/files", {})


def results(messages: list[Message]) -> list[ToolResult]:
    return [part for m in messages for part in m.parts if isinstance(part, ToolResult)]


def calling(*calls: tuple[str, dict[str, Any]]) -> ScriptedModel:
    made = [ToolCall(str(n), name, arguments) for n, (name, arguments) in enumerate(calls)]
    return ScriptedModel([*made, "done"])


async def test_in_an_agent_by_name(tmp_path: Path) -> None:
    (tmp_path / "log.md").write_text("the wind turned\n")
    agent = Agent(
        calling(
            ("files", {"do": "search", "text": "WIND"}),
            ("file_writer", {"do": "write", "path": "new.md", "content": "calm"}),
            ("web_fetch", {"url": "http://localhost:8080/"}),
            ("python", {"code": "print(6 * 7)"}),
            ("shell", {"command": "cat /proc/self/environ | tr '\\0' '\\n' | grep -c KEY"}),
        ),
        tools=[
            {"type": "tool/files", "root": str(tmp_path)},
            {"type": "file_writer", "root": str(tmp_path)},
            "web_fetch",
            "python",
            "shell",
        ],
    )
    asked: list[str] = []

    def approve(approval: Any) -> bool:
        asked.append(approval.tool)
        return True

    answer = await agent.run("go", approve=approve)
    found = [r.content for r in results(answer["messages"])]
    assert found[0] == "log.md:1: the wind turned"
    assert (tmp_path / "new.md").read_text() == "calm"
    assert "loopback" in found[2]
    assert found[3].startswith("42\n[exit code 0")
    assert found[4].startswith("0\n")
    assert asked == ["file_writer", "python", "shell"]


async def test_a_person_can_say_no(tmp_path: Path) -> None:
    agent = Agent(calling(("shell", {"command": f"touch {tmp_path}/made"})), tools=["shell"])
    answer = await agent.run("go", approve=lambda approval: False)
    assert "said no" in results(answer["messages"])[0].content
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240


async def test_files_reads_lists_and_searches(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one\ntwo\n")
    files = build("files", root=str(tmp_path))
    assert (await files.run(do="list")).output == "a.md  8 bytes"
    assert (await files.run(do="read", path="a.md", numbered=True)).output == "     1  one\n     2  two"
    assert (await files.run(do="search", text="two", pattern="*.md")).output == "a.md:2: two"
    writer = build("file_writer", root=str(tmp_path))
    assert "line 2" in (await writer.run(do="edit", path="a.md", old="two", new="2")).output
    assert (tmp_path / "a.md").read_text() == "one\n2\n"


async def test_search_is_over_what_it_is_given() -> None:
    tool = build("search").as_tool(bind={"content": {"people": {"ketil": {"trade": "shipwright"}}}})
    assert set(tool_contract("search", tool.spec).spec.parameters["properties"]) == {"query", "most"}
    found = (await tool.run(query="who is the shipwright")).output
    assert found["found"] == [{"path": "people/ketil", "text": "trade: shipwright"}]


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=30),
    st.text(max_size=5).map(lambda t: t * 5000),
    st.sampled_from(["\0", "\ud800", "../../etc/passwd", "http://127.0.0.1/", "\x1b[2J", "1" * 400]),
    st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
)
# What a model may send that costs nothing to run: programs and the network have tests of their own.
CALLED = ["calculator", "clock", "dice", "files", "file_writer", "search", "web_fetch", "world_reader"]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_a_model_sends_is_answered_or_refused(
    data: st.DataObject, place: Path, called: dict[str, tuple[Any, Any]]
) -> None:
    name = data.draw(st.sampled_from(CALLED))
    tool, contract = called[name]
    known = contract.spec.parameters["properties"]
    given = data.draw(
        st.one_of(
            st.fixed_dictionaries({}, optional={key: _fitting(about) | odd for key, about in known.items()}),
            st.dictionaries(st.text(max_size=6), odd, max_size=3),
        )
    )
    if refuses_to_look(given.get("url")):
        given["url"] = "http://127.0.0.1/"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            inputs = contract.read(given)
            anyio.run(tool.execute, {**defaults(tool), **inputs}, RunContext(Run(seed=1), "here"))
    except (ArgumentsError, PortError, RunError) as error:
        assert str(error)  # noqa: PT017 - it may be answered, and may be refused
    assert {p.name for p in place.parent.iterdir()} == {"root"}


def refuses_to_look(url: Any) -> bool:
    """Whether a URL's host may be a name of the public net, which a test does not look up."""
    return isinstance(url, str) and "://" in url and not refusal(url.split("://")[1].split("/")[0])


def defaults(tool: Any) -> dict[str, Any]:
    return {n: p.default for n, p in tool.spec.inputs.items() if not p.required}


def _fitting(about: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of about the kind that a schema says."""
    if "enum" in about:
        return st.sampled_from(about["enum"])
    kinds: dict[Any, st.SearchStrategy[Any]] = {
        "string": st.text(max_size=20) | st.text("0123456789dkh+-*/()%. \t", max_size=20),
        "integer": st.integers(-5, 10**6),
        "boolean": st.booleans(),
        "object": st.dictionaries(st.sampled_from(["people", "history", "threads", "x"]), odd, max_size=3),
    }
    return kinds.get(about.get("type"), odd)


@pytest.fixture(scope="module")
def called(place: Path) -> dict[str, tuple[Any, Any]]:
    """Each of the tools, and what is told of it to a model."""
    made = {n: build(n, root=str(place)) if "root" in CONFIGS[n] else build(n) for n in CALLED}
    return {name: (tool, tool_contract(name, tool.spec)) for name, tool in made.items()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile") / "root"
    made.mkdir()
    return made


@pytest.mark.parametrize("name", CONFIGS)
def test_the_list_says_what_each_is(name: str) -> None:
    (said,) = [e.description for e in StandardCatalog().entries() if e.kind == "tool" and e.name == name]
    assert said.lower().startswith(name.replace("_", " ") + ": ")
    assert len(said) < 120
