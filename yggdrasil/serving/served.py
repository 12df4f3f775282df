"""What a server offers: tools and resources, from anything that runs and from worlds that live."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Literal, NamedTuple

import anyio

from yggdrasil.abc.hook import Hook
from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.toolset import Toolset
from yggdrasil.agent.toolbox import AnyTool, as_tool, innermost
from yggdrasil.core.blob import Blob, references
from yggdrasil.core.frozen import thaw
from yggdrasil.core.ports import Port, Spec, port_type
from yggdrasil.core.toolspec import ToolContract, tool_contract, tool_name
from yggdrasil.errors import ConfigError, PortError, close_names
from yggdrasil.levels.live import LiveWorld
from yggdrasil.levels.world import World
from yggdrasil.serving.content import pictures_in

MOST_TICKS = 100
"""Ticks of one call of a world's `run`."""

_PICTURES = 4

Hear = Hook | None
Call = Callable[[dict[str, Any], Hear], Awaitable[Mapping[str, Any]]]


class ServedTool(NamedTuple):
    """A tool: its contract, how it is called, and whether it only reads."""

    contract: ToolContract
    call: Call
    reads: bool = False


class ServedResource(NamedTuple):
    """Something to read: where, what it is called, and how it is read: as JSON."""

    uri: str
    name: str
    description: str
    read: Callable[[], Awaitable[Any]]


class Book:
    """All that is offered, by name and by URI."""

    def __init__(self) -> None:
        self.tools: dict[str, ServedTool] = {}
        self.resources: dict[str, ServedResource] = {}
        self.worlds: dict[str, LiveWorld] = {}

    def add(self, tool: ServedTool) -> None:
        """Offer a tool; ConfigError when its name is taken."""
        name = tool.contract.spec.name
        if name in self.tools:
            raise ConfigError(f"two served things are called {name!r}", hint=f'.as_tool(name="{name}_2")')
        self.tools[name] = tool


async def open_book(
    served: Sequence[AnyTool], store: str | None, call_timeout: float | None, stack: AsyncExitStack
) -> Book:
    """Everything in `served`, open for as long as `stack` lasts: a World on its store or on `store`, a toolset."""
    if not served:
        raise ConfigError("nothing is served", hint="serve_mcp(agent)")
    book = Book()
    runnables: list[Runnable] = []
    for each in served:
        made = as_tool(each)
        runnables += await stack.enter_async_context(made.open()) if isinstance(made, Toolset) else [made]
    for runnable in runnables:
        if isinstance(runnable, World):
            live = await stack.enter_async_context(World.open(runnable, store=store))
            _add_world(book, live, call_timeout, alone=len(runnables) == 1)
        elif isinstance(runnable, LiveWorld):
            _add_world(book, runnable, call_timeout, alone=len(runnables) == 1)
        else:
            book.add(_tool_of(runnable, call_timeout))
    return book


def _tool_of(runnable: Runnable, call_timeout: float | None) -> ServedTool:
    name, found = tool_name(runnable.label), getattr(innermost(runnable), "contract", None)
    if isinstance(found, ToolContract):
        contract = found.named(name, runnable.spec.doc)
    else:
        contract = tool_contract(name, runnable.spec)

    async def call(inputs: dict[str, Any], hear: Hear) -> Mapping[str, Any]:
        return await runnable.run(inputs, timeout=call_timeout, hooks=None if hear is None else [hear])

    return ServedTool(contract, call)


# --- a world

_RUN = Spec(
    {
        "ticks": Port("ticks", port_type(int), optional=True, default=1, doc=f"how many ticks, at most {MOST_TICKS}"),
        "action": Port("action", port_type(str), optional=True, doc="what you do in it"),
    },
    {},
    "Let the world live, and see the state after the last tick.",
)

_LOOK = Spec(
    {
        "what": Port(
            "what",
            port_type(Literal["content", "state", "status"]),
            optional=True,
            default="content",
            doc="content: what is; state: what was told last; status: where it stands",
        ),
        "path": Port("path", port_type(str), optional=True, default="", doc="a part of it, as places/bridge"),
    },
    {},
    "Look at the world without changing it.",
)


def _add_world(book: Book, live: LiveWorld, call_timeout: float | None, *, alone: bool) -> None:
    name = tool_name(live.label)
    before = "" if alone else f"{name}_"
    about = f" ({live.label}{': ' + live.definition.description if live.definition.description else ''})"
    turn = anyio.Lock()

    async def run(inputs: dict[str, Any], hear: Hear) -> Mapping[str, Any]:
        ticks = inputs.get("ticks", 1)
        if not 1 <= ticks <= MOST_TICKS:
            raise PortError(f"ticks is {ticks}", hint=f"ticks from 1 to {MOST_TICKS}")
        given = {} if inputs.get("action") is None else {"action": inputs["action"]}
        async with turn:  # a world lives one tick after the other
            hooks = None if hear is None else [hear]
            result = await live.run(given, ticks=ticks, timeout=call_timeout, hooks=hooks)
            state = thaw(result["state"])
            tick = live.tick
        pictures = [Blob(await live.blob(d), _type_of(state, d), d) for d in pictures_in(state, _PICTURES)]
        return {"output": {"tick": tick, "state": state, **({"pictures": pictures} if pictures else {})}}

    async def look(inputs: dict[str, Any], hear: Hear) -> Mapping[str, Any]:
        return {"output": _part(await _views(live)[inputs.get("what", "content")](), inputs.get("path", ""))}

    book.add(ServedTool(tool_contract(f"{before}run", Spec(_RUN.inputs, {}, _RUN.doc + about)), run))
    book.add(ServedTool(tool_contract(f"{before}look", Spec(_LOOK.inputs, {}, _LOOK.doc + about)), look, True))
    book.worlds[name] = live
    for part, read in _views(live).items():
        uri = f"world://{name}/{part}"
        book.resources[uri] = ServedResource(uri, f"{live.label}: {part}", _ABOUT[part], read)


_ABOUT = {
    "content": "The sections of the world, and the end of its history",
    "state": "The five blocks after the last tick",
    "status": "Where it stands",
    "chronicle": "The whole history, oldest first",
}


def _views(live: LiveWorld) -> dict[str, Callable[[], Awaitable[Any]]]:
    async def content() -> Any:
        return thaw(live.content)

    async def state() -> Any:
        return thaw(live.state)

    async def status() -> Any:
        return {"tick": live.tick, "parked": str(live.parked) if live.parked else None, "ended": live.definition.ended}

    async def chronicle() -> Any:
        return thaw(await live.history())

    return {"content": content, "state": state, "status": status, "chronicle": chronicle}


def _part(value: Any, path: str) -> Any:
    for step in [step for step in path.split("/") if step]:
        if isinstance(value, Mapping):
            if step not in value:
                raise PortError(f"there is no {step!r} in {path!r}; {close_names(step, map(str, value))}")
            value = value[step]
        elif isinstance(value, list | tuple):
            if not step.isdecimal() or int(step) >= len(value):
                raise PortError(f"there is no number {step} in {path!r}; there are {len(value)}, counted from 0")
            value = value[int(step)]
        else:
            raise PortError(f"nothing is below {value!r:.60} in {path!r}")
    return value


def _type_of(value: Any, digest: str) -> str:
    return next((str(r["media_type"]) for r in references(value) if r["$blob"] == digest), "application/octet-stream")


def as_json(value: Any) -> str:
    """A value of a world as text; blobs by reference."""
    return json.dumps(value, ensure_ascii=False, indent=1)
