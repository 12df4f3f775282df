"""YAML text to plain values, safely: nothing is executed, expanded without bound, or guessed.

YAML is read event by event (libyaml's parser where it is there), so that depth, size and the expansion of aliases
are bounded before anything is built. Plain scalars are resolved by the core schema of YAML 1.2.2 (section 10.3.2):
`no` and `12:30` are text, as people mean them. Of YAML 1.1 the merge key `<<` is kept.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

import yaml

from yggdrasil.core.secrets import redact
from yggdrasil.errors import ConfigError
from yggdrasil.storage.excerpt import fail, is_unicode

DEPTH = 100
"""Mappings and lists inside one another."""

NODES = 1_000_000
"""Values in one document, aliases expanded; long text counts once for every hundred characters."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = re.compile(r"(?:null|Null|NULL|~)?")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_A_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_TAG = "tag:yaml.org,2002:"

_TABS = "indent with spaces, never with tabs"

# What libyaml and PyYAML say, and what a person can do about it.
_HINTS = (
    ("mapping values are not allowed", 'put text that contains ": " in quotes'),
    ("could not find expected ':'", "write key: value, with the key alone on its line if a block follows"),
    ("expected <block end>", "line the keys of one block up under each other"),
    ("did not find expected key", "line the keys of one block up under each other"),
    ("did not find expected '-'", "line the dashes of one list up under each other"),
    ("found unexpected end of stream", "close the quote or bracket that was opened here"),
    ("did not find expected ',' or", "close the bracket that was opened here"),
    ("found undefined alias", "define it first: &name before *name"),
    ("node content", "close the bracket that was opened here"),
    ("cannot start any token", "put the text in quotes"),
    ("undefined tag handle", "put the text in quotes, or drop the tag"),
)


def parse_yaml(text: str, path: str = "", *, depth: int = DEPTH, nodes: int = NODES) -> Any:
    """The one document in `text`: text, numbers, booleans, None, lists and mappings with text keys.

    Refused with a ConfigError that shows the line: syntax errors, tags (Python's above all), duplicate keys,
    keys that are not text, NaN and infinities, more than one document, a document nested deeper than `depth`,
    or larger than `nodes` once its aliases are expanded. An empty text is None.
    """
    return _Reader(text, path, depth, nodes).read()


class _Frame:
    """A mapping or a list that is being read."""

    __slots__ = ("anchor", "height", "key", "keys", "merges", "start", "value", "weight")

    def __init__(self, value: Any, start: Any, anchor: str | None) -> None:
        self.value = value
        self.start = start
        self.anchor = anchor
        self.key: str | None = None
        self.keys: dict[str, int] = {}
        self.merges: list[dict[str, Any]] = []
        self.weight = 1
        self.height = 1


