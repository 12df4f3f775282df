from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from yggdrasil import ConfigError
from yggdrasil.cli.display import Lines, Records
from yggdrasil.cli.half_blocks import fits, half_blocks
from yggdrasil.cli.pictures import file_name, folder_for, write_pictures
from yggdrasil.cli.screen import Screen, clock, under_way
from yggdrasil.cli.words import say
from yggdrasil.core.blob import Blob
from yggdrasil.core.events import (
    ActionReceived,
    Event,
    ModelReplied,
    Progress,
    StageFinished,
    StageSkipped,
    StageStarted,
    StateDropped,
    TickFinished,
    TickStarted,
    Token,
    WorldOpened,
    WorldParked,
    WorldUpdated,
)

PICTURE = Blob(b"\x89PNG one", "image/png")

STORY: list[Event] = [
    WorldOpened(tick=0, store="memory://"),
    ActionReceived(tick=1, action="Kara lights the beacon"),
    TickStarted(tick=1),
    StageSkipped(tick=1, stage="philosopher", reason="artifacts is not filled"),
    StageStarted(tick=1, stage="author"),
    Progress(tick=1, done=1, note="writing"),
    StageFinished(tick=1, stage="author", block="chronicle", output={"text": "Kara [bold]lit[/bold] the beacon."}),
    StageFinished(tick=1, stage="environment/update", block="patch", output=[{"op": "remove", "path": "/a"}]),
    WorldUpdated(tick=1, patch=({"op": "remove", "path": "/a"},), content_hash="c" * 64),
    StageFinished(tick=1, stage="environment/development", block="intent", output={"summary": "A ship comes."}),
    StageFinished(tick=1, stage="creator", block="artifacts", output={"images": [PICTURE.reference()]}),
    TickFinished(tick=1, content_hash="c" * 64, tick_hash="t" * 64),
    StateDropped(tick=2, filled=("intent",)),
    WorldParked(tick=2, stage="architect", error="no wood"),
]


def test_records_are_one_object_a_line() -> None:
    out = io.StringIO()
    records = Records(out)
    for event in STORY:
        records.hear(event)
    read = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [r["event"] for r in read] == [e.kind for e in STORY]
    assert [r["tick"] for r in read] == [e.tick for e in STORY]
    assert read[-4]["output"] == {"images": [PICTURE.reference()]}


def test_lines_tell_the_story() -> None:
    out = io.StringIO()
    lines = Lines(out)
    for event in STORY:
        lines.hear(event)
    lines.picture(1, Path("m/tick-0001.png"))
    assert out.getvalue().splitlines() == [
        "a new world",
        "you: Kara lights the beacon",
        "tick 1",
        "  author: Kara [bold]lit[/bold] the beacon.",
        "  environment/update: 1 changes",
        "  environment/development: A ship comes.",
        f"  creator: image/png of {len(PICTURE.data)} bytes",
        f"  content {'c' * 12}  tick {'t' * 12}",
        "  dropped what was begun: intent",
        "  parked at architect: no wood",
        "  picture: m/tick-0001.png",
    ]


def test_the_screen_tells_it_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = Screen("midgard")
    try:
        for event in STORY:
            screen.hear(event)
        screen.picture(1, Path("m/tick-0001.png"))
        screen.note("stopping")
    finally:
        screen.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out)
    for words in (
        "midgard · tick 1",
        "Kara [bold]lit[/bold] the beacon.",
        "m/tick-0001.png",
        "no wood",
        "A ship comes.",
        "stopping",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("  a tale ", "a tale"),
        ({"text": "a tale", "title": "T"}, "a tale"),
        ({"chronicle": {"text": "a tale"}}, "a tale"),
        ([{"text": "old"}, {"text": "new"}], "new"),
        (["one", "two"], "one two"),
        ({"images": [PICTURE.reference()]}, f"image/png of {len(PICTURE.data)} bytes"),
        ({"texts": [{"payload": {"text": "x"}}]}, "x"),
        (
            {
                "audios": [{"payload": PICTURE.reference()}],
                "images": [{"payload": PICTURE.reference(), "description": "A fjord"}],
            },
            "A fjord",
        ),
        ({"n": 3}, '{"n": 3}'),
        ({"colours": ["blue"], "words": "A valley."}, "A valley."),
        (None, ""),
        ({}, ""),
    ],
)
def test_words_of_a_block(value: Any, words: str) -> None:
    assert say(value) == words
    assert len(say("x" * 100, 20)) == 20


@pytest.mark.parametrize(
    ("store", "folder"),
    [
        ("sqlite:///midgard.db", "midgard-pictures"),
        ("sqlite:///a/saga.db", "a/saga-pictures"),
        ("sqlite:////a/saga.db", "/a/saga-pictures"),
        ("a/saga.db", "a/saga-pictures"),
        ("memory://", "midgard-pictures"),
        ("postgresql://host/db", "midgard-pictures"),
    ],
)
def test_where_pictures_go(store: str, folder: str) -> None:
    assert folder_for(store, "midgard") == Path(folder)


