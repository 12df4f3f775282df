from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import anyio
import numpy as np
import pytest
import torch

from yggdrasil import BlockError, ConfigError, Graph, PortError, RunContext, RunTimeoutError, Spec
from yggdrasil.blocks import batching
from yggdrasil.blocks.batching import Batched
from yggdrasil.blocks.neural import Neural, NeuralBlock
from yggdrasil.core.ports import port
from yggdrasil.runtime.function import FunctionBlock

pytestmark = pytest.mark.anyio

SPEC = Spec.declare(
    [
        port("x", "tensor"),
        port("scale", optional=True),
        port("table", "tensor[2]", optional=True),
        port("extra", optional=True),
    ],
    [port("y")],
)


class Doubler(Neural):
    """Doubles, remembers what it was called with, and waits at its gate while that is shut."""

    block_type = "test/doubler"
    spec = SPEC

    def __init__(self, ref: str = "", share: bool = True) -> None:
        self.ref, self.share = ref, share
        self.from_ref = bool(ref)
        self.calls: list[list[float]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        x = inputs["x"]
        self.calls.append([float(v) for v in x[:, 0]])
        self.entered.set()
        assert self.gate.wait(10)
        if 1300 in x:
            raise ValueError("thirteen")
        if 1400 in x:
            raise PortError("fourteen", path=f"{ctx.path}/inside")
        return {"y": x * 2 * inputs.get("scale", 1)}


def rows(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1).repeat(1, 3)


async def at_once(wrapper: Any, *given: Mapping[str, Any], **options: Any) -> list[Any]:
    """All calls in one moment; each one's output, or its error."""
    found: list[Any] = [None] * len(given)

    async def one(number: int) -> None:
        try:
            found[number] = (await wrapper.run(dict(given[number]), **options))["y"]
        except Exception as error:
            found[number] = error

    async with anyio.create_task_group() as group:
        for number in range(len(given)):
            group.start_soon(one, number)
            await anyio.lowlevel.checkpoint()
    return found


async def until(event: threading.Event) -> None:
    while not event.is_set():  # noqa: ASYNC110 - a thread sets it
        await anyio.sleep(0.001)


async def held(block: Doubler, *given: Mapping[str, Any], wrapper: Any = None, **options: Any) -> list[Any]:
    """The calls that come while another one is computed."""
    wrapper = wrapper or Batched(block)
    block.gate.clear()
    found: list[Any] = []

    async def later() -> None:
        found.extend(await at_once(wrapper, *given, **options))

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: wrapper.run(x=torch.zeros(1, 99)))
        await until(block.entered)
        group.start_soon(later)
        await anyio.sleep(0.02)
        block.gate.set()
    assert block.calls.pop(0) == [0]
    return found


async def test_what_waits_is_computed_in_one_call_in_the_order_of_coming() -> None:
    block = Doubler()
    found = await held(block, {"x": rows(1)}, {"x": rows(2, 3)}, {"x": rows(4)})
    assert sorted(block.calls[0]) == [1, 2, 3, 4]
    assert len(block.calls) == 1
    assert torch.equal(found[0], rows(2))
    assert torch.equal(found[1], rows(4, 6))
    assert torch.equal(found[2], rows(8))


async def test_one_after_the_other_they_keep_their_order() -> None:
    block = Doubler()
    wrapper = Batched(block, max_batch=3)
    block.gate.clear()
    async with anyio.create_task_group() as group:
        for value in range(8):
            group.start_soon(lambda value=value: wrapper.run(x=rows(value)))
            await anyio.sleep(0.005)
        block.gate.set()
    assert block.calls == [[0], [1, 2, 3], [4, 5, 6], [7]]


async def test_alone_it_waits_for_nobody() -> None:
    block = Doubler()
    wrapper = Batched(block)
    start = anyio.current_time()
    for value in range(20):
        assert torch.equal((await wrapper.run(x=rows(value)))["y"], rows(2 * value))
    assert anyio.current_time() - start < 1
    assert len(block.calls) == 20


