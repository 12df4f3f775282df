"""`hf://` refs: brought from a hub (one on loopback), once, at a revision, and never anything that could run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.blocks.hub import hub
from tests.blocks.tiny_pipelines import saved
from yggdrasil import ConfigError
from yggdrasil.blocks.hub import Ref

DRAW = """
import sys, anyio, numpy
from yggdrasil import ConfigError, Graph

async def main():
    for ref in sys.argv[1:]:
        try:
            found = (await Graph.from_diffusers(ref).run(prompt="a house", steps=2, seed=7))["image"]
            print(found.shape, float(found.sum()))
        except ConfigError as error:
            print(error.sentence)

anyio.run(main)
"""


def draw(folder: Path, url: str, *refs: str, offline: bool = False) -> Any:
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(folder), "HF_HOME": str(folder / "hub"), "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_OFFLINE": "1" if offline else "0", "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", DRAW, *refs], env=environment, capture_output=True, text=True, timeout=110, check=False
    )


def test_a_model_of_a_hub_is_the_one_of_its_folder_and_is_brought_once(tmp_path: Path) -> None:
    folder = saved("sd", tmp_path / "sd")
    (folder / "evil.bin").write_bytes(b"\x80\x04never read")
    (folder / "unet" / "model.py").write_text("raise SystemExit('run')")
    with hub({"tiny/house": folder}, ("main", "v2")) as (url, asked):
        refs = ["hf://tiny/house", "hf://tiny/house@v2", "hf://tiny/house@v3", "hf://tiny/hose"]
        done = draw(tmp_path, url, str(folder), *refs)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[1] == lines[2]
        assert lines[0].startswith("(1, 32, 32, 3)")
        assert lines[1].startswith("(1, 32, 32, 3)")
        fetched = [line for line in asked if line.startswith("GET") and "/resolve/" in line]
        assert len(fetched) == len(set(fetched)), "nothing is brought twice"
        assert any("diffusion_pytorch_model.safetensors" in line for line in fetched)
        assert not any(line.endswith((".bin", ".py")) for line in fetched)
        assert lines[3].startswith("hf://tiny/house@v3 cannot be had")
        assert lines[4].startswith("hf://tiny/hose@main cannot be had")
    alone = draw(tmp_path, url, "hf://tiny/house", "hf://tiny/other", offline=True)  # the hub is gone, its cache is not
    assert alone.stdout.splitlines()[0] == lines[1], alone.stderr
    assert "hf://tiny/other@main cannot be had" in alone.stdout


@pytest.mark.parametrize("text", ["", "hf://", "hf://name", "hf://../x", "hf://a/b/c", "no/such/folder", 7])
def test_what_is_no_ref(text: Any) -> None:
    with pytest.raises(ConfigError):
        Ref.of(text)


def test_one_name_for_one_place(tmp_path: Path) -> None:
    assert Ref.of("hf://org/name").name == Ref.of("hf://org/name@main").name == Ref.of("org/name").name
    assert Ref.of("hf://org/name", "v2").name == Ref.of("hf://org/name@v2").name
    assert Ref.of(str(tmp_path)).name == Ref.of(f"{tmp_path}/../{tmp_path.name}").name
