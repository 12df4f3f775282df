"""Midgard by language models: the real SDKs against a server that we did not write; the rules guard the facts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.worlds.replies import DRAWN, INTENDED, RULED, TOLD, three_days
from yggdrasil import ConfigError, ParkedError, ScriptedModel, World
from yggdrasil.abc.store import Record
from yggdrasil.storage.sqlite import SqliteStore

CALLS = len(three_days())
Line = Callable[..., list[str]]


@pytest.fixture(params=["openai", "anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def line(provider: str, llmock: Any) -> Line:
    """`yggdrasil run midgard` by a model at the loopback server."""

    def words(*more: str, ticks: int = 3) -> list[str]:
        model = ["--model", f"{provider}:test-model", "--endpoint-url", llmock.base_url(provider)]
        return [sys.executable, "-m", "yggdrasil", "run", "midgard", "--ticks", str(ticks), "--json", *model, *more]

    return words


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def records(folder: Path) -> list[Record]:
    async def read() -> list[Record]:
        async with SqliteStore(folder / "midgard.db") as store:
            return await store.read("midgard")

    return anyio.run(read)


def recorded_calls(folder: Path) -> int:
    """How many answers of models the journal holds."""
    return sum(r.kind == "effect" and r.data["what"] == "model" for r in records(folder))


def said(request: Any) -> str:
    """All that a request says, as text."""
    return json.dumps(request.body, ensure_ascii=False)


def script(llmock: Any, answers: Sequence[str]) -> None:
    for answer in answers:
        llmock.reply(answer)


# --- through the real SDKs, by the command


def test_three_ticks_by_a_model(line: Line, llmock: Any, tmp_path: Path) -> None:
    script(llmock, [answer for _, answer in three_days()])
    done = run(line(), tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(llmock.requests) == CALLS
    told = [r.data["entry"]["text"] for r in records(tmp_path) if r.kind == "history"]
    assert told == [day["text"] for day in TOLD]
    philosopher = llmock.requests[2]
    assert "Say what" not in said(philosopher)
    assert "image/png" in said(philosopher), "the Philosopher is shown the picture"
    assert "Skarnfjord" not in said(philosopher), "and not told what it is of"
    assert len(list((tmp_path / "midgard-pictures").glob("*.png"))) == 3, "the painter still paints"
    kept = (tmp_path / "midgard.db").read_bytes()
    key = os.environ["ANTHROPIC_API_KEY"].encode()
    assert key not in kept


def test_killed_in_the_middle_it_goes_on_and_asks_for_nothing_twice(line: Line, llmock: Any, tmp_path: Path) -> None:
    answers = [answer for _, answer in three_days()]
    script(llmock, answers)
    llmock.pace(40)  # milliseconds between two pieces of an answer: it is killed while one is under way
    child = subprocess.Popen(line(), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 60
    while not (tmp_path / "midgard.db").exists() or recorded_calls(tmp_path) < 5:
        assert child.poll() is None, "it ended before it was killed"
        assert time.monotonic() < limit
        time.sleep(0.02)
    child.kill()
    child.wait()
    kept = recorded_calls(tmp_path)
    assert 5 <= kept < CALLS
    ticks = sum(r.kind == "finished" for r in records(tmp_path))
    llmock.reset()
    script(llmock, answers[kept:])
    done = run(line(ticks=3 - ticks), tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(llmock.requests) == CALLS - kept, "no recorded call was made again"
    whole = records(tmp_path)
    assert [r.data["tick"] for r in whole if r.kind == "finished"] == [1, 2, 3]
    assert [r.data["entry"]["text"] for r in whole if r.kind == "history"] == [day["text"] for day in TOLD]


def test_a_bad_reply_is_repaired_and_the_dead_do_nothing(line: Line, llmock: Any, tmp_path: Path) -> None:
    dead = {**INTENDED[0], "who": ["asmund", "kara"]}
    script(llmock, ["I would rather not", json.dumps(dead), json.dumps(INTENDED[0]), json.dumps(DRAWN[0])])
    done = run(line(ticks=1), tmp_path)
    assert done.returncode == 0, done.stderr
    requests = llmock.requests
    assert len(requests) == 4
    assert "the answer is not JSON" in said(requests[1])
    assert "Asmund Gautason (asmund) is dead" in said(requests[2])
    intent = next(r.data["output"] for r in records(tmp_path) if r.kind == "stage")
    assert intent["who"] == ["kara", "ketil"]


def test_after_the_retries_it_parks_and_goes_on_when_the_model_has_come_to_reason(
    line: Line, llmock: Any, tmp_path: Path
) -> None:
    raised = {**INTENDED[0], "effects": [{"do": "health", "who": "asmund", "by": 5}]}
    script(llmock, [json.dumps(raised)] * 4)
    parked = run(line(ticks=1), tmp_path)
    assert parked.returncode == 1
    assert "The dead stay dead" in parked.stderr
    assert "go on with: yggdrasil run midgard --ticks 1 --overlay llm --model" in parked.stderr
    assert not any(r.kind == "stage" for r in records(tmp_path))
    assert len(llmock.requests) == 4


def test_a_budget_ends_the_run_cleanly(line: Line, llmock: Any, tmp_path: Path) -> None:
    answers = [answer for _, answer in three_days()]
    for number, code in ((1, 6), (2, 0)):
        llmock.reset()
        script(llmock, answers[number - 1 :])
        done = run(line("--budget", "1", ticks=1), tmp_path)
        assert done.returncode == code, done.stderr
        assert len(llmock.requests) == 1, "what was recorded is paid for, and what is not stops the run"
        if code:
            assert "the budget of 1 tokens is spent" in done.stderr
            assert "go on, with a new budget, with: yggdrasil run midgard --ticks 1" in done.stderr
            assert not any(r.kind == "parked" for r in records(tmp_path))
    assert [r.data["tick"] for r in records(tmp_path) if r.kind == "finished"] == [1]


# --- from Python


@pytest.mark.anyio
async def test_the_same_from_python_with_tools() -> None:
    from yggdrasil import ToolCall

    asked = [ToolCall("1", "person", {"who": "Bjorn"}), ToolCall("2", "search", {"words": "herring"})]
    model = ScriptedModel([[*asked], *(answer for _, answer in three_days())])
    async with World.open("midgard", overlay="llm", model=model) as world:
        await world.run(ticks=3)
        assert world.content["stores"]["skarvik"]["food"] > 200
        assert world.content["threads"]["open"]["feud-1"]["stage"] == 1
    results = model.requests[1].messages[-1].parts
    assert "Bjorn Asmundsson" in results[0].content  # type: ignore[union-attr]
    shown = {tool.name: tool.parameters for tool in model.requests[0].tools}
    assert set(shown) == {"people", "person", "places", "place", "threads", "search"}
    assert all("world" not in schema["properties"] for schema in shown.values()), "the world is bound, and hidden"
    assert "action" not in model.requests[0].output["properties"]  # type: ignore[index]


@pytest.mark.anyio
async def test_an_action_reaches_the_model_and_happens_today() -> None:
    model = ScriptedModel([json.dumps(INTENDED[0]), json.dumps(DRAWN[0])])
    async with World.open("midgard", overlay="llm", model=model) as world:
        before = world.content["calendar"]["day"]
        await world.run(ticks=1, action="Kara lights the beacon")
        assert world.state["intent"]["when"]["day"] == before + 1
    assert "Kara lights the beacon" in model.requests[0].messages[-1].text


@pytest.mark.anyio
async def test_the_picture_is_kept_within_what_the_painter_understands() -> None:
    wild = {**DRAWN[0], "figures": [{"who": "kara", "gesture": "juggle"}], "animals": [{"kind": "dragon", "count": 1}]}
    model = ScriptedModel([json.dumps(INTENDED[1]), json.dumps(wild), json.dumps({
        **DRAWN[1], "figures": [{"who": "bjorn", "gesture": "point", "x": -4.0, "y": 9.0}],
    })])  # fmt: skip
    async with World.open("midgard", overlay="llm", model=model) as world:
        await world.run(ticks=1)
        figure = world.state["blueprint"]["figures"][0]
        assert world.state["artifacts"]["images"]
    assert (figure["x"], figure["y"], figure["gesture"]) == (0.08, 0.95, "point")
    told = model.requests[2].messages[-1].text
    assert "'juggle' cannot be painted; there are aim" in told
    assert "'dragon' cannot be painted; there are bear" in told
    assert '"enum": ["aim"' in json.dumps(model.requests[1].output), "what can be painted is in the schema"


REFUSED = [
    ({"do": "die", "who": "asmund", "cause": "again"}, "is dead"),
    ({"do": "store", "place": "skarvik", "what": "food", "by": 4000}, "one day changes food by 80 at most"),
    ({"do": "store", "place": "varden", "what": "food", "by": 4}, "varden has no stores"),
    ({"do": "store", "place": "eskilund", "what": "boats", "by": -1}, "has only 0 of boats"),
    ({"do": "wed", "who": "ulf", "other": "kara", "place": "skarvik"}, "ulf married already"),
    ({"do": "settle", "who": "kara", "place": "the Skarnfjord"}, "nobody can live at skarnfjord"),
    ({"do": "return", "who": "kara"}, "kara is not abroad"),
    ({"do": "tie", "who": "kara", "by": 1}, "it needs other"),
    ({"do": "born", "name": "Odin", "sex": "m", "mother": "ulf"}, "ulf is no woman"),
    ({"do": "health", "who": "nobody", "by": 1}, "nobody alive is called 'nobody'"),
]


@pytest.mark.anyio
async def test_the_rules_refuse_in_world_update_too_and_say_why() -> None:
    first = [answer for _, answer in three_days()[:4]]
    every = json.dumps({"effects": [effect for effect, _ in REFUSED], "threads": [{"op": "close", "id": "feud-9"}]})
    model = ScriptedModel([*first, *[every] * 4])
    async with World.open("midgard", overlay="llm", model=model) as world:
        before = world.content_hash
        with pytest.raises(ParkedError, match="environment/update: the model gave no valid answer in 4 tries"):
            await world.run(ticks=2)
        assert world.content_hash == before, "nothing of it has become a fact"
    told = model.requests[-1].messages[-1].text
    assert [why for _, why in REFUSED if why not in told] == []
    assert "no thread 'feud-9' is open; open are build-2, feud-1" in told


@pytest.mark.anyio
async def test_a_patch_is_what_the_rules_make_of_it() -> None:
    answers = [answer for _, answer in three_days()]
    effects = [{"do": "die", "who": "steinar", "cause": "died old, in bed"}]
    answers[4] = json.dumps({"effects": effects, "threads": []})
    answers[5] = json.dumps({**INTENDED[1], "who": ["steinar", "ulf"]})  # he is dead by now
    answers.insert(6, json.dumps(INTENDED[1]))
    model = ScriptedModel(answers[:8])
    async with World.open("midgard", overlay="llm", model=model) as world:
        await world.run(ticks=2)
        assert "steinar" not in world.content["characters"]
        assert world.content["graves"][-1]["id"] == "steinar"
    assert "Steinar Alfsson (steinar) is dead" in model.requests[6].messages[-1].text


@pytest.mark.anyio
async def test_what_stages_leave_out_is_no_fact() -> None:
    """The plan's effects are a plan: what the update does not confirm has not happened."""
    answers = [answer for _, answer in three_days()[:7]]
    answers[4] = json.dumps({"effects": [], "threads": []})
    lives = []
    for answered in (answers, [answer for _, answer in three_days()[:7]]):
        async with World.open("midgard", overlay="llm", model=ScriptedModel(answered)) as world:
            await world.run(ticks=2)
            lives.append(world.content["stores"]["skarvik"]["food"])
    assert lives[1] - lives[0] == RULED[0]["effects"][0]["by"]


def test_parameters_are_asked_for_by_name() -> None:
    with pytest.raises(ConfigError, match="no parameter 'model'"):
        World.open("midgard", model="openai:gpt-5")
    with pytest.raises(ConfigError, match="no parameter 'modell'"):
        World.open("midgard", overlay="llm", parameters={"modell": "openai:gpt-5"})
    world = World.load("midgard", overlay="llm,llm-image", parameters={"model": "openai:gpt-5"})
    assert world.parameters == {"model": "openai:gpt-5", "image_model": "openai:gpt-image-1"}
    assert world.to_config(refs=True)["parameters"]["model"] == "openai:gpt-5"
    assert not world.validate()
