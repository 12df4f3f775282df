from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from yggdrasil.catalog.catalog import StandardCatalog, describe
from yggdrasil.catalog.code import load, package_of
from yggdrasil.catalog.project import Project, find_project, stock
from yggdrasil.errors import ConfigError, SecretError, UnknownTypeError
from yggdrasil.runtime.registry import REGISTRY, active_registry

WORLD = "kind: world\nversion: 1\nname: saga\ndescription: A small one.\n"


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_yaml", ".yaml").replace("_py", ".py").replace("_toml", ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return root.resolve()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(
        tmp_path / "home",
        yggdrasil_toml='name = "home"\n',
        worlds__saga__world_yaml=WORLD,
        worlds__saga__calm_yaml="name: calm\nexecution: {seed: 3}\n",
        worlds__saga__blocks__song_py="""
            from yggdrasil import block
            from .words import WORD
            @block("saga/song")
            def song() -> str:
                return WORD
            """,
        worlds__saga__blocks__words_py="WORD = 'hail'\n",
        tools__lots_py='''
            """Drawing lots."""
            from yggdrasil import tool
            @tool
            def draw(names: list[str]) -> str:
                """Draw one."""
                return names[0]
            ''',
        tools__broken_py='"""Broken."""\nimport nothing_at_all\n',
        agents__scribe__agent_yaml="kind: agent\nname: scribe\ntype: test/scribe\ninstructions: {ref: prompt.md}\n",
    )


def test_a_project_is_found_from_below(project: Path, tmp_path: Path) -> None:
    found = find_project(project / "worlds" / "saga")
    assert found == Project(project, "home")
    assert find_project(tmp_path) is None
    write(tmp_path / "other", pyproject_toml="[tool.yggdrasil]\n")
    assert find_project(tmp_path / "other") == Project((tmp_path / "other").resolve(), "other")
    write(tmp_path / "none", pyproject_toml="[tool.ruff]\n# about tool.yggdrasil\n")
    assert find_project(tmp_path / "none") is None
    write(tmp_path / "bad", yggdrasil_toml="name = \n")
    with pytest.raises(ConfigError, match=r"yggdrasil\.toml: not TOML"):
        find_project(tmp_path / "bad")
    write(tmp_path / "worse", yggdrasil_toml="name = '../x'\n")
    with pytest.raises(ConfigError, match="name"):
        find_project(tmp_path / "worse")


def test_the_stock_is_there_from_anywhere(tmp_path: Path) -> None:
    catalog = StandardCatalog(tmp_path)
    kinds = {(e.kind, e.name): e for e in catalog.entries()}
    assert {("world", "midgard"), ("tool", "dice"), ("agent", "chronicler")} <= set(kinds)
    assert all(e.origin == "stock" and e.description and "broken" not in e.description for e in kinds.values())
    shipped = stock()
    assert shipped is not None
    found = catalog.find("midgard", "world", overlay="text")
    assert (found.origin, found.name, found.root) == ("stock", "midgard", shipped.root)
    assert (
        found.config["execution"]["stages"]["creator"]
        != catalog.find("midgard", "world").config["execution"]["stages"]["creator"]
    )


def test_names_resolve_in_the_project_first(project: Path) -> None:
    write(project, worlds__midgard__world_yaml="kind: world\nname: mine\n")
    catalog = StandardCatalog(project / "tools")
    assert catalog.find("midgard", "world").config == {"kind": "world", "name": "mine"}
    assert catalog.find("dice", "tool").origin == "stock"
    names = [(e.kind, e.name, e.origin) for e in catalog.entries()]
    assert ("world", "midgard", "project") in names
    assert ("world", "midgard", "stock") not in names
    assert [e.description for e in catalog.entries() if e.name in ("lots", "saga")] == ["Drawing lots.", "A small one."]


def test_finding_and_listing_run_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched = project / "touched"
    code = f"from pathlib import Path\nPath({str(touched)!r}).touch()\n"
    write(project, tools__spy_py=code, worlds__saga__blocks__spy_py=code)
    catalog = StandardCatalog(project)
    catalog.entries()
    for name, kind in (("spy", "tool"), ("saga", "world")):
        catalog.find(name, kind)
    assert not touched.exists()
    with catalog.find("saga", "world").scope():
        assert touched.exists()


def test_a_scope_knows_the_types_of_its_place(project: Path) -> None:
    catalog = StandardCatalog(project)
    before = set(sys.path), REGISTRY.names()
    with catalog.find("saga", "world").scope():
        registry = active_registry()
        assert {"saga/song", "tool/lots", "tool/draw", "tool/dice", "agent/scribe"} <= registry.names()
        assert registry.build("saga/song", {}).block_type == "saga/song"
        assert registry.build("tool/lots", {}).label == "draw"
        with pytest.raises(ConfigError, match=r"broken\.py:2.*nothing_at_all"):
            registry.build("tool/broken", {})
        assert "midgard/development" not in registry.names(), "a world's blocks are its own"
    with catalog.find("lots", "tool").scope():
        assert "saga/song" not in active_registry().names()
    assert active_registry() is REGISTRY
    assert (set(sys.path), REGISTRY.names()) == before


def test_an_agent_file_becomes_a_block(project: Path) -> None:
    from yggdrasil import block
    from yggdrasil.runtime.registry import register

    seen: dict[str, str] = {}

    @block
    def scribe() -> str:
        return ""

    def build(name: str, instructions: str = "", voice: str = "") -> object:
        seen.update(name=name, instructions=instructions, voice=voice)
        return scribe

    catalog = StandardCatalog(project)
    with catalog.find("scribe", "agent").scope() as layer:
        register("test/scribe")(build)
        with pytest.raises(ConfigError, match=r"prompt\.md"):
            layer.build("agent/scribe", {})
        (project / "agents" / "scribe" / "prompt.md").write_text("Write.")
        assert layer.build("agent/scribe", {"voice": "low"}) is scribe
    assert seen == {"name": "scribe", "instructions": "Write.", "voice": "low"}


