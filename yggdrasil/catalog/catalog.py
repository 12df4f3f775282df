"""The catalogue: from a name, a path or a config to what it means, and the list of what there is.

Names resolve in this order: the project one stands in, installed plugins (entry points `yggdrasil.worlds`,
`yggdrasil.agents`, `yggdrasil.tools`), the stock that ships here. Listing and finding run no code of any of them.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from yggdrasil.abc.catalog import Found
from yggdrasil.catalog.layers import project_layer, world_layer
from yggdrasil.catalog.project import PLACES, Project, find_project, stock
from yggdrasil.core.dialogue import shorten
from yggdrasil.core.overlay import lay_over
from yggdrasil.core.secrets import refuse_secrets
from yggdrasil.errors import ConfigError, UnknownTypeError, YggdrasilError, close_names
from yggdrasil.runtime.registry import ENTRY_POINTS, using
from yggdrasil.storage.files import ENDINGS, read_config, read_text, show

# What a config without `kind:` is, by the names that only one level has.
_SIGNS = (
    ("world", {"world_id", "execution", "cycle", "content", "stages"}),
    ("stage", {"stage_id", "pipelines", "state_contract", "fills"}),
    ("pipeline", {"pipeline_id", "graphs"}),
    ("graph", {"graph_id", "nodes"}),
    ("agent", {"instructions"}),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list. `origin` is project, plugin or stock; `path` is None for a plugin's object."""

    kind: str
    name: str
    origin: str
    description: str
    path: Path | None


