"""`save` and `load` of every level: a document, a checkpoint folder, or an archive, by the path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from yggdrasil.abc.runnable import Runnable
from yggdrasil.errors import ConfigError
from yggdrasil.levels.checkpoint import build, document_of, load_checkpoint, require_kind, save_checkpoint
from yggdrasil.levels.container import Container
from yggdrasil.levels.world import World
from yggdrasil.storage.files import ENDINGS, read_config, resolve_ref, show, write_config
from yggdrasil.storage.saved import ARCHIVE, Saved, is_checkpoint


def save(what: Runnable, path: str | Path, *, refs: bool = False) -> Saved:
    """Write a document (.yaml, .yml, .json), an archive (.ygg), or else a folder; see `levels.checkpoint`.

    `refs=True` keeps what came from files as refs, in a document; ConfigError when one would not be found beside it.
    """
    if _checkpoint(path):
        if refs:
            raise ConfigError("a checkpoint holds everything", path=str(path), hint="refs=True is for documents")
        return save_checkpoint(what, path)
    place = Path(path)
    if refs and isinstance(what, Container):
        for node in what.nodes.values():
            if node.ref is not None:
                resolve_ref(node.ref, file=place, root=place.parent)
    document = what.to_config(refs=refs) if isinstance(what, Container | World) else document_of(what)
    write_config(place, document)
    return Saved(place, place.stat().st_size if place.is_file() else 0)


def load(kind: type[Runnable], path: str | Path) -> Any:
    """A level or block from a checkpoint, or a block from its document; ConfigError when it is no `kind`."""
    place = Path(path)
    if is_checkpoint(place):
        return load_checkpoint(place, kind)
    document = read_config(place)
    require_kind(document, kind, show(place))
    return build(document, show(place))


def _checkpoint(path: str | Path) -> bool:
    """Whether saving to `path` writes more than a document. ConfigError for an ending nobody knows."""
    place = Path(path)
    if place.is_dir() or str(path).endswith("/") or place.suffix == ARCHIVE:
        return True
    if place.suffix in ENDINGS or place.exists():
        return False
    if place.suffix:
        sentence = f"{place.suffix} is no ending of a document or a checkpoint"
        raise ConfigError(sentence, path=show(place), hint=f'"{place.stem}" for a folder, "{place.stem}{ARCHIVE}"')
    return True
