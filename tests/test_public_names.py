"""Whatever is given to a public name: it is made, or one of our errors says why not."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import yggdrasil
from tests.agent.test_agent_fuzz import ANY
from yggdrasil import YggdrasilError

RUN_BY_OTHERS = {
    "Event", "Given", "Problem", "Result", "RunContext", "Usage",  # made by the framework, and read
    "approve", "fit", "observe", "pending", "run_sync",  # waiting or opening: fuzzed where they are tested
}  # fmt: skip
ABSTRACT = {"Block", "Runnable", "Toolset"}


def made_of(name: str) -> tuple[Callable[..., Any], list[inspect.Parameter]]:
    made = getattr(yggdrasil, name)
    fields = getattr(made, "_fields", None)
    if fields is not None and "values" in inspect.signature(made).parameters:  # a Value: its fields are its arguments
        kinds = inspect.Parameter
        return made, [kinds(f, kinds.KEYWORD_ONLY, default=made._defaults.get(f, kinds.empty)) for f in fields]
    return made, list(inspect.signature(made).parameters.values())


NAMES = [
    name
    for name in yggdrasil.__all__
    if callable(getattr(yggdrasil, name))
    and not (inspect.isclass(getattr(yggdrasil, name)) and issubclass(getattr(yggdrasil, name), Exception))
    and name not in RUN_BY_OTHERS | ABSTRACT
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_is_taken_or_refused(name: str, data: st.DataObject) -> None:
    made, parameters = made_of(name)
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    values = data.draw(
        st.fixed_dictionaries(
            {p.name: ANY for p in named if p.default is p.empty},
            optional={p.name: ANY for p in named if p.default is not p.empty},
        )
    )
    more = data.draw(st.lists(ANY, max_size=2)) if any(p.kind is p.VAR_POSITIONAL for p in parameters) else []
    with contextlib.suppress(YggdrasilError):
        made(*more, **values)


def test_what_is_left_out_is_really_public() -> None:
    assert set(yggdrasil.__all__) >= RUN_BY_OTHERS | ABSTRACT
