"""The types of a project as layers over the registry of the process: its tools, its agents, a world's own blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from yggdrasil.abc.runnable import Runnable
from yggdrasil.catalog.code import load
from yggdrasil.catalog.project import Project
from yggdrasil.errors import ConfigError
from yggdrasil.runtime.registry import REGISTRY, Registry, active_registry, using
from yggdrasil.storage.files import read_config, read_text, resolve_ref, show

_projects: dict[Path, Registry] = {}
_worlds: dict[Path, Registry] = {}


def project_layer(project: Project | None, beneath: Project | None = None) -> Registry:
    """The types a project adds: `tool/<name>` and `agent/<name>`; made once.

    Over those of the project `beneath` (the stock), over the registry of the process. A file that cannot be
    loaded disables only its own types.
    """
    if project is None:
        return project_layer(beneath) if beneath is not None else REGISTRY
    if project.root not in _projects:
        parent = project_layer(beneath) if beneath is not None and beneath.root != project.root else REGISTRY
        layer = Registry(parent)
        for name, path in project.entries("tool").items():
            _add_tool(layer, project, name, path)
        for name, path in project.entries("agent").items():
            layer.register(f"agent/{name}", _agent_factory(path, project.root), source=str(path))
        _projects[project.root] = layer
    return _projects[project.root]


def world_layer(project: Project, folder: Path, beneath: Registry) -> Registry:
    """The types that the Python in `worlds/<name>/blocks/` registers, over those of its project; loaded once."""
    if folder not in _worlds:
        layer = Registry(beneath)
        with using(layer):
            for path in sorted((folder / "blocks").glob("*.py")):
                load(project, path)
        _worlds[folder] = layer
    return _worlds[folder]


def tools_of(module: Any) -> list[Runnable]:
    """The tools and other runnables that a module itself defines, in their order."""
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, Runnable)
        and not name.startswith("_")
        and getattr(getattr(value, "function", value), "__module__", None) == module.__name__
    ]


def _add_tool(layer: Registry, project: Project, name: str, path: Path) -> None:
    try:
        with using(layer):
            tools = tools_of(load(project, path))
        if not tools:
            raise ConfigError("holds no tool", path=show(path), hint="@tool above a function")
        for tool in tools:
            layer.register(tool.block_type, _factory_of(tool), source=f"{path} {tool.label}")
        main = next((t for t in tools if t.label == name), tools[0])
        layer.register(f"tool/{name}", _factory_of(main), source=f"{path} {main.label}")
    except ConfigError as error:
        layer.register(f"tool/{name}", _failing(error), source=f"{path} (broken)")


def _factory_of(tool: Runnable) -> Callable[..., Runnable]:
    configured: Callable[..., Runnable] | None = getattr(tool, "configured", None)
    return configured if configured is not None else lambda: tool


def _failing(error: ConfigError) -> Callable[..., Runnable]:
    def factory(**config: Any) -> Runnable:
        raise error

    return factory


def agent_config(path: Path, root: Path) -> dict[str, Any]:
    """What an agent file says, as the config of its block: `instructions: {ref: prompt.md}` becomes the text."""
    config = read_config(path)
    kind, _ = config.pop("kind", "agent"), config.pop("version", 1)
    if kind != "agent":
        raise ConfigError(f"this is a {kind}, not an agent", path=show(path), hint="kind: agent")
    instructions = config.get("instructions")
    if isinstance(instructions, Mapping):
        target = resolve_ref(instructions.get("ref"), file=path, root=root)
        config["instructions"] = read_text(target)
    return config


def build_agent(path: Path, root: Path, **config: Any) -> Runnable:
    """The block that an agent file describes; `config` goes over what the file says. Within a scope."""
    given = {**agent_config(path, root), **config}
    return active_registry().build(given.pop("type", "agent/llm"), given)


def _agent_factory(path: Path, root: Path) -> Callable[..., Runnable]:
    def factory(**config: Any) -> Runnable:
        return build_agent(path, root, **config)

    return factory
