from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from yggdrasil import ConfigError, Graph, PortError, RunContext, Spec, run_sync
from yggdrasil.blocks.batching import Batched
from yggdrasil.blocks.neural import Neural, NeuralBlock
from yggdrasil.blocks.onnx import OnnxBlock, export_onnx
from yggdrasil.blocks.onnx_file import read_onnx
from yggdrasil.core.shape import Shape
from yggdrasil.runtime.pool import POOL
from yggdrasil.runtime.registry import REGISTRY

pytestmark = pytest.mark.anyio


class Two(torch.nn.Module):
    """Two inputs and two outputs, with dropout that an export must not keep."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 4)
        self.drop = torch.nn.Dropout(0.5)
        self.convolve = torch.nn.Conv2d(3, 4, 3, padding=1)

    def forward(
        self,
        x: Annotated[torch.Tensor, Shape("B", 8, dtype="float32")],
        image: Annotated[torch.Tensor, Shape("B", 3, "H", "W")],
        scale: float = 1.0,
    ) -> dict[str, torch.Tensor]:
        return {"logits": self.drop(self.linear(x)) * scale, "features": self.convolve(image)}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[NeuralBlock, Path]:
    torch.manual_seed(0)
    block = NeuralBlock(Two(), outputs=["logits", "features"])
    path = tmp_path_factory.mktemp("onnx") / "two.onnx"
    example = {"x": torch.randn(2, 8), "image": torch.randn(2, 3, 16, 16), "scale": 2.0}
    assert export_onnx(block, path, example) == path
    assert block.module.training, "its mode is as before"
    block.module.eval()
    return block, path


def model(
    path: Path, *, location: str = "", dims: tuple[Any, ...] = ("B", 4), name: str = "x", inside: str = "initializer"
) -> Path:
    """A matrix product, whose matrix may be kept in another file."""
    weights = np.ones((4, 4), np.float32)
    matrix = helper.make_tensor("W", TensorProto.FLOAT, [4, 4], weights.tobytes(), raw=True)
    if location:
        matrix.ClearField("raw_data")
        matrix.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", "64")):
            entry = matrix.external_data.add()
            entry.key, entry.value = key, value
    product = helper.make_node("MatMul", [name, "W"], ["y"])
    nodes, kept = [product], [matrix]
    if inside == "attribute":
        nodes, kept = [helper.make_node("Constant", [], ["W"], value=matrix), product], []
    if inside == "subgraph":
        constant = helper.make_node("Constant", [], ["V"], value=matrix)
        body = helper.make_graph([constant], "b", [], [helper.make_tensor_value_info("V", TensorProto.FLOAT, [4, 4])])
        nodes = [helper.make_node("If", ["c"], ["W"], then_branch=body, else_branch=body), product]
        kept = [helper.make_tensor("c", TensorProto.BOOL, [], [True])]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, dims)], kept,
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(made.SerializeToString())
    return path


async def test_ports_and_results_are_those_of_the_module(two: tuple[NeuralBlock, Path]) -> None:
    block, path = two
    there = OnnxBlock(str(path))
    assert {n: str(p.type) for n, p in there.spec.inputs.items()} == {
        "x": "tensor[B,8] float32", "image": "tensor[B,3,H,W] float32",
    }  # fmt: skip
    assert {n: str(p.type) for n, p in there.spec.outputs.items()} == {
        "logits": "tensor[B,4] float32", "features": "tensor[B,4,H,W] float32",
    }  # fmt: skip
    for rows, height in ((1, 4), (5, 12)):
        x, image = torch.randn(rows, 8), torch.randn(rows, 3, height, 6)
        found, wanted = await there.run(x=x, image=image), await block.run(x=x, image=image, scale=2.0)
        as_numpy = await there.run(x=x.numpy(), image=image.numpy())
        for name in ("logits", "features"):
            assert isinstance(found[name], torch.Tensor)
            assert float((found[name] - wanted[name]).abs().max()) < 1e-5
            assert isinstance(as_numpy[name], np.ndarray)
            assert np.array_equal(as_numpy[name], found[name].numpy())


async def test_wrong_shapes_are_refused_before_the_runtime_sees_them(two: tuple[NeuralBlock, Path]) -> None:
    there = OnnxBlock(str(two[1]))
    good = torch.randn(2, 3, 4, 4)
    for x, image, reason in (
        (torch.randn(2, 7), good, "input 'x' .*dimension 1 is 7, not 8"),
        (torch.randn(3, 8), good, r"input 'image' .*dimension 0 \(B\) is 2, and B is 3 in 'x'"),
        (torch.randn(2, 8).double(), good, "input 'x' .*its dtype is float64"),
        (torch.randn(2, 8), good[0], "input 'image' .*its dimensions are 3, not 4"),
    ):
        with pytest.raises(PortError, match=reason):
            await there.run(x=x, image=image)
    graph = Graph("g")
    graph.add_node("onnx", there)
    assert torch.equal(
        (await graph.run(x=torch.zeros(1, 8), image=good[:1]))["features"][0, 0].isnan().any(), torch.tensor(False)
    )


async def test_one_session_for_all_who_name_the_file(two: tuple[NeuralBlock, Path]) -> None:
    gc.collect()
    blocks = [OnnxBlock(str(two[1])) for _ in range(3)]
    sessions = {id(block.session()) for block in blocks}
    key = blocks[0]._leases["CPUExecutionProvider",].key
    assert len(sessions) == 1
    assert POOL.users(key) == 3
    alone, fewer = OnnxBlock(str(two[1]), share=False), OnnxBlock(str(two[1]), threads=1)
    assert len({id(alone.session()), id(fewer.session())} | sessions) == 3
    del blocks
    gc.collect()
    assert POOL.users(key) == 0


async def test_it_is_built_from_a_config_and_says_it(two: tuple[NeuralBlock, Path]) -> None:
    config = {"ref": str(two[1]), "providers": ["CPUExecutionProvider"], "backend": "onnx"}
    made = REGISTRY.build("onnx/runtime", config)
    assert isinstance(made, OnnxBlock)
    assert made.config == {"ref": str(two[1]), "providers": ["CPUExecutionProvider"]}
    assert OnnxBlock(str(two[1].parent)).spec == made.spec, "a folder with one model"
    assert made.state_dict() == {}
    assert made.trainable_parameters() == []


async def test_a_graph_with_it_is_saved_and_loaded(two: tuple[NeuralBlock, Path], tmp_path: Path) -> None:
    graph = Graph("g")
    graph.add_node("reader", OnnxBlock(str(two[1])), max_batch=8)
    graph.save(tmp_path / "g.yaml")
    again = Graph.load(tmp_path / "g.yaml")
    inputs = {"x": torch.ones(1, 8), "image": torch.ones(1, 3, 4, 4)}
    assert torch.equal((await again.run(inputs))["logits"], (await graph.run(inputs))["logits"])


async def test_calls_of_it_are_batched(two: tuple[NeuralBlock, Path]) -> None:
    import anyio

    wrapper = Batched(OnnxBlock(str(two[1])), max_wait=0.05)
    found: dict[int, Any] = {}

    async def one(value: int) -> None:
        found[value] = await wrapper.run(x=torch.full((1, 8), value / 1), image=torch.zeros(1, 3, 4, 4))

    async with anyio.create_task_group() as group:
        for value in range(3):
            group.start_soon(one, value)
    for value in range(3):
        alone = await wrapper.run(x=torch.full((1, 8), value / 1), image=torch.zeros(1, 3, 4, 4))
        torch.testing.assert_close(found[value]["logits"], alone["logits"])


class Scaled(Neural):
    """A block of its own kind: what its `compute` does is exported."""

    block_type = "test/scaled"
    spec = Spec.declare({"x": "tensor"}, {"y": "tensor", "z": "tensor"})

    def __init__(self) -> None:
        self.module = torch.nn.Linear(4, 4)

    def modules(self, device: str | None = None) -> Mapping[str, torch.nn.Module]:
        return {"module": self.module}

    def compute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        y = self.module(inputs["x"])
        return {"y": y, "z": torch.softmax(y, -1)}


def test_any_neural_block_is_exported_and_its_batch_is_free(tmp_path: Path) -> None:
    block = Scaled()
    export_onnx(block, tmp_path / "scaled.onnx", torch.randn(3, 4), outputs=None)
    onnx.checker.check_model(str(tmp_path / "scaled.onnx"), full_check=True)
    assert sorted(os.listdir(tmp_path)) == ["scaled.onnx"], "one file, nothing beside it"
    there = OnnxBlock(str(tmp_path / "scaled.onnx"))
    x = torch.randn(7, 4)
    found, wanted = run_sync(there, x), run_sync(block, x)
    for name in ("y", "z"):
        torch.testing.assert_close(found[name], wanted[name], rtol=0, atol=1e-5)


def test_a_fixed_export_takes_its_shape_only(tmp_path: Path) -> None:
    export_onnx(torch.nn.Linear(4, 2), tmp_path / "fixed.onnx", torch.randn(1, 4), dynamic={})
    there = OnnxBlock(str(tmp_path / "fixed.onnx"))
    assert str(there.spec.inputs["input"].type) == "tensor[1,4] float32"
    with pytest.raises(PortError, match="dimension 0 is 2, not 1"):
        run_sync(there, torch.randn(2, 4))


def test_what_cannot_be_exported_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    linear, path = torch.nn.Linear(4, 2), tmp_path / "x.onnx"

    class Branching(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if float(x.sum()) > 0 else x

    with pytest.raises(PortError, match=r"dimension 0 \(B\) of 'input' is 1 in the example"):
        export_onnx(linear, path, torch.randn(1, 4))
    with pytest.raises(PortError, match="dynamic names 'y', which is no tensor"):
        export_onnx(linear, path, torch.randn(2, 4), dynamic={"y": {0: "B"}})
    with pytest.raises(PortError, match="'input' has no dimension 5"):
        export_onnx(linear, path, torch.randn(2, 4), dynamic={"input": {5: "B"}})
    with pytest.raises(PortError, match="the example has no tensor"):
        export_onnx(NeuralBlock(lambda x: x), path, 3)
    with pytest.raises(ConfigError, match="there is no folder"):
        export_onnx(linear, tmp_path / "no" / "x.onnx", torch.randn(2, 4))
    with pytest.raises(ConfigError, match="branching cannot be exported"):
        export_onnx(Branching(), path, torch.randn(2, 4))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"PK\x03\x04 a zip, or a pickle of torch", "is no ONNX"),
        (b"\x08\x09", "it holds no graph"),
        (b"\x08\x09\x3a\x00", "its graph has no outputs"),
        (b"\x08\x09\x3a\xff\xff\xff\xff\x0f", "it is cut off"),
        (b"not a model at all", "is no ONNX"),
    ],
)
async def test_a_file_that_is_no_onnx(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=reason):
        _ = OnnxBlock(str(path)).spec
    with pytest.raises(ConfigError, match=reason):
        OnnxBlock(str(path)).session()


def test_a_file_that_is_not_there_or_one_of_many(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        _ = OnnxBlock(str(tmp_path / "x.onnx")).spec
    with pytest.raises(ConfigError, match=r"has no \.onnx file"):
        _ = OnnxBlock(str(tmp_path)).spec
    model(tmp_path / "a.onnx")
    model(tmp_path / "b.onnx")
    with pytest.raises(ConfigError, match=r"has 2 \.onnx files; there are: a.onnx, b.onnx"):
        _ = OnnxBlock(str(tmp_path)).spec
    with pytest.raises(ConfigError, match=r"has no \.\./a.onnx"):
        _ = OnnxBlock(str(tmp_path), "../a.onnx").spec
    assert "x" in OnnxBlock(str(tmp_path), "b.onnx").spec.inputs


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_or_read_but_never_fall_through(data: st.DataObject) -> None:
    whole = _bytes_of_a_model()
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = Path(_FOLDER, f"damaged-{os.getpid()}.onnx")
    path.write_bytes(damaged)
    try:
        read_onnx(path)
    except ConfigError as error:
        assert "is no ONNX" in str(error) or "which is not in its folder" in str(error)  # noqa: PT017
    finally:
        path.unlink()


_FOLDER = os.environ.get("TMPDIR", "/tmp")


def _bytes_of_a_model() -> bytes:
    path = Path(_FOLDER, f"whole-{os.getpid()}.onnx")
    try:
        return model(path, inside="subgraph").read_bytes()
    finally:
        path.unlink()


@pytest.mark.parametrize("inside", ["initializer", "attribute", "subgraph"])
async def test_weights_in_other_files_stay_in_the_folder(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    ones = np.ones((4, 4), np.float32).tobytes()
    (tmp_path / "secret.bin").write_bytes(ones)
    (folder / "own.bin").write_bytes(ones)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    for location in ("../secret.bin", str(tmp_path / "secret.bin"), "link.bin", "a/../../secret.bin", ".."):
        there = OnnxBlock(str(model(folder / "m.onnx", location=location, inside=inside)))
        with pytest.raises(ConfigError, match="which is not in its folder"):
            there.session()
    with pytest.raises(ConfigError, match=r"keeps weights in 'gone.bin', and that file is not there"):
        OnnxBlock(str(model(folder / "m.onnx", location="gone.bin", inside=inside))).session()
    if inside == "initializer":
        there = OnnxBlock(str(model(folder / "m.onnx", location="own.bin")))
        assert (await there.run(np.ones((2, 4), np.float32)))["y"].tolist() == [[4.0] * 4] * 2
        cached = tmp_path / "snapshot"  # as a hub's cache keeps it
        cached.mkdir()
        (cached / "m.onnx").symlink_to(folder / "m.onnx")
        (cached / "own.bin").symlink_to(folder / "own.bin")
        assert read_onnx(cached / "m.onnx")


def test_names_and_dimensions_of_all_kinds(tmp_path: Path) -> None:
    found = OnnxBlock(str(model(tmp_path / "m.onnx", dims=("2*batch", None), name="a:0/b"))).spec.inputs
    assert {name: str(port.type) for name, port in found.items()} == {"a_0_b": "tensor[_,_] float32"}


async def test_strange_names_are_fed_by_their_ports(tmp_path: Path) -> None:
    there = OnnxBlock(str(model(tmp_path / "m.onnx", name="a:0/b")))
    assert (await there.run(a_0_b=np.ones((1, 4), np.float32)))["y"].shape == (1, 4)
    with pytest.raises(PortError, match="bfloat16"):
        await there.run(a_0_b=torch.ones(1, 4, dtype=torch.bfloat16))


def test_settings_that_cannot_be(two: tuple[NeuralBlock, Path]) -> None:
    path = str(two[1])
    with pytest.raises(ConfigError, match=r"this ONNX Runtime has no NoSuchProvider; it has .*CPUExecutionProvider"):
        OnnxBlock(path, providers=["NoSuchProvider"]).session()
    with pytest.raises(ConfigError, match="providers is 'CPUExecutionProvider'"):
        OnnxBlock(path, providers="CPUExecutionProvider")
    with pytest.raises(ConfigError, match="backend is 'torch'"):
        OnnxBlock(path, backend="torch")
    with pytest.raises(ConfigError, match="threads is -1"):
        OnnxBlock(path, threads=-1)
    with pytest.raises(ConfigError, match="which provider computes on 'tpu'"):
        OnnxBlock(path).session("tpu")


def test_without_onnx_runtime(two: tuple[NeuralBlock, Path]) -> None:
    program = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from yggdrasil.blocks.onnx import OnnxBlock\n"
        f"there = OnnxBlock({str(two[1])!r}); print(list(there.spec.inputs)); there.session()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "['x', 'image']", "its ports are known without"
    assert "ConfigError: " in done.stderr
    assert "ONNX Runtime is not installed" in done.stderr
    assert "pip install 'yggdrasil-worlds[onnx]'" in done.stderr
