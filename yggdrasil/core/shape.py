"""Shapes of tensors in port types: `tensor[B,4,H,W] float`. It looks at `.shape` and `.dtype`, and knows no library."""

from __future__ import annotations

import re
from functools import lru_cache
from types import EllipsisType
from typing import Any, Final

from yggdrasil.errors import PortError, close_names

ANY: Final = "_"
REST: Final = "..."

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_COMPLEX = ("complex64", "complex128")
FAMILIES: Final = {"float": frozenset(_FLOATS), "int": frozenset(_INTEGERS), "complex": frozenset(_COMPLEX)}
"""dtypes by a common name: `float` is any of these."""

DTYPES: Final = frozenset({*_FLOATS, *_INTEGERS, *_COMPLEX, "bool"})

_TEXT = re.compile(r"\s*tensor\s*\[(?P<dims>[^\[\]]*)\]\s*(?P<dtype>\w*)\s*")
_HINT = 'tensor[B,4,H,W] float: numbers, names, "_" for any, one "..." for any number of them; and a dtype'

Sizes = dict[str, tuple[int, str]]
"""Named dimensions of one call so far: how long, and where that was seen."""


class Shape:
    """How long each dimension of a tensor is, and its dtype: `Annotated[torch.Tensor, Shape("B", 4, dtype="float")]`.

    dims    a number; a name, which is as long wherever it stands in the ports of one block in one call; "_" for any
            length; one "..." (or Ellipsis) for any number of dimensions. Nothing is broadcast: 1 is not B
    dtype   of torch or numpy, by name; "float", "int" or "complex" for any of a family; "" for any
    """

    __slots__ = ("_dims", "_dtype", "_rest", "_shared")

    def __init__(self, *dims: int | str | EllipsisType, dtype: str = "") -> None:
        self._dims = tuple(REST if d is ... else d for d in dims)
        self._dtype = dtype
        self._shared = True
        for dim in self._dims:
            _check_dim(dim, dims)
        rests = [i for i, dim in enumerate(self._dims) if dim == REST]
        if len(rests) > 1:
            raise PortError(f"a shape has {len(rests)} times '...': {_text(self._dims)}", hint=_HINT)
        self._rest = rests[0] if rests else -1
        if not isinstance(dtype, str):
            raise PortError(f"the dtype of a shape is {type(dtype).__name__}, not its name", hint='dtype="float32"')
        if dtype and dtype not in DTYPES and dtype not in FAMILIES and not dtype.startswith("float8_"):
            known = {*DTYPES, *FAMILIES}
            raise PortError(f"no dtype {dtype!r}; {close_names(dtype, known)}", hint=_HINT)

    @property
    def dims(self) -> tuple[int | str, ...]:
        """The dimensions: numbers and names."""
        return self._dims

    @property
    def dtype(self) -> str:
        """The dtype, the family, or ""."""
        return self._dtype

    @property
    def alone(self) -> Shape:
        """The same, whose names say nothing about other ports: those of a level belong to several blocks."""
        other = Shape(*self._dims, dtype=self._dtype)
        other._shared = False
        return other

    @property
    def piece(self) -> Shape:
        """The same with any length of the first dimension: what is put together along it."""
        if not self._dims or self._rest == 0:
            return self
        return Shape(ANY, *self._dims[1:], dtype=self._dtype)

    def __str__(self) -> str:
        return _text(self._dims) + (f" {self._dtype}" if self._dtype else "")

    def __repr__(self) -> str:
        dtype = [f"dtype={self._dtype!r}"] if self._dtype else []
        return f"Shape({', '.join([*map(repr, self._dims), *dtype])})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shape) and (self._dims, self._dtype) == (other._dims, other._dtype)

    def __hash__(self) -> int:
        return hash((self._dims, self._dtype))

    # --- against another shape, before anything runs

    def clash(self, other: Shape) -> str:
        """Why no tensor has both shapes, as far as rank, numbers and dtypes say; "" where one may."""
        facing = self._facing(other)
        if facing is None:
            return f"its dimensions are {self._rank()} there and {other._rank()} here"
        for index, one, two in facing:
            if isinstance(one, int) and isinstance(two, int) and one != two:
                return f"dimension {index} is {one} there and {two} here"
        if self._dtype and other._dtype and not _family(self._dtype) & _family(other._dtype):
            return f"the dtype is {self._dtype} there and {other._dtype} here"
        return ""

    def promises(self, other: Shape) -> bool:
        """Whether every tensor of this shape has the other one too, whatever names are shared with other ports."""
        facing = self._facing(other)
        if facing is None or (self._rest >= 0 and not self._as_long_as(other)):
            return False
        names = [d for d in other._dims if isinstance(d, str) and d != ANY]
        numbers = [d for d in other._dims if isinstance(d, int)]
        kept = [two for _, one, two in facing if isinstance(two, int) and one == two]
        lengths = len(kept) == len(numbers) and len(set(names)) == len(names)
        return lengths and (not other._dtype or _family(self._dtype) <= _family(other._dtype))

    def _as_long_as(self, other: Shape) -> bool:
        """Whether this one with a "..." has as many other dimensions on both sides of it as the other one."""
        return other._rest >= 0 and len(self._head()) >= len(other._head()) and len(self._tail()) >= len(other._tail())

    def _facing(self, other: Shape) -> list[tuple[int, int | str, int | str]] | None:
        """The dimensions that stand at one place in both, counted from the nearer end; None where the ranks differ."""
        if self._rest < 0 and other._rest < 0:
            if len(self._dims) != len(other._dims):
                return None
            return [(i, a, b) for i, (a, b) in enumerate(zip(self._dims, other._dims, strict=True))]
        for one, two in ((self, other), (other, self)):
            if one._rest < 0 and len(one._dims) < len(two._dims) - 1:
                return None
        front = zip(self._head(), other._head(), strict=False)
        back = zip(reversed(self._tail()), reversed(other._tail()), strict=False)
        return [(i, a, b) for i, (a, b) in enumerate(front)] + [(-i, a, b) for i, (a, b) in enumerate(back, 1)]

    def _head(self) -> tuple[int | str, ...]:
        return self._dims if self._rest < 0 else self._dims[: self._rest]

    def _tail(self) -> tuple[int | str, ...]:
        return self._dims[self._rest + 1 :]

    def _rank(self) -> str:
        return f"at least {len(self._dims) - 1}" if self._rest >= 0 else str(len(self._dims))

    # --- against a value

    def mismatch(self, value: Any, sizes: Sizes | None = None, where: str = "") -> str:
        """Why a tensor or array has not this shape; "" when it has.

        sizes   the named dimensions of this call so far; those of `value` are added
        where   what an error calls the value's place when another port disagrees with it
        """
        found = getattr(value, "shape", None)
        if found is None:
            return f"is {type(value).__name__}, not {self}"
        lengths = tuple(found)
        missing = len(lengths) - len(self._dims)
        dims = self._dims
        if self._rest >= 0:
            dims = (*self._head(), *(ANY,) * (missing + 1), *self._tail())
        if len(dims) != len(lengths):
            return self._not(value, lengths, f"its dimensions are {len(lengths)}, not {self._rank()}")
        known: Sizes = sizes if sizes is not None and self._shared else {}
        for index, (wanted, length) in enumerate(zip(dims, lengths, strict=True)):
            if isinstance(wanted, int):
                if length != wanted:
                    return self._not(value, lengths, f"dimension {index} is {length}, not {wanted}")
            elif wanted != ANY:
                before, place = known.setdefault(wanted, (length, where or f"its dimension {index}"))
                if before != length:
                    reason = f"dimension {index} ({wanted}) is {length}, and {wanted} is {before} in {place}"
                    return self._not(value, lengths, reason)
        if self._dtype and dtype_of(value) not in _family(self._dtype):
            return self._not(value, lengths, f"its dtype is {dtype_of(value)}")
        return ""

    def _not(self, value: Any, lengths: tuple[Any, ...], reason: str) -> str:
        return f"is {_text(lengths)} {dtype_of(value)}, not {self}: {reason}"


