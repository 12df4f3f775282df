"""Files of a project: configs, prompts and contents read safely, written as a person would write them.

Whatever is wrong is a ConfigError that names the file, the line and what to write; nothing else comes out.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yggdrasil.core.secrets import refuse_secrets
from yggdrasil.errors import ConfigError, PortError, StoreError, close_names
from yggdrasil.storage.disk import refusals

SIZE = 16 * 1024 * 1024
"""The largest file that is read, in bytes."""

YAML_ENDINGS = (".yaml", ".yml")
ENDINGS = (*YAML_ENDINGS, ".json")


def read_text(path: str | Path, *, size: int = SIZE) -> str:
    """A UTF-8 text file of at most `size` bytes; ConfigError for anything else (a folder, a device, a picture)."""
    path = Path(path)
    shown = show(path)
    try:
        # Without blocking: opening a named pipe would wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            mode = os.fstat(handle).st_mode
            if stat.S_ISDIR(mode):
                raise ConfigError("this is a folder, not a file", path=shown, hint=_inside(path))
            if not stat.S_ISREG(mode):
                raise ConfigError("this is not a regular file", path=shown)
            with open(handle, "rb", closefd=False) as file:
                data = file.read(size + 1)
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise ConfigError("there is no such file", path=shown, hint=_near(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot be read: {reason}", path=shown) from error
    if len(data) > size:
        raise ConfigError(
            f"larger than {size:,} bytes", path=shown, hint="split it with ref:, or keep large data in a store"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"not UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}",
            path=f"{shown}:{line}",
            hint="save the file as UTF-8",
        ) from None


def read_value(path: str | Path, *, size: int = SIZE) -> Any:
    """The value in a YAML or JSON file, by its ending; secrets in it are refused (SecretError)."""
    path = Path(path)
    value = parse(read_text(path, size=size), show(path), json_text=path.suffix == ".json")
    refuse_secrets(value, show(path))
    return value


def read_config(path: str | Path, *, size: int = SIZE) -> dict[str, Any]:
    """The mapping in a YAML or JSON file; ConfigError when the document is anything else."""
    return _mapping(read_value(path, size=size), Path(path))


def read_content(path: str | Path, *, size: int = SIZE) -> dict[str, Any]:
    """Content of a world: the mapping in a file, or every YAML and JSON file of a folder by its name, sorted.

    It is prose: a key may be called `secret` there; values that look like a provider's key are refused still.
    """
    path = Path(path)
    if not path.is_dir():
        return _mapping(_prose(path, size), path)
    try:
        files = sorted(f for f in path.iterdir() if f.suffix in ENDINGS and not f.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"cannot be listed: {error.strerror}", path=show(path)) from None
    sections: dict[str, Any] = {}
    home = path.resolve()
    for file in files:
        if not file.resolve().is_relative_to(home):
            hint = "copy the file into the folder"
            raise ConfigError("a symbolic link leads out of its folder", path=show(file), hint=hint)
        if file.stem in sections:
            raise ConfigError(f"{file.stem!r} is there twice, with different endings", path=show(path))
        sections[file.stem] = _prose(file, size)
    return sections


def _prose(path: Path, size: int) -> Any:
    value = parse(read_text(path, size=size), show(path), json_text=path.suffix == ".json")
    refuse_secrets(value, show(path), prose=True)
    return value


def _mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        kind = {type(None): "empty", list: "a list", str: "a text"}.get(type(value), "a number or a truth value")
        raise ConfigError(
            f"the document is {kind}, not a mapping", path=show(path), hint="kind: graph (or another mapping)"
        )
    return value


def parse(text: str, path: str = "", *, json_text: bool = False) -> Any:
    """YAML (or strict JSON) text to a value. Secrets are not looked for here; see `read_value`."""
    if json_text:
        from yggdrasil.storage.json_text import parse_json

        return parse_json(text, path)
    from yggdrasil.storage.yaml_text import parse_yaml

    return parse_yaml(text, path)


def resolve_ref(ref: Any, *, file: str | Path, root: str | Path) -> Path:
    """The path that `ref:` in `file` means: relative to that file, inside `root`, symbolic links followed.

    ConfigError names the ref when it is no relative path, does not exist, or leads out of `root`.
    """
    file, root = Path(file), Path(root)
    where = show(file)
    if not isinstance(ref, str) or not ref.strip() or "\0" in ref:
        raise ConfigError(f"ref: {ref!r} is no path", path=where, hint="ref: graphs/answer.yaml")
    if "://" in ref:
        raise ConfigError(f"ref: {ref} is a URL", path=where, hint=f"endpoint_url: {ref}  (ref names a file)")
    if Path(ref).is_absolute() or ref.startswith("~") or (len(ref) > 1 and ref[1] == ":"):
        raise ConfigError(
            f"ref: {ref} is not relative to this file", path=where, hint="copy the file into the project and name it"
        )
    try:
        home = root.resolve()
        target = (file.parent / ref).resolve()
        inside, there = target.is_relative_to(home), target.exists()
    except (OSError, RuntimeError, ValueError) as error:  # a ring of symbolic links; a name that is too long
        raise ConfigError(f"ref: {ref} cannot be followed: {error}", path=where) from None
    if not inside:
        hint = "copy the file into the project and name it there"
        raise ConfigError(f"ref: {ref} leads out of the project ({home})", path=where, hint=hint)
    if not there:
        raise ConfigError(f"ref: {ref} is not there", path=where, hint=_near(target))
    return target


def to_yaml(value: Any) -> str:
    """A value as YAML for people: block style, short lists inline, keys in their order; reading it gives `value`."""
    from yggdrasil.storage.yaml_writer import write_yaml

    return write_yaml(value)


def to_json(value: Any) -> str:
    """A value as indented JSON, keys in their order, one line feed at the end; PortError where it is not JSON."""
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise PortError(f"cannot be written as JSON: {error}", hint="keep text, numbers, lists and mappings") from error


def write_config(path: str | Path, value: Mapping[str, Any]) -> None:
    """Write a mapping as YAML or JSON, by the ending of `path`: whole or not at all.

    SecretError before anything is written when it carries a secret; StoreError when the disk refuses.
    """
    path = Path(path)
    refuse_secrets(value, show(path))
    write_text(path, to_json(value) if path.suffix == ".json" else to_yaml(value))


def write_text(path: str | Path, text: str) -> None:
    """Write a file whole or not at all, and durably; the folders on the way are made."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, data: bytes) -> None:
    """The same for bytes."""
    path = Path(path)
    if path.is_dir():
        raise StoreError("is a folder, not a file", path=show(path))
    if path.exists() and not path.is_file():  # /dev/stdout and the like must not be replaced by a file
        _write_through(path, data)
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    with refusals(show(path)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(beside, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise


def _write_through(path: Path, data: bytes) -> None:
    with refusals(show(path)), open(path, "wb") as file:
        file.write(data)


def show(path: Path) -> str:
    """A path as a person would write it here: relative to the current folder when it lies below."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (OSError, ValueError):
        return str(path)


def _near(path: Path) -> str:
    """What there is instead of a path that is not there."""
    with contextlib.suppress(OSError, ValueError):
        if path.parent.is_dir():
            return close_names(path.name, (p.name for p in path.parent.iterdir() if not p.name.startswith(".")))
    return f"there is no folder {show(path.parent)} either"


def _inside(path: Path) -> str:
    with contextlib.suppress(OSError):
        names = sorted(p.name for p in path.iterdir() if p.suffix in ENDINGS)
        if names:
            return show(path / names[0])
    return ""
