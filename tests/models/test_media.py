"""Pictures, sounds and files in each format's own way; what a format cannot carry is refused before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import (
    Audio,
    File,
    Image,
    Message,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
    system,
    user,
)
from yggdrasil.core.profile import Profile
from yggdrasil.errors import ModelRequestError
from yggdrasil.models.anthropic_format import request_to_anthropic
from yggdrasil.models.openai_chat import request_to_chat
from yggdrasil.models.openai_responses import request_to_responses
from yggdrasil.models.wire import Target

TARGET = Target("openai:m", "m", Profile())
BODIES = {"chat": request_to_chat, "responses": request_to_responses, "anthropic": request_to_anthropic}

PNG = Blob(b"\x89PNG", "image/png")
WAV = Blob(b"RIFF", "audio/wav")
PDF = Blob(b"%PDF", "application/pdf")
NOTE = Blob("Å!".encode(), "text/plain")


def body(wire: str, *messages: Message, **profile: Any) -> dict[str, Any]:
    return BODIES[wire](Request(messages), TARGET.replace(profile=Profile(**profile)))


def content(wire: str, part: Any, **profile: Any) -> Any:
    """What becomes of one part of a user's message, without the mark for the cache."""
    sent = body(wire, user(part), **profile)
    (found,) = sent["input" if wire == "responses" else "messages"][0]["content"]
    found.pop("cache_control", None)
    return found


SENT: list[tuple[str, Any, Any]] = [
    ("chat", Image(PNG), {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}),
    ("chat", Image(url="https://a.example/b.png"), {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}),
    ("chat", Audio(WAV), {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
    ("chat", File(PDF, name="a.pdf"),
     {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}}),
    ("chat", File(NOTE, name="n.txt"), {"type": "text", "text": "n.txt:\nÅ!"}),
    ("responses", Image(PNG),
     {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"}),
    ("responses", File(PDF, name="a.pdf"),
     {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}),
    ("responses", File(url="https://a.example/b.pdf"), {"type": "input_file", "file_url": "https://a.example/b.pdf"}),
    ("anthropic", Image(PNG),
     {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}),
    ("anthropic", Image(url="https://a.example/b.png"),
     {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}}),
    ("anthropic", File(PDF, name="a.pdf"),
     {"type": "document", "title": "a.pdf",
      "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}}),
    ("anthropic", File(NOTE),
     {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Å!"}}),
    ("anthropic", File(url="https://a.example/b.pdf"),
     {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}}),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "part", "expected"), SENT)
def test_how_it_is_sent(wire: str, part: Any, expected: Any) -> None:
    assert content(wire, part) == expected


OGG = Blob(b"OggS", "audio/ogg")
CANNOT: list[tuple[str, Any, str]] = [
    ("chat", Audio(OGG), r"the Audio of 4 bytes \(audio/ogg\): its format takes audio/wav and audio/mpeg"),
    (
        "chat",
        Audio(url="https://a.example/s.wav?sig=secret"),
        "the Audio at a.example: its format takes sounds by their",
    ),
    ("chat", File(url="https://a.example/b.pdf"), "takes files by their bytes"),
    ("responses", Audio(WAV), "the Responses API takes no sounds"),
    ("anthropic", Audio(WAV), "the Messages API takes no sounds"),
    ("anthropic", Image(Blob(b"BM", "image/bmp")), "takes image/png, image/jpeg, image/gif, image/webp"),
    ("anthropic", File(Blob(b"PK", "application/zip"), name="z.zip"), "the File 'z.zip' of 2 bytes"),
    ("anthropic", File(Blob(b"\xff", "text/plain")), "takes application/pdf and plain text"),
    ("chat", Image(), "the Image: it has neither bytes nor a URL"),
    ("responses", File(), "the File: it has neither bytes nor a URL"),
]


@pytest.mark.parametrize(("wire", "part", "why"), CANNOT)
def test_what_cannot_be_sent_is_said(wire: str, part: Any, why: str) -> None:
    with pytest.raises(ModelRequestError, match=f"openai:m cannot be sent .*{why}") as caught:
        content(wire, part)
    assert "secret" not in str(caught.value)


REFUSED = [(w, part, f) for w in BODIES for part, f in ((Image(PNG), "images"), (File(PDF), "files"))]
REFUSED.append(("chat", Audio(WAV), "audio"))  # the others carry none, whatever the model


@pytest.mark.parametrize(("wire", "part", "field"), REFUSED)
def test_what_a_model_does_not_take_is_said(wire: str, part: Any, field: str) -> None:
    with pytest.raises(ModelRequestError, match=f"it takes no {field}") as caught:
        content(wire, part, **{field: False})
    assert f"profile: {{{field}: true}}" in caught.value.hint


MISPLACED: list[tuple[str, Message]] = [
    *((wire, assistant(Image(PNG))) for wire in BODIES),
    *((wire, assistant(ToolResult("1", "t", "x"))) for wire in BODIES),
    *((wire, Message("system", (Image(PNG),))) for wire in BODIES),
    ("chat", Message("tool", (Text("x"),))),
    ("responses", Message("tool", (Text("x"),))),
    ("chat", user(Thinking("x"))),
    ("responses", user(ToolCall("1", "t", {}))),
]


@pytest.mark.parametrize(("wire", "message"), MISPLACED)
def test_what_has_no_place_in_a_message_is_said(wire: str, message: Message) -> None:
    with pytest.raises(ModelRequestError, match=f"no place for it in a message of role '{message.role}'"):
        body(wire, user("x"), message)


TURN = (
    user("Look."),
    assistant(ToolCall("c1", "camera", {}), ToolCall("c2", "note", {})),
    Message("tool", (ToolResult("c1", "camera", "seen", media=(Image(PNG),)),)),
    Message("tool", (ToolResult("c2", "note", "", media=(File(PDF, name="a.pdf"),)),)),
    assistant("I see."),
)


def test_what_a_tool_shows_follows_its_message_in_chat() -> None:
    sent = body("chat", system("S"), *TURN)["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "tool", "tool", "user", "assistant"]
    assert [m["content"] for m in sent[3:5]] == ["seen", ""]
    shown = sent[5]["content"]
    assert [p["type"] for p in shown] == ["text", "image_url", "text", "file"]
    assert shown[0]["text"] == "This came with the result of camera (call c1):"
    assert shown[2]["text"] == "This came with the result of note (call c2):"
    assert body("chat", *TURN[:4])["messages"][-1]["content"] == shown, "also where the tools spoke last"


def test_what_a_tool_shows_is_in_its_result_in_responses() -> None:
    outputs = [i["output"] for i in body("responses", *TURN)["input"] if i.get("type") == "function_call_output"]
    assert [[p["type"] for p in output] for output in outputs] == [["input_text", "input_image"], ["input_file"]]


def test_what_a_tool_shows_is_in_its_result_in_anthropic() -> None:
    blocks = body("anthropic", *TURN)["messages"][2]["content"]
    assert [[p["type"] for p in b["content"]] for b in blocks] == [["text", "image"], ["document"]]


@pytest.mark.parametrize("wire", BODIES)
def test_what_a_tool_shows_is_checked_too(wire: str) -> None:
    shown = Message("tool", (ToolResult("c1", "camera", "", media=(Audio(OGG),)),))
    with pytest.raises(ModelRequestError, match="Audio"):
        body(wire, *TURN[:2], shown)