async def test_max_wait_is_waited_for_others_and_no_longer() -> None:
    block = Doubler()
    wrapper = Batched(block, max_batch=4, max_wait=0.2)
    start = anyio.current_time()
    await wrapper.run(x=rows(1))
    assert 0.19 < anyio.current_time() - start < 1.5
    block.calls.clear()
    async with anyio.create_task_group() as group:
        for value in range(3):
            group.start_soon(lambda value=value: wrapper.run(x=rows(value)))
            await anyio.sleep(0.01)
    assert block.calls == [[0, 1, 2]]
    start = anyio.current_time()
    await at_once(Batched(block, max_batch=2, max_wait=30), {"x": rows(1)}, {"x": rows(2)})
    assert anyio.current_time() - start < 5, "a full batch does not wait"


async def test_what_differs_is_not_put_together() -> None:
    block = Doubler()
    found = await held(
        block,
        {"x": rows(1)},
        {"x": rows(2), "scale": 3},
        {"x": rows(3).double()},
        {"x": torch.full((1, 4), 4.0)},
        {"x": rows(5), "scale": 3},
        {"x": rows(6), "extra": {"a": [1, "b"]}},
        {"x": rows(7), "extra": {"a": [1, "c"]}},
        {"x": rows(8), "extra": {"a": [1, "c"]}},
        {"x": rows(9)},
    )
    assert sorted(map(sorted, block.calls)) == [[1, 9], [2, 5], [3], [4], [6], [7, 8]]
    assert [float(y[0, 0]) for y in found] == [2, 12, 6, 8, 30, 12, 14, 16, 18]


async def test_training_and_devices_are_not_mixed() -> None:
    block = Doubler()
    wrapper = Batched(block)
    block.gate.clear()
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: wrapper.run(x=rows(0)))
        await until(block.entered)
        for value, options in enumerate([{}, {"training": True}, {"device": "cpu"}, {"training": True}, {}], 1):
            group.start_soon(lambda v=value, o=options: wrapper.run({"x": rows(v)}, **o))
        await anyio.sleep(0.02)
        block.gate.set()
    assert sorted(map(sorted, block.calls)) == [[0], [1, 5], [2, 4], [3]]


async def test_a_port_with_a_number_in_front_is_no_batch() -> None:
    block = Doubler()
    one, other = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0])
    given = [{"x": rows(v), "table": t} for v, t in ((1, one), (2, one.clone()), (3, other))]
    await held(block, *given)
    assert sorted(map(sorted, block.calls)) == [[1, 2], [3]]


async def test_tensors_of_unlike_length_in_one_call_go_alone() -> None:
    block = Doubler()
    given = [{"x": rows(1), "extra": torch.zeros(2, 3)}, {"x": rows(2), "extra": torch.zeros(2, 3)}, {"x": rows()}]
    found = await held(block, *given)
    assert sorted(map(sorted, block.calls)) == [[], [1], [2]]
    assert found[2].shape == (0, 3)


class Nested(Neural):
    """Gives back all kinds of outputs."""

    spec = Spec.declare({"x": "any", "more": "any"}, [port(n) for n in ("y", "both", "texts", "nothing")])

    def __init__(self) -> None:
        self.calls = 0

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        self.calls += 1
        x = inputs["x"]
        both = {"sum": x + inputs["more"]["add"][0], "pair": [x, x]}
        return {"y": x, "both": both, "texts": [f"row {v:g}" for v in x[:, 0]], "nothing": None}


@pytest.mark.parametrize("array", [lambda t: t, lambda t: t.numpy()], ids=["torch", "numpy"])
async def test_nested_inputs_and_outputs(array: Any) -> None:
    block = Nested()
    wrapper = Batched(block, max_batch=5, max_wait=5)
    found: dict[int, Any] = {}

    async def one(value: int, count: int) -> None:
        x = array(rows(*[value] * count))
        found[value] = await wrapper.run(x=x, more={"add": [x * 10], "name": "n"})

    async with anyio.create_task_group() as group:
        group.start_soon(one, 1, 2)
        group.start_soon(one, 2, 3)
    assert block.calls == 1
    for value, count in ((1, 2), (2, 3)):
        result = found[value]
        assert type(result["y"]) is type(array(rows(1)))
        assert result["both"]["sum"].tolist() == [[value * 11.0] * 3] * count
        assert [len(part) for part in result["both"]["pair"]] == [count, count]
        assert result["texts"] == [f"row {value}"] * count
        assert result["nothing"] is None


