"""Weights files: read by map, checked before anything is taken over, written whole; whatever is odd is said clearly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from yggdrasil import ConfigError
from yggdrasil.blocks.shared import Shared, file_bytes
from yggdrasil.blocks.weights import (
    base_sha256,
    load_into,
    module_bytes,
    save_module,
    save_tensors,
    tensors,
)
from yggdrasil.errors import StoreError
from yggdrasil.runtime.pool import Pool
from yggdrasil.storage.finite import is_finite
from yggdrasil.storage.weights import Kind, Weights
from yggdrasil.storage.weights_header import read_head

EVERY = {
    "b": torch.tensor([True, False]), "u8": torch.arange(5, dtype=torch.uint8), "i8": torch.arange(3, dtype=torch.int8),
    "i16": torch.arange(3, dtype=torch.int16), "i32": torch.arange(3, dtype=torch.int32), "i64": torch.arange(3),
    "f16": torch.randn(3).half(), "bf16": torch.randn(2, 3).bfloat16(), "f32": torch.randn(3, 1, 2),
    "f64": torch.randn(2).double(), "c64": torch.randn(2, dtype=torch.complex64), "none": torch.zeros(0, 4),
    "scalar": torch.tensor(7.5), "f8": torch.randn(3).to(torch.float8_e4m3fn), "größe": torch.zeros(1),
}  # fmt: skip


def net(seed: int = 0) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2, bias=False))


def raw(path: Path, head: Any, body: bytes = b"", *, length: int | None = None) -> Path:
    """A file with this header, as it is."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + body)
    return path


def f32(start: int, end: int, *shape: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return (
        a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.view(torch.uint8), b.view(torch.uint8))
        if a.dim()
        else bool(a == b)
    )


# --- reading


def test_names_dtypes_and_shapes_are_known_and_bytes_are_mapped(tmp_path: Path) -> None:
    save_file(EVERY, tmp_path / "model.safetensors", metadata={"who": "them"})
    weights = Weights(tmp_path)
    assert weights.metadata == {"who": "them"}
    assert len(weights) == len(EVERY)
    assert "f32" in weights
    assert "f33" not in weights
    assert weights.entries["bf16"].shape == (2, 3)
    assert weights.entries["bf16"].dtype == "BF16"
    assert weights.nbytes == sum(t.numel() * t.element_size() for t in EVERY.values())
    found = tensors(weights)
    assert all(same(found[name], value) for name, value in EVERY.items())
    found["f32"].fill_(1)  # a page of our own
    assert same(load_file(tmp_path / "model.safetensors")["f32"], EVERY["f32"])
    with pytest.raises(ConfigError, match="no tensor f33; did you mean 'f32'"):
        weights["f33"]


