"""Where weights lie: a folder here, or a model of a hub, `hf://org/name@revision`, brought into its cache."""

from __future__ import annotations

from pathlib import Path

from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError

SCHEME = "hf://"
_WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.onnx")
"""What is brought: never a pickle, never code."""


class Ref(Value):
    """A place of weights. `name` is how it is written in a config: the same name is the same weights."""

    name: str
    repository: str = ""
    revision: str = ""
    path: str = ""

    @classmethod
    def of(cls, text: str, revision: str = "") -> Ref:
        """`hf://org/name@revision`, `org/name` where no such folder exists, or a folder. ConfigError for neither."""
        if not isinstance(text, str) or not text:
            raise ConfigError(f"{text!r} is no ref", hint='ref: "hf://org/name", or a folder')
        if not text.startswith(SCHEME) and Path(text).expanduser().exists():
            path = str(Path(text).expanduser().resolve())
            return cls(path, path=path)
        repository, _, given = text.removeprefix(SCHEME).partition("@")
        parts = repository.split("/")
        if len(parts) != 2 or not all(parts) or any(part in (".", "..") for part in parts):
            raise ConfigError(f"there is no folder {text!r}, and it is no model of a hub", hint='"hf://org/name@main"')
        chosen = revision or given or "main"
        return cls(f"{SCHEME}{repository}@{chosen}", repository, chosen)

    def folder(self) -> Path:
        """The folder, brought from the hub first where need be. Blocks. ConfigError when it cannot be had."""
        if self.path:
            return Path(self.path)
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        try:
            found = snapshot_download(self.repository, revision=self.revision, allow_patterns=list(_WANTED))
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
            said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ConfigError(
                f"{self.name} cannot be had: {said}", hint="is the name right, and the hub in reach?"
            ) from error
        return Path(found)
