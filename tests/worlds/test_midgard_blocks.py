"""The blocks of midgard as plain functions: what each stage makes of its inputs."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
import yaml

from yggdrasil import Blob
from yggdrasil.abc.context import Run, RunContext
from yggdrasil.catalog.code import load
from yggdrasil.catalog.project import stock
from yggdrasil.core.canonical import canonical

ROOT = Path(__file__).parents[2]
SEASONS = ("spring", "summer", "autumn", "winter")


def blocks(name: str) -> ModuleType:
    """A module of midgard's blocks, as the catalogue loads it."""
    project = stock()
    assert project is not None
    return load(project, project.root / "worlds" / "midgard" / "blocks" / f"{name}.py")


def context(seed: int = 1) -> RunContext:
    """A place in a run."""
    return RunContext(Run(seed=seed, scope="tick:1"), "midgard")


@pytest.fixture
def world() -> dict[str, Any]:
    """The content a new midgard begins with, and an empty history."""
    folder = ROOT / "worlds" / "midgard" / "content"
    content = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}
    return {**content, "history": {"length": 0, "head": "", "recent": []}}


def develop(world: dict[str, Any], action: str | None = None, proposal: Any = None, seed: int = 1) -> dict[str, Any]:
    """Block 1."""
    made: dict[str, Any] = blocks("development").development(world, action, proposal, ctx=context(seed))
    return made


def scenes(world: dict[str, Any], count: int, seed: int) -> list[dict[str, Any]]:
    """Random blueprints over all places, kinds, seasons, lights and weathers."""
    architect, weather = blocks("architect").architect, blocks("weather")
    kinds, chance = sorted(blocks("scenes").SCENES), Random(seed)
    made = []
    for _ in range(count):
        season = chance.choice(SEASONS)
        sky = weather.settled(
            chance.choice(["clear", "clear", "fair", "overcast", "rain", "fog", "snow", "storm"]), season
        )
        where = chance.choice(sorted(world["places"]))
        intent = {
            "kind": "fishing"
            if where == "skarnfjord"
            else chance.choice([kind for kind in kinds if kind != "fishing"]),
            "where": where,
            "who": chance.sample(sorted(world["characters"]), chance.randint(1, 4)),
            "when": {"season": season, "light": chance.choice(["night", "dawn", "day", "dusk"]), "hour": 12},
            "weather": {"kind": sky, "wind": chance.randint(*weather.WIND[sky]), "snow": chance.choice([0, 0, 4])},
        }
        made.append(architect(intent, world, ctx=context(chance.randint(0, 9999))))
    return made


def test_development_is_the_same_for_the_same_seed_and_changes_nothing(world: dict[str, Any]) -> None:
    before = canonical(world)
    intents = [canonical(develop(world, seed=seed)) for seed in (1, 1, 2, 3, 4, 5)]
    assert intents[0] == intents[1]
    assert len(set(intents)) > 3
    assert canonical(world) == before


def test_development_does_not_depend_on_the_order_of_insertion(world: dict[str, Any]) -> None:
    shuffled = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value for key, value in world.items()
    }
    shuffled["rules"] = world["rules"]
    for seed in range(12):
        assert canonical(develop(world, seed=seed)) == canonical(develop(shuffled, seed=seed))


@pytest.mark.parametrize(
    ("action", "kind", "who"),
    [
        ("Kara lights the beacon", "beacon", "kara"),
        ("Runa goes hunting in Myrkskog", "hunting", "runa"),
        ("Sigrid tells the children a story", "tale", "sigrid"),
        ("Ingrid bakes a loaf and sings", "deed", "ingrid"),
        ("Hakon juggles three apples", "deed", "hakon"),
        ("Toke climbs the roof and shouts", "deed", "toke"),
    ],
)
def test_an_action_is_matched_by_names_and_verbs(world: dict[str, Any], action: str, kind: str, who: str) -> None:
    intent = develop(world, action)
    assert intent["kind"].startswith(kind)
    assert who in intent["who"]
    assert intent["action"] == action


def test_a_deed_is_told_in_the_past(world: dict[str, Any]) -> None:
    assert develop(world, "Toke climbs the roof and shouts")["gist"] == "climbed the roof and shouted"


