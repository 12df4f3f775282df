"""JSON text to plain values: strict, and bounded in depth."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from yggdrasil.core.secrets import redact
from yggdrasil.errors import ConfigError
from yggdrasil.storage.excerpt import fail, is_unicode

DEPTH = 100
"""Objects and arrays inside one another."""


def parse_json(text: str, path: str = "", *, depth: int = DEPTH) -> Any:
    """JSON text to a value; ConfigError for what is not strict JSON, for duplicate keys, and for NaN."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            keys = [key for key, _ in items]
            twice = next(key for key in keys if keys.count(key) > 1)
            line = _second_line_of(text, json.dumps(twice), json.dumps(twice, ensure_ascii=False))
            fail(text, path, line, None, f"the key {redact(twice)!r} occurs twice in one object", "keep one of them")
        return made

    def constant(name: str) -> NoReturn:
        line = _second_line_of(text, name, name, first=True)
        fail(text, path, line, None, f"{name} is not JSON", "use null for a missing number")

    def number(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            fail(text, path, None, None, f"the number {digits[:40]} is too large", "write a smaller one, or text")
        return value

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except json.JSONDecodeError as error:
        fail(text, path, error.lineno, error.colno, f"not JSON: {error.msg}", _json_hint(error.msg))
    except RecursionError:
        fail(text, path, None, None, f"nested deeper than {depth}", "move a part into a file of its own, with ref:")
    except ConfigError:
        raise
    except ValueError:  # a whole number of more digits than Python converts
        fail(text, path, None, None, "a number has too many digits", "write it as text, in quotes")
    return _checked(value, text, path, depth)


def _json_hint(message: str) -> str:
    if "property name" in message:
        return 'keys are in double quotes, and no comma stands before a closing brace: {"a": 1}'
    if "Extra data" in message:
        return "one value a file"
    return 'a value is "text", a number, true, false, null, [a list] or {"an": "object"}'


def _second_line_of(text: str, *forms: str, first: bool = False) -> int | None:
    """The line of the second (or the only) place where one of `forms` stands, when there is no doubt about it."""
    for form in forms:
        places = [found.start() for found in re.finditer(re.escape(form), text)]
        if len(places) == (1 if first else 2):
            return text.count("\n", 0, places[-1]) + 1
    return None


def _checked(value: Any, text: str, path: str, depth: int) -> Any:
    """`value`, when it is not nested too deep and all its text can be written as UTF-8."""
    waiting = [(value, 1)]
    while waiting:
        item, level = waiting.pop()
        if level > depth + 1:
            fail(text, path, None, None, f"nested deeper than {depth}", "move a part into a file of its own, with ref:")
        if isinstance(item, dict):
            waiting += [(child, level + 1) for child in item.values()]
            waiting += [(key, level) for key in item]
        elif isinstance(item, list):
            waiting += [(child, level + 1) for child in item]
        elif isinstance(item, str) and not is_unicode(item):
            fail(text, path, None, None, "a text holds half of a surrogate pair", r"write the whole character")
    return value
