"""Reading what a model wrote in the form Thought, Action, Action Input, Final Answer; whole, or while it is written."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.abc.model import Delta
from yggdrasil.core.messages import ToolSpec
from yggdrasil.core.value import Value

_NAMES = {
    "thought": r"thoughts?|thinking|reasoning",
    "input": r"(?:(?:action|tool|function)[ _-]?)?(?:inputs?|arguments|args|parameters)",
    "action": r"action|tool|tool[ _-]?name|function",
    "answer": r"(?:the )?final[ _-]?answer|answer",
    "observation": r"observations?|tool[ _-]?(?:result|output|response)s?",
}
_LABEL = re.compile(
    r"[ \t]*(?:[-*>#]+[ \t]*|\d+[.)][ \t]*)*[*_`]*(?:"
    + "|".join(f"(?P<{kind}>{names})" for kind, names in _NAMES.items())
    + r")(?:[ _]?\d+)?[*_`]*[ \t]*:[*_`]*[ \t]*",
    re.IGNORECASE,
)
_LONGEST_LABEL = 48
_OPEN, _CLOSED = "<think>", "</think>"
_TOLD_AS = {"reasoning": "thinking", "thought": "thinking", "answer": "text", "input": "arguments"}
_FINAL = frozenset({"final answer", "finalanswer", "final", "answer", "finish", "none", "n/a", "null", "no tool"})
_CALLED = re.compile(r"([\w.-]+)")
_TAGGED = re.compile(r"<(tool_call|function_call|tools?)>\s*(\{.*?)\s*(?:</\1>|\Z)", re.DOTALL)
_FENCED = re.compile(r"```[\w-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_TOOL_KEYS = ("action", "tool", "name", "tool_name", "function")
_INPUT_KEYS = ("action_input", "tool_input", "arguments", "parameters", "args", "input")


class Written(Value):
    """What a text says: a tool with its arguments (raw text where they are no JSON object), or an answer."""

    thought: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] | str = ""
    answer: str = ""


class Scanner:
    """Reads a text in pieces of any size; the same text gives the same, however it is cut.

    `delta` is told the answer as it comes ("text"), thoughts ("thinking") and a tool's input ("arguments"). What stands
    before the first label is told at the end, when it is known what it is: what "text" was told is the answer.
    """

    def __init__(self, tools: Sequence[ToolSpec], delta: Delta | None = None) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._delta = delta
        self._parts: dict[str, list[str]] = {name: [] for name in ("reasoning", "open", *_NAMES)}
        self._mode = "open"
        self._line = ""
        self._held: list[str] = []
        self._begun = self._told = self._named = False
        self._at_start = self._first = True

    def whole(self, text: str) -> Written:
        """What a whole text says."""
        self.feed(text)
        return self.close()

    def feed(self, piece: str) -> None:
        """The next piece."""
        self._line += piece
        if (self._first and not self._opens()) or (self._mode == "reasoning" and not self._reasoned()):
            return
        text, start = self._line, 0
        while start < len(text):
            end = text.find("\n", start) + 1 or len(text)
            if self._at_start and text[end - 1] != "\n" and end - start < _LONGEST_LABEL:
                break  # it may yet become a label
            self._read(text[start:end])
            start = end
        self._line = text[start:]

    def close(self) -> Written:
        """Nothing more comes: what the text says."""
        self.feed("")
        line, self._line = self._line, ""
        if self._mode == "reasoning":  # it was cut off in there
            self._add(line)
        elif line:
            self._read(line)
        found = self._found()
        if self._delta is not None and found.answer and not self._told:
            self._delta("text", found.answer)
        return found

    def _opens(self) -> bool:
        """Whether it is known if the text begins with what a model thinks before it writes."""
        text = self._line = self._line.lstrip()
        if text.startswith(_OPEN):
            self._mode, self._line = "reasoning", text.removeprefix(_OPEN)
        elif _OPEN.startswith(text):
            return False
        self._first = False
        return True

    def _reasoned(self) -> bool:
        """Whether that has come to its end; labels in there mean nothing."""
        thought, closed, rest = self._line.partition(_CLOSED)
        if not closed:  # what may be the beginning of the end stays for the next piece
            cut = next((n for n in range(len(_CLOSED) - 1, 0, -1) if thought.endswith(_CLOSED[:n])), 0)
            rest = thought[len(thought) - cut :]
            thought = thought[: len(thought) - cut]
        self._add(thought)
        self._line = rest
        if closed:
            self._begin("open")
        return bool(closed)

    def _begin(self, mode: str) -> None:
        self._mode, self._begun = mode, False
        self._held.clear()

    def _read(self, line: str) -> None:
        label = _LABEL.match(line[:_LONGEST_LABEL]) if self._at_start else None
        self._at_start = line.endswith("\n")
        if label is not None and label.lastgroup is not None and self._turns(label.lastgroup):
            self._begin(label.lastgroup)
            line = line[label.end() :]
        if self._mode != "over":
            self._add(line)

    def _turns(self, kind: str) -> bool:
        """Whether a label begins something here: an answer goes to the end, and after a tool's input all is made up."""
        if self._mode in ("over", "answer") or not self._tools:
            return self._mode == "open" and kind == "answer"
        if kind == "input" and self._mode != "action":
            return False
        if not self._named or kind == "input":
            return True
        if kind == "answer" and _bare("".join(self._parts["action"])).lower() in _FINAL:
            return True
        self._mode = "over"
        return False

    def _add(self, text: str) -> None:
        self._parts[self._mode].append(text)
        if self._mode == "action" and not self._named:
            self._named = bool(_bare(text))
        part = _TOLD_AS.get(self._mode)
        if self._delta is None or part is None:
            return
        rest = text.rstrip()
        if not rest:
            if self._begun:
                self._held.append(text)
            return
        if self._begun:
            self._delta(part, "".join(self._held) + rest)
        else:
            self._delta(part, rest.lstrip())
        self._held = [text[len(rest) :]]  # blanks at the end are no part of it
        self._begun = True
        self._told = self._told or part == "text"

    def _found(self) -> Written:
        said = {kind: "".join(pieces).strip() for kind, pieces in self._parts.items()}
        thought = "\n".join(filter(None, (said["reasoning"], said["open"], said["thought"])))
        if self._parts["answer"]:
            return Written(thought, answer=said["answer"])
        if said["action"]:
            return self._acted(said["action"], said["input"], thought)
        if self._tools:
            inline = _inline(said["open"]) or _inline(said["thought"])
            if inline is not None:
                return self._acted(inline[0], inline[1], "\n".join(filter(None, (said["reasoning"], inline[2]))))
        return Written(said["reasoning"], answer="\n".join(filter(None, (said["open"], said["thought"]))))

    def _acted(self, action: str, given: Any, thought: str) -> Written:
        if isinstance(given, str):
            inline = _inline(action)
            if inline is not None and not given:
                action, given, _ = inline
        called = _CALLED.match(_bare(action))
        name = called[1] if called else action
        plain = _bare(action).lower()
        if name.lower() not in map(str.lower, self._tools) and (plain in _FINAL or name.lower() in _FINAL):
            inner = action.strip()[len(name) :].strip().strip("[]()") if plain not in _FINAL else ""
            answer = given if given else inner
            return Written(thought, answer=_plain(answer) or thought)
        tool = next((known for known in self._tools if known.lower() == name.lower()), name)
        if not given and called is not None:
            given = _after(action, name)
        return Written(thought, tool, self._arguments(tool, given))

    def _arguments(self, tool: str, given: Any) -> Mapping[str, Any] | str:
        spec = self._tools.get(tool)
        names = list(spec.parameters.get("properties", ())) if spec is not None else []
        needed = list(spec.parameters.get("required", ())) if spec is not None else []
        value = read_json(given) if isinstance(given, str) else given
        if isinstance(value, Mapping):
            return dict(value)
        if value is _NOTHING and _plain(given).lower() in ("", "none", "null", "n/a", "{}"):
            return {}
        only = needed if len(needed) == 1 else names
        if len(only) == 1:
            return {only[0]: _plain(given) if value is _NOTHING else value}
        return given if isinstance(given, str) else json.dumps(given)