@pytest.mark.parametrize("seed", range(5))
def test_no_action_raises_the_dead_or_kills_by_word(world: dict[str, Any], seed: int) -> None:
    risen = develop(world, "Asmund comes back from the dead", seed=seed)
    assert risen["kind"] == "dream"
    assert "asmund" not in risen["who"]
    slain = develop(world, "Bjorn kills Ulf with an axe", seed=seed)
    assert not any(effect["do"] == "die" for effect in slain["effects"])
    dragon = develop(world, "A wyrm of fire eats the moon", seed=seed)
    assert dragon["kind"] == "rumour"


def test_an_action_may_bring_weather(world: dict[str, Any]) -> None:
    assert develop(world, "Let a great storm come")["weather"]["kind"] == "storm"


def test_a_dropped_state_is_a_proposal(world: dict[str, Any]) -> None:
    proposal = {"intent": {"kind": "hunting", "who": ["runa"], "where": "myrkskog"}}
    intent = develop(world, proposal=proposal)
    assert intent["kind"].startswith("hunting")
    assert "runa" in intent["who"]
    assert intent["from_proposal"] is True
    assert develop(world, proposal={"blueprint": {"size": [1, 1]}})["kind"]


def test_an_intent_says_nothing_of_how_to_paint(world: dict[str, Any]) -> None:
    intent = develop(world)
    assert set(intent) >= {"kind", "what", "who", "where", "when", "weather", "causes", "threads", "effects"}
    assert not {"size", "seed", "figures", "houses", "camera", "texture"} & set(intent)
    for cause in intent["causes"]:
        assert cause.split("/")[1] in world


def test_a_blueprint_gives_the_same_bytes(world: dict[str, Any]) -> None:
    paint = blocks("painter").painter
    first, second = scenes(world, 2, 3)
    one, two = (paint(first)["images"][0]["payload"] for _ in range(2))
    assert isinstance(one, Blob)
    assert one.data == two.data
    assert one.data != paint(second)["images"][0]["payload"].data


def test_a_picture_is_a_png_of_its_size(world: dict[str, Any]) -> None:
    from PIL import Image

    image = blocks("painter").painter(scenes(world, 1, 4)[0])["images"][0]
    with Image.open(io.BytesIO(image["payload"].data)) as opened:
        opened.load()
        assert (opened.format, opened.size, opened.info) == ("PNG", (512, 384), {})
    assert len(image["description"]) < 80


def test_a_bare_blueprint_can_be_painted() -> None:
    assert blocks("painter").painter({"light": "dusk"})["images"][0]["payload"].data.startswith(b"\x89PNG")


def test_the_seer_is_right_more_often_than_not(world: dict[str, Any]) -> None:
    """On 60 blueprints it was not made with: light and season on 4 of 5, fires and figures within one on 7 of 10."""
    paint, see = blocks("painter").painter, blocks("seer").seer
    held_out = scenes(world, 60, 2024)
    right = {"light": 0, "season": 0, "weather": 0, "fires": 0, "figures": 0}
    for blueprint in held_out:
        seen = see(paint(blueprint))
        for key in ("light", "season", "weather"):
            right[key] += seen[key] == blueprint[key]
        for key in ("fires", "figures"):
            right[key] += abs(seen[key] - len(blueprint[key])) <= 1
    assert right["light"] >= 48, right
    assert right["season"] >= 48, right
    assert right["fires"] >= 42, right
    assert right["figures"] >= 42, right
    assert right["weather"] >= 36, right


def test_the_seer_reads_pixels_and_nothing_else(world: dict[str, Any]) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    see, artifacts = blocks("seer").seer, blocks("painter").painter(scenes(world, 1, 5)[0])
    lies = PngInfo()
    lies.add_text("season", "a lie")
    with Image.open(io.BytesIO(artifacts["images"][0]["payload"].data)) as opened:
        kept = io.BytesIO()
        opened.save(kept, "PNG", pnginfo=lies)
        mirrored = io.BytesIO()
        opened.rotate(180).save(mirrored, "PNG")
    told = {"images": [{"payload": Blob(kept.getvalue(), "image/png"), "description": "a lie"}]}
    assert see(told) == see({"images": artifacts["images"]})
    turned = {"images": [{"payload": Blob(mirrored.getvalue(), "image/png"), "description": ""}]}
    assert see(turned) != see(artifacts)


@pytest.mark.parametrize(
    "artifacts", [{}, {"images": []}, {"images": [{"payload": Blob(b"no png")}]}, {"texts": [{"payload": "x"}]}]
)
def test_the_seer_says_when_it_sees_nothing(artifacts: dict[str, Any]) -> None:
    assert "no picture" in blocks("seer").seer(artifacts)["words"]


