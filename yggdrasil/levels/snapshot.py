"""Snapshots of a world's status. Sections are blobs; between blobs their operations are carried along.

A section is written anew only when the operations since its last blob outweigh it, and a snapshot is due only when
the journal has grown by twice what the last one weighed: so cost per tick and time to open stay flat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yggdrasil.abc.store import Store
from yggdrasil.core.blob import Blob
from yggdrasil.core.canonical import canonical, digest, parse
from yggdrasil.core.content import Content, apply, section_of
from yggdrasil.core.cycle import Status, Trouble
from yggdrasil.core.facts import Pruned
from yggdrasil.core.frozen import FrozenDict, freeze
from yggdrasil.errors import CorruptError, FormatError

FORMAT = 1
SMALLEST = 32 * 1024
"""Bytes of journal before a snapshot is worth it."""
GROWTH = 2
"""How many times its last snapshot's weight the journal grows before the next: what is kept of a growing state is half
as much again as the state, and opening folds so much at most."""


@dataclass(slots=True)
class _Kept:
    """A section's last blob (its digest and size) and the operations since, with their size. No blob: None."""

    base: str | None
    size: int
    operations: list[Mapping[str, Any]] = field(default_factory=list)
    weight: int = 0


class Snapshots:
    """What the last snapshot holds of each section, and what came since."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self.threshold = SMALLEST

    def note(self, operations: Sequence[Mapping[str, Any]]) -> None:
        """Count operations that were applied to the content."""
        for operation in operations:
            if operation["op"] == "test":
                continue
            name = section_of(operation["path"])
            other = section_of(operation["from"]) if "from" in operation else name
            kept = self._kept.get(name)
            if other != name or kept is None or operation["path"].count("/") == 1:
                # across sections, or a whole one: what is there now is written anew
                self._kept[name] = _Kept(None, 0)
                if operation["op"] == "move":
                    self._kept[other] = _Kept(None, 0)
            elif kept.base is not None:
                kept.operations.append(operation)
                kept.weight += len(canonical(operation)) + 1

    def take(self, status: Status) -> tuple[dict[str, Any], list[Blob]]:
        """The snapshot of a status between two ticks, and the blobs it needs first."""
        blobs, sections = [], {}
        for name, value in status.content.sections.items():
            kept = self._kept.get(name)
            if kept is None or kept.base is None or kept.weight > kept.size:
                text = canonical(value).encode()
                blob = Blob(text, "application/json", status.content.digests[name])
                kept = self._kept[name] = _Kept(blob.digest, len(text))
                blobs.append(blob)
            sections[name] = {"base": kept.base, "patch": list(kept.operations)}
        for name in [name for name in self._kept if name not in sections]:
            del self._kept[name]
        data = {**_status_to_json(status), "sections": sections}
        weight = sum(kept.weight for kept in self._kept.values()) + sum(len(blob.data) for blob in blobs)
        self.threshold = max(SMALLEST, GROWTH * (weight + len(canonical(data["state"]))))
        return data, blobs

    async def restore(self, data: Mapping[str, Any], store: Store, path: str) -> Status:
        """The status of a snapshot. CorruptError when it does not have the hash that was recorded."""
        if data.get("format", FORMAT) > FORMAT:
            raise FormatError(f"the world was written by a newer version (format {data['format']})", path=path)
        sections = {}
        for name, item in data["sections"].items():
            raw = await store.get_blob(item["base"])
            operations = list(freeze(item["patch"]))
            weight = sum(len(canonical(op)) + 1 for op in operations)
            self._kept[name] = _Kept(item["base"], len(raw), operations, weight)
            sections[name] = freeze(parse(raw.decode(), path=f"{path} / section {name}"))
        history = freeze(data["history"])
        content = Content(FrozenDict(sections), dict.fromkeys(sections, ""), history)
        operations = [op for item in data["sections"].values() for op in item["patch"]]
        content = apply(content, operations).content
        content = Content(content.sections, {n: digest(v) for n, v in content.sections.items()}, history)
        if content.hash != data["content_hash"]:
            raise CorruptError("the content is not the one whose hash was recorded", path=path)
        return _status_from_json(data, content)


def _status_to_json(status: Status) -> dict[str, Any]:
    trouble = status.trouble
    return {
        "format": FORMAT,
        "seed": status.seed,
        "tick": status.tick,
        "state": status.state,
        "actions": list(status.actions),
        "content_hash": status.content_hash,
        "tick_hash": status.tick_hash,
        "paused": status.paused,
        "trouble": None if trouble is None else [trouble.stage, trouble.path, trouble.error],
        "history": status.content.history,
        **({"pruned": [status.pruned.tick, status.pruned.upto]} if status.pruned.tick else {}),
    }


def _status_from_json(data: Mapping[str, Any], content: Content) -> Status:
    trouble = data["trouble"]
    return Status(
        content,
        seed=data["seed"],
        tick=data["tick"],
        state=freeze(data["state"]),
        actions=tuple(data["actions"]),
        content_hash=data["content_hash"],
        tick_hash=data["tick_hash"],
        paused=data["paused"],
        trouble=None if trouble is None else Trouble(*trouble),
        pruned=Pruned(*data.get("pruned", ())),
    )
