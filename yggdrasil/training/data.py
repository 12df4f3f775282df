"""Rows to batches: which rows a step takes, in which process, follows from the seed and the number of the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from yggdrasil.core.canonical import derive
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError

Batch = Mapping[str, Any]
Collate = Callable[[list[Any]], Batch]


class Piece(Value):
    """A batch, and what it counts among all of its step (its share of the rows)."""

    number: int
    batch: Batch
    share: float


class Rows:
    """The rows of a training, in the order of each epoch.

    data      rows (mappings) in anything with a length, columns (a mapping of tensors or lists as long as each other),
              or a function from a number to a whole batch, which is endless
    batch     rows in a batch; a step takes `pieces` of them, over all processes
    """

    def __init__(self, data: Any, batch: int, pieces: int, seed: int, shuffle: bool, collate: Collate | None) -> None:
        self._data, self._batch, self._pieces = data, batch, pieces
        self._seed, self._shuffle, self._collate = seed, shuffle, collate or stacked
        self._columns = isinstance(data, Mapping)
        self._endless = callable(data)
        self.count = 0 if self._endless else _length(data)
        self._order: tuple[int, list[int]] = (-1, [])

    @property
    def steps(self) -> int | None:
        """Steps in an epoch; None where the data are endless."""
        return None if self._endless else -(-self.count // (self._batch * self._pieces))

    def step(self, number: int, rank: int, ranks: int) -> list[Piece]:
        """What process `rank` of `ranks` computes in step `number` (from 0), which may be nothing."""
        if self._endless:
            mine = range(rank, self._pieces, ranks)
            share = 1.0 / self._pieces
            return [Piece(n, _mapping(self._data(number * self._pieces + n)), share) for n in mine]
        assert self.steps is not None
        epoch, place = divmod(number, self.steps)
        whole = self._batch * self._pieces
        rows = self._ordered(epoch)[place * whole : (place + 1) * whole]
        pieces = [rows[n : n + self._batch] for n in range(0, len(rows), self._batch)]
        return [
            Piece(n, self._taken(piece), len(piece) / len(rows)) for n, piece in enumerate(pieces) if n % ranks == rank
        ]

    def _ordered(self, epoch: int) -> list[int]:
        if self._order[0] != epoch:
            self._order = (epoch, _permuted(self.count, derive(self._seed, "epoch", epoch), self._shuffle))
        return self._order[1]

    def _taken(self, rows: list[int]) -> Batch:
        if self._columns:
            return _mapping(self._collate([{n: column[i] for n, column in self._data.items()} for i in rows]))
        return _mapping(self._collate([self._data[i] for i in rows]))


def _permuted(count: int, seed: int, shuffle: bool) -> list[int]:
    if not shuffle:
        return list(range(count))
    import torch

    order: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return order


def _length(data: Any) -> int:
    if isinstance(data, Mapping):
        for name, column in data.items():
            if isinstance(column, str | Mapping) or not (hasattr(column, "__len__") and hasattr(column, "__getitem__")):
                raise ConfigError(f"the column {name!r} is {type(column).__name__}", hint="a tensor, or a list")
        lengths = {name: len(column) for name, column in data.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ConfigError(f"the columns are not of one length: {said}")
        count = next(iter(lengths.values()), 0)
    elif hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        count = len(data)
    else:
        hint = "a list of rows, {column: tensor}, a torch Dataset, or a function from a number to a batch"
        raise ConfigError(f"{type(data).__name__} is no data to train on", hint=hint)
    if not count:
        raise ConfigError("there are no rows to train on", hint='data=[{"x": ..., "target": ...}, ...]')
    return count


def _mapping(batch: Any) -> Batch:
    if not isinstance(batch, Mapping):
        raise ConfigError(
            f"a batch is {type(batch).__name__}, not a mapping of columns", hint='{"x": ..., "target": ...}'
        )
    return batch


def stacked(rows: Sequence[Any]) -> Batch:
    """Rows (mappings) as one batch: tensors, arrays and numbers stacked, everything else in a list.

    ConfigError when rows differ in their keys, or tensors in their shapes.
    """
    first = rows[0]
    for row in rows:
        if not isinstance(row, Mapping):
            raise ConfigError(f"a row is {type(row).__name__}, not a mapping", hint='{"x": ..., "target": ...}')
        if row.keys() != first.keys():
            raise ConfigError(f"rows differ in their columns: {sorted(first)} and {sorted(row)}")
    return {name: _column(name, [row[name] for row in rows]) for name in first}


def _column(name: str, values: list[Any]) -> Any:
    import numpy
    import torch

    first = values[0]
    if isinstance(first, numpy.ndarray):
        values = [torch.from_numpy(value) if isinstance(value, numpy.ndarray) else value for value in values]
    elif isinstance(first, bool | int | float):
        try:
            return torch.tensor(values)
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise ConfigError(f"rows of {name!r} are no numbers of one kind: {error}", hint="collate=...") from error
    elif not isinstance(first, torch.Tensor):
        return values
    if not all(isinstance(value, torch.Tensor) for value in values):
        raise ConfigError(f"rows of {name!r} are tensors in some, and not in others", hint="collate=...")
    if len({tuple(value.shape) for value in values}) > 1:
        shapes = ", ".join(sorted({str(tuple(value.shape)) for value in values}))
        raise ConfigError(f"rows of {name!r} differ in shape: {shapes}", hint="collate=pad, a function of the rows")
    return torch.stack(values)
