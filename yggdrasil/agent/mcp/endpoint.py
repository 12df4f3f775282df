"""Where a server is: a command to start, or an address. Secrets are named here and read when it is connected to."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from yggdrasil.agent.mcp.process import Tail, process_transport
from yggdrasil.core.secrets import is_secret_key, redact, refuse_secrets
from yggdrasil.errors import ConfigError, SecretError

_INHERITED = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "USER")
_CONNECT = 30.0
_HIDDEN = "[secret hidden]"


class Signs:
    """What a connection learns of its server while it stands.

    gone    called when it is seen to have died; grace: seconds it has to leave when it is told to
    """

    def __init__(self, gone: Callable[[], None]) -> None:
        self.gone = gone
        self.grace = 2.0
        self.tail = Tail()


class Endpoint(ABC):
    """A server that can be connected to."""

    label: str

    @abstractmethod
    def transport(self, signs: Signs) -> AbstractAsyncContextManager[Any]:
        """The streams of a new connection, for `mcp.Client`. ConfigError when a variable it needs is not set."""

    @abstractmethod
    def secrets(self) -> list[str]:
        """The values that no error may show."""

    def scrub(self, text: str) -> str:
        """`text` without its secrets, and without what looks like one."""
        for value in self.secrets():
            text = text.replace(value, _HIDDEN)
        return redact(text)


class Command(Endpoint):
    """A server to start: `npx -y @scope/server folder`.

    env         names of variables it is given besides PATH, HOME and their like; "NAME=OTHER" gives it our OTHER
    variables   plain settings for its environment, none of them secret
    """

    def __init__(
        self, command: Sequence[str], env: Sequence[str], variables: Mapping[str, str], cwd: str | Path | None
    ) -> None:
        if isinstance(command, str) or not command or not all(isinstance(word, str) and word for word in command):
            raise ConfigError(f"{command!r} is no command", hint='MCP.stdio("npx", "-y", "@scope/server")')
        if any("\0" in word for word in command):
            raise ConfigError("a command holds no NUL", hint='MCP.stdio("npx", "-y", "@scope/server")')
        refuse_secrets({"command": list(command), "variables": dict(variables)}, "mcp")
        self.command = tuple(command)
        self.env = _names(env, 'env=["GITHUB_TOKEN"]')
        self.variables = {str(k): str(v) for k, v in variables.items()}
        self.cwd = None if cwd is None else str(cwd)
        self.label = " ".join(self.command)[:80]

    def secrets(self) -> list[str]:
        """The values of the variables it is given."""
        return [value for name in self.env.values() if (value := os.environ.get(name, ""))]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name in _INHERITED if (value := os.environ.get(name)) is not None}
        return {**inherited, **self.variables, **_values(self.label, self.env)}

    @asynccontextmanager
    async def transport(self, signs: Signs) -> AsyncGenerator[Any, None]:
        """Start it."""
        environment = self._environment()
        async with process_transport(
            self.command, environment, self.cwd, signs.tail, signs.gone, lambda: signs.grace
        ) as streams:
            yield streams


class Address(Endpoint):
    """A server that runs already, over streamable HTTP.

    bearer    the variable whose value is sent as `Authorization: Bearer ...`
    headers   "X-Api-Key=MY_VARIABLE": other headers, each from a variable
    """

    def __init__(self, url: str, bearer: str | None, headers: Sequence[str]) -> None:
        parts = urlsplit(url) if isinstance(url, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{url!r} is no address of a server", hint='MCP.http("https://host/mcp")')
        if parts.username or parts.password or any(is_secret_key(k) for k, _ in parse_qsl(parts.query)):
            raise SecretError(
                f"the address at {parts.hostname} carries a secret",
                hint=f'MCP.http("{parts.scheme}://{parts.hostname}/...", bearer="MY_TOKEN")   # a variable\'s name',
            )
        refuse_secrets({"address": url}, "mcp")
        self.url = url
        if bearer is not None:
            _names([bearer], 'bearer="GITHUB_TOKEN"')
        self.bearer = bearer
        self.headers = _names(headers, 'headers=["X-Api-Key=MY_VARIABLE"]', headers=True)
        self.label = f"{parts.scheme}://{parts.netloc}{parts.path}"

    def secrets(self) -> list[str]:
        """The values of its headers."""
        names = [*self.headers.values(), *([self.bearer] if self.bearer else [])]
        return [value for name in names if (value := os.environ.get(name, ""))]

    @asynccontextmanager
    async def transport(self, signs: Signs) -> AsyncGenerator[Any, None]:
        """Connect to it."""
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        headers = _values(self.label, self.headers)
        if self.bearer is not None:
            headers["Authorization"] = "Bearer " + _values(self.label, {"": self.bearer})[""]
        # a tool may be silent for long: how long a call may take is said for each call
        timeout = httpx2.Timeout(_CONNECT, read=None)
        async with (
            httpx2.AsyncClient(headers=headers, timeout=timeout) as http,
            streamable_http_client(self.url, http_client=http) as streams,
        ):
            yield streams


def _names(given: Sequence[str], hint: str, *, headers: bool = False) -> dict[str, str]:
    """What `["NAME", "OTHER=VARIABLE"]` means: whose variable gives what. ConfigError shows no value."""
    if isinstance(given, str | Mapping) or not all(isinstance(item, str) for item in given):
        raise ConfigError("variables are given as a list of their names, never with their values", hint=hint)
    found = {}
    for item in given:
        name, _, variable = item.partition("=")
        plain = name.replace("-", "_") if headers else name
        if not plain.isidentifier() or not (variable or name).isidentifier() or (headers and not variable):
            raise ConfigError("what is given is not the name of a variable of the environment", hint=hint)
        found[name] = variable or name
    refuse_secrets({"names": list(given)}, "mcp")
    return found


def _values(label: str, names: Mapping[str, str]) -> dict[str, str]:
    for variable in names.values():
        if not os.environ.get(variable):
            raise ConfigError(
                f"{label} needs {variable}, which is not in the environment", hint=f"export {variable}=..."
            )
    return {name: os.environ[variable] for name, variable in names.items()}