async def test_one_tensor_in_two_ports_of_one_caller_only() -> None:
    block = NeuralBlock(lambda a, b: a - b)
    wrapper = Batched(block, max_batch=2, max_wait=5)
    same, one, other = rows(1), rows(5), rows(2)
    found: list[Any] = []
    async with anyio.create_task_group() as group:
        for a, b in ((same, same), (one, other)):
            group.start_soon(lambda a=a, b=b: _keep(found, wrapper.run(a=a, b=b)))
    assert sorted(float(y[0, 0]) for y in found) == [0, 3]


async def _keep(found: list[Any], run: Any) -> None:
    found.append((await run).output)


async def test_an_error_goes_to_every_caller_with_its_own_path() -> None:
    block = Doubler()
    graphs = [Graph(f"g{number}") for number in range(2)]
    for graph in graphs:
        graph.add_node("node", block, max_batch=16, max_wait=0.2)
    for value, kind, path in ((1300, BlockError, "node"), (1400, PortError, "node/inside")):
        found: dict[int, Any] = {}

        async def one(number: int, value: float, found: dict[int, Any] = found) -> None:
            with pytest.raises((BlockError, PortError)) as caught:
                await graphs[number].run(x=rows(value))
            found[number] = caught.value

        block.calls.clear()
        async with anyio.create_task_group() as group:
            group.start_soon(one, 0, value)
            group.start_soon(one, 1, 1)
        assert len(block.calls) == 1
        for number in range(2):
            assert isinstance(found[number], kind)
            assert found[number].path == f"g{number}/{path}"
        assert found[0] is not found[1]
    assert torch.equal((await graphs[0].run(x=rows(1))).output, rows(2)), "it goes on"


async def test_cancelled_while_it_waits_and_while_it_is_computed() -> None:
    block = Doubler()
    wrapper = Batched(block)
    first, second, third = (anyio.CancelScope() for _ in range(3))
    found: list[Any] = []

    async def cancelled(scope: anyio.CancelScope, value: float) -> None:
        with scope:
            await wrapper.run(x=rows(value))
        assert scope.cancelled_caught

    block.gate.clear()
    async with anyio.create_task_group() as group:
        group.start_soon(cancelled, first, 1)  # computed alone, and all of its batch are gone
        await until(block.entered)
        block.entered.clear()
        group.start_soon(cancelled, second, 2)  # waits, and goes
        group.start_soon(cancelled, third, 3)  # leads the next batch, and goes while it is computed
        await anyio.sleep(0.01)
        group.start_soon(lambda: _keep(found, wrapper.run(x=rows(4))))
        await anyio.sleep(0.01)
        second.cancel()
        first.cancel()
        await until(block.entered)
        third.cancel()
        await anyio.sleep(0.01)
        assert not found
        block.gate.set()
    assert block.calls == [[1], [3, 4]]
    assert torch.equal(found[0], rows(8))
    assert torch.equal((await wrapper.run(x=rows(5))).output, rows(10))


async def test_a_timeout_of_one_is_only_its_own() -> None:
    block = Doubler()
    graph = Graph("g")
    graph.add_node("node", block, max_batch=4, timeout=0.05)
    patient = Batched(block)
    block.gate.clear()
    found: list[Any] = []
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: _keep(found, patient.run(x=rows(1))))
        await until(block.entered)
        with pytest.raises(RunTimeoutError):
            await graph.run(x=rows(2))
        block.gate.set()
    assert torch.equal(found[0], rows(2))


async def test_nodes_of_one_ref_share_a_batch_and_private_ones_do_not() -> None:
    calls: list[list[float]] = []
    blocks = [Doubler("hf://a/b"), Doubler("hf://a/b"), Doubler("hf://a/c"), Doubler("hf://a/b", False), Doubler()]
    blocks.append(Doubler("hf://a/b"))
    blocks[-1].adopt({})  # weights of its own, as from a checkpoint
    graphs = []
    for number, block in enumerate(blocks):
        block.calls = calls
        graph = Graph(f"world{number}")
        graph.add_node("backbone", block, max_batch=8, max_wait=0.1)
        graphs.append(graph)
    async with anyio.create_task_group() as group:
        for number, graph in enumerate(graphs):
            group.start_soon(lambda graph=graph, number=number: graph.run(x=rows(number)))
    assert sorted(map(sorted, calls)) == [[0, 1], [2], [3], [4], [5]]


