"""Values: frozen records that cost nothing to declare. A dataclass takes 0.6 ms, and there are scores of them.

Fields are annotations, with defaults or without, as in a dataclass; instances are immutable, have slots, compare
by value, and match by class pattern. A field without a default may not follow one that has a default.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, dataclass_transform


class _Declared(type):
    """Turns annotations into slots; defaults are kept apart, since a slot and a class attribute cannot share a name."""

    _fields: tuple[str, ...]
    _defaults: dict[str, Any]

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _Declared:
        own = [n for n, kind in body.get("__annotations__", {}).items() if not str(kind).startswith("ClassVar")]
        defaults = {n: body.pop(n) for n in own if n in body}
        body.setdefault("__init__", _first_init)
        made = super().__new__(mcs, name, bases, {**body, "__slots__": tuple(own)})
        above = [base for base in bases if isinstance(base, _Declared)]
        made._fields = (*(f for base in above for f in base._fields), *own)
        made._defaults = {k: v for base in above for k, v in base._defaults.items()} | defaults
        made.__match_args__ = made._fields  # type: ignore[attr-defined, misc]
        return made


def _first_init(self: Any, *values: Any, **named: Any) -> None:
    """Write the class's own `__init__` when its first instance is made, as a dataclass does when it is declared."""
    kind = type(self)
    parameters = [f"{n}=_defaults[{n!r}]" if n in kind._defaults else n for n in kind._fields]
    # each field's own slot is set: object.__setattr__ would look it up by name
    lines = [f"    _set_{n}(self, {n})" for n in kind._fields] or ["    pass"]
    if hasattr(kind, "__post_init__"):
        lines.append("    self.__post_init__()")
    scope: dict[str, Any] = {"_defaults": kind._defaults}
    scope |= {f"_set_{n}": getattr(kind, n).__set__ for n in kind._fields}
    exec(f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(lines), scope)
    kind.__init__ = scope["__init__"]
    kind.__init__(self, *values, **named)


@dataclass_transform(frozen_default=True)
class Value(metaclass=_Declared):
    """The base of frozen records: subclass it with annotated fields."""

    _fields: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]

    def values(self) -> dict[str, Any]:
        """The fields by name, in order."""
        return {name: getattr(self, name) for name in type(self)._fields}

    def replace(self, **changes: Any) -> Self:
        """The same with other values."""
        return type(self)(**{**self.values(), **changes})

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in type(self)._fields)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in type(self)._fields)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in type(self)._fields)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), tuple(getattr(self, name) for name in type(self)._fields))
