"""A world's content: sections of JSON, changed by JSON Patch (RFC 6902) and shared with the content before.

A patch copies only the containers on its way. Section digests are kept, so that the content's hash costs what was
touched. History is a stream of its own: content holds its length, its head (a chained digest) and its newest entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from yggdrasil.core.canonical import digest
from yggdrasil.core.frozen import FrozenDict, FrozenList, Keep, freeze
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, PatchError, PortError

HISTORY = "history"
RECENT = 12
"""How many of the newest entries of the history lie in the content."""

OPERATIONS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}
"""RFC 6902, section 4: the operations, and the members each must have."""


class Content(Value):
    """Sections by name, frozen; the history's summary apart. Make one with `content_of`."""

    sections: Mapping[str, Any]
    digests: Mapping[str, str]
    history: Mapping[str, Any] = FrozenDict(head="", length=0, recent=FrozenList())

    @property
    def view(self) -> Mapping[str, Any]:
        """What stages see: every section, and `history` = {head, length, recent}."""
        return FrozenDict({**self.sections, HISTORY: self.history})

    @property
    def hash(self) -> str:
        """The root of the section digests, the history's head among them."""
        history = self.history
        return digest({**self.digests, HISTORY: [history["length"], history["head"]]})

    def remember(self, entry: Any) -> Content:
        """The content with one more entry of history (frozen)."""
        history = self.history
        recent = FrozenList((*history["recent"][-(RECENT - 1) :], entry))
        head = digest([history["head"], entry])
        return Content(
            self.sections, self.digests, FrozenDict(head=head, length=history["length"] + 1, recent=recent)
        )


class Applied(Value):
    """What a patch did: the new content, the operations on sections, the entries it added to the history."""

    content: Content
    operations: tuple[Mapping[str, Any], ...]
    entries: tuple[Any, ...]


def content_of(sections: Any, keep: Keep | None = None) -> tuple[Content, tuple[Any, ...]]:
    """A content from plain sections, and the entries of its `history` (a list), which is taken out of them."""
    if not isinstance(sections, Mapping):
        found = type(sections).__name__
        raise ConfigError(f"the content is {found}, not a mapping of sections", hint="content: {places: ...}")
    frozen = {name: freeze(value, keep, f"content/{name}") for name, value in sections.items() if name != HISTORY}
    entries = sections.get(HISTORY) or ()
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise ConfigError("the history of a new content is a list of entries", path="content/history")
    for name in frozen:
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{name!r} cannot name a section", path="content")
    content = Content(FrozenDict(sorted(frozen.items())), {name: digest(value) for name, value in frozen.items()})
    kept = tuple(freeze(entry, keep, f"content/history/{i}") for i, entry in enumerate(entries))
    for entry in kept:
        content = content.remember(entry)
    return content, kept


def apply(content: Content, patch: Any, keep: Keep | None = None) -> Applied:
    """Apply a JSON Patch: all of it, or PatchError and nothing.

    The history takes `{"op": "add", "path": "/history/-", "value": ...}` only, and cannot be changed otherwise.
    PatchError names the number of the operation, its path and the reason.
    """
    operations = _checked(patch, keep)
    mine = tuple(op for op in operations if not _is_history(op["path"]))
    entries = tuple(op["value"] for op in operations if _is_history(op["path"]))
    after = _apply_to_sections(content, operations) if mine else content
    for entry in entries:
        after = after.remember(entry)
    return Applied(after, mine, entries)


def _apply_to_sections(content: Content, operations: Sequence[Mapping[str, Any]]) -> Content:
    import jsonpatch
    import jsonpointer

    draft = _Draft(content.sections)
    for number, operation in enumerate(operations):
        if _is_history(operation["path"]):
            continue
        try:
            draft.open(operation)
            jsonpatch.JsonPatch([operation]).apply(draft.root, in_place=True)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, LookupError) as error:
            raise _refusal(number, operation, _reason(error)) from error
    sections = draft.close()
    digests = dict(content.digests)
    for name in draft.touched:
        if name in sections:
            digests[name] = digest(sections[name])
        else:
            digests.pop(name, None)
    return Content(sections, digests, content.history)


