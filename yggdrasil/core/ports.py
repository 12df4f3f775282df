"""Ports and specs: what goes into a block and what comes out, with types.

A type is a Python annotation or a named kind (text, image, audio, video, tensor, messages, state, any).
A source fits a target when the types are equal, a subtype, `any`, or joined by a registered cast.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from pydantic_core import PydanticUndefined, ValidationError
from typing_extensions import ReadOnly

from yggdrasil.core.messages import Message, user
from yggdrasil.core.shape import Shape, shape_of
from yggdrasil.core.value import Value
from yggdrasil.errors import PortError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_T = TypeVar("_T")
GIVEN: Final = type("GivenMark", (), {"__repr__": lambda self: "GIVEN"})()
"""The mark of `Given`."""

Given = Annotated[_T, GIVEN]
"""`def read_mail(folder: str, user: Given[User])`: the model gives the folder, `agent.run(..., given={"user": kara})`
the user, whom the model never sees."""

MISSING: Final = type("Missing", (), {"__repr__": lambda self: "MISSING", "__bool__": lambda self: False})()
"""What a port's default is when it has none."""

_BLOB = "yggdrasil.core.blob.Blob"
_ARRAYS = ("torch.Tensor", "numpy.ndarray")

KINDS: dict[str, tuple[Any, tuple[str, ...]]] = {
    # name: (its Python type or None, classes by qualified name that are of this kind too)
    "any": (Any, ()),
    "text": (str, ()),
    "image": (None, (_BLOB, "PIL.Image.Image", *_ARRAYS)),
    "audio": (None, (_BLOB, *_ARRAYS)),
    "video": (None, (_BLOB, *_ARRAYS)),
    "tensor": (None, _ARRAYS),
    "messages": (Sequence[Message], ()),
    "state": (dict, ()),
}


@dataclass(frozen=True, slots=True, eq=False)
class PortType:
    """A port's type: its name, the Python annotation behind it (None for a kind without one), a tensor's shape."""

    name: str
    annotation: Any
    shape: Shape | None = None
    _check: Callable[[Any], str] | None = field(default=None, init=False, repr=False)  # built on first use

    def __eq__(self, other: object) -> bool:
        # two classes may share a name
        same = isinstance(other, PortType) and self.name == other.name and self.annotation == other.annotation
        return same and self.shape == other.shape  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    @property
    def plain(self) -> PortType:
        """The same without a shape."""
        if self.shape is None:
            return self
        return port_type("tensor" if self.annotation is None else self.annotation)

    @property
    def alone(self) -> PortType:
        """The same, whose named dimensions say nothing about other ports."""
        return self if self.shape is None else PortType(self.name, self.annotation, self.shape.alone)

    @property
    def piece(self) -> PortType:
        """What is put together along the first dimension to this: it may be of any length there."""
        return self if self.shape is None else PortType(str(self.shape.piece), self.annotation, self.shape.piece)


def port_type(what: Any) -> PortType:
    """The PortType of an annotation, a class, a kind's name, or a tensor's shape: `tensor[B,4,H,W] float`."""
    if isinstance(what, PortType):
        return what
    if isinstance(what, str):
        if what in KINDS:
            return PortType(what, KINDS[what][0])
        if what.lstrip().startswith("tensor"):
            shape = shape_of(what)
            return PortType(str(shape), None, shape)
        hint = "one of " + ", ".join(KINDS) + ", tensor[B,4,H,W] float, or a Python type"
        raise PortError(f"no port kind {what!r}", hint=hint)
    try:
        return _annotated(what)
    except TypeError:  # an unhashable annotation
        return PortType(_name(what), what)


@lru_cache(maxsize=4096)
def _annotated(annotation: Any) -> PortType:
    if get_origin(annotation) in (Annotated, Required, NotRequired, ReadOnly):
        inner, *notes = get_args(annotation)
        shape = next((note for note in notes if isinstance(note, Shape)), None)
        return _annotated(inner) if shape is None else _shaped(inner, shape)
    if annotation is None:
        return PortType("None", type(None))
    if annotation is Any or annotation is object or isinstance(annotation, TypeVar):
        return PortType("any", Any)
    return PortType("text" if annotation is str else _name(annotation), annotation)


