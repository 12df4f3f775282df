"""Wrong, huge and hostile values: always one of our errors before anything is spent, never a crash, never a hang."""

from __future__ import annotations

import contextlib
import enum
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from yggdrasil import Agent, Blob, Budget, Given, Message, ScriptedModel, Tools, YggdrasilError, approve, pending, tool
from yggdrasil.agent.toolbox import as_tool
from yggdrasil.core.approval import answer_of
from yggdrasil.core.messages import ToolCall, message_from_json
from yggdrasil.core.toolspec import ArgumentsError, tool_contract
from yggdrasil.runtime.function import FunctionBlock
from yggdrasil.storage.memory import MemoryStore

FUZZ = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))

HOSTILE = st.sampled_from([
    "\x00", "\x1b[2J\x1b]0;gone\x07", "\ud800", "../../etc/passwd", "ygg://blob/" + "0" * 64, "{{7*7}}", "$(reboot)",
    "a" * 100_000, -(10**400), float("nan"), float("inf"), b"\xff" * 100, object(), Ellipsis, type, len,
])  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20) | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
OPTIONS = [n for n in inspect.signature(Agent.__init__).parameters if n not in ("self", "model")]


def model() -> ScriptedModel:
    return ScriptedModel(lambda request: "done")


@FUZZ
@given(st.dictionaries(st.sampled_from(OPTIONS), ANY, max_size=3))
def test_an_agents_arguments(options: dict[str, Any]) -> None:
    with contextlib.suppress(YggdrasilError):
        agent = Agent(model(), **options)
        with contextlib.suppress(YggdrasilError):
            assert isinstance(agent.config, Mapping)


@FUZZ
@given(ANY)
def test_the_model_of_an_agent(given_model: Any) -> None:
    with contextlib.suppress(YggdrasilError):
        Agent(given_model)


PORTS = ["prompt", "messages", "context", "given"]


@FUZZ
@given(st.dictionaries(st.sampled_from([*PORTS, "other"]), ANY, max_size=3), ANY)
def test_what_an_agent_is_asked(inputs: dict[str, Any], bare: Any) -> None:
    asked = model()
    agent = Agent(asked)
    for value in (inputs, bare):
        with contextlib.suppress(YggdrasilError):
            anyio.run(lambda value=value: agent.run(value))
    assert asked.calls <= 2


RUN = ["seed", "thread", "store", "device", "budget", "timeout", "hooks", "context", "approve", "num_loop_steps"]


@FUZZ
@given(st.dictionaries(st.sampled_from(RUN), ANY, max_size=2))
def test_the_options_of_a_run(options: dict[str, Any]) -> None:
    if options.get("store") not in (None, "memory://") or isinstance(options.get("timeout"), float):
        options.pop("store", None)  # what opens files is fuzzed where stores are
    if callable(options.get("hooks")):
        del options["hooks"]  # what a hook raises is its own
    with contextlib.suppress(YggdrasilError):
        anyio.run(lambda: Agent(model()).run("go", **options))


@FUZZ
@given(ANY, ANY)
def test_tools_in_any_form(what: Any, rules: Any) -> None:
    with contextlib.suppress(YggdrasilError):
        as_tool(what)
    with contextlib.suppress(YggdrasilError):
        as_tool({"type": "dice", "bind": rules, "approval": what})
    with contextlib.suppress(YggdrasilError):
        Tools(what)
    with contextlib.suppress(YggdrasilError):
        tool(timeout=what, limit=rules)(lambda: 1)


@tool
def measured(number: int, name: str = "", many: list[float] | None = None, kind: Literal["a", "b"] = "a") -> str:
    """Measure."""
    return "ok"


