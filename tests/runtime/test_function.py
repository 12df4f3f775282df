"""Functions as blocks and tools."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial, wraps
from typing import Any, TypedDict

import pytest

from yggdrasil import ConfigError, Graph, PortError, RunContext, block, tool
from yggdrasil.runtime.registry import REGISTRY, Registry, using

pytestmark = pytest.mark.anyio


class Pair(TypedDict):
    left: int
    right: int


@block
def split(n: int) -> Pair:
    return {"left": n // 2, "right": n - n // 2}


@block
async def words(text: str) -> AsyncIterator[str]:
    for word in text.split():
        yield word


@block
def letters(text: str) -> Iterator[str]:
    yield from text


async def test_one_output_or_several() -> None:
    assert dict(await split.run(7)) == {"left": 3, "right": 4}
    assert (await words.run("hail Kara")).output == ["hail", "Kara"]
    assert (await letters.run("abc")).output == ["a", "b", "c"]

    @block(outputs={"x": int, "y": int})
    def wrong(n: int) -> Any:
        return n

    with pytest.raises(PortError, match="returned int, not a mapping") as caught:
        await wrong.run(1)
    assert caught.value.hint == 'return {"x": ..., "y": ...}'

    @block(outputs={"x": int, "y": int})
    def half(n: int) -> Any:
        return {"x": n}

    with pytest.raises(PortError, match="did not give its output 'y'"):
        await half.run(1)

    @block(outputs={})
    def nothing(n: int) -> None:
        return None

    assert dict(await nothing.run(1)) == {}


async def test_a_wrong_value_is_found_at_the_boundary() -> None:
    @block
    def lies(n: int) -> int:
        return str(n)  # type: ignore[return-value]

    with pytest.raises(PortError, match="output 'output' is str, not int"):
        await lies.run(1)


async def test_any_callable() -> None:
    class Scale:
        async def __call__(self, x: int) -> int:
            return x * 2

    def power(base: int, exponent: int) -> int:
        return base**exponent

    @wraps(power)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return power(*args, **kwargs)

    async def later(x: int, by: int = 1) -> int:
        return x + by

    graph = Graph("g")
    graph.add_node("scale", Scale())
    graph.add_node("square", partial(power, exponent=2))
    graph.add_node("later", partial(later, by=10))
    graph.add_node("power", wrapped)
    graph.add_edge("scale", "square.base")
    graph.add_edge("square", "later.x")
    result = await graph.run({"x": 3, "base": 2, "exponent": 5})
    assert dict(result) == {"later.output": 46, "power.output": 32}


async def test_config_is_keyword_only() -> None:
    with using(Registry(REGISTRY)) as registry:

        @block("test/greet")
        def greet(name: str, ctx: RunContext, *, mark: str = "!", loud: bool = False) -> str:
            return f"{name}{mark} at {ctx.path}"

        assert list(greet.spec.inputs) == ["name"]
        made = registry.build("test/greet", {"mark": "?"})
        assert (await made.run("Kara")).output == "Kara? at greet"
        assert made.config == {"mark": "?"}  # type: ignore[attr-defined]
        assert greet.config == {}
        with pytest.raises(ConfigError, match="did you mean 'mark'"):
            greet.configured(marc="?")

    @block
    def roll(count: int, *, sides: int) -> int:
        return sides

    for use in (roll.configured, lambda: Graph().add_node(roll)):
        with pytest.raises(ConfigError, match="without a value: sides"):
            use()
    assert (await roll.configured(sides=6).run(1)).output == 6


async def test_it_can_be_called_like_the_function() -> None:
    @block
    def add(a: int, b: int = 1, *, c: int = 0) -> int:
        return a + b + c

    assert add(1) == 2
    assert add(1, b=2, c=3) == 6
    assert add.configured(c=5)(1) == 7
    assert add.configured(c=5)(1, c=6) == 8


async def test_blocking_goes_to_a_thread_and_the_rest_does_not() -> None:
    @block
    def here(n: int) -> int:
        return threading.get_ident()

    there = block(blocking=True)(here.function)
    assert (await here.run(1)).output == threading.get_ident()
    assert (await there.run(1)).output != threading.get_ident()


async def test_aggregations() -> None:
    @block(many={"parts": "concat"})
    def glue(parts: str) -> str:
        return parts

    assert glue.spec.inputs["parts"].many == "concat"
    with pytest.raises(PortError, match="has no input 'part'"):
        block(many={"part": "list"})(glue.function)


def test_tools_have_names() -> None:
    @tool
    def roll(sides: int) -> int:
        """Roll."""
        return sides

    named = tool(name="dice")(roll.function)
    assert (roll.label, roll.block_type) == ("roll", "tool/roll")
    assert (named.label, named.block_type, named.spec.doc) == ("dice", "tool/dice", "Roll.")
    assert not tool(idempotent=False)(roll.function).idempotent
    with pytest.raises(ConfigError, match="not registered"):
        _ = block(lambda x: x).config
