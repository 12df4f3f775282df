"""JSON values that cannot be changed: what a world hands to its stages.

They are dicts and lists in every other way (for isinstance, for JSON, for pydantic); changing one raises. So a
world can hand out what it holds without copying it. Mappings lie in the order of their keys: equal values then
behave the same, wherever they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from yggdrasil.core.blob import Blob, detach
from yggdrasil.core.tags import KEY, is_typed
from yggdrasil.core.typed import is_known, tagged
from yggdrasil.errors import PortError


def _refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    raise TypeError("this belongs to the world and cannot be changed; change a copy (copy.deepcopy), or return a patch")


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed; its copies can."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = __setattr__ = _refuse

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def copy(self) -> dict[str, Any]:
        """A dict that can be changed; what is inside cannot."""
        return dict(self)

    def __deepcopy__(self, memo: Any) -> dict[str, Any]:
        return thaw(self)  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

    __reduce_ex__ = lambda self, protocol: self.__reduce__()  # noqa: E731


class FrozenList(list[Any]):
    """A list that cannot be changed; its copies can."""

    __slots__ = ()

    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = clear = extend = insert = pop = remove = _refuse
    reverse = sort = __setattr__ = _refuse

    def __copy__(self) -> list[Any]:
        return list(self)

    def copy(self) -> list[Any]:
        """A list that can be changed; what is inside cannot."""
        return list(self)

    def __deepcopy__(self, memo: Any) -> list[Any]:
        return thaw(self)  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    __reduce_ex__ = lambda self, protocol: self.__reduce__()  # noqa: E731


Keep = Callable[[Blob], None]


def freeze(value: Any, keep: Keep | None = None, path: str = "") -> Any:
    """The frozen form of a JSON value. What is frozen already is taken as it is.

    Each Blob is handed to `keep` and replaced by its reference; so are typed values, by their tags, where blobs can be
    kept. PortError names the place of what is not JSON.
    """
    try:
        return _frozen(value, keep)
    except (TypeError, RecursionError, UnicodeError) as error:
        if isinstance(error, TypeError):
            if keep is not None:
                return _frozen(detach(value, keep, path, tagged), None)  # finds the place, or what stands for it
            detach(value, _no_blob, path)  # finds the place and says it
        hint = "keep text, numbers, lists and mappings"
        raise PortError(f"cannot be stored: {error}", path=path, hint=hint) from error


def _frozen(value: Any, keep: Keep | None) -> Any:
    kind = type(value)
    if kind is FrozenDict or kind is FrozenList or value is None or kind is int or kind is bool:
        return value
    if kind is str:
        if not value.isascii():
            value.encode()  # a lone surrogate is no text
        return value
    if kind is float:
        if value - value != 0:
            raise TypeError(f"{value} is not JSON")
        return value
    if isinstance(value, dict | Mapping):
        if {*map(type, value)} - {str} and not all(isinstance(key, str) for key in value):
            raise TypeError("a key is not text")
        if keep is not None and len(value) == 3 and is_typed(value) and not is_known(value[KEY]):
            raise TypeError("no such type is known")
        return FrozenDict([(str.__str__(key), _frozen(value[key], keep)) for key in sorted(value)])
    if isinstance(value, list | tuple):
        return FrozenList([_frozen(item, keep) for item in value])
    if isinstance(value, Blob):
        (keep or _no_blob)(value)
        return _frozen(value.reference(), None)
    # an enumeration's member, a number of numpy
    if isinstance(value, str):
        return _frozen(str.__str__(value), keep)
    if isinstance(value, int):
        return int.__index__(value)
    if isinstance(value, float):
        return _frozen(float.__add__(value, 0.0), keep)
    raise TypeError(f"{kind.__name__} cannot be stored")


def _no_blob(blob: Blob) -> None:
    raise PortError(f"{blob!r} cannot be kept here", hint="put its reference, blob.reference()")


def thaw(value: Any) -> Any:
    """A copy that can be changed, all the way down."""
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [thaw(item) for item in value]
    return value


def shown(value: Any) -> Any:
    """A frozen copy that shares no container with `value`; blobs with bytes stay what they are.

    C code and `dict.__setitem__` change what is frozen without asking (heapq.heappush does): whoever must not be able
    to change the world is shown such a copy.
    """
    if isinstance(value, dict | Mapping):
        return FrozenDict([(key, shown(item)) for key, item in value.items()])
    if isinstance(value, list | tuple):
        return FrozenList([shown(item) for item in value])
    return value
