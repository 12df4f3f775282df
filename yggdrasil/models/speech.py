"""Text to speech and speech to text by an API: the OpenAI audio endpoints, and every compatible server, as a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Unpack, get_args

from yggdrasil.abc.context import RunContext
from yggdrasil.core.blob import Blob
from yggdrasil.core.messages import Usage
from yggdrasil.core.model_ports import SPEECH
from yggdrasil.core.ports import Spec
from yggdrasil.errors import ConfigError, ModelReplyError
from yggdrasil.models.parts import count_in
from yggdrasil.models.rate import estimate_text
from yggdrasil.models.remote_block import Answer, Call, RemoteBlock, RemoteBlockOptions

Task = Literal["speak", "transcribe"]

_SOUNDS = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm",
}  # fmt: skip


class SpeechBlock(RemoteBlock):
    """A voice or an ear: `task` is "speak" (text to sound) or "transcribe" (sound to text).

    voice    who speaks
    params   the model's own: response_format and speed to speak, language and temperature to transcribe, ...
    Sources: https://platform.openai.com/docs/api-reference/audio/createSpeech, .../audio/createTranscription
    """

    block_type = "speech/api"
    makes = "sounds"
    ours = ("input", "voice", "file", "prompt")

    def __init__(
        self,
        model: str | Mapping[str, Any] | None = None,
        *,
        task: Task,
        voice: str = "alloy",
        **options: Unpack[RemoteBlockOptions],
    ) -> None:
        if task not in SPEECH:
            raise ConfigError(f"task of speech/api is {task!r}", hint=f"task: {' or '.join(get_args(Task))}")
        super().__init__(model, **options)
        if not isinstance(voice, str) or not voice:
            raise ConfigError(f"voice of speech/api is {voice!r}", hint="voice: alloy")
        self.task, self.voice = task, voice
        if task == "transcribe" and "response_format" in self.params:
            raise ConfigError("params of speech/api has 'response_format'; a transcript is asked for as JSON")

    @property
    def spec(self) -> Spec:
        """speak: prompt to audio. transcribe: audio (and what it is about) to text."""
        return SPEECH[self.task]

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Ask once. In a durable run the answer is recorded before it is returned, and never asked for twice."""
        out = "audio" if self.task == "speak" else "text"
        answer = await self.ask(self._speak(inputs) if self.task == "speak" else self._transcribe(inputs), ctx)
        return {out: answer.value, "usage": answer.usage}

    def _speak(self, inputs: Mapping[str, Any]) -> Call:
        text = inputs["prompt"]
        body = self.body(inputs, input=text, voice=self.voice)
        kind = _SOUNDS.get(str(body.get("response_format", "mp3")), "audio/mpeg")
        return Call(
            "speech",
            body,
            ("model", "input", "voice"),
            _say,
            lambda answer, at: _sound(answer, at, kind, len(text)),
            estimate_text(text),
        )

    def _transcribe(self, inputs: Mapping[str, Any]) -> Call:
        asked = {"file": inputs["audio"]}
        if inputs.get("prompt"):
            asked["prompt"] = inputs["prompt"]
        body = {**self.body(inputs, **asked), "response_format": "json"}
        return Call("transcript", body, ("model", "file"), _listen, _text)


async def _say(sdk: Any, arguments: dict[str, Any]) -> Any:
    return await sdk.audio.speech.create(**arguments)


async def _listen(sdk: Any, arguments: dict[str, Any]) -> Any:
    return await sdk.audio.transcriptions.create(**arguments)


def _sound(answer: Any, at: str, kind: str, characters: int) -> Answer:
    data, headers = answer.content, answer.response.headers
    said = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not data or said.startswith("text/") or said == "application/json":
        raise ModelReplyError(f"{at} sent no sound: {len(data)} bytes of {said or 'nothing that it names'}")
    blob = Blob(data, said if said.startswith("audio/") else kind)
    return Answer(blob, Usage(requests=1), {"input_characters": characters})


def _text(answer: Any, at: str) -> Answer:
    text = getattr(answer, "text", None)
    if not isinstance(text, str):
        raise ModelReplyError(f"{at} sent no transcript")
    usage = getattr(answer, "usage", None)
    seconds = getattr(usage, "seconds", None)
    if isinstance(seconds, int | float) and seconds > 0:
        return Answer(text, Usage(requests=1), {"audio_seconds": seconds, "input_audio_seconds": seconds})
    heard = count_in(getattr(usage, "input_token_details", None), "audio_tokens")
    tokens = Usage(count_in(usage, "input_tokens"), count_in(usage, "output_tokens"), requests=1)
    return Answer(text, tokens, {"input_audio_tokens": heard} if heard else {})
