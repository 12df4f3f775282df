"""Weights in safetensors files: what is in them is known before anything is read, and they are mapped, not copied."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, close_names
from yggdrasil.storage.disk import mapped
from yggdrasil.storage.files import read_text, show
from yggdrasil.storage.finite import is_finite
from yggdrasil.storage.json_text import parse_json
from yggdrasil.storage.weights_header import Entry, head_length, read_head

ENDING: Final = ".safetensors"
INDEX: Final = ".safetensors.index.json"


class Kind(Value):
    """What a tensor is to be: its dtype ("F32"; "" when any will do) and shape."""

    dtype: str
    shape: tuple[int, ...]


class _File:
    """One mapped file."""

    def __init__(self, path: Path) -> None:
        self.path, self.shown = path, show(path)
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        except FileNotFoundError:
            near = close_names(path.name, [p.name for p in path.parent.glob(f"*{ENDING}")])
            raise ConfigError("there is no such file", path=self.shown, hint=near) from None
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot be read: {error}", path=self.shown) from error
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ConfigError("this is not a regular file", path=self.shown)
            size = os.fstat(handle).st_size
            length = head_length(os.pread(handle, 9, 0), size, self.shown)
            self.entries, self.metadata = read_head(os.pread(handle, length, 8), size, self.shown)
            if hasattr(os, "posix_fadvise"):  # read ahead further: from a disk it may take half the time
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            self._map = mapped(handle, size)
            self.data = memoryview(self._map)
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror or error}", path=self.shown) from error
        finally:
            os.close(handle)

    def advise(self, how: str) -> None:
        """Tell the system how the file is about to be read, where it listens."""
        advice = getattr(mmap, how, None)
        if advice is not None:
            self._map.madvise(advice)


class Weights:
    """The tensors of a file or a folder, by name. Their bytes are read when they are looked at.

    path     a .safetensors file, an index of several (`*.safetensors.index.json`), or a folder with either
    stem     which one, where a folder has several: "model", "model.fp16"

    ConfigError when a file is not whole, or anything in a header contradicts itself.
    """

    def __init__(self, path: str | Path, *, stem: str = "") -> None:
        self.path = Path(path)
        self.shown = show(self.path)
        self._files: list[_File] = []
        self._where: dict[str, tuple[_File, Entry]] = {}
        whole, named = _files(self.path, stem)
        for file in (_File(one) for one in whole):
            self._files.append(file)
            for name, entry in file.entries.items():
                if name in self._where:
                    raise ConfigError(f"{name} is in two files", path=f"{self.shown}: {file.path.name}")
                self._where[name] = (file, entry)
        if named is not None:
            self._keep_to(named)

    def _keep_to(self, named: Mapping[str, str]) -> None:
        for name, where in named.items():
            if name not in self._where or self._where[name][0].path.name != where:
                raise ConfigError(f"the index says that {name} is in {where}; it is not", path=self.shown)
        if extra := self._where.keys() - named.keys():
            raise ConfigError(f"the index does not know {min(extra)}, which is in its files", path=self.shown)

    def __contains__(self, name: object) -> bool:
        return name in self._where

    def __len__(self) -> int:
        return len(self._where)

    @property
    def entries(self) -> dict[str, Entry]:
        """What is known of each tensor, by name."""
        return {name: entry for name, (_, entry) in self._where.items()}

    @property
    def files(self) -> list[Path]:
        """The files, in order."""
        return [file.path for file in self._files]

    @property
    def metadata(self) -> dict[str, str]:
        """The texts that the files carry beside their tensors."""
        return {key: value for file in self._files for key, value in file.metadata.items()}

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(entry.nbytes for _, entry in self._where.values())

    def __getitem__(self, name: str) -> memoryview:
        """The bytes of a tensor, mapped: no copy. Writing into them changes this process's pages only."""
        if name not in self._where:
            raise ConfigError(f"there is no tensor {name}; {close_names(name, self._where)}", path=self.shown)
        file, entry = self._where[name]
        return file.data[entry.start : entry.end]

    def check(self, wanted: Mapping[str, Kind], *, extra: Iterable[str] = (), absent: Iterable[str] = ()) -> None:
        """Whether these are the weights for `wanted`; ConfigError names what is missing, unknown or misshapen.

        `extra` may be here unwanted, `absent` may be wanted and not here.
        """
        allowed, needless = set(extra), set(absent)
        wrong = [f"{name} is missing" for name in wanted if name not in self._where and name not in needless]
        wrong += [
            f"{name} is not wanted ({close_names(name, wanted)})"
            for name in self._where
            if name not in wanted and name not in allowed
        ]
        for name, kind in wanted.items():
            if name not in self._where:
                continue
            entry = self._where[name][1]
            if entry.shape != tuple(kind.shape):
                wrong.append(f"{name} is {entry.shape} here, and has to be {tuple(kind.shape)}")
            elif kind.dtype and entry.dtype != kind.dtype:
                wrong.append(f"{name} is {entry.dtype} here, and has to be {kind.dtype}")
        if wrong:
            more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            raise ConfigError(f"the weights do not fit: {'; '.join(sorted(wrong)[:5])}{more}", path=self.shown)

    def require_finite(
        self, names: Iterable[str] | None = None, surely: Callable[[str], bool] = lambda name: False
    ) -> None:
        """ConfigError that names the first tensor with NaN or infinity in it. Reads every byte, in the files' order.

        surely   a faster look: True where a tensor is finite for certain; the others are looked at element by element
        """
        wanted = self._where.keys() if names is None else set(names)
        for file in self._files:
            file.advise("MADV_SEQUENTIAL")
            for name, entry in file.entries.items():
                if name in wanted and not surely(name) and not is_finite(self[name], entry.dtype):
                    hint = "allow_nonfinite=True   # when it is meant"
                    raise ConfigError(f"{name} holds NaN or infinity", path=self.shown, hint=hint)
            file.advise("MADV_NORMAL")

    def sha256(self) -> str:
        """The digest of names, dtypes, shapes and bytes: the same however they are spread over files."""
        return content_sha256((name, e.dtype, e.shape, self[name]) for name, e in sorted(self.entries.items()))


