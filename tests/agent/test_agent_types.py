"""Output: validators, types that a checker knows, the same agent with other arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from yggdrasil import Agent, ConfigError, OutputError, ScriptedModel

pytestmark = pytest.mark.anyio


class Verdict(BaseModel):
    crossed: bool
    feet: int


async def test_a_validator_sends_the_answer_back_or_mends_it() -> None:
    async def dry(verdict: Verdict) -> None:
        if verdict.feet > 2:
            raise ValueError("nobody has that many feet")

    def doubled(verdict: Verdict) -> Verdict:
        return verdict.model_copy(update={"feet": verdict.feet * 2})

    model = ScriptedModel(['{"crossed": true, "feet": 7}', '{"crossed": true, "feet": 2}'])
    agent = Agent(model, output=Verdict, validators=[dry, doubled])
    assert (await agent.run("go")).output == Verdict(crossed=True, feet=4)
    assert model.requests[1].messages[-1].text == "the answer will not do: nobody has that many feet. Answer again"
    stubborn = Agent(ScriptedModel(lambda r: '{"crossed": true, "feet": 7}'), output=Verdict, validators=[dry])
    with pytest.raises(OutputError, match="no valid answer in 3 tries"):
        await stubborn.run("go")
    with pytest.raises(ConfigError, match="a validator is str"):
        Agent(model, validators=["dry"])  # type: ignore[list-item]


async def test_a_validator_that_is_broken_is_no_fault_of_the_model() -> None:
    def broken(answer: str) -> str:
        raise KeyError("a bug")

    model = ScriptedModel(["yes", "yes"])
    with pytest.raises(Exception, match="KeyError"):
        await Agent(model, validators=[broken]).run("go")
    assert model.calls == 1


async def test_the_same_agent_with_other_arguments() -> None:
    agent = Agent("scripted:tools", name="clerk", instructions="Be brief.", max_steps=3)
    other = agent.replace(model=ScriptedModel(["yes"]), max_steps=5)
    assert (await other.run("go")).output == "yes"
    assert (other.name, other.instructions, other.max_steps, agent.max_steps) == ("clerk", "Be brief.", 5, 3)
    with pytest.raises(ConfigError, match="no 'modell'; did you mean 'model'"):
        agent.replace(modell="x")


def test_a_type_checker_knows_the_output(tmp_path: Path) -> None:
    file = tmp_path / "typed.py"
    file.write_text('''
from pydantic import BaseModel
from yggdrasil import Agent, Result, run_sync

class Verdict(BaseModel):
    feet: int

async def ask() -> None:
    verdict: Verdict = (await Agent("scripted:echo", output=Verdict).run("go")).output
    text: str = (await Agent("scripted:echo", name="x", tools=["dice"]).run("go")).output
    names: list[str] = (await Agent("scripted:echo", output=list[str]).run("go")).output
    wrong: int = (await Agent("scripted:echo", output=Verdict).run("go")).output
    Agent("scripted:echo", instruction="misspelled")

result: Result[Verdict] = run_sync(Agent("scripted:echo", output=Verdict), "go")
''')
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path).stdout
    errors = [line for line in said.splitlines() if ": error:" in line]
    assert len(errors) == 3, said
    assert "typed.py:12" in errors[0]
    assert '"Verdict"' in errors[0]
    assert all("typed.py:13" in e for e in errors[1:])


def options(**changes: Any) -> dict[str, Any]:
    return changes


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (options(max_result=0), "max_result is 0"),
        (options(handoffs=[5]), "cannot hand over to 5"),
        (options(memory="yes"), "memory is str"),
        (options(budget={"money": 1}), "budget is"),
        (options(instructions=5), "instructions is int"),
    ],
)
async def test_nonsense_is_refused_before_anything_is_spent(given: dict[str, Any], says: str) -> None:
    model = ScriptedModel(["never"])
    with pytest.raises(ConfigError, match=says):
        await Agent(model, **given).run("go")
    assert model.calls == 0
