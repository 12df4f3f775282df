"""Links are followed in living worlds, in End Worlds, and fail loudly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from yggdrasil import ConfigError, CorruptError, UnknownTypeError, World, WorldError
from yggdrasil.core.links import link
from yggdrasil.levels.resolve import resolve

pytestmark = pytest.mark.anyio


async def test_links_name_passages_artifacts_entries_nodes_and_the_world_itself() -> None:
    async with World.open("midgard", overlay="text", seed=3) as world:
        await world.run(ticks=3)
        kara = next(iter(world.content["characters"]))
        assert await world.resolve(link("midgard", "content", "characters", kara)) == world.content["characters"][kara]
        assert await world.resolve("ygg://midgard@3/state/intent") == world.state["intent"]
        assert await world.resolve("ygg://midgard/history/1") == (await world.history())[0]
        assert (await world.resolve("ygg://midgard"))["content_hash"] == world.content_hash
        assert await world.resolve(f"ygg://midgard/content/places#{world.content_hash[:16]}") == world.content["places"]
        node = next(path for path, _ in world.definition.walk() if path.count("/") == 1)
        assert (await world.resolve(link("midgard", "stages", *node.split("/"))))["type"].startswith("midgard/")


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("ygg://midgard/content/charakters", ConfigError, "'characters'"),
        ("ygg://midgard/history/99", ConfigError, "counted from 1"),
        ("ygg://midgard/stages/nobody", ConfigError, "no node"),
        ("ygg://midgard@7", WorldError, "tick 7 is not there"),
        ("ygg://midgard/content#ffffffffffff", CorruptError, "pinned"),
        ("ygg://midgart/content", UnknownTypeError, "midgard"),
    ],
)
async def test_what_leads_nowhere_says_so(text: str, kind: type[Exception], says: str) -> None:
    async with World.open("midgard", overlay="text") as world:
        with pytest.raises(kind, match=says):
            await world.resolve(text)


async def test_an_end_world_in_a_file_can_be_linked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "worlds" / "utgard"
    folder.mkdir(parents=True)
    (tmp_path / "yggdrasil.toml").write_text("")
    ended = {"kind": "world", "version": 1, "name": "utgard", "content": {"places": {"hall": {"of": "giants"}}}}
    (folder / "world.yaml").write_text(json.dumps(ended))
    monkeypatch.chdir(tmp_path)
    assert await resolve("ygg://utgard/content/places/hall/of") == "giants"
    async with World.open("midgard", overlay="text") as world:
        assert await world.resolve("ygg://utgard/content/places/hall") == {"of": "giants"}