def test_names_for_files() -> None:
    assert file_name("../a b/ö?") == "a-b-ö"
    assert file_name("...") == "world"


@pytest.mark.anyio
async def test_pictures_are_written_once(tmp_path: Path) -> None:
    second = Blob(b"jpeg", "image/jpeg")
    kept = {b.digest: b.data for b in (PICTURE, second)}
    asked: list[str] = []

    async def blob(digest: str) -> bytes:
        asked.append(digest)
        return kept[digest]

    text = Blob(b"hail", "text/plain").reference()
    state = {
        "artifacts": {
            "images": [{"payload": PICTURE.reference()}, {"payload": second.reference()}, PICTURE.reference()],
            "texts": [text],
        }
    }
    folder = tmp_path / "m-pictures"
    paths = [path async for path in write_pictures(folder, 3, state, blob)]
    assert [p.name for p in paths] == ["tick-0003.png", "tick-0003-2.jpg"]
    assert paths[0].read_bytes() == PICTURE.data
    before = paths[0].stat().st_mtime_ns
    assert [path async for path in write_pictures(folder, 3, state, blob)] == paths
    assert paths[0].stat().st_mtime_ns == before
    paths[0].write_bytes(b"half")
    assert [path.read_bytes() async for path in write_pictures(folder, 3, state, blob)][0] == PICTURE.data  # noqa: RUF015
    assert [path async for path in write_pictures(folder, 3, None, blob)] == []
    (tmp_path / "x-pictures").write_text("")
    with pytest.raises(ConfigError, match="no folder"):
        [path async for path in write_pictures(tmp_path / "x-pictures", 3, state, blob)]


def test_the_screen_shows_what_models_write_and_cost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("COLUMNS", "60"), ("LINES", "30"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    screen = Screen("midgard", 3)
    try:
        for event in (
            TickStarted(tick=4),
            StageStarted(tick=4, stage="author"),
            Token(tick=4, text="void", part="text"),
            Token(tick=4, part="restart"),
            Token(tick=4, text="Kara lit the "),
            Token(tick=4, text="beacon."),
            Token(tick=4, text="hm", part="thinking"),
            ModelReplied(tick=4, model="m", input_tokens=1200, output_tokens=34, cost=0.0125),
        ):
            screen.hear(event)
        now = "".join(segment.text for segment in screen.console.render(screen._now()))
        assert "Kara lit the beacon." in now
        assert "void" not in now
        assert "hm" not in now
        assert "tick 4/6" in now
        assert "author" in now
        assert "1.2k + 34 tokens  $0.0125" in now
        screen.hear(StageFinished(tick=4, stage="author", block="chronicle", output="Kara lit it."))
        assert "beacon" not in "".join(segment.text for segment in screen.console.render(screen._now()))
    finally:
        screen.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out)
    assert "0 ticks in 0:00  1.2k + 34 tokens  $0.0125" in shown


def test_a_picture_in_half_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image
    from rich.console import Console

    path = tmp_path / "p.png"
    picture = Image.new("RGB", (8, 8), (200, 0, 0))
    picture.paste((0, 0, 200), (0, 1, 8, 2))
    picture.save(path)
    segments = list(half_blocks(path, 8, 4))
    rows = "".join(s.text for s in segments).splitlines()
    assert rows == ["  " + "▀" * 8] * 4
    style = segments[1].style
    assert style is not None
    assert style.color is not None
    assert style.bgcolor is not None
    assert (tuple(style.color.triplet or ()), tuple(style.bgcolor.triplet or ())) == ((200, 0, 0), (0, 0, 200))
    assert not fits(Console(file=io.StringIO(), force_terminal=True, color_system="256"))
    for encoding, good in (("utf-8", True), ("ascii", False)):
        out = io.TextIOWrapper(io.BytesIO(), encoding)
        assert fits(Console(file=out, force_terminal=True, color_system="truecolor")) == good


def test_lines_say_what_models_cost() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.hear(ModelReplied(tick=1, model="m", input_tokens=10_400, output_tokens=2_000_000))
    lines.close()
    lines.close()
    assert out.getvalue() == "10k + 2.0M tokens\n"


def test_a_clock() -> None:
    assert [clock(s) for s in (0.4, 61, 3661)] == ["0:00", "1:01", "1:01:01"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (" Kara lit", "Kara lit"),
        ('{"day": 3, "text": "Kara said \\"no', 'Kara said "no'),
        ('{"text": "a\\nb", "who": ["kara"]}', "a\nb"),
        ('```json\n{"text": "a\\', "a"),
        ('{"figures": [{"x": 1', ""),
        ("", ""),
    ],
)
def test_what_can_be_read_of_half_an_answer(written: str, read: str) -> None:
    assert under_way(written) == read