class StandardCatalog:
    """Names of the project around `folder` (the current one, looked up at each question), plugins, and the stock."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def find(self, what: str | Path | Mapping[str, Any], kind: str, *, overlay: str | None = None) -> Found:
        """What `what` means; see `abc.catalog.Found`. With `kind=""` any kind is taken.

        UnknownTypeError (with close names) for an unknown name, ConfigError for a file that cannot be read.
        """
        if isinstance(what, Mapping):
            return self._inline(what, kind, overlay)
        if isinstance(what, Path) or _is_path(what):
            return self._file(Path(what), kind, overlay)
        kinds = (kind,) if kind else tuple(PLACES)
        own, shipped = self._homes()
        for place in kinds:
            path = _entry(own, place, what)
            if path is not None:
                return self._content(place, what, path, own, overlay)
        for place in kinds:
            path = plugin_file(place, what)
            if path is not None:
                return self._content(place, what, path, None, overlay)
        for place in kinds:
            path = _entry(shipped, place, what)
            if path is not None:
                return self._content(place, what, path, shipped, overlay)
        raise self._unknown(what, kind)

    def entries(self) -> list[Entry]:
        """Everything there is, sorted; of one name only what it resolves to."""
        own, shipped = self._homes()
        found: dict[tuple[str, str], Entry] = {}
        for entry in (*_entries(own), *_plugin_entries(), *_entries(shipped)):
            found.setdefault((entry.kind, entry.name), entry)
        return [found[key] for key in sorted(found)]

    def _homes(self) -> tuple[Project | None, Project | None]:
        """The project one stands in, and the stock (None where they are the same)."""
        own, shipped = find_project(self.folder), stock()
        same = own is not None and shipped is not None and own.root == shipped.root
        return own, None if same else shipped

    def _inline(self, config: Mapping[str, Any], kind: str, overlay: str | None) -> Found:
        if overlay is not None:
            raise ConfigError("a config given inline has no overlays", hint="lay it over before: {**config, ...}")
        refuse_secrets(config)
        found = check_kind(config, kind, "")
        layers = self._homes()
        return Found(found, _name(config, found), config, None, None, lambda: using(project_layer(*layers)))

    def _file(self, path: Path, kind: str, overlay: str | None) -> Found:
        if os.path.isdir(path):
            path = next((p for k in ((kind,) if kind else PLACES) if (p := path / f"{k}.yaml").is_file()), path)
        own = find_project(self.folder)
        if own is not None and path.resolve() == own.entries("tool").get(path.stem):
            return self.find(path.stem, kind or "tool")
        if path.suffix not in ENDINGS and not path.is_dir():
            code = "a tool is found by its name, in the tools/ of the project you stand in"
            hint = code if path.suffix == ".py" else "a name, or a file that ends in .yaml"
            raise ConfigError("neither YAML nor JSON", path=show(path), hint=hint)
        for project in self._homes():
            if project is not None and project.holds(path):
                return self._content(kind, "", path, project, overlay)
        return self._content(kind, "", path, None, overlay, origin="file")

    def _content(
        self, kind: str, name: str, path: Path, project: Project | None, overlay: str | None, origin: str = "plugin"
    ) -> Found:
        if name and project is not None and not project.holds(path):
            hint = f"copy it into {show(project.root / PLACES[kind][0])}"
            raise ConfigError("a symbolic link leads out of the project", path=show(path), hint=hint)
        scope = self._scope(path, project, origin)
        origin = origin if project is None else project.origin
        root = path.resolve().parent if project is None else project.root
        if path.suffix == ".py":
            if overlay is not None:
                raise ConfigError("a tool has no overlays", path=show(path))
            config: dict[str, Any] = {"type": f"tool/{name}", "description": describe(path)}
            return Found("tool", name, config, path, root, scope, origin)
        config = read_config(path)
        for each in () if overlay is None else overlay.split(","):
            config = lay_over(config, read_config(_overlay(path, each.strip())))
        found = check_kind(config, kind, show(path))
        return Found(found, name or _name(config, found, path), config, path, root, scope, origin)

    def _scope(self, path: Path, project: Project | None, origin: str) -> Callable[[], AbstractContextManager[Any]]:
        @contextmanager
        def scope() -> Iterator[Any]:
            own, shipped = self._homes()
            beneath = project_layer(project or own, shipped)
            folder = None if project is None else project.world_folder(path)
            layer = beneath if project is None or folder is None else world_layer(project, folder, beneath)
            try:
                with using(layer):
                    yield layer
            except UnknownTypeError as error:
                if origin == "file" and (path.parent / "blocks").is_dir():
                    error.hint = (
                        f"{show(path.parent / 'blocks')} is not loaded: the file lies outside of the project you stand "
                        "in; if you trust it, put it under worlds/ of a project"
                    )
                raise

        return scope

    def _unknown(self, what: str, kind: str) -> UnknownTypeError:
        names = [entry.name for entry in self.entries() if kind in ("", entry.kind)]
        places = (Path(what), *(Path(what + e) for e in ENDINGS)) if what else ()
        beside = next((p for p in places if os.path.exists(p)), None)  # Path.exists raises for a name that is too long
        hint = f"./{beside}  (a path is written with a slash or its ending)" if beside is not None else ""
        said = shorten(what, 80)
        return UnknownTypeError(f"no {kind or 'entry'} {said!r}; {close_names(said, names)}", hint=hint)


def describe(path: Path) -> str:
    """One line about a file, without running it: `description:`, the first comment, or the docstring."""
    try:
        text = read_text(path)
        if path.suffix == ".py":
            return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
        said = read_config(path).get("description")
    except (YggdrasilError, SyntaxError, ValueError) as error:
        return f"broken: {type(error).__name__}; yggdrasil validate says more"
    if isinstance(said, str):
        return said.strip().partition("\n")[0]
    return text.partition("\n")[0].lstrip("# ") if text.startswith("#") else ""


def check_kind(config: Mapping[str, Any], kind: str, path: str) -> str:
    """The kind of a config; ConfigError when it is none, or another than the one wanted."""
    said = config.get("kind")
    if said is None:
        said = next((name for name, signs in _SIGNS if signs & set(config)), kind)
    if not said:
        raise ConfigError(
            "nothing says what this is", path=path, hint="kind: world  (or graph, pipeline, stage, agent)"
        )
    if not isinstance(said, str):
        raise ConfigError(f"kind: {said!r} is no name", path=path, hint="kind: world")
    if kind and said != kind:
        raise ConfigError(f"this is a {said}, not a {kind}", path=path, hint=f"kind: {kind}")
    return said


def plugin_file(kind: str, name: str) -> Path | None:
    """The file of an installed plugin: entry point `name = package` of group `yggdrasil.worlds` or `yggdrasil.agents`.

    The package holds `world.yaml` (or `agent.yaml`); it is located, not imported.
    """
    if kind not in ("world", "agent"):
        return None
    for entry in metadata.entry_points(group=f"yggdrasil.{kind}s", name=name):
        try:
            spec = find_spec(entry.module)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"the plugin {entry.value!r} that offers {name!r} is broken: {error}") from error
        folders = [] if spec is None else list(spec.submodule_search_locations or ())
        path = next((p for folder in folders if (p := Path(folder) / f"{kind}.yaml").is_file()), None)
        if path is None:
            raise ConfigError(f"the plugin {entry.value!r} that offers {name!r} holds no {kind}.yaml")
        return path
    return None


def _entry(project: Project | None, kind: str, name: str) -> Path | None:
    return None if project is None or kind not in PLACES else project.entries(kind).get(name)


def _entries(project: Project | None) -> Iterator[Entry]:
    if project is not None:
        for kind in PLACES:
            for name, path in project.entries(kind).items():
                yield Entry(kind, name, project.origin, describe(path), path)


def _plugin_entries() -> Iterator[Entry]:
    for kind in ("agent", "world"):
        for entry in metadata.entry_points(group=f"yggdrasil.{kind}s"):
            yield Entry(kind, entry.name, "plugin", f"from {entry.value}", None)
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        role, _, name = entry.name.partition("/")
        if role == "tool":
            yield Entry("tool", name, "plugin", f"from {entry.value}", None)


def _is_path(what: str) -> bool:
    return "/" in what or "\\" in what or what.startswith(".") or what.endswith((*ENDINGS, ".py"))


def _name(config: Mapping[str, Any], kind: str, path: Path | None = None) -> str:
    """The name a config gives itself, else that of its file or folder."""
    said = config.get("name", config.get(f"{kind}_id"))
    if isinstance(said, str) and said.strip():
        return said
    if path is None:
        return kind
    return path.resolve().parent.name if path.stem == kind else path.stem


def _overlay(path: Path, overlay: str) -> Path:
    """`NAME.yaml` beside a config."""
    others = sorted(p.stem for p in path.parent.glob("*.yaml") if p != path)
    if not re.fullmatch(r"[\w-]+", overlay) or overlay not in others:
        raise UnknownTypeError(f"no overlay {overlay!r}; {close_names(overlay, others)}", path=show(path.parent))
    return path.with_name(f"{overlay}.yaml")