def test_the_listener_reads_what_the_teller_told(world: dict[str, Any]) -> None:
    for blueprint in scenes(world, 40, 6):
        heard = blocks("listener").listener(blocks("teller").teller(blueprint))
        assert (heard["light"], heard["season"], heard["weather"]) == tuple(
            blueprint[k] for k in ("light", "season", "weather")
        )
        assert heard["figures"] == len(blueprint["figures"])


def tick(
    world: dict[str, Any], intent: dict[str, Any], description: dict[str, Any]
) -> tuple[dict[str, Any], list[Any]]:
    """The chronicle of an intent, and the patch of it."""
    chronicle = blocks("scribe").scribe(intent, {}, {}, description, world, ctx=context())
    return chronicle, blocks("update").update(intent, {}, {}, description, chronicle, world)


def test_where_the_picture_shows_a_fouler_day_less_is_won(world: dict[str, Any]) -> None:
    intent = develop(world, "Hakon goes fishing")
    intent["weather"]["kind"] = "clear"
    fair, _ = tick(world, intent, {"weather": "clear"})
    foul, _ = tick(world, intent, {"weather": "storm"})

    def won(chronicle: dict[str, Any]) -> int:
        return sum(e["by"] for e in chronicle["events"] if e.get("do") == "store" and e["what"] == "food")

    assert 0 < won(foul) < won(fair)
    assert fair["text"] != foul["text"]


def test_the_chronicle_is_prose_of_two_to_six_sentences(world: dict[str, Any]) -> None:
    count = blocks("words").sentences
    for seed in range(60):
        chronicle, _ = tick(world, develop(world, seed=seed), {})
        assert 2 <= count(chronicle["text"]) <= 6, chronicle["text"]
        assert "{" not in chronicle["text"]


def test_every_kind_has_its_own_frames() -> None:
    kinds = set(blocks("development").HAPPENINGS) - {"fever-death"}
    assert kinds <= set(blocks("scribe").FRAMES)


def test_the_rules_refuse_what_cannot_be(world: dict[str, Any]) -> None:
    effects = [
        {"do": "born", "id": "kara", "person": world["characters"]["kara"]},
        {"do": "die", "who": "asmund", "cause": "again"},
        {"do": "wed", "a": "ulf", "b": "kara", "home": "skarvik"},
        {"do": "settle", "who": "kara", "home": "valhall"},
        {"do": "store", "place": "skarvik", "what": "gold", "by": 5},
        {"do": "wish", "who": "kara"},
        {"do": "store"},
    ]
    chronicle = {"text": "It was told.", "day": 121, "events": effects}
    patch = blocks("update").update({"kind": "told"}, {}, {}, {}, chronicle, world)
    entry = patch[-1]
    assert entry["path"] == "/history/-"
    assert entry["value"]["refused"] == effects
    assert entry["value"]["events"] == []
    assert not any(op["path"].startswith("/characters") and op["op"] == "remove" for op in patch)


def test_a_store_never_falls_below_nothing(world: dict[str, Any]) -> None:
    chronicle = {
        "text": "Rats.",
        "day": 121,
        "events": [{"do": "store", "place": "skarvik", "what": "food", "by": -9999}],
    }
    patch = blocks("update").update({}, {}, {}, {}, chronicle, world)
    assert {"op": "replace", "path": "/stores/skarvik/food", "value": 0} in patch


@pytest.mark.parametrize(
    "chronicle", [{"text": "Something."}, {"text": "x", "day": "soon", "events": "none"}, {"events": [None, 3]}]
)
def test_a_state_from_elsewhere_still_updates(world: dict[str, Any], chronicle: dict[str, Any]) -> None:
    before = copy.deepcopy(world)
    patch = blocks("update").update({"text": "an intent of somebody else's"}, {}, {}, {}, chronicle, world)
    assert patch[-1]["path"] == "/history/-"
    assert world == before


def test_a_state_from_elsewhere_is_still_told_and_staged(world: dict[str, Any]) -> None:
    told = blocks("scribe").scribe({"text": "a stone was raised"}, {}, {}, {}, world, ctx=context())
    assert told["text"].startswith("A stone was raised")
    assert blocks("architect").architect({"text": "a stone"}, world, ctx=context())["figures"] == []
