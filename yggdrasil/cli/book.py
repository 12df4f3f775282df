"""`yggdrasil book`: the saga of a world with its pictures, as a page to read and a page to print."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio

from yggdrasil.cli.pages import Book, Piece, Plate, Register, chapters, page
from yggdrasil.cli.pictures import file_name
from yggdrasil.cli.places import locate
from yggdrasil.cli.saga import TITLES, Passage, Saga, read_saga, require
from yggdrasil.cli.streams import json_line
from yggdrasil.core.blob import KEY, is_reference
from yggdrasil.errors import ConfigError, CorruptError
from yggdrasil.levels.live import LiveWorld
from yggdrasil.levels.world import World
from yggdrasil.levels.world_file import load_world
from yggdrasil.storage.files import show, write_bytes, write_text

PAGES = ("index.html", "print.html")
PLATES = "pictures"
SAYING = ("byname", "trade", "role", "kind", "text", "description", "cause", "summary")
"""The keys that tell who someone is, in the order they are read."""


def make_book(what: str, store: str | None, overlay: str | None, out: Path | None, as_json: bool) -> None:
    """Write the book into a folder of its own; StoreError when the world has not lived, ConfigError when it is mute."""
    place = locate(what, store, overlay)
    world = load_world(what, overlay=overlay)
    folder = out if out is not None else Path(f"{file_name(place.found.name)}-book")
    if folder.exists() and not folder.is_dir():
        raise ConfigError("this is no folder", path=show(folder), hint="--out another-folder")
    book, count = anyio.run(_bind, world, require(place, world.ended), folder)
    for name in PAGES:
        write_text(folder / name, page(book, printed=name != PAGES[0]))
    told = sum(len(chapter.pieces) for chapter in book.chapters)
    if as_json:
        pages = [str(folder / name) for name in PAGES]
        print(json_line({"folder": str(folder), "pages": pages, "passages": told, "pictures": count}))
        return
    print(f"{book.title}: {told} passages, {count} pictures")
    print(f"  to read:   {folder / PAGES[0]}")
    print(f"  to print:  {folder / PAGES[1]}  (A5; a browser saves it as PDF)")


async def _bind(world: World, store: str, folder: Path) -> tuple[Book, int]:
    """The book, its plates written into the folder, and how many pictures there are."""
    async with World.open(world, store=store, read_only=True) as live:
        saga = await read_saga(live)
        if not saga.passages:
            hint = f"yggdrasil run {saga.world} --ticks 5"
            raise ConfigError(f"nothing is told of {saga.world} yet; the first passage comes in tick 2", hint=hint)
        written: dict[str, Plate] = {}
        pieces = [await _piece(live, passage, folder, written) for passage in saga.passages]
    pictures = sum(plate.media_type.startswith("image/") for plate in written.values())
    return Book(saga.title, _opening(saga), chapters(pieces), tuple(_registers(saga.content))), pictures


async def _piece(live: LiveWorld, passage: Passage, folder: Path, written: dict[str, Plate]) -> Piece:
    plates = []
    for reference, caption in _seen(passage.artifacts):
        digest, kind = str(reference[KEY]), str(reference["media_type"])
        if digest not in written:
            name = f"{PLATES}/{digest[:16]}{mimetypes.guess_extension(kind) or '.' + kind.rpartition('/')[2]}"
            try:
                data = await live.blob(digest)
            except CorruptError:
                continue  # it was thinned out, or is lost: the words stay
            await anyio.to_thread.run_sync(write_bytes, folder / name, data)
            written[digest] = Plate(name, kind, caption)
        plates.append(written[digest]._replace(caption=caption))
    heading = passage.day or (f"tick {passage.tick}" if passage.tick is not None else "")
    return Piece(heading, passage.text, tuple(plates))


def _seen(artifacts: Any, caption: str = "") -> Iterator[tuple[Mapping[str, Any], str]]:
    """(reference, caption) of the pictures and sounds in block 3."""
    if is_reference(artifacts):
        if str(artifacts["media_type"]).startswith(("image/", "audio/")):
            yield artifacts, caption
    elif isinstance(artifacts, Mapping):
        said = artifacts.get("description")
        for item in artifacts.values():
            yield from _seen(item, said if isinstance(said, str) else caption)
    elif isinstance(artifacts, list | tuple):
        for item in artifacts:
            yield from _seen(item, caption)


def _opening(saga: Saga) -> str:
    """What the content says of the world where it says its title."""
    for section in saga.content.values():
        if isinstance(section, Mapping) and isinstance(section.get("title"), str):
            return next((str(section[k]) for k in ("text", "description", "summary") if section.get(k)), "")
    return ""


def _registers(content: Mapping[str, Any]) -> Iterator[Register]:
    """Sections of named things, and of words with their meaning, as they stand at the end."""
    for name, section in content.items():
        things = section.values() if isinstance(section, Mapping) else section if isinstance(section, list) else ()
        named = [_line(thing) for thing in things if isinstance(thing, Mapping)]
        lines = [line for line in named if line[0]]
        if isinstance(section, Mapping) and name == "glossary":
            lines = [(word, said) for word, said in section.items() if isinstance(said, str)]
        if lines and len(lines) == len(list(things)):
            yield Register(name[:1].upper() + name[1:], tuple(lines))


def _line(thing: Mapping[str, Any]) -> tuple[str, str]:
    """A thing's name, the fullest one it has, and who it is."""
    names = sorted((str(thing[k]) for k in TITLES if isinstance(thing.get(k), str)), key=len)
    said = [str(thing[k]) for k in SAYING if isinstance(thing.get(k), str) and thing[k]]
    joined = "".join(f"{': ' if text[:1].isupper() else ', '}{text}" for text in said)
    return (names[-1] if names else ""), joined[2:]
