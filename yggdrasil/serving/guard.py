"""Who may call a server over HTTP: only under its own names, and beyond loopback only with a token."""

from __future__ import annotations

import hmac
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from yggdrasil.errors import ConfigError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NAMES = ("127.0.0.1", "localhost", "[::1]")

App = Callable[[Any, Any, Any], Awaitable[None]]


def security(host: str, hosts: Sequence[str]) -> Any:
    """The names a request may be addressed to and come from. ConfigError when there are none beyond loopback."""
    from mcp.server.transport_security import TransportSecuritySettings

    if isinstance(hosts, str):
        raise ConfigError("hosts is a list of names", hint=f'hosts=["{hosts}"]')
    if host not in LOOPBACK and not hosts:
        raise ConfigError(
            f"a server on {host} must know its own names, or any page could reach it under one of theirs",
            hint='hosts=["tools.example.org:8000"]',
        )
    names = [*(f"{name}:*" for name in _NAMES), *hosts]
    origins = [f"{scheme}://{name}" for name in names for scheme in ("http", "https")]
    return TransportSecuritySettings(enable_dns_rebinding_protection=True, allowed_hosts=names, allowed_origins=origins)


def token_guard(host: str, bearer: str | None) -> Callable[[App], App]:
    """What lets only those through who show the token in variable `bearer`. ConfigError when it is needed and not set.

    None on loopback lets everyone through.
    """
    if bearer is None:
        if host not in LOOPBACK:
            raise ConfigError(
                f"a server on {host} needs a token, or anyone could use it",
                hint='bearer="YGGDRASIL_TOKEN"   # the name of a variable',
            )
        return lambda app: app
    token = os.environ.get(bearer, "")
    if not token:
        raise ConfigError(f"{bearer} is not in the environment", hint=f"export {bearer}=...")
    wanted = f"Bearer {token}".encode()

    def guarded(app: App) -> App:
        async def call(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
                if not hmac.compare_digest(shown, wanted):
                    await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
                    await send({"type": "http.response.body", "body": b""})
                    return
            await app(scope, receive, send)

        return call

    return guarded