def test_opening_a_large_file_reads_its_header_alone(tmp_path: Path) -> None:
    size = 200 << 30  # a hole, larger than the memory
    path = raw(tmp_path / "model.safetensors", {"a": f32(0, size, size // 4)})
    try:
        os.truncate(path, path.stat().st_size + size)
    except OSError:
        pytest.skip("the file system has no such large files")
    assert Weights(path).nbytes == size


def test_shards_and_variants(tmp_path: Path) -> None:
    state = {f"layer.{n}": torch.randn(100) for n in range(5)}
    save_tensors(state, tmp_path / "model.safetensors", shard=900)
    assert len(list(tmp_path.glob("model-*-of-00003-*.safetensors"))) == 3
    found = Weights(tmp_path)
    assert len(found.files) == 3
    assert all(same(t, state[n]) for n, t in tensors(found).items())
    save_file({"a": torch.zeros(1)}, tmp_path / "model.fp16.safetensors")
    assert len(Weights(tmp_path)) == 5
    assert len(Weights(tmp_path, stem="model.fp16")) == 1
    with pytest.raises(ConfigError, match="no ema"):
        Weights(tmp_path, stem="ema")
    os.rename(tmp_path / "model.safetensors.index.json", tmp_path / "unet.safetensors.index.json")
    with pytest.raises(ConfigError, match=r"several weights are here: .*unet"):
        Weights(tmp_path)


# --- what is not a good file


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty", b"", "only 0 bytes"),
        ("short", b"\x08\x00\x00", "only 3 bytes"),
        ("text", b"This is some text, and no safetensors", "no safetensors file"),
        ("long header", (10**15).to_bytes(8, "little") + b"{}", "no safetensors file"),
        ("cut header", (500).to_bytes(8, "little") + b"{}", "cut off: the header has 500 bytes, the file 10"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / f"{name}.safetensors"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        Weights(path)


@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickle_is_never_read_whatever_its_name(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "model.safetensors"
    torch.save({"a": torch.zeros(1)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ConfigError, match="this is a pickle"):
        Weights(path)


@pytest.mark.parametrize("length", [2 * 256 + 128, 4 * 256 + 128])
def test_a_header_as_long_as_a_pickle_begins_is_read(tmp_path: Path, length: int) -> None:
    """0x80 0x04 begins a pickle, and a header of 1152 bytes."""
    head = json.dumps({"a": f32(0, 4, 1)}).encode()
    path = raw(tmp_path / "model.safetensors", head + b" " * (length - len(head)), b"\0" * 4)
    assert path.read_bytes()[:1] == b"\x80"
    assert Weights(path).nbytes == 4


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"[]", "does not begin with a header"),
        (b"{]", "no JSON"),
        (b"{\xff}", "not UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a":{},"a":{}}', "'a' is there twice"),
        (b'{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', "'dtype' is there twice"),
        (b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', "no Unicode"),
        (b'{"a":' + b"[" * 100_000, "no JSON"),
        (b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', "no JSON"),
        ({"a": [1]}, "does not say dtype"),
        ({"a": {**f32(0, 4, 1), "more": 1}}, "does not say dtype"),
        ({"a": {**f32(0, 4, 1), "dtype": "F33"}}, "the dtype 'F33'"),
        ({"a": {**f32(0, 4, 1), "dtype": ["F32"]}}, "the dtype"),
        ({"a": f32(0, 4, -1)}, "the shape"),
        ({"a": f32(0, 4, True)}, "the shape"),
        ({"a": f32(0, 4, 1.0)}, "the shape"),
        ({"a": f32(0, 4, *[1] * 65)}, "the shape"),
        ({"a": f32(0, 4, 2**62, 2**62)}, "it is given 4"),
        ({"a": f32(0, 4, 2**64)}, "the shape"),
        ({"a": f32(4, 0, 1)}, "the data_offsets"),
        ({"a": f32(-4, 0, 1)}, "the data_offsets"),
        ({"a": f32(0, 8, 1)}, "4 bytes; it is given 8"),
        ({"a": f32(0, 4, 1), "b": f32(0, 4, 1)}, "b overlaps|a overlaps"),
        ({"a": f32(0, 8, 2), "b": f32(4, 8, 1)}, "b overlaps"),
        ({"a": f32(4, 8, 1)}, "a leaves a gap"),
        ({"a": f32(0, 40, 10)}, "cut off: the tensors end"),
        ({"a": f32(0, 4, 1)}, "4 bytes follow the last tensor"),
        ({"__metadata__": {"a": 1}}, "mapping of texts"),
        ({"__metadata__": "a"}, "mapping of texts"),
    ],
)
def test_hostile_headers(tmp_path: Path, head: Any, said: str) -> None:
    path = raw(tmp_path / "model.safetensors", head, b"\0" * 8)
    with pytest.raises(ConfigError, match=said) as caught:
        Weights(path)
    assert "model.safetensors" in str(caught.value)


_numbers = st.integers(-1, 70) | st.sampled_from([2**31, 2**63, 2**64, True, None, 1.5, "4"])
_entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "U8", "F64", "BF16", "X", 1]),
        "shape": st.lists(_numbers, max_size=3) | st.none(),
        "data_offsets": st.lists(_numbers, min_size=1, max_size=3) | st.just({}),
    }
)
_heads = st.dictionaries(st.sampled_from(["a", "b", "c", "__metadata__"]) | st.text(max_size=3), _entries, max_size=4)


@settings(max_examples=300, deadline=None)
@given(head=_heads.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60), size=st.integers(0, 80))
def test_no_header_gets_through_that_safetensors_refuses(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, size: int
) -> None:
    path = raw(tmp_path_factory.mktemp("fuzz") / "model.safetensors", head, b"\0" * size)
    try:
        weights = Weights(path)
    except ConfigError:
        return
    with safe_open(path, framework="pt") as theirs:
        assert set(theirs.keys()) == set(weights.entries)
        for name, value in tensors(weights).items():
            assert same(value, theirs.get_tensor(name))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_is_another_good_one(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "model.safetensors"
    save_file({"a": torch.arange(3.0), "b": torch.arange(4)}, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) - 40, len(content)))])
    try:
        weights = Weights(path)
    except ConfigError:
        return
    assert sum(e.nbytes for e in weights.entries.values()) == len(content) - 8 - int.from_bytes(content[:8], "little")


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3) | st.floats(),
        lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=3), s, max_size=3),
    )
)
def test_any_json_as_a_header_is_read_or_refused(value: Any) -> None:
    head = json.dumps(value).encode()
    try:
        read_head(head, 8 + len(head), "here")
    except ConfigError:
        return
    assert isinstance(value, dict)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ({}, "weight_map"),
        ({"weight_map": {"a": 1}}, "weight_map"),
        ({"weight_map": {"a": "../secret.safetensors"}}, "not beside it"),
        ({"weight_map": {"a": "/etc/passwd"}}, "not beside it"),
        ({"weight_map": {"a": "model.bin"}}, "not beside it"),
        ({"weight_map": {"a": "one.safetensors", "b": "gone.safetensors"}}, "no such file"),
        ({"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}, "the index says that b is in one"),
        ({"weight_map": {"b": "two.safetensors"}}, "the index does not know c"),
        ({"weight_map": {"a": "one.safetensors", "c": "twice.safetensors"}}, "a is in two files"),
    ],
)
def test_hostile_indexes(tmp_path: Path, index: Any, said: str) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "one.safetensors")
    save_file({"b": torch.zeros(1), "c": torch.zeros(1)}, tmp_path / "two.safetensors")
    save_file({"a": torch.zeros(1), "c": torch.zeros(1)}, tmp_path / "twice.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ConfigError, match=said):
        Weights(tmp_path / "model.safetensors.index.json")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \*\.safetensors in this folder \(it is empty\)"):
        Weights(tmp_path)
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match=r"(?s)no such file.*model\.safetensors"):
        Weights(tmp_path / "modle.safetensors")
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ConfigError, match="not a regular file"):
        Weights(tmp_path / "pipe.safetensors")


