"""The wheel: one top-level name, the stock inside as data, and nothing of the workshop."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_one_top_level_name(names: list[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"yggdrasil"}


def test_the_stock_is_inside(names: list[str]) -> None:
    assert "yggdrasil/_catalog/worlds/midgard/world.yaml" in names
    for folder in ("agents", "tools", "worlds"):
        here = {
            f"yggdrasil/_catalog/{path.relative_to(ROOT)}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert here, f"{folder}/ has no entry"
        assert here <= set(names), sorted(here - set(names))
    teams = {f"yggdrasil/levels/teams/{path.name}" for path in (ROOT / "yggdrasil/levels/teams").glob("*.yaml")}
    assert len(teams) == 5
    assert teams <= set(names)
    assert "yggdrasil/py.typed" in names


def test_only_what_runs(names: list[str]) -> None:
    stray = [n for n in names if n.endswith((".pyc", ".db", ".lock")) or "/tests/" in n or "__pycache__" in n]
    assert not stray


def test_extras_and_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    assert set(extras) == {"torch", "train", "onnx", "serve", "ui", "postgres", "mcp", "ray", "full", "dev"}
    (full,) = extras["full"]
    assert all(name in full for name in set(extras) - {"full", "dev"})
    assert "yggdrasil" in project["tool"], "the repository is the first project"
    pins = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[:1].isalpha()]
    assert len(pins) > 20
    assert all("==" in line and "://" not in line for line in pins)
