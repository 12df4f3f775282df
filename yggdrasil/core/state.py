"""The state of a world: five blocks, each filled by one stage, and what a schema may add to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from yggdrasil.core.canonical import digest
from yggdrasil.core.frozen import FrozenDict
from yggdrasil.core.value import Value
from yggdrasil.errors import ConfigError, PortError, close_names

INTENT, BLUEPRINT, ARTIFACTS, DESCRIPTION, CHRONICLE = BLOCKS = (
    "intent",
    "blueprint",
    "artifacts",
    "description",
    "chronicle",
)
"""The blocks in their order: what is to happen, how to make it, what was made, what it shows, what happened."""

MEANINGS: Final[Mapping[str, str]] = {
    INTENT: "what is supposed to happen",
    BLUEPRINT: "configuration for making the artifacts",
    ARTIFACTS: "what was made, in slots: texts, images, audios, videos, files",
    DESCRIPTION: "what the artifacts show, found by looking at them",
    CHRONICLE: "what really happened in the world",
}


def filled(value: Any) -> bool:
    """Whether a block is present and holds something.

    None, blank text, and lists or mappings in which nothing is filled (`{"images": []}`) are empty; any number is not.
    """
    if value is None:
        return False
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, dict | Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return True
    for item in value:  # noqa: SIM110 - a plain loop: this is asked for every block before every stage
        if filled(item):
            return True
    return False


def filled_blocks(state: Mapping[str, Any]) -> tuple[str, ...]:
    """The filled blocks of a state, the five in their order first."""
    core = [block for block in BLOCKS if filled(state.get(block))]
    return (*core, *(name for name in state if name not in BLOCKS and filled(state[name])))


class Extra(Value):
    """A block beyond the five. `keep`: it is carried over into the new state that development begins."""

    doc: str = ""
    keep: bool = False


class StateSchema(Value):
    """The five blocks and, where a world needs more, extra ones; `slots` names the artifacts' slots when fixed."""

    extra: Mapping[str, Extra] = FrozenDict()
    slots: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.extra:
            if name in (*BLOCKS, "patch", "world", "action", "proposal") or not name.isidentifier():
                raise ConfigError(f"a state block cannot be called {name!r}", hint="a new name: letters, digits and _")

    @property
    def blocks(self) -> tuple[str, ...]:
        """All names, the five first."""
        return (*BLOCKS, *self.extra)

    def check(self, state: Any, path: str = "state") -> None:
        """PortError when `state` is no mapping of known blocks, or uses slots that are not named."""
        if not isinstance(state, Mapping):
            raise PortError(f"a state is a mapping of blocks, not {type(state).__name__}", path=path)
        for name in state:
            if name not in self.blocks:
                raise PortError(f"there is no state block {name!r}; {close_names(str(name), self.blocks)}", path=path)
        self.check_block(ARTIFACTS, state.get(ARTIFACTS), path)

    def check_block(self, block: str, value: Any, path: str = "") -> None:
        """PortError when artifacts lie in a slot that the schema does not name."""
        if block == ARTIFACTS and self.slots and isinstance(value, Mapping):
            for slot in value:
                if slot not in self.slots:
                    close = close_names(slot, self.slots)
                    raise PortError(f"there is no slot {slot!r} for artifacts; {close}", path=path)

    def begin(self, state: Mapping[str, Any], intent: Any) -> dict[str, Any]:
        """The new state that development begins: block 1, and what is kept of the old one."""
        kept = {name: state[name] for name, extra in self.extra.items() if extra.keep and name in state}
        return {INTENT: intent, **kept}

    def to_config(self) -> dict[str, Any]:
        """As in a world's file."""
        blocks = {name: {"doc": e.doc, "keep": e.keep} for name, e in self.extra.items()}
        return {**({"blocks": blocks} if blocks else {}), **({"slots": list(self.slots)} if self.slots else {})}

    @classmethod
    def from_config(cls, data: Any, path: str = "schema") -> StateSchema:
        """From a world's file: `{blocks: {style: {keep: true}}, slots: [texts, images]}`, or a list of extra names."""
        if isinstance(data, Mapping) and not set(data) <= {"blocks", "slots"}:
            wrong = next(key for key in data if key not in ("blocks", "slots"))
            raise ConfigError(f"there is no {wrong!r} here; {close_names(str(wrong), ('blocks', 'slots'))}", path=path)
        if isinstance(data, Mapping):
            blocks, slots = data.get("blocks") or {}, data.get("slots") or ()
        else:
            blocks, slots = data, ()
        if isinstance(blocks, Sequence) and not isinstance(blocks, str):
            blocks = {name: {} for name in blocks}
        if not isinstance(blocks, Mapping) or isinstance(slots, str) or not isinstance(slots, Sequence):
            raise ConfigError("the schema is no mapping of blocks", path=path, hint="blocks: {style: {keep: true}}")
        extra = {}
        for name, item in blocks.items():
            if name in BLOCKS:
                continue  # the five may be named for completeness
            item = item or {}
            if not isinstance(item, Mapping) or not set(item) <= {"doc", "keep"}:
                raise ConfigError(f"block {name!r} is no mapping of doc and keep", path=path, hint="{keep: true}")
            extra[str(name)] = Extra(str(item.get("doc", "")), bool(item.get("keep", False)))
        return cls(extra, tuple(map(str, slots)))


def state_hash(state: Mapping[str, Any]) -> str:
    """The digest of a state's filled blocks (blobs count by reference)."""
    return digest({block: state[block] for block in filled_blocks(state)})