# --- into a module


def saved(tmp_path: Path, change: Any = None) -> Path:
    state = dict(net(1).state_dict())
    if change is not None:
        change(state)
    save_file(state, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def put(name: str, value: Any) -> Any:
    return lambda state: state.update({name: value})


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda s: s.pop("0.bias"), {}, "0.bias is missing"),
        (put("0.bais", torch.zeros(3)), {}, r"0.bais is not wanted \(did you mean '0.bias'"),
        (put("0.weight", torch.zeros(4, 3)), {}, r"0.weight is \(4, 3\) here, and has to be \(3, 4\)"),
        (put("2.weight", torch.zeros(2, 3).half()), {"same_dtype": True}, "2.weight is F16 here, and has to be F32"),
        (put("2.weight", torch.zeros(2, 3, dtype=torch.int32)), {}, "2.weight is I32, and torch.float32"),
        (put("2.weight", torch.full((2, 3), float("nan"))), {}, "2.weight holds NaN or infinity"),
        (put("2.weight", torch.tensor([[0, 0, 0], [0, 0, float("-inf")]]).half()), {}, "2.weight holds NaN"),
    ],
)
@pytest.mark.parametrize("where", ["cpu", "meta"])
def test_what_does_not_fit_is_named_and_nothing_is_taken_over(
    tmp_path: Path, change: Any, options: Any, said: str, where: str
) -> None:
    path = saved(tmp_path, change)
    module = net().to(where)
    before = base_sha256(module) if where == "cpu" else ""
    with pytest.raises(ConfigError, match=said):
        load_into(module, path, **options)
    if where == "cpu":
        assert base_sha256(module) == before
    else:
        assert all(t.is_meta for t in module.state_dict().values())


@pytest.mark.parametrize("where", ["cpu", "meta"])
def test_weights_are_taken_over_where_they_are_mapped(tmp_path: Path, where: str) -> None:
    path = saved(tmp_path)
    module = net().to(where)
    parameters = [id(p) for p in module.parameters()]
    load_into(module, path)
    assert base_sha256(module) == base_sha256(net(1)) == Weights(path).sha256()
    if where == "cpu":
        assert [id(p) for p in module.parameters()] == parameters, "an optimizer keeps its parameters"
    with torch.no_grad():
        module[0].weight.zero_()
    assert base_sha256(net(1)) == Weights(path).sha256(), "the file is not written into"
    module(torch.zeros(2, 4)).sum().backward()