def _shaped(annotation: Any, shape: Shape) -> PortType:
    """An array's type with its shape; `Tensor | None` may be absent."""
    if annotation is Any:
        return port_type(str(shape))
    members = [m for m in _members(annotation) if m is not type(None)]
    if not all(_lineage(m) & set(_ARRAYS) for m in members):
        raise PortError(f"{_name(annotation)} has no shape: {shape}", hint='Annotated[torch.Tensor, Shape("B", 4)]')
    absent = " | None" * (len(members) < len(_members(annotation)))
    return PortType(str(shape) + absent, annotation, shape)


def _name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " | ".join(_name(a) for a in arguments)
    if origin is Literal:
        return "Literal[" + ", ".join(map(repr, arguments)) + "]"
    if annotation is type(None):
        return "None"
    if annotation is Any:
        return "any"
    if annotation is str:
        return "text"
    if origin is not None:
        inner = ", ".join("..." if a is ... else _name(a) for a in arguments if not isinstance(a, list))
        return f"{getattr(origin, '__name__', origin)}[{inner}]"
    return str(getattr(annotation, "__name__", annotation))


def _qualified(kind: Any) -> str:
    return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', '')}"


# --- casts

Cast = Callable[[Any], Any]
_CASTS: dict[tuple[PortType, PortType], Cast] = {}


def register_cast(source: Any, target: Any, cast: Cast) -> None:
    """Let a `source` port feed a `target` port: `cast` turns the value. ValueError when the pair is taken."""
    key = (port_type(source), port_type(target))
    if key in _CASTS and _CASTS[key] is not cast:
        raise ValueError(f"a cast from {key[0]} to {key[1]} is registered already")
    _CASTS[key] = cast


def cast_between(source: PortType, target: PortType) -> Cast | None:
    """The registered cast, or None when the value goes over as it is."""
    return None if fits_as_is(source, target) else _cast(source, target)


def _cast(source: PortType, target: PortType) -> Cast | None:
    return _CASTS.get((source, target)) or _CASTS.get((source.plain, target.plain))


register_cast("text", "messages", lambda text: [user(text)])


# --- does a source fit a target?


def fits(source: PortType, target: PortType) -> bool:
    """Whether a value of `source` may go to `target`, by itself or through a cast."""
    return fits_as_is(source, target) or _cast(source, target) is not None


def fits_as_is(source: PortType, target: PortType) -> bool:
    """Whether a value of `source` may go to `target` without a cast."""
    if source == target or Any in (source.annotation, target.annotation):
        return True
    if source.shape is not None and target.shape is not None and source.shape.clash(target.shape):
        return False
    source, target = source.plain, target.plain
    if source == target:
        return True
    for one, other in ((source, target), (target, source)):
        if _is_kind(other) and _lineage(one.annotation) & set(KINDS[other.name][1]):
            return True
    if source.annotation is None or target.annotation is None:
        return False
    return _subtype(source.annotation, target.annotation)


def sure(source: PortType, target: PortType) -> bool:
    """Whether every value of `source` is one of `target`: what is merely possible is checked when a value comes."""
    if target.annotation is Any or source == target:
        return True
    if target.shape is not None and (source.shape is None or not source.shape.promises(target.shape)):
        return False
    source, target = source.plain, target.plain
    if source == target:
        return True
    if source.annotation is None or target.annotation is None or source.annotation is Any:
        return False
    return _subtype(source.annotation, target.annotation, sure=True)


def _is_kind(what: PortType) -> bool:
    return what.name in KINDS and what.annotation is KINDS[what.name][0]


def _lineage(annotation: Any) -> set[str]:
    """The qualified names of a class and its bases."""
    kind = _class(annotation)
    return {_qualified(c) for c in kind.__mro__} if kind is not None else set()


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


_ELEMENTS: dict[type[Any], tuple[Any, ...]] = {str: (str,), bytes: (int,)}


