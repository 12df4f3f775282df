"""A request as a chat template takes it: messages and tools as plain mappings, then the tokens of the prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.blocks.vision.pictures import read_picture
from yggdrasil.core.messages import (
    Audio,
    File,
    Image,
    Media,
    Message,
    Part,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from yggdrasil.core.profile import Profile
from yggdrasil.errors import ModelRequestError, PortError


class Dialogue:
    """Reads requests for one model.

    words     its tokenizer or processor
    template  a chat template instead of its own
    """

    def __init__(self, words: Any, name: str, profile: Profile, template: str | None = None) -> None:
        self.words, self._name, self._profile, self._template = words, name, profile, template
        self.tokenizer: Any = getattr(words, "tokenizer", words)
        self._sees = words is not self.tokenizer

    def prompt(self, request: Request, given: Mapping[str, Any], *, ending: bool = True) -> dict[str, Any]:
        """What the module is given, by names: `input_ids` [1, N], `attention_mask`, pictures.

        `ending`: whether the beginning of the answer is written already.
        ModelRequestError for what its chat template has no place for.
        """
        template = self._chat_template(request.tools)
        if template is None:
            return dict(self.tokenizer(self._plain(request), return_tensors="pt"))
        tools = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": _plain(t)}}
            for t in request.tools
        ]
        messages = self._messages(request.messages)
        try:
            found = self.words.apply_chat_template(
                messages,
                chat_template=template,
                add_generation_prompt=ending,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                **({"tools": tools} if tools else {}),
                **given,
            )
        except Exception as error:  # a template is a program of its own
            raise ModelRequestError(f"the chat template of {self._name} does not take this talk: {error}") from error
        return dict(found)

    def _chat_template(self, tools: Sequence[ToolSpec]) -> str | None:
        """The chat template; None where there is none, and none is needed."""
        found: Any = self._template or self.words.chat_template or self.tokenizer.chat_template
        if isinstance(found, Mapping):
            found = found.get("tool_use" if tools and "tool_use" in found else "default")
        if tools and found is None:
            raise ModelRequestError(
                f"{self._name} has no chat template, so it cannot be told of tools",
                hint='a model made for chats, or LocalModel(..., chat_template="...")',
            )
        if tools and "tools" not in found:
            raise ModelRequestError(
                f"the chat template of {self._name} has no place for tools",
                hint='a model made for tools, "react:..." around this one, or LocalModel(..., chat_template="...")',
            )
        return found if found is None else str(found)

    def _plain(self, request: Request) -> str:
        """A prompt for a model that only goes on with a text."""
        said = request.messages
        if len(said) != 1 or said[0].role != "user" or any(not isinstance(p, Text) for p in said[0].parts):
            raise ModelRequestError(
                f"{self._name} has no chat template: it goes on with one text, and knows of no dialogue",
                hint='one prompt alone, or LocalModel(..., chat_template="...")',
            )
        return said[0].text

    def _messages(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        shown: list[Part] = []
        for message in messages:
            if message.role == "tool":
                for part in message.parts:
                    if not isinstance(part, ToolResult):
                        raise self._misplaced(part, message)
                    said = {"role": "tool", "name": part.name, "tool_call_id": part.id}
                    entries.append({**said, "content": self._content([Text(part.content)], message)})
                    shown += part.media
                continue
            if shown:
                # a tool's message is text alone: what it shows comes after the last of them, from the user
                entries.append({"role": "user", "content": self._content(shown, message)})
                shown = []
            entries.append(self._message(message))
        if shown:
            entries.append({"role": "user", "content": self._content(shown, messages[-1])})
        return entries

    def _message(self, message: Message) -> dict[str, Any]:
        if message.role != "assistant":
            return {"role": message.role, "content": self._content(message.parts, message)}
        entry: dict[str, Any] = {"role": "assistant"}
        entry["content"] = self._content([p for p in message.parts if isinstance(p, Text)], message)
        thoughts = "".join(p.text for p in message.parts if isinstance(p, Thinking))
        if thoughts:
            entry["reasoning_content"] = thoughts
        if message.tool_calls:
            entry["tool_calls"] = [_entry(call) for call in message.tool_calls]
        for part in message.parts:
            if isinstance(part, Media | ToolResult):
                raise self._misplaced(part, message)
        return entry

    def _content(self, parts: Sequence[Part], message: Message) -> Any:
        """Text alone, or for a model that sees a list of texts and pictures."""
        content = [self._part(part, message) for part in parts]
        if not self._sees:
            return "".join(c["text"] for c in content)
        return content

    def _part(self, part: Part, message: Message) -> dict[str, Any]:
        if isinstance(part, Text):
            return {"type": "text", "text": part.text}
        if isinstance(part, File) and part.blob is not None and part.blob.media_type.startswith("text/"):
            try:
                return {"type": "text", "text": f"{part.name or 'A file'}:\n{part.blob.data.decode()}"}
            except UnicodeDecodeError as error:
                raise self._cannot(part, "it is no text in UTF-8") from error
        if isinstance(part, Image) and self._sees and self._profile.images:
            return {"type": "image", "image": self._picture(part)}
        if isinstance(part, Image | Audio | File):
            kinds = "images and texts" if self._sees else "nothing but text"
            raise self._cannot(part, f"it takes {kinds}")
        raise self._misplaced(part, message)

    def _picture(self, part: Image) -> Any:
        if part.blob is None:
            raise self._cannot(part, "nothing is fetched for it: a picture is given by its bytes")
        try:
            return read_picture(part.blob)
        except PortError as error:
            raise self._cannot(part, f"it cannot be read as a picture: {error.sentence}") from error

    def _cannot(self, part: Part, why: str) -> ModelRequestError:
        return ModelRequestError(f"{self._name} cannot be sent this {type(part).__name__}: {why}")

    def _misplaced(self, part: Part, message: Message) -> ModelRequestError:
        return self._cannot(part, f"it has no place in a message of role {message.role!r}")


def _entry(call: ToolCall) -> dict[str, Any]:
    said = call.arguments
    plain = json.loads(json.dumps(dict(said))) if isinstance(said, Mapping) else said
    return {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": plain}}


def _plain(tool: ToolSpec) -> Any:
    """A tool's schema as plain dicts: templates write it as JSON."""
    return json.loads(json.dumps(tool.parameters, default=dict))
