"""Typed values that can be kept: pydantic models, arrays and tensors, and the types that a user registers.

In JSON such a value is `{"$type": "shop.orders:Order", "version": 1, "value": ...}`. Reading one back never imports
what the text names: a type must have been loaded or registered by then.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, ValidationError, to_json

from yggdrasil.core.arrays import ARRAYS, array_from, array_kind, array_to
from yggdrasil.core.blob import KEY as BLOB_KEY
from yggdrasil.core.blob import attached, detach, is_reference
from yggdrasil.core.tags import KEY, VALUE, VERSION, is_typed
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, CorruptError, PortError

_NAME = re.compile(r"[\w.]+(:[\w.]+)?")
_PLAIN: frozenset[type] = frozenset({str, int, float, bool, type(None), dict, list, tuple, object})


class Kind(Value):
    """How values of one type are kept: its name, its version, and the way there and back."""

    type: type
    name: str
    version: int
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    upgrade: Mapping[int, Callable[[Any], Any]]


_by_type: dict[type, Kind] = {}
_by_name: dict[str, Kind] = {}


def register_type(
    kind: type,
    *,
    name: str = "",
    version: int = 1,
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
    upgrade: Mapping[int, Callable[[Any], Any]] | None = None,
) -> None:
    """Let values of a type be kept in worlds, in effects and in stores.

    kind: the type itself; a subclass needs its own registration.
    name: what stands for it in a store, for ever: it stays when the class is renamed or moved. By default
        `module:Class`.
    version: of what `encode` gives. Raise it when that changes, with `upgrade`.
    encode, decode: to JSON (with Blobs and other typed values, if need be) and back. A pydantic model has its own.
    upgrade: for each earlier version, a function from what `encode` gave then to what the next version's would give.

    A pydantic model may be kept unregistered, as version 1 under `module:Class`.
    ConfigError for a name that another type has, or for a type that JSON holds anyway.
    """
    if not isinstance(kind, type) or kind in _PLAIN:
        raise ConfigError(f"{kind!r} needs no registration, or is no type", hint="register a class of your own")
    name = name or _own_name(kind)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name for a type", hint='name="order", or "shop.orders:Order"')
    known = _by_name.get(name)
    if name in ARRAYS or (known is not None and _own_name(known.type) != _own_name(kind)):
        taken = f"{known.type.__qualname__}" if known is not None else "arrays"
        raise ConfigError(f"the name {name!r} is taken, by {taken}", hint='name="another"')
    if not (isinstance(upgrade, Mapping) and all(map(callable, upgrade.values()))) and upgrade is not None:
        raise ConfigError(f"{upgrade!r} is no mapping of functions", hint="upgrade={1: from_1_to_2}")
    if not all(one is None or callable(one) for one in (encode, decode)):
        raise ConfigError("encode and decode are functions", hint="encode=datetime.isoformat")
    steps = dict(upgrade or {})
    if type(version) is not int or version < 1:
        raise ConfigError(f"version {version!r} of {name} is no version", hint="1, 2, 3, ...")
    missing = [earlier for earlier in range(1, version) if earlier not in steps] if steps else []
    if missing:
        raise ConfigError(f"{name} has no upgrade from version {missing[0]}", hint=f"upgrade={{{missing[0]}: ...}}")
    if issubclass(kind, BaseModel):
        encode, decode = encode or _dump, decode or _load(kind)
    if encode is None or decode is None:
        raise ConfigError(
            f"{kind.__name__} needs encode and decode", hint="encode=datetime.isoformat, decode=datetime.fromisoformat"
        )
    _by_type[kind] = _by_name[name] = Kind(kind, name, version, encode, decode, steps)


def tagged(value: Any, path: str) -> dict[str, Any]:
    """The JSON form of a value that is not JSON itself; inside it there may be Blobs and more typed values.

    What has that form already is taken as it is. PortError with `path` when its type is not known, or when it would
    not come back as it is.
    """
    if is_typed(value):
        return _known(value, path)
    array = array_kind(value)
    if array:
        return {KEY: array, VERSION: 1, VALUE: array_to(array, value, path)}
    kind = _by_type.get(type(value)) or _of_model(type(value))
    if kind is None:
        raise PortError(
            f"{type(value).__name__} cannot be stored",
            path=path,
            hint="return JSON values, Blob(data, media_type) for bytes, a pydantic model, an array; or register_type",
        )
    try:
        plain = kind.encode(value)
        if type(plain) is type(value):
            raise TypeError("encode gives a value of its own type back")
        again = kind.encode(kind.decode(plain))
    except Exception as error:  # whatever a user's encoder or a model's validator says
        raise PortError(f"{kind.name} cannot be stored: {_first(error)}", path=path) from error
    if not _same(again, plain, path):
        raise PortError(f"{kind.name} would not come back as it is", path=path, hint="store what decode gives back")
    return {KEY: kind.name, VERSION: kind.version, VALUE: plain}


def is_known(name: str) -> bool:
    """Whether values of the type by that name can be read back here."""
    return name in ARRAYS or name in _by_name or _loaded(name) is not None


def _known(form: Mapping[str, Any], path: str) -> dict[str, Any]:
    if not is_known(form[KEY]):
        raise PortError(
            f"a mapping of {KEY}, {VERSION} and {VALUE} stands for a typed value, and no type {form[KEY]!r} is known",
            path=path,
            hint=f"give a key another name, or register_type(..., name={form[KEY]!r})",
        )
    return dict(form)


def untagged(name: str, version: int, value: Any) -> Any:
    """The typed value of its JSON form, whose own `value` holds Blobs and typed values again.

    ConfigError when nothing by that name is loaded, or only an older version; CorruptError when the value is none.
    """
    if name in ARRAYS and version == 1:
        return array_from(name, value)
    kind = _by_name.get(name) or _loaded(name)
    if kind is None:
        module = name.partition(":")[0]
        raise ConfigError(
            f"a value of type {name} is kept here, and no such type is loaded",
            hint=f"import {module} first, or register_type(..., name={name!r})",
        )
    if version > kind.version or version < 1:
        raise ConfigError(
            f"a value of {name} version {version} is kept here, and only version {kind.version} is known",
            hint="use the newer code that wrote it",
        )
    try:
        for earlier in range(version, kind.version):
            value = kind.upgrade[earlier](value) if kind.upgrade else value
        return kind.decode(value)
    except Exception as error:
        raise CorruptError(f"a kept value of {name} version {version} cannot be read: {_first(error)}") from error


def _own_name(kind: type) -> str:
    return f"{getattr(kind, '__module__', '')}:{getattr(kind, '__qualname__', kind)}"


def _of_model(kind: type) -> Kind | None:
    """A pydantic model that nobody registered; only one that can be found again by its name."""
    if not issubclass(kind, BaseModel):
        return None
    return _loaded(_own_name(kind))


def _loaded(name: str) -> Kind | None:
    module, _, names = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in names.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type) or not issubclass(found, BaseModel) or found is BaseModel:
        return None
    if _own_name(found) != name:
        return None
    return Kind(found, name, 1, _dump, _load(found), {})


def _dump(model: BaseModel) -> Any:
    return model.model_dump(mode="json", by_alias=True, round_trip=True, serialize_as_any=True)


def _load(kind: type[BaseModel]) -> Callable[[Any], Any]:
    # read as JSON, so that a strict model takes its dates and sets back
    return lambda value: kind.__pydantic_validator__.validate_json(to_json(value, inf_nan_mode="constants"))


def _same(one: Any, other: Any, path: str) -> bool:
    try:
        if one == other:
            return True
    except ValueError:  # arrays inside do not say whether they are equal
        pass
    first, second = (detach(form, lambda blob: None, path, tagged) for form in (one, other))
    return bool(first == second)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, fault['loc'])) or 'value'}: {fault['msg']}"
    kind = "" if isinstance(error, PydanticSerializationError) else f"{type(error).__name__}: "
    return f"{kind}{str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")


def wants(value: Any) -> list[str] | None:
    """The digests of the blobs that `revive` needs for a JSON value; None where there is nothing to revive."""
    names: set[str] = set()
    return sorted(names) if _gather(value, names) else None


def _gather(value: Any, names: set[str]) -> bool:
    if isinstance(value, Mapping):
        if is_reference(value):
            names.add(value[BLOB_KEY])
            return True
        found = is_typed(value)
        for item in value.values():
            found = _gather(item, names) or found
        return found
    found = False
    if isinstance(value, list | tuple):
        for item in value:
            found = _gather(item, names) or found
    return found


def revive(value: Any, load: Mapping[str, bytes]) -> Any:
    """The value whose JSON form this is: references become Blobs with their bytes from `load`, tags typed values."""
    if isinstance(value, Mapping):
        if is_reference(value):
            return attached(value, load)
        if is_typed(value):
            return untagged(value[KEY], value[VERSION], revive(value[VALUE], load))
        return {key: revive(item, load) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [revive(item, load) for item in value]
    return value
