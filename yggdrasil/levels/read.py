"""From documents to levels: configs, files and type names become what runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from yggdrasil.abc.runnable import Runnable
from yggdrasil.core.config import LevelDocument, read_call, read_document, split_edge
from yggdrasil.core.longform import check_keys, is_level
from yggdrasil.core.secrets import refuse_secrets
from yggdrasil.errors import ConfigError, ValidationError, YggdrasilError, close_names
from yggdrasil.levels.container import Container
from yggdrasil.levels.graph import Graph
from yggdrasil.levels.node import POLICIES, check_policies
from yggdrasil.levels.pipeline import Pipeline
from yggdrasil.levels.stage import Stage
from yggdrasil.runtime.registry import active_registry
from yggdrasil.storage.files import read_config, read_text, resolve_ref

KINDS: dict[str, type[Container]] = {"graph": Graph, "pipeline": Pipeline, "stage": Stage}
ENDINGS = (".yaml", ".yml", ".json")
TEXTS = (".md", ".txt")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document comes from: refs are read beside `file` and may not climb out of `root`.

    above        the files that refer to this one, outermost first
    parameters   what `{parameter: NAME}` stands for in the configs of blocks
    """

    file: Path | None = None
    root: Path | None = None
    where: str = ""
    above: tuple[Path, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def below(self, step: str) -> Origin:
        """The same file, one step further in."""
        return replace(self, where=f"{self.where}/{step}" if self.where else step)

    def __str__(self) -> str:
        name = self.file.name if self.file is not None else ""
        return ": ".join(p for p in (name, self.where) if p)


def read_level(data: Mapping[str, Any], origin: Origin | None = None, kind: str = "") -> Container:
    """A graph, pipeline or stage from its document; ConfigError or ValidationError with the place."""
    origin = origin or Origin()
    try:
        if origin.file is None and not origin.where:
            refuse_secrets(data, str(origin))
        return _read_level(data, origin, kind)
    except RecursionError:
        raise ConfigError("levels are nested too deep", path=str(origin)) from None
    except YggdrasilError as error:
        if not error.path:
            error.path = str(origin)
        raise


def _read_level(data: Mapping[str, Any], origin: Origin, kind: str) -> Container:
    document = read_document(data, str(origin), kind)
    level = KINDS[document.kind](
        document.name, num_loop_steps=document.num_loop_steps, until=document.until, resources=document.resources
    )
    for name, node in document.nodes.items():
        place = origin.below(f"nodes/{name}")
        with located(place):
            block, policies = read_node(node, place)
            level.add(name, block, **policies)
    _join(level, document, origin)
    if isinstance(level, Stage):
        level.set_state_contract(document.reads, document.fills, document.ports)
        if document.execution_condition is not None:
            level.set_execution_condition(document.execution_condition)
    level.description, level.training = document.description, document.training
    return level


def _join(level: Container, document: LevelDocument, origin: Origin) -> None:
    for number, text in enumerate(document.edges):
        with located(origin.below(f"edges/{number}"), always=True):
            level.add_edge(*split_edge(text))
    for number, text in enumerate(document.calls):
        with located(origin.below(f"calls/{number}"), always=True):
            call = read_call(text)
            level.add_call(call.source, call.target)
    for name, ends in (document.inputs or {}).items():
        with located(origin.below(f"inputs/{name}"), always=True):
            for end in [ends] if isinstance(ends, str) else ends:
                level.expose_input(end, name=name)
    for name, end in (document.outputs or {}).items():
        with located(origin.below(f"outputs/{name}"), always=True):
            level.expose_output(end, name=name)


@contextmanager
def located(origin: Origin, *, always: bool = False) -> Iterator[None]:
    """Errors from inside say where they come from; `always`: what they say of their place stands below it."""
    try:
        yield
    except YggdrasilError as error:
        if isinstance(error, ValidationError) and always:
            there = [replace(p, path=f"{origin}: {p.path}" if p.path else str(origin)) for p in error.problems]
            raise ValidationError(there) from None
        if not error.path:
            error.path = str(origin)
        elif always:
            error.path = f"{origin}: {error.path}"
        raise


def read_node(data: Mapping[str, Any], origin: Origin) -> tuple[Runnable, dict[str, Any]]:
    """A node's block and its policies, from its mapping."""
    check_keys(data, str(origin))
    policies = {k: v for k, v in data.items() if k in POLICIES and k != "ref"}
    with located(origin):
        check_policies(policies)
    if "connect" in policies:
        named = policies["connect"]
        policies["connect"] = frozenset({named} if isinstance(named, str) else named)
    rest = {k: v for k, v in data.items() if k not in POLICIES}
    ref = data.get("ref")
    if ref is not None and "type" in rest:  # it is the block's own: where its weights lie
        rest["ref"] = ref
    elif ref is not None:
        if rest:
            raise ConfigError(
                f"a ref stands beside {', '.join(rest)}", path=str(origin), hint="put them into the file it names"
            )
        return _read_ref(ref, origin), {**policies, "ref": str(ref)}
    if is_level(rest):
        return read_level(rest, origin), policies
    name = rest.pop("type", None)
    if not isinstance(name, str):
        remote = " (remote children are not in this version)" if policies.get("endpoint_url") else ""
        raise ConfigError(f"a node needs a type{remote}", path=str(origin), hint="type: role/impl, or ref: file.yaml")
    own = rest.pop("config", {})
    if not isinstance(own, Mapping):
        raise ConfigError("config is no mapping", path=str(origin))
    return active_registry().build(name, filled_in({**rest, **own}, origin)), policies


def filled_in(config: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """A block's config with `{parameter: NAME}` replaced by its value, and `{ref: prompt.md}` by the file's text."""
    return {key: _filled(value, origin.below(str(key))) for key, value in config.items()}


def _filled(value: Any, origin: Origin) -> Any:
    if isinstance(value, list):
        return [_filled(item, origin.below(str(i))) for i, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if value.keys() == {"parameter"}:
        name, known = value["parameter"], origin.parameters
        if name not in known:
            sentence = f"there is no parameter {name!r}; {close_names(str(name), known)}"
            raise ConfigError(sentence, path=str(origin), hint=f"parameters: {{{name}: ...}}   # in the world's file")
        return known[name]
    if value.keys() == {"ref"} and str(value["ref"]).endswith(TEXTS):
        if origin.file is None:
            sentence = f"ref {value['ref']!r} is relative to a file, and this document comes from none"
            raise ConfigError(sentence, path=str(origin))
        with located(origin):
            return read_text(resolve_ref(value["ref"], file=origin.file, root=origin.root or origin.file.parent))
    return {key: _filled(item, origin.below(str(key))) for key, item in value.items()}


def _read_ref(ref: Any, origin: Origin) -> Runnable:
    if origin.file is None:
        raise ConfigError(
            f"ref {str(ref)!r} is relative to a file, and this document comes from none",
            path=str(origin),
            hint='Graph.load("graph.yaml")',
        )
    root = origin.root or origin.file.parent
    path = resolve_ref(ref, file=origin.file, root=root)
    above = (*origin.above, origin.file.resolve())
    if path in above:
        circle = " -> ".join(p.name for p in (*above[above.index(path) :], path))
        raise ConfigError(f"its refs go round in a circle: {circle}", path=str(origin))
    return read_level(read_config(path), Origin(path, root, above=above, parameters=origin.parameters))


def read_file(path: str | Path, root: Path | None = None) -> Container:
    """A level from a YAML or JSON file; its refs may not climb out of `root` (its folder by default)."""
    file = Path(path).resolve()
    return read_level(read_config(file), Origin(file, root or file.parent))


def read_child(what: Mapping[str, Any] | str | Path) -> tuple[Runnable, dict[str, Any]]:
    """A child for a builder: a config mapping, a path to a file, or a type's name; and its policies."""
    if isinstance(what, Mapping):
        refuse_secrets(what)
        return read_node(what, Origin(Path.cwd() / "here", Path.cwd()))
    if isinstance(what, Path) or what.endswith(ENDINGS):
        return read_file(what), {"ref": str(what)}
    return active_registry().build(what, {}), {}