def _subtype(source: Any, target: Any, *, sure: bool = False) -> bool:
    """Whether a `source` may be a `target`; with `sure`, whether it always is."""
    source, target = _bare(source), _bare(target)
    if source == target or target is Any or target is object:
        return True
    if source is Any or isinstance(target, TypeVar) or isinstance(source, TypeVar):
        return not sure
    sources, targets = _members(source), _members(target)
    if len(sources) > 1 or len(targets) > 1:
        # None is let through unless it must be sure: whether it comes is known at run time only
        some = [s for s in sources if sure or s is not type(None)]
        return all(any(_subtype(s, t, sure=sure) for t in targets) for s in some)
    if get_origin(source) is Literal:
        values = get_args(source)
        if get_origin(target) is Literal:
            return set(values) <= set(get_args(target))
        return all(_subtype(type(v), target, sure=sure) for v in values)
    one, other = _class(source), _class(target)
    if one is None or other is None:
        return not sure
    if not (_is_subclass(one, other) or (one is int and other is float)):
        return False
    if is_typeddict(target):
        return not sure
    one_args, other_args = get_args(source) or _ELEMENTS.get(one, ()), get_args(target)
    if not other_args:
        return True
    if not one_args or len(one_args) != len(other_args):
        return not sure
    return all(
        a is b or (not sure if a is ... or b is ... else _subtype(a, b, sure=sure))
        for a, b in zip(one_args, other_args, strict=True)
    )


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_subclass(one: type[Any], other: type[Any]) -> bool:
    try:
        return issubclass(one, other)
    except TypeError:  # a protocol that cannot be looked at: whether it fits shows when it is used
        return True


def _class(annotation: Any) -> type[Any] | None:
    if is_typeddict(annotation):
        return dict
    origin = get_origin(annotation) or annotation
    return origin if isinstance(origin, type) else None


# --- does a value fit?