def test_options_of_loading(tmp_path: Path) -> None:
    path = saved(tmp_path, lambda s: (s.pop("0.bias"), s.update(extra=torch.zeros(1))))
    module = net().half()
    load_into(module, path, extra=["extra"], absent=["0.bias"])
    assert module[0].weight.dtype == torch.float16
    assert torch.equal(module[2].weight, net(1)[2].weight.half())
    assert torch.equal(module[0].bias, net().half()[0].bias)
    path = saved(tmp_path, put("2.weight", torch.full((2, 3), float("inf"))))
    load_into(module, path, allow_nonfinite=True)
    assert module[2].weight.isinf().all()


def test_tied_weights_are_written_once_and_stay_tied(tmp_path: Path) -> None:
    def tied() -> torch.nn.Sequential:
        made = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 3, bias=False))
        made[1].weight = made[0].weight
        return made

    one, two = tied(), tied()
    save_module(one, tmp_path / "model.safetensors")
    assert list(Weights(tmp_path).entries) == ["0.weight"]
    load_into(two, tmp_path)
    assert two[1].weight is two[0].weight
    assert torch.equal(two[1].weight, one[1].weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64])
def test_every_float_that_is_not_finite_is_found(dtype: torch.dtype) -> None:
    name = {v: k for k, v in {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32,
                              "F64": torch.float64, "C64": torch.complex64}.items()}[dtype]  # fmt: skip
    plain = torch.float32 if dtype.is_complex else dtype
    largest = torch.finfo(plain).max
    good = torch.tensor([0.0, -0.0, largest, -largest, torch.finfo(plain).tiny, 1.5] * 60_000, dtype=plain)
    for position in (0, 250_001, len(good) - 1):
        for wrong in (float("nan"), float("inf"), float("-inf"), -float("nan")):
            bad = good.clone()
            bad[position] = wrong
            assert not is_finite(bad.view(torch.uint8).numpy().data, name), (position, wrong)
    assert is_finite(good.view(torch.uint8).numpy().data, name)
    assert is_finite(b"", name)
    assert is_finite(b"\xff" * 8, "I64")


def test_wanted_kinds_without_torch(tmp_path: Path) -> None:
    weights = Weights(saved(tmp_path))
    weights.check({name: Kind(e.dtype, e.shape) for name, e in weights.entries.items()})
    with pytest.raises(ConfigError, match="and 3 more"):
        weights.check({})
    code = f"import sys; from yggdrasil.storage.weights import Weights as W; W({str(tmp_path)!r}).require_finite()"
    code += "; import yggdrasil.storage.weights_writer; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "False\n"


# --- writing


def test_what_we_write_others_read(tmp_path: Path) -> None:
    assert save_tensors(EVERY, tmp_path / "model.safetensors", metadata={"a": "b"}) == [tmp_path / "model.safetensors"]
    theirs = load_file(tmp_path / "model.safetensors")
    assert all(same(theirs[name], value) for name, value in EVERY.items())
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt", "a": "b"}
    starts = [(e.start, e.dtype) for e in Weights(tmp_path).entries.values()]
    assert all(start % 8 == 0 for start, dtype in starts if dtype in ("I64", "F64"))
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_saving_twice_writes_only_what_changed(tmp_path: Path) -> None:
    state = {f"layer.{n}": torch.randn(100) for n in range(6)}
    path = tmp_path / "model.safetensors"
    first = save_tensors(state, path, shard=900)
    assert len(first) == 4
    inodes = {p.name: p.stat().st_ino for p in tmp_path.iterdir()}
    assert save_tensors(state, path, shard=900) == []
    assert {p.name: p.stat().st_ino for p in tmp_path.iterdir()} == inodes
    state["layer.3"] = state["layer.3"] + 1
    changed = save_tensors(state, path, shard=900)
    assert [p.name[:11] for p in changed] == ["model-00002", "model.safet"]
    assert len(list(tmp_path.iterdir())) == 4, "the old shard is gone"
    assert torch.equal(tensors(Weights(tmp_path))["layer.3"], state["layer.3"])
    assert save_tensors(state, path) == [path]
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    save_tensors(state, path, shard=900)
    assert len(list(tmp_path.iterdir())) == 4
    assert len(Weights(tmp_path)) == 6