class _Reader:
    """Builds one document from the events of a YAML parser."""

    def __init__(self, text: str, path: str, depth: int, nodes: int) -> None:
        self.text, self.path, self.depth, self.limit = text, path, depth, nodes
        self.nodes = 0
        self.documents = 0
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, int, int]] = {}
        self.open_anchors: set[str] = set()
        self.document: Any = None

    def read(self) -> Any:
        handlers: dict[type[yaml.Event], Callable[[Any], None]] = {
            yaml.DocumentStartEvent: self.begin,
            yaml.ScalarEvent: self.scalar,
            yaml.AliasEvent: self.alias,
            yaml.MappingStartEvent: self.open,
            yaml.SequenceStartEvent: self.open,
            yaml.MappingEndEvent: self.close,
            yaml.SequenceEndEvent: self.close,
        }
        try:
            for event in yaml.parse(self.text, Loader=_LOADER):
                handler = handlers.get(type(event))
                if handler is not None:
                    handler(event)
        except yaml.MarkedYAMLError as error:
            self.syntax(error)
        except yaml.reader.ReaderError as error:
            self.unreadable(error)
        except yaml.YAMLError as error:
            fail(self.text, self.path, None, None, f"not YAML: {redact(str(error))[:200]}")
        except ConfigError:
            raise
        except (ValueError, RecursionError) as error:  # an escape that is no character; brackets without end
            fail(self.text, self.path, None, None, f"not YAML: {type(error).__name__}")
        return self.document

    def fail(self, event: Any, sentence: str, hint: str = "") -> NoReturn:
        mark = event.start_mark
        fail(self.text, self.path, mark.line + 1, mark.column + 1, sentence, hint)

    def syntax(self, error: yaml.MarkedYAMLError) -> NoReturn:
        said = error.problem or "cannot be read"
        mark = error.problem_mark or error.context_mark
        if "unexpected end" in said or "node content" in said:  # the cause is where it began
            mark = error.context_mark or mark
        if mark is None:
            fail(self.text, self.path, None, None, f"not YAML: {redact(said)}")
        lines = self.text.splitlines()
        tab = mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]
        hint = _TABS if tab else next((hint for words, hint in _HINTS if words in said), "")
        column = mark.column + 1 if mark.line < len(lines) else None
        fail(self.text, self.path, mark.line + 1, column, f"not YAML: {redact(said)}", hint)

    def unreadable(self, error: yaml.reader.ReaderError) -> NoReturn:
        position = error.position if isinstance(error.position, int) else 0
        line = self.text.count("\n", 0, position) + 1
        fail(self.text, self.path, line, None, f"not YAML: {error.reason}", "remove the character, or write its escape")

    def begin(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self.fail(event, "a second document begins here", "one document a file: remove the line ---")

    def scalar(self, event: Any) -> None:
        weight = 1 + len(event.value) // 100
        self.count(weight, event)
        if self.awaits_key():
            self.key(event)
            return
        value = self.resolve(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, weight, 0)
        self.put(value, weight, 0, event)

    def key(self, event: Any) -> None:
        frame = self.stack[-1]
        if event.value == "<<" and event.implicit[0] and event.tag is None:
            frame.key = "<<"
            return
        name = self.resolve(event)
        if not isinstance(name, str):
            text = redact(event.value)
            self.fail(event, f"the key {text or 'null'} is not text", f'put it in quotes: "{text}": ...')
        if name in frame.keys:
            first = frame.keys[name]
            self.fail(
                event, f"the key {redact(name)!r} occurs twice (first on line {first})", "keep one, or rename the other"
            )
        if event.anchor is not None:
            self.anchors[event.anchor] = (name, 1 + len(name) // 100, 0)
        frame.keys[name] = event.start_mark.line + 1
        frame.key = name

    def alias(self, event: Any) -> None:
        name = event.anchor
        if name in self.open_anchors:
            self.fail(event, f"*{name} refers to itself", "a config is a tree: copy what is meant")
        if name not in self.anchors:
            self.fail(event, f"*{name} is not defined above", f"define it first: &{name}")
        if self.awaits_key():
            self.fail(event, f"*{name} is used as a key", "write the key itself")
        value, weight, height = self.anchors[name]
        self.count(weight, event)
        self.check_depth(height, event)
        self.put(copy.deepcopy(value) if height else value, weight, height, event)

    def open(self, event: Any) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        expected = "map" if mapping else "seq"
        if event.tag not in (None, "!", _TAG + expected):
            self.refuse_tag(event)
        if self.awaits_key():
            self.fail(event, "a key is a list or a mapping", "keys are text")
        self.check_depth(1, event)
        self.count(1, event)
        if event.anchor is not None:
            self.open_anchors.add(event.anchor)
        self.stack.append(_Frame({} if mapping else [], event, event.anchor))

    def close(self, event: Any) -> None:
        frame = self.stack.pop()
        value = frame.value
        for merged in frame.merges:
            for key, item in merged.items():
                value.setdefault(key, item)
        if frame.anchor is not None:
            self.open_anchors.discard(frame.anchor)
            self.anchors[frame.anchor] = (value, frame.weight, frame.height)
        self.put(value, frame.weight, frame.height, frame.start)

    def put(self, value: Any, weight: int, height: int, event: Any) -> None:
        """Set a finished value where it belongs."""
        if not self.stack:
            self.document = value
            return
        frame = self.stack[-1]
        frame.weight += weight
        frame.height = max(frame.height, height + 1)
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key == "<<" and "<<" not in frame.keys:
            sources = value if isinstance(value, list) else [value]
            if not all(isinstance(source, dict) for source in sources):
                self.fail(event, "<< merges mappings only", "<<: *name, where &name stands before a mapping")
            frame.merges += sources
            frame.key = None
        else:
            frame.value[frame.key] = value
            frame.key = None

    def awaits_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def check_depth(self, height: int, event: Any) -> None:
        if len(self.stack) + height > self.depth:
            self.fail(event, f"nested deeper than {self.depth}", "move a part into a file of its own, with ref:")

    def count(self, weight: int, event: Any) -> None:
        self.nodes += weight
        if self.nodes > self.limit:
            self.fail(event, f"the document expands to more than {self.limit:,} values", "write fewer aliases (*name)")

    def refuse_tag(self, event: Any) -> NoReturn:
        tag = event.tag.replace(_TAG, "!!")
        python = "python" in tag
        sentence = f"the tag {redact(tag)[:80]} is refused" + (": a config never runs code" if python else "")
        hint = (
            "register the code with @register and name its type" if python else "write the plain value, without a tag"
        )
        self.fail(event, sentence, hint)

    def resolve(self, event: Any) -> Any:
        """A scalar by its tag, or by its look when it is plain."""
        text: str = event.value
        tag = event.tag
        if tag in (None, "!"):
            value = self.plain(event, text) if event.implicit[0] and tag is None else text
        elif tag == _TAG + "str":
            value = text
        elif tag in (_TAG + "int", _TAG + "float", _TAG + "bool", _TAG + "null"):
            value = self.plain(event, text)
            if tag == _TAG + "float" and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            if tag.removeprefix(_TAG) != {int: "int", float: "float", bool: "bool", type(None): "null"}.get(
                type(value)
            ):
                self.fail(event, f"{redact(text)!r} is not what its tag says", "drop the tag")
        else:
            self.refuse_tag(event)
        if isinstance(value, str) and not is_unicode(value):
            self.fail(event, "a text holds half of a surrogate pair", "write the whole character")
        return value

    def plain(self, event: Any, text: str) -> Any:
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text[0] in "tT"
        if _NOT_A_NUMBER.fullmatch(text):
            self.fail(event, f"{text} is not a number that can be stored", "use null for a missing number")
        for pattern, base in ((_INT, 10), (_OCTAL, 8), (_HEX, 16)):
            if pattern.fullmatch(text):
                return self.whole(event, text, base)
        if _FLOAT.fullmatch(text):
            value = float(text)
            if not math.isfinite(value):
                self.fail(event, f"the number {text[:40]} is too large", "write a smaller one, or text in quotes")
            return value
        return text

    def whole(self, event: Any, text: str, base: int) -> int:
        if len(text) > 1000:
            self.fail(event, "a number has too many digits", "write it as text, in quotes")
        return int(text.removeprefix("0o") if base == 8 else text, base)
