from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from yggdrasil import Graph, PortError, RunContext, Spec, ValidationError, block, port
from yggdrasil.blocks.neural import NeuralBlock
from yggdrasil.core.ports import PortType, fits, misfit, port_type, sure
from yggdrasil.core.shape import DTYPES, FAMILIES, Shape, shape_of

Latent = Annotated[torch.Tensor, Shape("B", 4, "H", "W", dtype="float")]

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True)
fixed = st.lists(st.one_of(st.integers(0, 4096), names, st.just("_")), max_size=6)
dtypes = st.sampled_from(["", *sorted(DTYPES), *sorted(FAMILIES)])


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    dims: list[Any] = draw(fixed)
    if draw(st.booleans()):
        dims.insert(draw(st.integers(0, len(dims))), "...")
    return Shape(*dims, dtype=draw(dtypes))


def fill(dims: tuple[int | str, ...], sizes: dict[str, int], rest: list[int]) -> tuple[int, ...]:
    """Lengths that these dimensions allow."""
    lengths: list[int] = []
    for dim in dims:
        if dim == "...":
            lengths += rest
        else:
            lengths.append(dim if isinstance(dim, int) else sizes.setdefault(dim, len(sizes) + 1) if dim != "_" else 2)
    return tuple(lengths)


class Lengths:
    """Anything with a shape and a dtype, however long."""

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.shape, self.dtype = shape, f"lib.{dtype}"


@given(shapes())
def test_what_is_written_is_read_again(shape: Shape) -> None:
    assert shape_of(str(shape)) == shape
    assert shape_of(f"  {str(shape).replace(',', ' , ')} ") == shape
    assert eval(repr(shape), {"Shape": Shape}) == shape
    kind = port_type(str(shape))
    assert kind == port_type(kind)
    assert kind == port_type(str(shape))
    assert kind.name == str(shape)


@given(st.text(max_size=30))
def test_any_text_is_a_shape_or_a_clear_error(text: str) -> None:
    refusal = _refusal("tensor[" + text)
    if refusal is None:
        shape = shape_of("tensor[" + text)
        assert shape_of(str(shape)) == shape
    else:
        assert "is no shape" in refusal.sentence
        assert refusal.hint


def _refusal(text: str) -> PortError | None:
    try:
        shape_of(text)
    except PortError as error:
        return error
    return None


@given(shapes(), st.lists(st.integers(0, 9), max_size=3), st.data())
def test_lengths_that_a_shape_allows_fit_it_and_others_do_not(
    shape: Shape, rest: list[int], data: st.DataObject
) -> None:
    known = FAMILIES.get(shape.dtype, {shape.dtype} if shape.dtype else DTYPES)
    lengths = fill(shape.dims, {}, rest)
    assert shape.mismatch(Lengths(lengths, data.draw(st.sampled_from(sorted(known))))) == ""
    numbers = [i for i, dim in enumerate(shape.dims) if isinstance(dim, int) and "..." not in shape.dims[:i]]
    if numbers:
        at = data.draw(st.sampled_from(numbers))
        wrong = (*lengths[:at], lengths[at] + 1, *lengths[at + 1 :])
        assert f"dimension {at} is {lengths[at] + 1}, not {lengths[at]}" in shape.mismatch(Lengths(wrong, "float32"))
    others = sorted(DTYPES - set(known))
    if others:
        assert f"its dtype is {others[0]}" in shape.mismatch(Lengths(lengths, others[0]))


@given(shapes(), shapes(), st.lists(st.integers(0, 9), max_size=3))
def test_what_clashes_has_no_value_in_common_and_what_promises_keeps_it(
    one: Shape, other: Shape, rest: list[int]
) -> None:
    assert bool(one.clash(other)) == bool(other.clash(one))
    assert not one.clash(one)
    dtype = sorted(FAMILIES.get(one.dtype, {one.dtype or "bool"}))[0]
    value = Lengths(fill(one.dims, {}, rest), dtype)
    if one.clash(other):
        assert other.mismatch(value)
    if one.promises(other):
        assert not one.clash(other)
        assert not other.mismatch(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tensor[B,-1]", "'-1' is no dimension"),
        ("tensor[B,4", "is no shape"),
        ("tensor[B,,4]", "'' is no dimension"),
        ("tensor[1.5]", "'1.5' is no dimension"),
        ("tensor[...,3,...]", "2 times '...'"),
        ("tensor[B] flaot", "no dtype 'flaot'; did you mean 'float'"),
        ("tensor[B]float32x", "no dtype 'float32x'"),
        ("tensors", "is no shape"),
        ("picture[3]", "no port kind 'picture[3]'"),
    ],
)
def test_bad_shapes_are_refused(text: str, reason: str) -> None:
    with pytest.raises(PortError) as caught:
        port("x", text)
    assert reason in str(caught.value)
    assert "tensor[B,4,H,W] float" in str(caught.value)


