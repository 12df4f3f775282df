"""Values to JSON text and back, for keeping.

Unlike canonical JSON the keys stay in the order they were given, so that what is read back
behaves like what was written; and nothing is changed on the way: a key that is not text is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from yggdrasil.errors import CorruptError, PortError

_HINT = "keep text, numbers, booleans, None, lists and text-keyed mappings; put bytes with put_blob"
_TEXT = frozenset({str})
_PLAIN = frozenset({str, int, float, bool, type(None)})
_NESTED = (dict, list, tuple)


def _make_encoder() -> Callable[[Any], str]:
    encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    # JSONEncoder.encode builds this anew at each call, which takes longer than encoding a short record.
    parts = make(None, encoder.default, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    return lambda value: "".join(parts(value, 0))


_encode = _make_encoder()


def to_text(value: Any, *names: str) -> str:
    """The JSON text of `value`; PortError names the place of whatever is not JSON (NaN and bytes included).

    names: where the value belongs; they begin the path of the error.
    """
    try:
        text = _encode(value)  # refuses what holds itself, so the walk below ends
        _check_keys(value)
        if not text.isascii():
            text.encode()  # a lone surrogate is no text
    except (TypeError, ValueError, RecursionError) as error:
        path = " ".join(names)
        place, reason = next(_faults(value, path), (path, str(error)))
        raise PortError(f"cannot be stored as JSON: {reason}", path=place, hint=_HINT) from error
    return text


def from_text(text: str | bytes, path: str) -> Any:
    """The value of JSON text; CorruptError with `path` when it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"is not JSON: {error}", path=path) from error


def _check_keys(value: Any) -> None:
    # json writes the key 1 as "1" without a word: look at the keys, nothing else.
    if isinstance(value, dict):
        if not _TEXT.issuperset(map(type, value)) and not all(isinstance(key, str) for key in value):
            raise TypeError("a key is not text")
        value = value.values()
    elif not isinstance(value, _NESTED):
        return
    if not _PLAIN.issuperset(map(type, value)):
        for item in value:
            if isinstance(item, _NESTED):
                _check_keys(item)


def _faults(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > 200:
        yield path, "nested more than 200 deep, or it holds itself"
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                yield path, f"a key is {type(key).__name__}, not text"
            else:
                yield from _faults(item, f"{path}/{key}", depth + 1)
    elif isinstance(value, _NESTED):
        for index, item in enumerate(value):
            yield from _faults(item, f"{path}/{index}", depth + 1)
    else:
        try:
            _encode(value).encode()
        except (TypeError, ValueError) as error:
            yield path, f"{type(value).__name__}: {error}"
