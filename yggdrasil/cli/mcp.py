"""`yggdrasil mcp`: an agent, a graph, a tool or a world as a server of the Model Context Protocol."""

from __future__ import annotations

import signal
import sys

import anyio

from yggdrasil.abc.catalog import find
from yggdrasil.abc.runnable import Runnable
from yggdrasil.cli.places import locate
from yggdrasil.serving.mcp import serve_http, serve_stdio, server


def serve_entries(
    names: list[str],
    http: int | None = None,
    host: str = "127.0.0.1",
    hosts: list[str] | None = None,
    bearer: str | None = None,
    store: str | None = None,
    overlay: str | None = None,
) -> None:
    """Serve what `names` mean until the client leaves or someone stops it; nothing else is written to stdout."""
    anyio.run(_serve, names, http, host, hosts or [], bearer, store, overlay)


async def _serve(
    names: list[str],
    http: int | None,
    host: str,
    hosts: list[str],
    bearer: str | None,
    store: str | None,
    overlay: str | None,
) -> None:
    served = [_built(name, overlay) for name in names]
    title = names[0] if len(names) == 1 else "yggdrasil"
    if store is None and len(names) == 1 and find(names[0], "", overlay=overlay).kind == "world":
        store = locate(names[0], None, overlay).store
    async with anyio.create_task_group() as group:
        group.start_soon(_until_signal, group.cancel_scope)
        async with server(*served, name=title, store=store) as made:
            if http is None:
                await serve_stdio(made)
            else:
                async with serve_http(made, port=http, host=host, hosts=hosts, bearer=bearer) as url:
                    print(f"serving {', '.join(names)} at {url}", file=sys.stderr)
                    await anyio.sleep_forever()
        group.cancel_scope.cancel()


async def _until_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _built(name: str, overlay: str | None) -> Runnable:
    found = find(name, "", overlay=overlay)
    with found.scope():
        if found.kind == "world":
            from yggdrasil.levels.world_file import read_world

            return read_world(found)
        if found.kind == "tool":
            from yggdrasil.runtime.registry import active_registry

            return active_registry().build(f"tool/{found.name}", {})
        if found.kind == "agent" and found.file is not None and found.root is not None:
            from yggdrasil.catalog.layers import build_agent

            return build_agent(found.file, found.root)
        from yggdrasil.levels.read import Origin, read_level

        return read_level(found.config, Origin(found.file, found.root), found.kind)