@pytest.mark.parametrize("dim", [True, 1.5, None, -3, "a b", ""])
def test_bad_dimensions_are_refused(dim: Any) -> None:
    with pytest.raises(PortError, match="is no dimension"):
        Shape(dim)


def test_a_dtype_is_a_name() -> None:
    with pytest.raises(PortError, match="the dtype of a shape is dtype, not its name"):
        Shape("B", dtype=torch.float32)  # type: ignore[arg-type]


def test_what_is_no_tensor_has_no_shape() -> None:
    with pytest.raises(PortError, match="text has no shape"):
        port_type(Annotated[str, Shape("B")])


@pytest.mark.parametrize("make", [torch.zeros, np.zeros], ids=["torch", "numpy"])
def test_tensors_and_arrays(make: Any) -> None:
    kind = port_type("tensor[B,4,H,W] float")
    assert misfit(kind, make((2, 4, 8, 8))) == ""
    assert misfit(kind, make((2, 3, 8, 8))).endswith("not tensor[B,4,H,W] float: dimension 1 is 3, not 4")
    assert misfit(kind, make((2, 4, 8))).endswith("its dimensions are 3, not 4")
    assert misfit(port_type("tensor[...,3] uint8"), make((5, 6, 3))).endswith(f"its dtype is {make(1).dtype}"[-7:])
    assert "its dimensions are 0, not at least 1" in misfit(port_type("tensor[...,3]"), make(()))
    assert misfit(port_type("tensor[N,N]"), make((2, 3))).endswith(
        "dimension 1 (N) is 3, and N is 2 in its dimension 0"
    )
    assert misfit(kind, "text") == "is str, not tensor"


def test_dtypes() -> None:
    assert misfit(port_type("tensor[...] float"), torch.zeros(2, dtype=torch.bfloat16)) == ""
    assert misfit(port_type("tensor[...] int"), torch.zeros(2, dtype=torch.uint8)) == ""
    assert misfit(port_type("tensor[...] bool"), np.zeros(2, bool)) == ""
    assert misfit(port_type("tensor[...] float32"), np.zeros(2, ">f4")) == ""
    assert "its dtype is float64" in misfit(port_type("tensor[2] float32"), np.zeros(2))


FIT = [
    ("tensor[B,4]", "tensor[N,4]"),
    ("tensor[B,4]", "tensor"),
    ("tensor", "tensor[B,4]"),
    ("tensor[...,3]", "tensor[4,...]"),
    ("tensor[2,3,4]", "tensor[2,...,4]"),
    ("tensor[B] float32", "tensor[B] float"),
    ("tensor[B] float", "tensor[B] float16"),
    (torch.Tensor, "tensor[B,4]"),
    (Latent, "tensor[2,_,8,8] float32"),
    ("any", "tensor[B]"),
]
CLASHES = [
    ("tensor[B,4]", "tensor[B,3]", "dimension 1 is 4 there and 3 here"),
    ("tensor[B,4]", "tensor[B,T,4]", "its dimensions are 2 there and 3 here"),
    ("tensor[2,...]", "tensor[3,...,5]", "dimension 0 is 2 there and 3 here"),
    ("tensor[...,3]", "tensor[B,H,4]", "dimension -1 is 3 there and 4 here"),
    ("tensor[A]", "tensor[...,A,B]", "its dimensions are 1 there and at least 2 here"),
    ("tensor[B] float32", "tensor[B] float16", "the dtype is float32 there and float16 here"),
    (Latent, "tensor[B,4,H,W] int64", "the dtype is float there and int64 here"),
    (Latent, "tensor[B,3,H,W]", "dimension 1 is 4 there and 3 here"),
]


