from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import Block, ConfigError, Graph, UnknownTypeError, block, register
from yggdrasil.core.ports import Spec
from yggdrasil.runtime.registry import STOCK, Registry, active_registry, using


class Scale(Block):
    block_type = "demo/scale"
    spec = Spec.declare({"x": float}, {"y": float})

    def __init__(self, factor: float = 2.0) -> None:
        if factor == 0:
            raise ZeroDivisionError("factor is 0")
        self.factor = factor

    async def execute(self, inputs: Any, ctx: Any) -> Any:
        return {"y": inputs["x"] * self.factor}


@pytest.fixture
def registry() -> Iterator[Registry]:
    with using(Registry()) as fresh:
        yield fresh


def plugin(folder: Path, name: str, entries: str, code: str) -> None:
    """A plugin as pip leaves it in site-packages."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[yggdrasil.blocks]\n{entries}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


GOOD = """
from yggdrasil import Block
from yggdrasil.core.ports import Spec
class Rune(Block):
    block_type = "good/rune"
    spec = Spec.declare({}, {"y": int})
    async def execute(self, inputs, ctx):
        return {"y": 1}
"""


def test_a_class_and_a_function(registry: Registry) -> None:
    register("demo/scale")(Scale)

    @block("demo/greet")
    def greet(name: str, *, mark: str = "!") -> str:
        return name + mark

    made = registry.build("demo/scale", {"factor": 3.0})
    assert isinstance(made, Scale)
    assert made.config == {"factor": 3.0}
    assert registry.build("demo/scale", {}).config == {}  # type: ignore[attr-defined]
    assert registry.build("demo/greet", {"mark": "?"})("Kara") == "Kara?"  # type: ignore[operator]
    assert {"demo/scale", "demo/greet"} <= registry.names()


def test_an_unknown_type_offers_close_names(registry: Registry) -> None:
    registry.register("demo/scale", Scale)
    with pytest.raises(UnknownTypeError, match="did you mean 'demo/scale'"):
        registry.build("demo/scael", {})
    with pytest.raises(UnknownTypeError, match="no block type"):
        Graph().add_node("x", {"type": "no/such"})


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"facto": 3}, "did you mean 'factor'"),
        ({3: 3}, "demo/scale"),
        ({"factor": 0}, "cannot be built: ZeroDivisionError: factor is 0"),
    ],
)
def test_a_config_that_does_not_fit(registry: Registry, config: Any, sentence: str) -> None:
    registry.register("demo/scale", Scale)
    with pytest.raises(ConfigError, match=sentence):
        registry.build("demo/scale", config)


def test_names(registry: Registry) -> None:
    registry.register("demo/scale", Scale)
    registry.register("demo/scale", Scale)  # the same again is nothing new
    with pytest.raises(ConfigError, match=r"'demo/scale' is taken by .*Scale"):
        registry.register("demo/scale", type("Other", (Scale,), {}))
    for name in ("", "/x", "x/"):
        with pytest.raises(ConfigError, match="no type name"):
            registry.register(name, Scale)
    stocked = Registry(stock={"llm/api": "some.module:Thing"})
    with pytest.raises(ConfigError, match=r"taken by some\.module\.Thing"):
        stocked.register("llm/api", Scale)
    stocked.register("demo/n", int)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="gave int, which cannot run"):
        stocked.build("demo/n", {})


def test_a_layer_is_seen_by_its_project_only(registry: Registry) -> None:
    registry.register("demo/scale", Scale)
    layer, other = Registry(registry), Registry(registry)
    with using(layer):
        register("demo/mine")(type("Mine", (Scale,), {}))
        assert active_registry() is layer
        assert {"demo/mine", "demo/scale"} <= layer.names()
    assert "demo/mine" not in registry.names() | other.names()
    layer.register("demo/scale", type("Own", (Scale,), {}))  # a layer may cover what lies beneath
    assert type(layer.build("demo/scale", {})).__name__ == "Own"
    assert type(other.build("demo/scale", {})) is Scale


def test_the_stock_is_there() -> None:
    for name in STOCK:
        assert callable(active_registry().factory(name))


def test_plugins(site: Path) -> None:
    plugin(site, "good_plugin", "good/rune = good_plugin:Rune\n", GOOD)
    plugin(site, "bad_plugin", "bad/rune = bad_plugin:Rune\n", "raise RuntimeError('no rune here')\n")
    plugin(site, "gone_plugin", "gone/rune = gone_plugin:Rune\n", "")
    plugin(site, "exit_plugin", "exit/rune = exit_plugin:Rune\n", "raise SystemExit(3)\n")
    registry = Registry()
    assert {"good/rune", "bad/rune", "gone/rune", "exit/rune"} <= registry.names()
    assert registry.build("good/rune", {}).block_type == "good/rune"
    for name, reason in (("bad", "no rune here"), ("gone", "Rune"), ("exit", "SystemExit")):
        with pytest.raises(UnknownTypeError, match=rf"{name}/rune.*{reason}"):
            registry.build(f"{name}/rune", {})
    assert registry.build("good/rune", {}).block_type == "good/rune"


def test_two_plugins_of_one_name(site: Path) -> None:
    plugin(site, "one_plugin", "same/rune = one_plugin:Rune\n", GOOD)
    plugin(site, "two_plugin", "same/rune = two_plugin:Rune\n", GOOD)
    with pytest.raises(ConfigError, match="one_plugin:Rune and two_plugin:Rune"):
        Registry().build("same/rune", {})


def test_looking_for_names_loads_no_plugin(site: Path) -> None:
    plugin(site, "loud_plugin", "loud/rune = loud_plugin:Rune\n", "raise RuntimeError('loaded')\n")
    Registry().names()
    assert "loud_plugin" not in sys.modules