class _Draft:
    """Sections under change: a container is copied when a change comes near it, once."""

    def __init__(self, sections: Mapping[str, Any]) -> None:
        self.root: dict[str, Any] = dict(sections)
        self.touched: set[str] = set()

    def open(self, operation: Mapping[str, Any]) -> None:
        """Make the containers on the way to what the operation changes changeable."""
        if operation["op"] == "test":
            return
        names = ("path", "from") if operation["op"] == "move" else ("path",)
        for name in names:
            parts = _parts(operation[name])
            self.touched.add(parts[0])
            self._copy_along(parts[:-1])

    def _copy_along(self, parts: Sequence[str]) -> None:
        here: Any = self.root
        for part in parts:
            if isinstance(here, dict):
                key: Any = part
                there = here.get(part)
            elif isinstance(here, list) and part.isdigit() and int(part) < len(here):
                key = int(part)
                there = here[key]
            else:
                return  # the library says what is wrong with the path
            if isinstance(there, FrozenDict):
                here[key] = there = dict(there)
            elif isinstance(there, FrozenList):
                here[key] = there = list(there)
            here = there

    def close(self) -> FrozenDict:
        """The sections, frozen again: what was not touched is taken as it is."""
        return FrozenDict((name, freeze(self.root[name])) for name in sorted(self.root))


def _checked(patch: Any, keep: Keep | None) -> tuple[Mapping[str, Any], ...]:
    if isinstance(patch, str | bytes | Mapping) or not isinstance(patch, Iterable):
        raise PatchError(f"a patch is a list of operations, not {type(patch).__name__}", hint='[{"op": "add", ...}]')
    try:
        operations: list[Any] = [freeze(operation, keep, f"operation {i}") for i, operation in enumerate(patch)]
    except PortError as error:
        raise PatchError(f"a value in the patch cannot be stored: {error.sentence}", path=error.path) from error
    for number, operation in enumerate(operations):
        _check(number, operation)
    return tuple(operations)


def _check(number: int, operation: Any) -> None:
    if not isinstance(operation, Mapping):
        raise PatchError(f"operation {number} is {type(operation).__name__}, not a mapping")
    kind = operation.get("op")
    if kind not in OPERATIONS:
        raise _refusal(number, operation, f"there is no operation {kind!r}; one of {', '.join(OPERATIONS)}")
    for member in OPERATIONS[kind]:
        if member not in operation:
            raise _refusal(number, operation, f"{kind} needs {member!r}")
    for member in {"path", "from"} & set(OPERATIONS[kind]):
        pointer = operation[member]
        if not isinstance(pointer, str) or not pointer.startswith("/") or not section_of(pointer):
            raise _refusal(number, operation, f"{member} {pointer!r} names no section", 'a pointer like "/places/ford"')
        if _is_history(pointer) and (kind != "add" or pointer != "/history/-"):
            raise _refusal(
                number, operation, "the history is only added to", '{"op": "add", "path": "/history/-", "value": {...}}'
            )


def _refusal(number: int, operation: Mapping[str, Any], reason: str, hint: str = "") -> PatchError:
    return PatchError(
        f"operation {number} ({operation.get('op')} {operation.get('path', '')}) does not apply: {reason}",
        hint=hint,
    )


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "..."  # some carry the whole document


def _is_history(pointer: str) -> bool:
    return pointer == "/history" or pointer.startswith("/history/")


def _parts(pointer: str) -> list[str]:
    """The steps of a JSON pointer (RFC 6901)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def section_of(pointer: str) -> str:
    """The section a JSON pointer leads into."""
    return _parts(pointer)[0]


def next_tick_hash(previous: str, content_hash: str, state: str) -> str:
    """The chain: the digest of the tick hash before, the content's hash and the state's."""
    return digest([previous, content_hash, state])
