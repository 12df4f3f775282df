"""What `checkpoint.json` says: which files hold whose weights and memory. Checked whole before any file is opened."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from yggdrasil.core.config import complaint
from yggdrasil.errors import CorruptError, FormatError, YggdrasilError
from yggdrasil.storage.archive_reading import Source
from yggdrasil.storage.files import to_json
from yggdrasil.storage.json_text import parse_json
from yggdrasil.storage.saved import RECORD

VERSION = 1
"""The version of the format. Older ones are read, newer ones refused."""

SIZE = 64 * 1024 * 1024
"""The largest `checkpoint.json` that is read, in bytes."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class File(_Part):
    """A file, named by its SHA-256."""

    file: str
    size: int = Field(ge=0)


class Tensor(_Part):
    """A tensor: its dtype by its name in safetensors, its shape, and which of the record's files holds it."""

    dtype: str
    shape: list[int]
    file: int = Field(0, ge=0)


class Tie(_Part):
    """A tensor that is the same as another: of which record, and how it is called there."""

    record: int = Field(ge=0)
    name: str


class Origin(_Part):
    """Where a module was loaded from: the key of the pool."""

    kind: str
    ref: str
    revision: str = ""
    options: str = "{}"
    dtype: str = ""


class Weights(_Part):
    """One module, however many use it.

    users      the paths of its nodes, each with the names that the block there has for it
    origin     where it was loaded from, when it came from a ref
    training   whether it is in training mode; `unlike` names the modules inside that are not as it is
    frozen     True, or the names of the parameters that are not trained
    nonfinite  whether its parameters may hold NaN or infinity
    ties       tensors that are another's
    """

    users: dict[str, list[str]] = Field(min_length=1)
    origin: Origin | None = None
    training: bool = True
    unlike: list[str] = []
    frozen: bool | list[str] = False
    nonfinite: bool = False
    files: list[File] = []
    tensors: dict[str, Tensor] = {}
    ties: dict[str, Tie] = {}


class State(_Part):
    """What is no module: an agent's memory, an optimizer's state. JSON in a file; tensors in files of their own."""

    users: list[str] = []
    file: File
    files: list[File] = []


class Record(_Part):
    """The whole of it.

    config   the SHA-256 of `config.yaml` as it was written
    same     paths where the same block or level stands, in groups
    extra    what a trainer handed over, by name
    """

    kind: Literal["checkpoint"]
    version: int = Field(ge=1)
    config: str = Field(pattern="^[0-9a-f]{64}$")
    same: list[list[str]] = []
    weights: list[Weights] = []
    states: list[State] = []
    extra: dict[str, State] = {}


def record_text(record: Record) -> bytes:
    """`checkpoint.json`, written."""
    return to_json(record.model_dump(exclude_defaults=True)).encode()


def read_record(source: Source) -> Record:
    """`checkpoint.json`, read. CorruptError for what is none, FormatError for a newer version."""
    where = source.place(RECORD)
    data = source.read(RECORD, SIZE)
    try:
        value: Any = parse_json(data.decode(), where)
    except UnicodeDecodeError:
        raise CorruptError("this is no text", path=where) from None
    except YggdrasilError as error:
        raise CorruptError(error.sentence, path=error.path or where, hint=error.hint) from None
    version = value.get("version") if isinstance(value, dict) else None
    if type(version) is int and version > VERSION:
        sentence = f"the checkpoint has format version {version}, this release reads up to {VERSION}"
        raise FormatError(sentence, path=where, hint="pip install -U yggdrasil-worlds")
    try:
        record = Record.model_validate(value)
    except ValidationError as error:
        said = complaint(error, where, Record.model_fields)
        raise CorruptError(said.sentence, path=said.path) from None
    _check(record, where)
    return record


def _check(record: Record, where: str) -> None:
    """What one part says of another."""
    for number, weights in enumerate(record.weights):
        for name, tensor in weights.tensors.items():
            if tensor.file >= len(weights.files):
                raise CorruptError(f"{name} is in a file that is not listed", path=f"{where}: weights/{number}")
        for name, tie in weights.ties.items():
            there = record.weights[tie.record].tensors if tie.record < len(record.weights) else {}
            if name in weights.tensors or tie.name not in there:
                raise CorruptError(f"{name} is tied to nothing", path=f"{where}: weights/{number}")
    for group in record.same:
        if len(group) < 2:
            raise CorruptError("a group of one block is none", path=f"{where}: same")
