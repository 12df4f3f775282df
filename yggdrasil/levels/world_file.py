"""World files: `execution` (cycle, stages, run parameters) and `content` (sections), and back to a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from yggdrasil.abc.catalog import Found, find
from yggdrasil.core.config import VERSION
from yggdrasil.core.retention import Keep
from yggdrasil.core.secrets import refuse_secrets
from yggdrasil.errors import ConfigError, YggdrasilError, close_names
from yggdrasil.levels.node import Node
from yggdrasil.levels.read import Origin, located, read_node
from yggdrasil.levels.seat import as_condition
from yggdrasil.levels.world import ENVIRONMENT, ORDER, World
from yggdrasil.levels.write import block_document
from yggdrasil.storage.files import read_content, resolve_ref

TOP = ("kind", "version", "name", "description", "parameters", "training", "execution", "content")
EXECUTION = (
    "stages", "cycle", "schema", "seed", "durability", "keep", "ticks", "store", "resources", "conditions",
    "timers", "errors", "budget",
)  # fmt: skip

# the canon's long form, and where it goes
_LONG_TOP = {"world_id": "name", "schema_version": "version"}
_LONG_EXECUTION = {"state_schema": "schema", "storage": "store", "retention": "keep"}
_MOVED = ("stages", "cycle", "state_schema", "schema", "storage", "retention", "initial_world", "run_params", "ticks")


def load_world(
    what: Mapping[str, Any] | str | Path,
    *,
    overlay: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> World:
    """A world from a document, a path or a catalogue name. ConfigError or ValidationError with the place.

    `parameters` replace those of the document; ConfigError for one that it does not have.
    """
    found = find(what, "world", overlay=overlay)
    if parameters:
        found = found.replace(config={**found.config, "parameters": _given(found, parameters)})
    with found.scope():
        return read_world(found)


def read_world(found: Found) -> World:
    """A world from what the catalogue found; its types must be in scope."""
    origin = Origin(found.file, found.root)
    try:
        return _read(found.config, replace(origin, parameters=parameters_of(found)), found.name)
    except YggdrasilError as error:
        if not error.path:
            error.path = str(origin) or found.name
        raise


def parameters_of(found: Found) -> Mapping[str, Any]:
    """What a world's document leaves open, with the values it comes with."""
    parameters = found.config.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise ConfigError("parameters is no mapping", path=found.name, hint='parameters: {model: "openai:gpt-5"}')
    return parameters


def _given(found: Found, parameters: Mapping[str, Any]) -> dict[str, Any]:
    known = parameters_of(found)
    for name in parameters:
        if name not in known:
            sentence = f"the world {found.name} has no parameter {name!r}; {close_names(name, known)}"
            overlay = 'overlay="llm"' if name == "model" and not known else f"parameters: {{{name}: ...}}"
            raise ConfigError(sentence, path=found.name, hint=f"{overlay}   # if it has one")
    return {**known, **parameters}


def _read(config: Mapping[str, Any], origin: Origin, name: str) -> World:
    top = _shorten(config, str(origin))
    _known(top, TOP, str(origin))
    version = top.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        sentence = f"format version {version!r} is not read by this release ({VERSION})"
        raise ConfigError(sentence, path=str(origin), hint="version: 1, or pip install -U yggdrasil-worlds")
    execution = top.get("execution", {})
    if not isinstance(execution, Mapping):
        raise ConfigError("execution is no mapping", path=str(origin), hint="execution: {stages: {...}}")
    _known(execution, EXECUTION, str(origin.below("execution")))
    world = World(str(top.get("name") or name), resources=execution.get("resources") or {})
    world.description = str(top.get("description") or "")
    world.parameters = dict(origin.parameters)
    world.training = dict(top.get("training") or {})
    _read_stages(world, execution.get("stages") or {}, origin.below("execution/stages"))
    _read_execution(world, execution, origin.below("execution"))
    sections, ref = _read_content(top.get("content"), origin.below("content"))
    world.set_initial_world(sections)
    world.content_ref = ref
    return world