def _bare(name: str) -> str:
    return name.strip("*_`\"'[]<>. \t\n")


_NOTHING: Any = object()


def read_json(text: str) -> Any:
    """The first JSON value in a text: in a fence, behind words, with Python's quotes, with a comma too many.

    `_NOTHING` when there is none.
    """
    found = _decoded(text.strip())
    if found is not _NOTHING:
        return found
    fenced = _FENCED.search(text)
    inner = (fenced[1] if fenced else text).strip().strip("`").strip()
    for candidate in (inner, re.sub(r",\s*([}\]])", r"\1", inner)):
        found = _decoded(candidate)
        if found is not _NOTHING:
            return found
    start = inner.find("{")
    if start > 0:
        found = _decoded(inner[start:])
        if found is not _NOTHING:
            return found
    return _literal(inner[max(start, 0) :])


def _decoded(text: str) -> Any:
    try:
        value, end = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return _NOTHING
    # words that begin with a number or with true are words
    return value if isinstance(value, dict | list) or not text[end:].strip() else _NOTHING


def _literal(text: str) -> Any:
    if not text.startswith("{"):
        return _NOTHING
    try:
        value = ast.literal_eval(text[: text.rfind("}") + 1])
        return json.loads(json.dumps(value)) if isinstance(value, dict) else _NOTHING
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return _NOTHING


