"""A tool of a server, as anything that runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from yggdrasil.abc.context import RunContext
from yggdrasil.abc.runnable import Runnable
from yggdrasil.agent.mcp.content import error_text, outputs_of, plain
from yggdrasil.agent.mcp.schema import contract
from yggdrasil.core.ports import Port, Spec, port_type
from yggdrasil.core.toolspec import tool_name
from yggdrasil.errors import BlockError

KEY = "yggdrasil/idempotency-key"
"""Where a request's `_meta` carries the idempotency key of a durable run."""

_PORTS: dict[str, Any] = {"string": str, "boolean": bool, "integer": int}

Progress = Callable[[float, float | None, str | None], Awaitable[None]]
Send = Callable[[str, dict[str, Any], Mapping[str, Any] | None, Progress | None, bool], Awaitable[Any]]
"""(name, arguments, meta, progress, whether twice does no harm) -> the server's result."""


class ServerTool(Runnable):
    """One tool of a server. It reaches outside: a durable run records its result.

    contract     what a model sees (the server's own JSON Schema), and the check of what it sends
    idempotent   whether the server marks it as one that may be called again: read-only or idempotent
    """

    def __init__(self, listed: Any, send: Send) -> None:
        notes = listed.annotations
        self.name = str(listed.name)
        self.idempotent = bool(notes is not None and (notes.read_only_hint or notes.idempotent_hint))
        self.contract = contract(
            tool_name(self.name),
            listed.description or listed.title or (notes.title if notes is not None else None) or "",
            listed.input_schema,
        )
        self._send = send
        self._spec = _spec(listed.input_schema, self.contract.spec.description)

    @property
    def spec(self) -> Spec:
        """In: its properties. Out: output, and structured where the server gives it."""
        return self._spec

    @property
    def label(self) -> str:
        """Its name at the server."""
        return self.name

    @property
    def block_type(self) -> str:
        """`mcp/tool`."""
        return "mcp/tool"

    async def execute(self, inputs: Mapping[str, Any], ctx: RunContext) -> Mapping[str, Any]:
        """Call it. BlockError with its words when it fails, ToolServerError when the server does."""
        over = False

        async def progress(done: float, total: float | None, note: str | None) -> None:
            if not over:
                ctx.progress(done, total, note or "")

        try:
            result = await self._send(
                self.name,
                plain(inputs),
                {KEY: ctx.key} if ctx.key else None,
                progress if ctx.listening else None,
                self.idempotent,
            )
        finally:
            over = True
        if result.is_error:
            raise BlockError(error_text(result))
        return outputs_of(result)


def _spec(schema: Any, doc: str) -> Spec:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    required = schema.get("required") if isinstance(schema, Mapping) else None
    needed = required if isinstance(required, list) else []
    inputs = {}
    for name, about in (properties if isinstance(properties, Mapping) else {}).items():
        about = about if isinstance(about, Mapping) else {}
        kind = about.get("type")
        found = _PORTS.get(kind, Any) if isinstance(kind, str) else Any
        note = about.get("description")
        inputs[name] = Port(
            name, port_type(found), optional=name not in needed, doc=note if isinstance(note, str) else ""
        )
    outputs = {
        "output": Port("output", port_type("any"), doc="its text, with Blobs among it when there are any"),
        "structured": Port("structured", port_type("any"), optional=True, doc="its structured content"),
    }
    return Spec(inputs, outputs, doc)