def test_a_shard_that_was_damaged_is_written_again(tmp_path: Path) -> None:
    state = {f"layer.{n}": torch.randn(100) for n in range(4)}
    save_tensors(state, tmp_path / "model.safetensors", shard=900)
    damaged = sorted(tmp_path.glob("model-00001*"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    assert save_tensors(state, tmp_path / "model.safetensors", shard=900) == [damaged]
    assert torch.equal(tensors(Weights(tmp_path))["layer.0"], state["layer.0"])


# in a process of its own, which need not load torch
WRITE = textwrap.dedent(
    """
    import numpy
    from yggdrasil.storage.tensor_bytes import TensorBytes
    from yggdrasil.storage.weights_writer import write_weights

    def write(path, count, value, shard=10**9):
        data = numpy.full(count, value, "float32")
        one = TensorBytes("F32", (count,), lambda: data)
        write_weights(path, {str(number): one for number in range(6)}, shard=shard)
    """
)


def test_a_disk_that_refuses_leaves_the_old_weights(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_tensors({"a": torch.zeros(10)}, path)
    code = WRITE + textwrap.dedent(
        f"""
        import resource, signal
        from yggdrasil.errors import StoreFullError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            write({str(path)!r}, 50_000, 1.0)
        except StoreFullError as error:
            print(error)
        """
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "cannot be written" in run.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    assert not load_file(path)["a"].any()


@pytest.mark.parametrize("shard", [400_000_000, 8_000_000])
def test_killed_while_it_saves_the_old_weights_or_the_new_are_there(tmp_path: Path, shard: int) -> None:
    path = tmp_path / "model.safetensors"
    code = WRITE + textwrap.dedent(
        f"""
        import itertools
        print("ready", flush=True)
        for number in itertools.count():
            write({str(path)!r}, 1_000_000, float(number), {shard})
            print(number, flush=True)
        """
    )
    for after in (1, 3):
        run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        assert run.stdout.readline() == "ready\n"
        for _ in range(after):
            run.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(0.003 * after)
        run.kill()
        run.wait()
        run.stdout.close()
        found = {name: set(value.tolist()) for name, value in tensors(Weights(tmp_path)).items()}
        assert len(found) == 6
        assert len(set().union(*found.values())) == 1, "all of one save"


def test_odd_things_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not end in"):
        save_tensors({"a": torch.zeros(1)}, tmp_path / "model.bin")
    with pytest.raises(ConfigError, match="a is sparse"):
        save_tensors({"a": torch.eye(2).to_sparse()}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="a is on the meta device"):
        save_tensors({"a": torch.zeros(1, device="meta")}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="has no form"):
        save_tensors({"a": torch.zeros(1, dtype=torch.complex128)}, tmp_path / "model.safetensors")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        save_tensors({"a": torch.zeros(1)}, tmp_path / "file" / "model.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# --- held by blocks


def test_a_block_holds_a_module_of_the_pool(tmp_path: Path) -> None:
    path, pool = saved(tmp_path), Pool()

    def load(device: str) -> torch.nn.Module:
        module = net().to("meta")
        load_into(module, path)
        return module.to(device)

    def held(ref: Path = path, **options: Any) -> Shared[torch.nn.Module]:
        return Shared("test.Net", str(ref), load, pool=pool, **options)

    size = module_bytes(net())
    assert file_bytes(path) == size
    assert file_bytes(path, "float16") == size // 2 + 4  # the count of the batch norm stays an integer
    one, two, mine = held(), held(), held(share=False)
    assert not one.loaded
    assert pool.keys() == []
    assert one.get() is two.get()
    assert mine.get() is not one.get()
    assert pool.taken("cpu") == 2 * size
    for block in (one, two, mine):
        block.close()
    assert pool.keys() == []
    assert torch.equal(one.get()[0].weight, net(1)[0].weight)
    pool.budget("cpu", 1.5 * size)
    with pytest.raises(ConfigError, match="has a budget of"):
        mine.get()
    with pytest.raises(ConfigError, match=r"no such file|budget"):
        held(tmp_path / "model.safetensors", dtype="float64", share=False).get()
