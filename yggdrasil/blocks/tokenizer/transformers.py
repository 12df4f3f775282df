"""Tokenizers of transformers: text to tokens and back, saved with the graph."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from yggdrasil.abc.block import Block
from yggdrasil.abc.context import RunContext
from yggdrasil.blocks.hub import Ref
from yggdrasil.blocks.tokenizer.gate import alone_with
from yggdrasil.core.ports import Spec, port
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.runtime.threads import in_thread

Task = Literal["encode", "decode"]

_SPECS: Mapping[str, Spec] = {
    "encode": Spec.declare(
        [port("text", str | list[str], doc="A text, or several.")],
        [
            port("token_ids", "tensor", doc="[B, T], whole numbers"),
            port("attention_mask", "tensor", optional=True, doc="[B, T]; 0 for what only fills up"),
        ],
        doc="Text to tokens.",
    ),
    "decode": Spec.declare(
        [port("token_ids", "tensor", doc="[B, T] or [T]")],
        [port("text", str | list[str], doc="One text, or as many as there are rows.")],
        doc="Tokens to text.",
    ),
}


class Tokenizer(Block):
    """A tokenizer: `Tokenizer("hf://org/name")`. The way back is another node, `task="decode"`, of the same words.

    model           a ref, or a tokenizer of transformers
    task            "encode" (text to token_ids, attention_mask) or "decode" (token_ids to text)
    length          encode: exactly so many tokens, cut off or filled up; None: as many as the longest text has
    special_tokens  whether the marks of beginning and end are added; decode: whether they are written

    Its vocabulary is part of `state_dict`, so that a checkpoint needs nothing else.
    """

    block_type = "tokenizer/transformers"

    def __init__(
        self,
        model: Any,
        *,
        task: Task = "encode",
        revision: str = "",
        subfolder: str = "",
        length: int | None = None,
        special_tokens: bool | None = None,
    ) -> None:
        if task not in _SPECS:
            raise ConfigError(f"task of {self.block_type} is {task!r}", hint=f"task: {' or '.join(get_args(Task))}")
        if length is not None and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
            raise ConfigError(f"length of {self.block_type} is {length!r}", hint="length: 77")
        self.model, self.task, self.revision, self.subfolder = model, task, revision, subfolder
        self.length, self.special_tokens = length, special_tokens
        self._words: Any = None if isinstance(model, str) else model
        self._gate = threading.Lock()

    @property
    def spec(self) -> Spec:
        """encode: text to token_ids, attention_mask. decode: token_ids to text."""
        return _SPECS[self.task]

    @property
    def config(self) -> dict[str, Any]:
        """What rebuilds it. A tokenizer that was given is in the state alone."""
        found = super().config
        return found if isinstance(self.model, str) else {**found, "model": type(self.model).__name__}

    def words(self) -> Any:
        """The tokenizer, loaded by now. Blocking."""
        with self._gate:
            if self._words is None:
                folder = Ref.of(self.model, self.revision).folder() / self.subfolder
                self._words = _loaded(folder, self.model)
            return self._words

    def _there(self) -> bool:
        """Whether its ref can be had: a checkpoint is opened where it cannot, too."""
        try:
            return Ref.of(self.model, self.revision).folder().exists()
        except ConfigError:
            return False

    def state_dict(self) -> dict[str, Any]:
        """Its files, as texts by name; none where its ref cannot be had. ConfigError where they are binary ones."""
        if self._words is None and not self._there():
            return {}
        with tempfile.TemporaryDirectory() as folder:
            self.words().save_pretrained(folder)
            found = {}
            for path in sorted(Path(folder).iterdir()):
                try:
                    found[path.name] = path.read_text(encoding="utf-8")
                except UnicodeDecodeError as error:
                    sentence = f"{path.name} of {self.label} is no text, so it cannot be saved with the graph"
                    raise ConfigError(sentence, hint="a fast tokenizer: its words are one tokenizer.json") from error
            return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`: what the ref says counts no more, unless there is no state."""
        if not state and isinstance(self.model, str):
            with self._gate:
                self._words = None
            return
        known = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"}
        if "tokenizer.json" not in state:
            raise ConfigError(f"the state of {self.label} has no tokenizer.json; {close_names('', state)}")
        with tempfile.TemporaryDirectory() as folder:
            for name, text in state.items():
                if name not in known and Path(name).suffix not in (".json", ".txt", ".jinja"):
                    raise ConfigError(f"the state of {self.label} has {name!r}, which is no file of a tokenizer")
                if Path(name).name != name or not isinstance(text, str):
                    raise ConfigError(f"the state of {self.label} has {name!r}, which is no file's name and text")
                Path(folder, name).write_text(text, encoding="utf-8")
            words = _loaded(Path(folder), self.label)
        with self._gate:
            self._words = words

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Encode or decode, on a worker thread."""
        return await in_thread(self._encode if self.task == "encode" else self._decode, inputs)

    def _encode(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        said, words = inputs["text"], self.words()
        texts = [said] if isinstance(said, str) else list(said)
        fixed = self.length is not None
        if words.pad_token is None and (fixed or len(texts) > 1):
            raise ConfigError(f"the tokenizer {self.label} has no pad token", hint="one text at a time, of any length")
        with alone_with(words):
            found = words(
                texts,
                add_special_tokens=self.special_tokens is not False,
                padding=("max_length" if fixed else True) if words.pad_token is not None else False,
                truncation=fixed,
                max_length=self.length,
                return_attention_mask=True,
                return_tensors="pt",
            )
        return {"token_ids": found["input_ids"], "attention_mask": found["attention_mask"]}

    def _decode(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        ids, words = inputs["token_ids"], self.words()
        rows = ids.reshape(1, -1) if ids.dim() == 1 else ids
        texts = [words.decode(row.tolist(), skip_special_tokens=not self.special_tokens) for row in rows]
        return {"text": texts[0] if len(texts) == 1 else texts}


def _loaded(folder: Path, name: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, AttributeError) as error:
        said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ConfigError(f"{name} cannot be loaded as a tokenizer: {said}") from error