@pytest.mark.parametrize(("source", "target"), FIT)
def test_shapes_that_may_be_the_same_fit(source: Any, target: Any) -> None:
    assert fits(port_type(source), port_type(target))
    assert fits(port_type(target), port_type(source))


@pytest.mark.parametrize(("source", "target", "reason"), CLASHES)
def test_an_edge_between_shapes_that_differ_is_refused(source: Any, target: Any, reason: str) -> None:
    graph = Graph("g")
    graph.add_node("one", NeuralBlock(lambda: None, outputs={"x": source}))
    graph.add_node("two", NeuralBlock(_taking(target)))
    with pytest.raises(ValidationError) as caught:
        graph.add_edge("one.x", "two.x")
    text = str(caught.value)
    assert f"one.x gives {port_type(source)}, two.x takes {port_type(target)}: {reason}" in text
    assert graph.edges == ()


def _taking(kind: Any) -> Any:
    def take(x: Any) -> int:
        return 1

    text = kind if isinstance(kind, str) else ""
    take.__annotations__["x"] = Annotated[torch.Tensor, shape_of(text)] if text else kind
    return take


def test_what_is_sure() -> None:
    def known(source: str, target: str) -> bool:
        return sure(port_type(source), port_type(target))

    assert known("tensor[2,4] float32", "tensor[B,4] float")
    assert known("tensor[B,4]", "tensor")
    assert known("tensor[2,3,4]", "tensor[...,4]")
    assert known("tensor[2,...,4]", "tensor[...,4]")
    assert not known("tensor", "tensor[B,4]")
    assert not known("tensor[B,C]", "tensor[B,4]")
    assert not known("tensor[B,4]", "tensor[B,4] float")
    assert not known("tensor[A,B]", "tensor[N,N]")
    assert not known("tensor[...,4]", "tensor[B,4]")
    assert not known("tensor[...,4]", "tensor[_,...,4]")


class Out(TypedDict):
    pred: Latent
    norm: NotRequired[Annotated[torch.Tensor, Shape("B")]]


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    latent: Latent


def test_shapes_in_signatures_typed_dicts_and_models() -> None:
    @block
    def step(latent: Latent, scale: float = 1.0) -> Out:
        raise NotImplementedError

    assert str(step.spec.inputs["latent"].type) == "tensor[B,4,H,W] float"
    assert str(step.spec.outputs["norm"].type) == "tensor[B]"
    assert step.spec.outputs["norm"].optional
    assert str(Spec.declare(Model).inputs["latent"].type) == "tensor[B,4,H,W] float"
    may = port_type(Annotated[torch.Tensor | None, Shape("B")])
    assert str(may) == "tensor[B] | None"
    assert misfit(may, None) == ""
    assert misfit(may, torch.zeros(1, 1))
    assert port_type(Annotated[np.ndarray, Shape("B")]) != port_type(Annotated[torch.Tensor, Shape("B")])


@block(outputs={"pred": "tensor[B,4,H,W]"})
def predict(
    latent: Latent,
    condition: Annotated[torch.Tensor, Shape("B", "T", "D")],
    cut: int = 0,
) -> torch.Tensor:
    return latent[cut:]


@pytest.mark.anyio
async def test_named_dimensions_agree_at_the_boundary() -> None:
    latent = torch.zeros(2, 4, 8, 8)
    await predict.run(latent=latent, condition=torch.zeros(2, 7, 16))
    with pytest.raises(PortError) as caught:
        await predict.run(latent=latent, condition=torch.zeros(3, 7, 16))
    assert str(caught.value) == (
        "predict: input 'condition' is tensor[3,7,16] float32, not tensor[B,T,D]: "
        "dimension 0 (B) is 3, and B is 2 in 'latent'"
    )
    with pytest.raises(PortError, match=r"output 'pred' .* dimension 0 \(B\) is 1, and B is 2 in 'latent'"):
        await predict.run(latent=latent, condition=torch.zeros(2, 7, 16), cut=1)