def test_what_someone_sent_runs_none_of_its_code(project: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    sent = write(
        tmp_path / "sent",
        world_yaml=WORLD,
        yggdrasil_toml='name = "sent"\n',
        blocks__evil_py=f"from pathlib import Path\nPath({str(touched)!r}).touch()\n",
        tools__evil_py=f"from pathlib import Path\nPath({str(touched)!r}).touch()\n",
    )
    for where in (tmp_path, project):
        found = StandardCatalog(where).find(sent / "world.yaml", "world")
        assert (found.origin, found.root) == ("file", sent)
        with pytest.raises(UnknownTypeError, match="blocks is not loaded"), found.scope() as layer:
            layer.build("saga/song", {})
        with found.scope() as layer:
            assert "tool/dice" in layer.names()
            assert "tool/evil" not in layer.names()
    assert not touched.exists()
    inside = project / "worlds" / "sent"
    inside.symlink_to(sent)
    with pytest.raises(ConfigError, match="leads out of the project"):
        StandardCatalog(project).find("sent", "world")
    assert not touched.exists(), "a link does not bring code into the project"


def test_paths_names_and_mappings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    catalog = StandardCatalog()
    for what in ("worlds/saga", "./worlds/saga/world.yaml", Path("worlds/saga"), project / "worlds/saga/world.yaml"):
        found = catalog.find(what, "world")
        assert (found.name, found.origin, found.root) == ("saga", "project", project)
        with found.scope() as layer:
            assert "saga/song" in layer.names()
    inline = catalog.find({"kind": "world", "name": "x"}, "world")
    assert (inline.name, inline.file, inline.origin) == ("x", None, "inline")
    with inline.scope() as layer:
        assert "tool/lots" in layer.names()
    assert catalog.find({"graph_id": "g", "nodes": {}}, "").kind == "graph"
    overlaid = catalog.find("saga", "world", overlay="calm")
    assert overlaid.config["execution"] == {"seed": 3}
    assert overlaid.config["description"] == "A small one."


def test_what_is_wrong_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    catalog = StandardCatalog()
    with pytest.raises(UnknownTypeError, match="did you mean 'midgard'"):
        catalog.find("midgrad", "world")
    with pytest.raises(UnknownTypeError, match=r"\./worlds"):
        catalog.find("worlds", "world")
    with pytest.raises(ConfigError, match="no such file"):
        catalog.find("worlds/none.yaml", "world")
    with pytest.raises(ConfigError, match="neither YAML nor JSON"):
        catalog.find("./yggdrasil.toml", "world")
    with pytest.raises(ConfigError, match="a folder"):
        catalog.find("./tools", "world")
    with pytest.raises(UnknownTypeError, match="overlay 'clam'; did you mean 'calm'"):
        catalog.find("saga", "world", overlay="clam")
    with pytest.raises(UnknownTypeError, match="overlay"):
        catalog.find("saga", "world", overlay="../saga/calm")
    with pytest.raises(ConfigError, match="this is a agent, not a world"):
        catalog.find("./agents/scribe/agent.yaml", "world")
    with pytest.raises(ConfigError, match="no overlays"):
        catalog.find({"kind": "world"}, "world", overlay="calm")
    with pytest.raises(ConfigError, match="nothing says what this is"):
        catalog.find({"a": 1}, "")
    with pytest.raises(SecretError):
        catalog.find({"kind": "world", "api_key": "x"}, "world")


def test_two_projects_of_one_name_do_not_collide(tmp_path: Path) -> None:
    modules = []
    for number in (1, 2):
        root = write(
            tmp_path / f"p{number}",
            tools__same_py="from . import other\nVALUE = other.VALUE\n",
            tools__other_py=f"VALUE = {number}\n",
        )
        modules.append(load(Project(root, "twin"), root / "tools" / "same.py"))
    assert [m.VALUE for m in modules] == [1, 2]
    assert modules[0].__name__ == "_ygg_twin.tools.same"
    assert package_of(Project(tmp_path / "p1", "twin")) == "_ygg_twin"


def test_a_broken_file_is_described_not_raised(tmp_path: Path) -> None:
    path = tmp_path / "world.yaml"
    path.write_text("a: [")
    assert describe(path).startswith("broken: ConfigError")
    (tmp_path / "t.py").write_text("def (")
    assert describe(tmp_path / "t.py").startswith("broken: SyntaxError")
    path.write_text("# A quiet one.\nkind: world\n")
    assert describe(path) == "A quiet one."


def test_plugins_are_found_without_being_imported(tmp_path: Path) -> None:
    site = write(tmp_path / "site", sagapack__deep__world_yaml=WORLD)
    info = site / "sagapack-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sagapack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[yggdrasil.worlds]\ndeep = sagapack.deep\nlost = sagapack\n")
    code = """
import sys
from yggdrasil.catalog.catalog import StandardCatalog
from yggdrasil.errors import ConfigError
catalog = StandardCatalog()
found = catalog.find("deep", "world")
assert (found.name, found.origin) == ("deep", "plugin"), found
assert "sagapack.deep" not in sys.modules
assert ("world", "deep", "plugin") in [(e.kind, e.name, e.origin) for e in catalog.entries()]
try:
    catalog.find("lost", "world")
except ConfigError as error:
    assert "holds no world.yaml" in str(error)
else:
    raise AssertionError
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{site}:{root}"},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
