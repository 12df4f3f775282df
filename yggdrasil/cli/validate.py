"""`yggdrasil validate`: every problem of a world, a level or an agent, without running it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from yggdrasil.abc.catalog import Found, find
from yggdrasil.agent.block import Agent
from yggdrasil.catalog.layers import build_agent
from yggdrasil.cli.exits import DONE, INVALID
from yggdrasil.cli.failure import shorten, told
from yggdrasil.cli.streams import json_line
from yggdrasil.errors import Problem, SpecError, ValidationError
from yggdrasil.runtime.registry import active_registry


def validate_entry(what: str, overlay: str | None, as_json: bool) -> int:
    """Print what is wrong; 0 when nothing is but warnings."""
    name = what
    try:
        found = find(what, "", overlay=overlay)
        name = f"{found.kind} {found.name}"
        with found.scope():
            problems = problems_of(found)
    except ValidationError as error:
        problems = error.problems
    except SpecError as error:
        problems = [Problem(error.path, error.sentence, error.hint)]
    wrong = any(problem.level == "error" for problem in problems)
    if as_json:
        listed = [{"level": p.level, "path": p.path, "sentence": p.sentence, "hint": p.hint} for p in problems]
        print(json_line({"what": name, "valid": not wrong, "problems": listed}))
    else:
        lines = shorten([line for problem in problems for line in told(problem)])
        print("\n".join([*lines, f"{name} is {'not valid' if wrong else 'valid'}"]), file=sys.stderr if wrong else None)
    return INVALID.code if wrong else DONE.code


def problems_of(found: Found) -> Sequence[Problem]:
    """The problems of a found entry; SpecError when it cannot even be built."""
    if found.kind == "world":
        from yggdrasil.levels.world_file import read_world

        return read_world(found).validate()
    if found.kind == "tool":
        active_registry().build(f"tool/{found.name}", {})
        return []
    if found.kind == "agent" and found.file is not None and found.root is not None:
        agent = build_agent(found.file, found.root)
        if isinstance(agent, Agent):
            agent._handoffs()  # looked up when it first runs, else
        return []
    from yggdrasil.levels.read import Origin, read_level

    return read_level(found.config, Origin(found.file, found.root), found.kind).validate(strict=False)