@FUZZ
@given(st.dictionaries(st.sampled_from(["number", "name", "many", "kind", "other"]), ANY, max_size=5) | st.text())
def test_the_arguments_a_model_sends(arguments: Any) -> None:
    contract = tool_contract("measured", measured.spec)
    try:
        read = contract.read(arguments)
    except ArgumentsError as error:
        assert len(str(error)) < 20_000  # noqa: PT017 - it may fit, and may not
    else:
        assert isinstance(read["number"], int)
    said = ScriptedModel([ToolCall("1", "measured", arguments), "done"])
    with contextlib.suppress(YggdrasilError):
        anyio.run(lambda: Agent(said, tools=[measured], max_retries=0).run("go"))


@dataclass
class Point:
    x: int
    next: Point | None = None


class Colour(enum.Enum):
    RED = "red"


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Plain:
    pass


ANNOTATIONS = st.sampled_from([
    int, str, float, bool, None, Any, object, bytes, complex, type, list, dict, tuple, set, frozenset,
    list[int], dict[str, list[Point]], tuple[int, ...], tuple[int, str], set[Colour], frozenset[str],
    int | None, int | str | None, Point, Tree, Colour, Plain, Blob, Message, Sequence[Message], Mapping[str, Any],
    Callable[[int], str], Literal["a", 1, None], typing.Annotated[int, "how many"], Given[str], Given[Plain],
    typing.TypeVar("T"), typing.NewType("Name", str), typing.Iterator[int], range, Exception, "Missing", "Point | None",
    typing.Pattern[str], memoryview, typing.ClassVar[int], typing.Final[int], typing.Never, typing.Self, 5, "1 +",
])  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(ANNOTATIONS, st.sampled_from(["required", "default", "keyword"])), max_size=4),
    ANNOTATIONS,
    st.text(max_size=80),
)
def test_schemas_of_odd_signatures(parameters: list[tuple[Any, str]], returns: Any, doc: str) -> None:
    def function(**given: Any) -> Any:
        return "done"

    kinds = inspect.Parameter
    listed = []
    parameters = sorted(parameters, key=lambda p: ["required", "default", "keyword"].index(p[1]))
    for number, (annotation, how) in enumerate(parameters):
        kind = kinds.KEYWORD_ONLY if how == "keyword" else kinds.POSITIONAL_OR_KEYWORD
        default = kinds.empty if how == "required" else None
        listed.append(kinds(f"p{number}", kind, default=default, annotation=annotation))
    function.__signature__ = inspect.Signature(listed, return_annotation=returns)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in listed} | {"return": returns}
    function.__doc__ = doc
    try:
        made = FunctionBlock(function)
        contract = tool_contract("odd", made.spec)
    except YggdrasilError as error:
        assert str(error)  # noqa: PT017 - some can be said, some not
        return
    assert contract.spec.parameters["type"] == "object"
    for name in contract.spec.parameters["properties"]:
        assert not made.spec.inputs[name].given
    with contextlib.suppress(ArgumentsError):
        contract.read({})


@FUZZ
@given(ANY, ANY)
def test_approvals(name: Any, value: Any) -> None:
    async def ask() -> None:
        async with MemoryStore() as store:
            with contextlib.suppress(YggdrasilError):
                await pending(name, store=store)
            with contextlib.suppress(YggdrasilError):
                await approve(name, store=store, approval=value)

    if isinstance(name, str):
        anyio.run(ask)
    with contextlib.suppress(YggdrasilError):
        answer_of(value)
    with contextlib.suppress(YggdrasilError):
        Budget.of(value)


@FUZZ
@given(ANY)
def test_messages_from_anywhere(value: Any) -> None:
    if isinstance(value, Mapping):
        with contextlib.suppress(YggdrasilError):
            message_from_json(value)


@pytest.mark.parametrize("words", ["\x00", "\ud800", "x" * 2_000_000, "\x1b[31m"])
def test_huge_and_hostile_prompts_reach_the_model_as_they_are(words: str) -> None:
    asked = model()
    anyio.run(lambda: Agent(asked).run(words))
    assert asked.requests[0].messages[0].text == words
