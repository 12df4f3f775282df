"""The ports of models by role: the same for those behind an API and for those that run here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Message, Reply, Request, Usage, message_from_json, system, user
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import PortError

_PARAMS = port("params", dict, optional=True, doc="The model's own for this call, over those of the config.")
_USAGE = port("usage", Usage, optional=True)

LANGUAGE = Spec.declare(
    [
        port("prompt", "text", optional=True, doc="What to answer."),
        port("messages", "messages", optional=True, doc="A dialogue to go on with; the prompt comes after it."),
        port("system", "text", optional=True, doc="Instructions, before everything else."),
        _PARAMS,
    ],
    [port("text", "text"), port("message", Message, optional=True), _USAGE],
    doc="Ask a language model once.",
)
"""The ports of every `llm/...` block."""

SEEING = Spec.declare(
    [
        *(LANGUAGE.inputs[name] for name in ("prompt", "messages", "system", "params")),
        port("image", Blob | list[Blob], optional=True, doc="A picture to look at, or several; they come first."),
    ],
    LANGUAGE.outputs.values(),
    doc="Ask a language model about pictures.",
)
"""The ports of every `vlm/...` block."""

EMBEDDING = Spec.declare(
    [
        port("prompt", str | list[str], doc="A text, or several."),
        _PARAMS,
    ],
    [
        port("vectors", list[list[float]], doc="One vector for each text, in their order."),
        _USAGE,
    ],
    doc="Turn texts into vectors.",
)
"""The ports of every `embedding/...` block."""

SPEECH: Mapping[str, Spec] = {
    "speak": Spec.declare(
        [port("prompt", "text", doc="What is said."), _PARAMS],
        [port("audio", Blob, doc="The sound as the server sent it."), _USAGE],
        doc="Say a text aloud.",
    ),
    "transcribe": Spec.declare(
        [
            port("audio", Blob, doc="A recording."),
            port("prompt", "text", optional=True, doc="What it is about: names and words to expect."),
            _PARAMS,
        ],
        [port("text", "text", doc="What was said."), _USAGE],
        doc="Write down what is said.",
    ),
}
"""The ports of every `speech/...` block, by task."""


def request_of(inputs: Mapping[str, Any], params: Mapping[str, Any], path: str = "") -> Request:
    """What a language model is asked, from the ports of `LANGUAGE` or `SEEING`; PortError when that is nothing."""
    messages: list[Message] = []
    if inputs.get("system"):
        messages.append(system(inputs["system"]))
    messages += [m if isinstance(m, Message) else message_from_json(m) for m in inputs.get("messages", ())]
    said = [*blobs_of(inputs.get("image")), *((inputs["prompt"],) if inputs.get("prompt") is not None else ())]
    if said:
        messages.append(user(*said))
    if all(m.role == "system" for m in messages):
        raise PortError("the model was given nothing to answer", path=path, hint='run("...")')
    return Request(messages, params={**params, **(inputs.get("params") or {})})


def given_by(reply: Reply) -> dict[str, Any]:
    """A reply as the output ports."""
    return {"text": reply.message.text, "message": reply.message, "usage": reply.usage}


def blobs_of(value: Any) -> list[Blob]:
    """One Blob or several, as a list."""
    return [value] if isinstance(value, Blob) else list(value or ())