def _graph() -> Graph:
    @block
    def give(size: int) -> torch.Tensor:
        return torch.zeros(size, 4, 8, 8)

    @block
    def describe(size: int) -> torch.Tensor:
        return torch.zeros(size, 7, 16)

    graph = Graph("g")
    graph.add_node("latent", give)
    graph.add_node("text", describe)
    graph.add_node("unet", predict)
    graph.add_edge("latent", "unet.latent")
    graph.add_edge("text", "unet.condition")
    return graph


@pytest.mark.anyio
async def test_named_dimensions_agree_in_a_graph() -> None:
    graph = _graph()
    assert (await graph.run({"latent.size": 2, "text.size": 2})).output.shape[0] == 2
    with pytest.raises(PortError) as caught:
        await graph.run({"latent.size": 2, "text.size": 3})
    assert caught.value.path == "g/unet"
    assert "input 'condition' is tensor[3,7,16] float32" in str(caught.value)
    assert "B is 2 in 'latent'" in str(caught.value)
    with pytest.raises(PortError, match=r"output 'pred' .*dimension 0 \(B\) is 0"):
        await graph.run({"latent.size": 2, "text.size": 2, "cut": 2})


@pytest.mark.anyio
async def test_an_unsure_value_is_checked_with_its_name_and_source() -> None:
    @block
    def give(size: int) -> Any:
        return torch.zeros(1, size, 8, 8)

    graph = Graph("g")
    graph.add_node("give", give)
    graph.add_node("take", NeuralBlock(_taking("tensor[B,4,H,W]")))
    graph.add_edge("give", "take")
    with pytest.raises(PortError) as caught:
        await graph.run(size=3)
    text = "input 'x' is tensor[1,3,8,8] float32, not tensor[B,4,H,W]: dimension 1 is 3, not 4 (from give.output)"
    assert text in str(caught.value)


@pytest.mark.anyio
async def test_names_of_two_blocks_are_two_names() -> None:
    """In a level's ports stand those of several blocks: each has its own B."""
    graph = Graph("g")
    for name in ("one", "two"):
        graph.add_node(name, NeuralBlock(_taking("tensor[B]")))
    assert str(graph.spec.inputs["one.x"].type) == "tensor[B]"
    await graph.run({"one.x": torch.zeros(2), "two.x": torch.zeros(3)})
    outer = Graph("outer")
    outer.add_node("inner", graph)
    await outer.run({"one.x": torch.zeros(2), "two.x": torch.zeros(3)})
    with pytest.raises(PortError, match=r"input 'two.x' .*its dimensions are 2, not 1"):
        await outer.run({"one.x": torch.zeros(2), "two.x": torch.zeros(3, 3)})


@pytest.mark.anyio
async def test_a_loop_may_grow_from_turn_to_turn() -> None:
    @block
    def grow(x: Annotated[torch.Tensor, Shape("N")], ctx: RunContext) -> Annotated[torch.Tensor, Shape("M")]:
        return torch.cat([x, x])

    graph = Graph("g", num_loop_steps=3)
    graph.add_node("grow", grow)
    graph.add_edge("grow", "grow.x")
    graph.expose_input("grow.x", name="x")
    graph.expose_output("grow.output", name="output")
    assert (await graph.run(torch.zeros(2))).output.shape == (16,)


@pytest.mark.anyio
async def test_pieces_that_are_put_together_have_any_first_dimension() -> None:
    joined = block(many={"x": "concat"})(_taking("tensor[5,4]"))
    graph = Graph("g")
    for name in ("one", "two"):
        graph.add_node(name, NeuralBlock(lambda size: torch.zeros(size, 4), outputs={"y": "tensor[N,4]"}))
    graph.add_node("joined", joined)
    graph.add_edge(["one.y", "two.y"], "joined.x")
    assert (await graph.run({"one.size": 2, "two.size": 3})).output == 1
    with pytest.raises(PortError, match="dimension 0 is 6, not 5"):
        await graph.run({"one.size": 3, "two.size": 3})


def test_ports_without_shapes_are_as_before() -> None:
    assert port_type("tensor") == PortType("tensor", None)
    assert port_type("tensor").alone is not None
    assert port_type(int).plain is port_type(int)