def content_sha256(tensors: Iterable[tuple[str, str, tuple[int, ...], Any]]) -> str:
    """SHA-256, in hex, over (name, dtype, shape, bytes) of tensors; they come sorted by name, one at a time."""
    total = hashlib.sha256()
    for name, dtype, shape, data in tensors:
        total.update(json.dumps([name, dtype, list(shape)], separators=(",", ":")).encode() + b"\n")
        total.update(data)
    return total.hexdigest()


def _files(path: Path, stem: str) -> tuple[list[Path], dict[str, str] | None]:
    """The files to read, and which tensor is in which where an index says so."""
    if path.is_dir():
        path = _in_folder(path, stem)
    if path.name.endswith(".json"):
        named = _index(path)
        return [path.parent / name for name in sorted(set(named.values()))], named
    return [path], None


def _in_folder(folder: Path, stem: str) -> Path:
    indexes, files = sorted(folder.glob(f"*{INDEX}")), sorted(folder.glob(f"*{ENDING}"))
    parts = {folder / name for index in indexes for name in _index(index).values()}
    found = {p.name.removesuffix(INDEX): p for p in indexes}
    found |= {p.name.removesuffix(ENDING): p for p in files if p not in parts}
    if stem:
        found = {name: p for name, p in found.items() if name == stem}
    elif len(found) > 1:  # beside its fp16 and ema variants, the plain one is meant
        found = {name: p for name, p in found.items() if name in ("model", "diffusion_pytorch_model")} or found
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        others = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "it is empty"
        raise ConfigError(f"there is no {stem or '*'}{ENDING} in this folder ({others})", path=show(folder))
    raise ConfigError(f"several weights are here: {', '.join(found)}", path=show(folder), hint=f"stem={min(found)!r}")


def _index(path: Path) -> dict[str, str]:
    shown = show(path)
    document = parse_json(read_text(path, size=256 * 1024 * 1024), shown)
    named = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(named, dict) or not named or not all(isinstance(v, str) for v in named.values()):
        raise ConfigError("an index has a weight_map of tensor names to file names", path=shown)
    for name in set(named.values()):
        if "/" in name or "\\" in name or "\0" in name or not name.endswith(ENDING):
            raise ConfigError(f"the index names the file {name!r}, which is not beside it", path=shown)
    return named