async def test_equal_to_unbatched_up_to_rounding_and_gradients_flow() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.GELU(), torch.nn.Linear(64, 4))
    block = NeuralBlock(module)
    given = [torch.randn(n, 16) for n in (1, 3, 2)]
    plain = [(await block.run(x, training=True)).output for x in given]
    grads = torch.autograd.grad(sum(y.sum() for y in plain), list(module.parameters()))
    wrapper = Batched(block, max_wait=0.1)
    found: dict[int, torch.Tensor] = {}

    async def one(number: int) -> None:
        found[number] = (await wrapper.run(given[number], training=True)).output

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(one, number)
    for number, y in enumerate(plain):
        torch.testing.assert_close(found[number], y, rtol=1e-5, atol=1e-6)
        assert found[number].untyped_storage().nbytes() == found[number].nbytes, "nobody keeps the others' rows"
    batched = torch.autograd.grad(sum(y.sum() for y in found.values()), list(module.parameters()))
    for one_grad, other in zip(grads, batched, strict=True):
        torch.testing.assert_close(one_grad, other, rtol=1e-4, atol=1e-6)
    assert not (await wrapper.run(given[0])).output.requires_grad


async def test_a_seed_that_differs_cannot_be_asked_for() -> None:
    class Noisy(Neural):
        spec = Spec.declare({"x": "tensor"}, {"y": "tensor"})

        def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
            return {"y": inputs["x"] + (ctx.seed or 0) % 7}

    wrapper = Batched(Noisy(), max_wait=0.1)
    found = await at_once(wrapper, {"x": rows(1)}, {"x": rows(2)}, seed=3)
    assert not any(isinstance(y, Exception) for y in found), "the same seed and place"
    errors: list[Any] = []

    async def one(seed: int) -> None:
        with pytest.raises(BlockError, match="draws random numbers") as caught:
            await wrapper.run(x=rows(1), seed=seed)
        errors.append(caught.value)

    async with anyio.create_task_group() as group:
        group.start_soon(one, 1)
        group.start_soon(one, 2)
    assert len(errors) == 2


async def test_what_cannot_be_split_is_said_to_every_caller() -> None:
    block = NeuralBlock(lambda x: x.mean(), outputs={"y": "tensor"})
    found = await at_once(Batched(block, max_wait=0.1), {"x": rows(1)}, {"x": rows(2)})
    said = "output 'y' is tensor(), which is not split among 2 rows"
    assert [said in str(error) for error in found] == [True, True], found


async def test_nothing_is_left_behind() -> None:
    wrapper = Batched(Doubler())
    await at_once(wrapper, {"x": rows(1)}, {"x": rows(2)})
    await anyio.sleep(0.01)
    assert not any(queues for queues in batching._queues.values())


async def test_wrong_settings_are_refused() -> None:
    block = Doubler()
    for value in (0, -1, True, 2.5, "8"):
        with pytest.raises(ConfigError, match="max_batch is"):
            Batched(block, max_batch=value)  # type: ignore[arg-type]
    for wait in (-1, True, float("nan"), float("inf"), "1"):
        with pytest.raises(ConfigError, match="max_wait is"):
            Batched(block, max_wait=wait)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="FunctionBlock is no neural block"):
        Batched(FunctionBlock(lambda x: np.abs(x)))
    graph = Graph("g")
    with pytest.raises(ConfigError, match="max_wait is for nodes with a max_batch"):
        graph.add_node("a", block, max_wait=1)
    with pytest.raises(ConfigError, match="max_batch is 0"):
        graph.add_node("a", block, max_batch=0)


async def test_a_node_says_it_in_its_file() -> None:
    graph = Graph("g")
    graph.add_node("a", Doubler("hf://a/b"), max_batch=4, max_wait=0.01)
    written = graph.to_config()["nodes"]["a"]
    assert (written["max_batch"], written["max_wait"]) == (4, 0.01)