def _read_stages(world: World, stages: Any, origin: Origin) -> None:
    if isinstance(stages, Sequence) and not isinstance(stages, str):
        stages = {str(s.get("stage_id", s.get("name", ""))): s for s in stages if isinstance(s, Mapping)}
    if not isinstance(stages, Mapping):
        raise ConfigError("stages is no mapping", path=str(origin), hint="stages: {author: {ref: stages/author.yaml}}")
    for name, data in stages.items():
        place = origin.below(str(name))
        if name == "environment":
            for part, child in _parts(data, place).items():
                _add(world, ENVIRONMENT[part], child, place.below(part))
        else:
            _add(world, ENVIRONMENT.get(str(name), str(name)), data, place)


def _parts(data: Any, origin: Origin) -> Mapping[str, Any]:
    parts = data.get("subnodes", data) if isinstance(data, Mapping) else None
    if not isinstance(parts, Mapping) or not {p for p in parts if p not in ("stage_id", "name")} <= set(ENVIRONMENT):
        raise ConfigError(
            "environment has two parts: update and development",
            path=str(origin),
            hint="environment: {update: {ref: stages/update.yaml}, development: {ref: stages/development.yaml}}",
        )
    return {part: parts[part] for part in parts if part in ENVIRONMENT}


def _add(world: World, name: str, data: Any, origin: Origin) -> None:
    if isinstance(data, str):
        data = {"ref": data} if data.endswith((".yaml", ".yml", ".json")) else {"type": data}
    if not isinstance(data, Mapping):
        raise ConfigError(f"stage {name} is {type(data).__name__}, not a mapping", path=str(origin))
    data = {key: value for key, value in data.items() if key != "stage_id" or "nodes" in data or "pipelines" in data}
    if not {"ref", "type", "kind", "endpoint_url"} & set(data):
        data = {"kind": "stage", **data}
    if {"pipelines", "graphs"} & set(data) and "nodes" not in data:
        data = {**data, "nodes": data.get("pipelines", data.get("graphs"))}
        data = {key: value for key, value in data.items() if key not in ("pipelines", "graphs")}
    try:
        block, policies = read_node(data, origin)
        world.nodes[name] = Node(name, block, **policies)
        world._made = None
    except YggdrasilError as error:
        if not error.path:
            error.path = str(origin)
        raise


_HINTS = {
    "seed": "seed: 7",
    "ticks": "ticks: 10",
    "store": 'store: "sqlite:///valley.db"',
    "durability": "durability: effect",
    "keep": "keep: {last: 50, every: 100, days: 30}",
}


def _read_execution(world: World, execution: Mapping[str, Any], origin: Origin) -> None:
    where = str(origin)
    if execution.get("schema"):
        world.set_state_schema(execution["schema"])
    cycle, conditions = execution.get("cycle"), execution.get("conditions") or {}
    if not isinstance(conditions, Mapping):
        raise ConfigError("conditions is no mapping", path=where, hint="conditions: {author: [artifacts]}")
    if cycle not in (None, "canon", "canonical"):
        if isinstance(cycle, str) or not isinstance(cycle, Sequence):
            raise ConfigError(f"cycle is {cycle!r}", path=where, hint=f"cycle: [{', '.join(ORDER)}]")
        world.set_cycle([str(name) for name in cycle])
    for name, condition in conditions.items():
        world.set_execution_condition(str(name), as_condition(condition, f"{where}/conditions/{name}"))
    for key, setter in (("timers", world.set_timers), ("errors", world.set_errors), ("budget", world.set_budget)):
        if execution.get(key) is not None:
            with located(origin.below(key), always=True):
                setter(execution[key])
    for key, kind in (("seed", int), ("ticks", int), ("store", str), ("durability", str), ("keep", Mapping)):
        value = execution.get(key)
        if value is None:
            continue
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigError(f"{key} is {value!r}", path=where, hint=_HINTS[key])
        if key == "durability":
            world.set_durability(str(value))
        elif key == "store":
            with located(origin, always=True):
                world.set_storage(str(value))
        elif key == "keep":
            world.keep = Keep.from_config(value, f"{where}/keep")
        else:
            setattr(world, key, value)


