"""Servers in configs: `tools: [{type: mcp/stdio, command: [npx, -y, "@scope/server"], env: [GITHUB_TOKEN]}]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from yggdrasil.abc.toolset import Toolset
from yggdrasil.agent.mcp.toolset import MCP
from yggdrasil.errors import ConfigError


def stdio(
    *,
    command: Sequence[str],
    env: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout: float = 300.0,
    patience: float = 60.0,
    resources_as_tools: bool = False,
    prefix: str = "",
    only: Sequence[str] | None = None,
    without: Sequence[str] = (),
    approve: bool | Sequence[str] = False,
) -> Toolset:
    """`type: mcp/stdio`. `command` is the program and its arguments; `env` names variables, `approve` tools."""
    if isinstance(command, str):
        words = ", ".join(command.split())
        raise ConfigError("a command is a list of words", hint=f"command: [{words}]")
    server = MCP.stdio(
        *command,
        env=env,
        variables=variables,
        cwd=cwd,
        timeout=timeout,
        patience=patience,
        resources_as_tools=resources_as_tools,
    )
    return _changed(server, prefix, only, without, approve)


def http(
    *,
    url: str,
    bearer_variable: str | None = None,
    header_variables: Sequence[str] = (),
    timeout: float = 300.0,
    patience: float = 60.0,
    resources_as_tools: bool = False,
    prefix: str = "",
    only: Sequence[str] | None = None,
    without: Sequence[str] = (),
    approve: bool | Sequence[str] = False,
) -> Toolset:
    """`type: mcp/http`. `bearer_variable` names the variable with the token; `approve` names tools.

    `header_variables` are other headers: `["X-Api-Key=MY_VARIABLE"]`.
    """
    server = MCP.http(
        url,
        bearer=bearer_variable,
        headers=header_variables,
        timeout=timeout,
        patience=patience,
        resources_as_tools=resources_as_tools,
    )
    return _changed(server, prefix, only, without, approve)


FACTORIES: Mapping[str, Callable[..., Toolset]] = {"mcp/stdio": stdio, "mcp/http": http}
"""The types of toolsets in an agent's `tools:`."""


def _changed(
    tools: Toolset, prefix: str, only: Sequence[str] | None, without: Sequence[str], approve: bool | Sequence[str]
) -> Toolset:
    for name, names in (("only", only), ("without", without), ("approve", approve)):
        if isinstance(names, str):
            raise ConfigError(f"{name} is a list of names", hint=f"{name}: [{names}]")
    if only is not None:
        tools = tools.only(*only)
    if without:
        tools = tools.without(*without)
    if approve:
        tools = tools.approve(*(() if approve is True else approve))
    return tools.prefix(prefix) if prefix else tools
