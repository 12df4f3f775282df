"""Models whose replies are written down: one JSON line for each, to be given again by `replay:FILE`.

A line is {"digest", "model", "asked", "reply"}: the request's identity as the journal knows it, the model that was
asked, a short form of the request for people to read, and the whole reply. No key is ever written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from yggdrasil.abc.model import Delta, Model, ModelAround
from yggdrasil.core.blob import Blob
from yggdrasil.core.canonical import digest, parse
from yggdrasil.core.messages import Part, Reply, Request, reply_from_json, reply_to_json
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, CorruptError
from yggdrasil.models.secrets import scrub
from yggdrasil.runtime.ask import request_to_json

_EXCERPT = 200
_SECRETS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
_SHORTEST_SECRET = 8


class Recorded(Value):
    """One reply that was written down. `asked` is "" where only the digest of the request is known."""

    digest: str
    model: str
    asked: str
    reply: Reply
    where: str


def identity(model: str, request: Request) -> str:
    """What identifies a request to the model of that name: the same digest as in a journal."""
    return digest(["model", request_to_json(model, request)])


def excerpt(request: Request) -> str:
    """A request in a line, for people: how many messages, the end of what was said last, the tools. Keys are hidden."""
    last = request.messages[-1] if request.messages else None
    said = "" if last is None else " ".join(last.text.split())
    if last is not None and not said:
        said = " ".join(str(getattr(p, "content", getattr(p, "name", type(p).__name__))) for p in last.parts)
    said = said if len(said) <= _EXCERPT else "..." + said[-_EXCERPT:]
    role = "nobody" if last is None else last.role
    tools = f", tools {', '.join(t.name for t in request.tools)}" if request.tools else ""
    return scrub(f"{len(request.messages)} messages{tools}, last of {role}: {said}", *_keys())


def _keys() -> list[str]:
    return [v for k, v in os.environ.items() if k.upper().endswith(_SECRETS) and len(v) >= _SHORTEST_SECRET]


def _without(value: Any, keys: list[str]) -> Any:
    if isinstance(value, str):
        for key in keys:
            value = value.replace(key, "[key hidden]")
        return value
    if isinstance(value, Mapping):
        return {name: _without(item, keys) for name, item in value.items()}
    return [_without(item, keys) for item in value] if isinstance(value, list | tuple) else value


class RecordingModel(ModelAround):
    """`model`, each of whose replies is also appended to the file at `path`: RecordingModel(model, "calls.jsonl").

    The line is written before the reply is returned. What fails is not recorded. Values of environment variables
    that are named like secrets are hidden wherever they stand.
    """

    def __init__(self, model: Model, path: str | Path) -> None:
        if not isinstance(model, Model):
            raise ConfigError(f"{type(model).__name__} is no Model", hint='RecordingModel(model, "calls.jsonl")')
        if not isinstance(path, str | Path):
            raise ConfigError(f"the path is {type(path).__name__}", hint='RecordingModel(model, "calls.jsonl")')
        self.model = model
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RecordingModel({self.model!r}, {str(self.path)!r})"

    async def reply(self, request: Request, *, key: str = "", delta: Delta | None = None) -> Reply:
        """The wrapped model's reply."""
        # before the call: a request's messages may be a list that grows
        line = {"digest": identity(self.name, request), "model": self.name, "asked": excerpt(request)}
        reply = await self.model.reply(request, key=key, delta=delta)
        line["reply"] = _without(reply_to_json(reply), _keys())
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._append, json.dumps(line, ensure_ascii=False, allow_nan=False))
        return reply

    def _append(self, line: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # one write: several processes may append to one file
        with self.path.open("ab", buffering=0) as file:
            file.write(line.encode("utf-8", "backslashreplace") + b"\n")


def read_recording(path: Path) -> list[Recorded]:
    """The replies of a file, in order. CorruptError names the line that is none; FileNotFoundError, OSError."""
    found = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if line.strip():
            found.append(_recorded(line, f"{path}:{number}"))
    return found


def _recorded(line: bytes, where: str) -> Recorded:
    hint = "a line that was cut off may be deleted; RecordingModel(model, FILE) writes such files"
    try:
        data = parse(line.decode("utf-8"), path=where)
        if not isinstance(data, Mapping):
            raise CorruptError("not a recorded reply: no JSON object", path=where, hint=hint)
        digest, model, asked = (data[name] for name in ("digest", "model", "asked"))
        if not all(isinstance(text, str) for text in (digest, model, asked)):
            raise CorruptError("not a recorded reply: digest, model and asked are texts", path=where, hint=hint)
        return Recorded(digest, model, asked, checked_reply(data["reply"]), where)
    except UnicodeDecodeError as error:
        raise CorruptError(f"not a recorded reply: {error}", path=where, hint=hint) from error
    except KeyError as error:
        raise CorruptError(f"not a recorded reply: it has no {error}", path=where, hint=hint) from error
    except CorruptError as error:
        error.path, error.hint = error.path or where, error.hint or hint
        raise


def checked_reply(data: Any) -> Reply:
    """A reply from its JSON form; CorruptError for whatever else it is."""
    if not isinstance(data, Mapping):
        raise CorruptError("not a model reply: no JSON object")
    try:
        reply = reply_from_json(data)
    except (AttributeError, ValueError) as error:
        raise CorruptError(f"not a model reply: {error!r}") from error
    wrong = _wrong(reply)
    if wrong:
        raise CorruptError(f"not a model reply: its {wrong} is none")
    return reply


def _wrong(reply: Reply) -> str:
    """The field that is not what it should be; "" when all are."""
    usage = reply.usage.values()
    cost = usage.pop("cost")
    return next(
        name
        for name, fine in (
            ("role", reply.message.role == "assistant"),
            ("finish", reply.finish in ("stop", "tool_calls", "length")),
            ("model or id", isinstance(reply.model, str) and isinstance(reply.id, str)),
            ("usage", all(type(count) is int and count >= 0 for count in usage.values())),
            ("cost", cost is None or (isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0)),
            ("message", all(map(_sound, reply.message.parts))),
            ("", True),
        )
        if not fine or not name
    )


def _sound(part: Part) -> bool:
    values = part.values()
    arguments, blob = values.pop("arguments", ""), values.pop("blob", None)
    media, failed = values.pop("media", ()), values.pop("failed", False)
    return (
        all(isinstance(value, str) for value in values.values())
        and isinstance(arguments, str | Mapping)
        and (blob is None or isinstance(blob, Blob))
        and isinstance(failed, bool)
        and all(map(_sound, media))
    )