def _checker(kind: PortType) -> Callable[[Any], str]:
    """A function value -> "" when it fits, else the reason."""
    if kind.shape is not None:
        return _by_shape(kind.plain, kind.shape)
    annotation = kind.annotation
    if annotation is Any:
        return lambda value: ""
    if annotation is None:
        return _by_name(kind.name, KINDS[kind.name][1])
    if is_typeddict(annotation):
        return _by_keys(kind.name, annotation)
    plain = _class(annotation) if not get_args(annotation) else None
    if plain is not None:
        return _by_class(kind.name, (int, float) if plain is float else plain)
    adapter = _adapter(annotation)
    if adapter is None:
        return _by_class(kind.name, _class(annotation) or object)

    def check(value: Any) -> str:
        try:
            adapter.validate_python(value, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = "".join(f"[{part!r}]" for part in first["loc"] if not isinstance(part, str) or "[" not in part)
            return f"is no {kind.name}: {where + ' ' if where else ''}{first['msg']}"
        return ""

    return check


def _by_shape(plain: PortType, shape: Shape) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        return misfit(plain, value) or ("" if value is None else shape.mismatch(value))

    return check


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    """Pydantic's reading of a type; None for one that it cannot build, which is then checked by its class alone."""
    from pydantic import PydanticUserError, TypeAdapter  # costs a sixth of our start-up; plain classes do without

    try:
        return TypeAdapter[Any](annotation, config={"arbitrary_types_allowed": True})
    except (PydanticUserError, NameError, TypeError, RecursionError):
        return None


def _by_keys(name: str, annotation: Any) -> Callable[[Any], str]:
    """A TypedDict, key by key: pydantic does not read those of `typing` before Python 3.12."""
    kinds = {key: port_type(kind) for key, kind in get_type_hints(annotation).items()}

    def check(value: Any) -> str:
        if not isinstance(value, dict):
            return f"is {type(value).__name__}, not {name}"
        for key, kind in kinds.items():
            if key in value:
                reason = misfit(kind, value[key])
                if reason:
                    return f"is no {name}: {key!r} {reason}"
            elif key in annotation.__required_keys__:
                return f"is no {name}: {key!r} is missing"
        return ""

    return check


def _by_class(name: str, accepted: Any) -> Callable[[Any], str]:
    try:
        isinstance(None, accepted)
    except TypeError:  # a protocol that cannot be looked at
        return lambda value: ""
    return lambda value: "" if isinstance(value, accepted) else f"is {type(value).__name__}, not {name}"


_FRAMES = ("image", "video")


def _by_name(name: str, classes: tuple[str, ...]) -> Callable[[Any], str]:
    wanted = set(classes)

    def check(value: Any) -> str:
        if wanted & {_qualified(c) for c in type(value).__mro__}:
            return ""
        if name in _FRAMES and isinstance(value, list | tuple):
            return next((f"has a frame that {reason}" for reason in map(check, value) if reason), "")
        return f"is {type(value).__name__}, not {name}"

    return check


def misfit(kind: PortType, value: Any) -> str:
    """Why `value` does not fit `kind`; "" when it does."""
    check = kind._check
    if check is None:
        check = _checker(kind)
        object.__setattr__(kind, "_check", check)
    return check(value)


# --- ports and specs

Many = Literal["single", "first", "list", "concat", "sum", "dict"]
MANY: Final = get_args(Many)


_ANY = port_type("any")


class Port(Value):
    """A named, typed place where a value goes in or comes out.

    optional  an input that may be absent, an output that may not come
    default   the value of an absent input (which is then optional)
    many      what several edges into this input give: single (an error), first, list, concat, sum, dict
    given     of a tool: it comes from what the agent was `given`, never from the model (see `Given`)
    """

    name: str
    type: PortType = _ANY
    optional: bool = False
    default: Any = MISSING
    many: Many = "single"
    doc: str = ""
    given: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or not all(c.isalnum() or c in "_-." for c in self.name):
            raise PortError(f"{self.name!r} is no port name", hint="letters, digits, _, - and .")
        if self.many not in MANY:
            raise PortError(f"port {self.name}: no aggregation {self.many!r}", hint="one of " + ", ".join(MANY))

    @property
    def takes(self) -> PortType:
        """What one edge into this input must bring: an element where the port collects a list or a dict."""
        if self.many not in ("list", "dict"):
            return self.type if self.many != "concat" else self.type.piece
        whole = next((m for m in _members(self.type.annotation) if m is not type(None)), None)
        elements = [a for a in get_args(whole) if a is not ...]
        return port_type(elements[-1]) if elements else port_type("any")

    @property
    def required(self) -> bool:
        """Whether a value must come."""
        return not self.optional and self.default is MISSING


def port(name: str, kind: Any = "any", **rest: Any) -> Port:
    """A Port from a type in any form: `port("steps", int, default=30)`."""
    return Port(name, port_type(kind), **rest)


_NO_PORTS: Mapping[str, Port] = {}


class Spec(Value):
    """The ports of something that runs, and what it is for."""

    inputs: Mapping[str, Port] = _NO_PORTS
    outputs: Mapping[str, Port] = _NO_PORTS
    doc: str = ""

    @classmethod
    def declare(cls, inputs: Any = (), outputs: Any = (), doc: str = "") -> Spec:
        """A spec from Ports and names, from `{name: type}`, or from pydantic models."""
        return cls(_ports(inputs, optional_from_default=True), _ports(outputs, optional_from_default=False), doc)


def _ports(what: Any, *, optional_from_default: bool) -> dict[str, Port]:
    if hasattr(what, "model_fields"):
        return {
            name: Port(
                name,
                port_type(Annotated[item.annotation, "", *(m for m in item.metadata if isinstance(m, Shape))]),
                optional=not item.is_required() and optional_from_default,
                default=item.default if optional_from_default and item.default is not PydanticUndefined else MISSING,
                doc=item.description or "",
            )
            for name, item in what.model_fields.items()
        }
    if is_typeddict(what):
        hints = get_type_hints(what, include_extras=True)
        absent = hints.keys() - what.__required_keys__ | {n for n, t in hints.items() if get_origin(t) is NotRequired}
        return {n: Port(n, port_type(t), optional=n in absent) for n, t in hints.items()}
    if isinstance(what, Mapping):
        return {n: p if isinstance(p, Port) else Port(n, port_type(p)) for n, p in what.items()}
    listed = [Port(p) if isinstance(p, str) else p for p in ([what] if isinstance(what, str) else what)]
    ports = {p.name: p for p in listed}
    if len(ports) != len(listed):
        raise PortError("a port name is used twice: " + ", ".join(p.name for p in listed))
    return ports