def _read_content(data: Any, origin: Origin) -> tuple[dict[str, Any], str | None]:
    if data is None:
        return {}, None
    if not isinstance(data, Mapping):
        raise ConfigError("content is no mapping of sections", path=str(origin), hint="content: {ref: content/}")
    if "ref" not in data:
        return dict(data), None
    rest = {key: value for key, value in data.items() if key != "ref"}
    if origin.file is None:
        raise ConfigError("a ref is relative to a file, and this document comes from none", path=str(origin))
    path = resolve_ref(data["ref"], file=origin.file, root=origin.root or origin.file.parent)
    sections = read_content(path)
    return {**sections, **rest}, str(data["ref"])


def _shorten(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The short form of a document in the canon's long form."""
    top: dict[str, Any] = {}
    execution = config.get("execution")
    execution = dict(execution) if isinstance(execution, Mapping) else {} if execution is None else execution
    for key, value in config.items():
        if key in _MOVED and isinstance(execution, dict):
            if key == "initial_world":
                top.setdefault("content", value)
            elif key == "run_params" and isinstance(value, Mapping):
                execution.update(value)
            else:
                execution[key] = value
        elif key != "execution":
            top[_LONG_TOP.get(key, key)] = value
    if isinstance(execution, dict):
        if "initial_world" in execution:
            top.setdefault("content", execution.pop("initial_world"))
        for long, short in _LONG_EXECUTION.items():
            if long in execution:
                if short in execution:
                    raise ConfigError(f"{long!r} and {short!r} say the same; keep one", path=where)
                execution[short] = execution.pop(long)
        store = execution.get("store")
        if isinstance(store, Mapping):
            execution["store"] = store.get("url")
    if execution != {}:
        top["execution"] = execution
    return top


def _known(data: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise ConfigError(f"there is no {key!r} here; {close_names(str(key), known)}", path=where)


# --- and back


def world_document(world: World, *, refs: bool = False) -> dict[str, Any]:
    """A world's document. ConfigError names what cannot be saved (a function that is not registered, a predicate)."""
    document: dict[str, Any] = {"kind": "world", "version": VERSION, "name": world.name}
    if world.description:
        document["description"] = world.description
    if world.parameters:
        document["parameters"] = dict(world.parameters)
    if world.training:
        document["training"] = dict(world.training)
    if not world.ended:
        document["execution"] = _execution(world, refs)
    content = {"ref": world.content_ref} if refs and world.content_ref is not None else dict(world.sections)
    if content or world.ended:
        document["content"] = content
    refuse_secrets(document, world.name)
    return document


def _execution(world: World, refs: bool) -> dict[str, Any]:
    stages: dict[str, Any] = {}
    for name, node in world.nodes.items():
        try:
            data = {"ref": node.ref} if refs and node.ref is not None else block_document(node.block, refs)
        except YggdrasilError as error:
            error.path = error.path or f"{world.name}/{name}"
            raise
        data |= {k: v for k in ("retry", "timeout", "cache", "limit") if (v := getattr(node, k)) not in (None, False)}
        if name.startswith("environment/"):
            stages.setdefault("environment", {})[name.partition("/")[2]] = data
        else:
            stages[name] = data
    found: dict[str, Any] = {}
    if world.order != ORDER:
        found["cycle"] = list(world.order)
    found["stages"] = stages
    for name, condition in world._conditions.items():
        if callable(condition):
            raise ConfigError("a predicate cannot be saved", path=f"{world.name}/{name}", hint="a list of blocks")
        saved = condition if isinstance(condition, str) else list(condition)
        found.setdefault("conditions", {})[name] = saved
    if world.schema.to_config():
        found["schema"] = world.schema.to_config()
    for key in ("seed", "ticks", "store"):
        if getattr(world, key) is not None:
            found[key] = getattr(world, key)
    if world.durability != "effect":
        found["durability"] = world.durability
    if not world.keep.all:
        found["keep"] = world.keep.to_config()
    if world.timers is not None:
        found["timers"] = world.timers.to_config()
    if world.patience.to_config():
        found["errors"] = world.patience.to_config()
    if world.budget is not None:
        found["budget"] = world.budget.to_config()
    if world.limits.capacities:
        found["resources"] = dict(world.limits.capacities)
    return found