@lru_cache(maxsize=1024)
def shape_of(text: str) -> Shape:
    """The Shape that `tensor[B,4,H,W] float` says; PortError where it says none."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise PortError(f"{text!r} is no shape", hint=_HINT)
    inside = found["dims"].strip()
    parts = [part.strip() for part in inside.split(",")] if inside else []
    try:
        return Shape(*(int(p) if p.isascii() and p.isdigit() else p for p in parts), dtype=found["dtype"])
    except PortError as error:
        raise PortError(f"{text!r} is no shape: {error.sentence}", hint=_HINT) from None


def dtype_of(value: Any) -> str:
    """The name of a tensor's or array's dtype: `float32`."""
    dtype = getattr(value, "dtype", None)
    return getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]


def _text(dims: tuple[Any, ...]) -> str:
    return f"tensor[{','.join(map(str, dims))}]"


def _family(dtype: str) -> frozenset[str]:
    """The dtypes that a name stands for."""
    if not dtype:
        return DTYPES | {ANY}
    return FAMILIES.get(dtype) or frozenset({dtype})


def _check_dim(dim: Any, dims: tuple[Any, ...]) -> None:
    whole = isinstance(dim, int) and not isinstance(dim, bool) and dim >= 0
    if not whole and not (isinstance(dim, str) and (dim == REST or (dim.isascii() and dim.isidentifier()))):
        raise PortError(f"{dim!r} is no dimension of a shape {_text(dims)}", hint=_HINT)