def _inline(text: str) -> tuple[str, Any, str] | None:
    """A call as one JSON object, `{"action": ..., "action_input": ...}`: its name, its input, what stands before."""
    match = _TAGGED.search(text) or _FENCED.search(text)
    body, before = (match[match.lastindex or 0], text[: match.start()]) if match else (text, "")
    value = _decoded(body.strip())
    if not isinstance(value, dict):
        return None
    name = next((value[key] for key in _TOOL_KEYS if isinstance(value.get(key), str)), None)
    given = next((value[key] for key in _INPUT_KEYS if key in value), None)
    if name is None or (given is None and len(value) > 1):
        return None
    return name, {} if given is None else given, before.strip()


def _after(action: str, name: str) -> str:
    """What stands behind a tool's name on its own line: `roll({"count": 2})`, `look[the ford]`, `roll(count=2)`."""
    rest = action[action.find(name) + len(name) :]
    line, _, below = rest.partition("\n")
    if not line.strip("*_`\"': \t") and not below.lstrip().startswith(("{", "```")):
        return ""  # what stands on lines of its own are words about it
    rest = rest.strip("*_\"' \t\n").lstrip(":").strip()
    if rest[:1] in ("(", "[") and rest[-1:] in (")", "]"):
        rest = rest[1:-1].strip()
    pairs = re.fullmatch(r"(?:\s*[A-Za-z_]\w*\s*=\s*(?:\"[^\"]*\"|'[^']*'|[\w.+-]+)\s*(?:,|\Z))+", rest)
    if pairs is None:
        return rest
    found = re.findall(r"([A-Za-z_]\w*)\s*=\s*(\"[^\"]*\"|'[^']*'|[\w.+-]+)", rest)
    values = {key: value[1:-1] if value[:1] in "\"'" else _scalar(value) for key, value in found}
    return json.dumps(values)


def _scalar(text: str) -> Any:
    value = _decoded({"True": "true", "False": "false", "None": "null"}.get(text, text))
    return text if value is _NOTHING else value


def _plain(text: Any) -> str:
    """A text without fence and quotes; what is no text as JSON."""
    if not isinstance(text, str):
        return json.dumps(text, ensure_ascii=False, default=str) if text else ""
    fenced = re.fullmatch(r"\s*```[\w-]*[ \t]*\n?(.*?)```\s*", text, re.DOTALL)
    inner = (fenced[1] if fenced else text).strip()
    quoted = len(inner) > 1 and inner[0] == inner[-1] and inner[0] in "\"'"
    return inner[1:-1] if quoted else inner
