"""What an ONNX file says of itself, read without loading it: its inputs and outputs, and the files it refers to.

The format is protobuf (onnx/onnx.proto); a few of its fields are read here, over a map of the file, so that a model
of gigabytes costs nothing. What lies outside of the model's folder is refused before any runtime sees the file.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from yggdrasil.core.shape import DTYPES, Shape
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, PortError

Span = tuple[int, int]

# message -> field number -> message; what is not named here is skipped
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
_DEEPEST = 64
_ELEMENTS = (
    "", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "float64",
    "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
    "float8_e5m2fnuz",
)  # fmt: skip


class Place(Value):
    """An input or output: its name, its shape (None: it is no tensor, or one of texts), whether it may be absent."""

    name: str
    shape: Shape | None = None
    optional: bool = False


class OnnxFile(Value):
    """The inputs and outputs of a model, in their order."""

    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]


class _NotOnnx(Exception):
    """The bytes are no ONNX; the text says why."""


def read_onnx(path: Path) -> OnnxFile:
    """The model's ports. ConfigError where it is no ONNX, or refers to files that it may not, or that are gone."""
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise _NotOnnx("it is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                reader = _Reader(data)
                found = reader.model()
                locations = dict.fromkeys(reader.external("model", (0, len(data)), 0))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except (_NotOnnx, UnicodeDecodeError, PortError) as error:
        hint = "a file that export_onnx wrote, or any .onnx"
        raise ConfigError(f"{path.name} is no ONNX: {error}", path=str(path), hint=hint) from None
    for location in locations:
        _check_location(path, location)
    return found


def _check_location(model: Path, location: str) -> None:
    # a hub's cache keeps the files of one folder as links into another, where the model itself lies too
    folders = {model.parent.resolve(), model.resolve().parent}
    target = model.parent / location
    inside = not Path(location).is_absolute() and ".." not in Path(location.replace("\\", "/")).parts
    if not inside or not any(target.resolve().is_relative_to(folder) for folder in folders):
        sentence = f"{model.name} wants {location!r}, which is not in its folder"
        raise ConfigError(sentence, path=str(model), hint="weights lie beside the model, or in it")
    if not target.is_file():
        sentence = f"{model.name} keeps weights in {location!r}, and that file is not there"
        raise ConfigError(sentence, path=str(model), hint=f"copy {location} beside it")


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data

    def external(self, message: str, span: Span, depth: int) -> Iterator[str]:
        """The locations of all tensors that are kept in other files, subgraphs and functions included."""
        if depth > _DEEPEST:
            raise _NotOnnx("its graphs are nested too deeply")
        nested = _NESTED.get(message, {})
        for number, value in self._fields(span):
            inner = nested.get(number)
            if inner is None or isinstance(value, int):
                continue
            if inner == "external":
                entry = {n: self._text(v) for n, v in self._fields(value) if not isinstance(v, int)}
                if entry.get(1) == "location":
                    yield entry.get(2, "")
            else:
                yield from self.external(inner, value, depth + 1)

    def model(self) -> OnnxFile:
        """The ports of its graph; what has a value in the file is no input."""
        graph = self._last((0, len(self._data)), 7)
        if graph is None or not any(n == 1 and isinstance(v, int) for n, v in self._fields((0, len(self._data)))):
            raise _NotOnnx("it holds no graph")
        known = {self._name(tensor, 8) for tensor in self._all(graph, 5)}
        inputs = [self._place(port) for port in self._all(graph, 11)]
        outputs = [self._place(port) for port in self._all(graph, 12)]
        if not outputs:
            raise _NotOnnx("its graph has no outputs")
        return OnnxFile(tuple(p for p in inputs if p.name not in known), tuple(outputs))

    def _place(self, span: Span) -> Place:
        name, kind, optional = self._name(span, 1), self._last(span, 2), False
        if kind is not None and (wrapped := self._last(kind, 9)) is not None:
            kind, optional = self._last(wrapped, 1), True
        tensor = self._last(kind, 1) if kind is not None else None
        if tensor is None:
            return Place(name, None, optional)
        element = next((v for n, v in self._fields(tensor) if n == 1 and isinstance(v, int)), 0)
        dtype = _ELEMENTS[element] if element < len(_ELEMENTS) else ""
        if dtype == "string":
            return Place(name, None, optional)
        shape = self._last(tensor, 2)
        dims = ["..."] if shape is None else [self._dim(dim) for dim in self._all(shape, 1)]
        return Place(
            name, Shape(*dims, dtype=dtype if dtype in DTYPES or dtype.startswith("float8_") else ""), optional
        )

    def _dim(self, span: Span) -> int | str:
        """A number, a name, or "_" for what is neither (`2*batch`)."""
        for number, value in self._fields(span):
            if number == 1 and isinstance(value, int):
                return value if value < 1 << 63 else "_"  # some writers say -1 for any
            if number == 2 and not isinstance(value, int):
                text = self._text(value)
                return text if text.isascii() and text.isidentifier() else "_"
        return "_"

    def _name(self, span: Span, number: int) -> str:
        found = self._last(span, number)
        return "" if found is None else self._text(found)

    def _text(self, span: Span) -> str:
        return self._data[span[0] : span[1]].decode()

    def _all(self, span: Span, number: int) -> Iterator[Span]:
        return (v for n, v in self._fields(span) if n == number and not isinstance(v, int))

    def _last(self, span: Span, number: int) -> Span | None:
        return next(reversed(list(self._all(span, number))), None)

    def _fields(self, span: Span) -> Iterator[tuple[int, int | Span]]:
        """The fields of a message: a number, or where its bytes are."""
        at, end = span
        while at < end:
            tag, at = self._varint(at, end)
            number, wire = tag >> 3, tag & 7
            if wire == 0:
                value, at = self._varint(at, end)
                yield number, value
                continue
            if wire == 2:
                size, at = self._varint(at, end)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                raise _NotOnnx(f"byte {at} means nothing there")
            if not number or at + size > end:
                raise _NotOnnx("it is cut off" if number else f"byte {at} means nothing there")
            yield number, (at, at + size)
            at += size

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            byte = self._data[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at
        raise _NotOnnx("it is cut off")
