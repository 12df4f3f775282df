"""Agents on the command line: by name, by file, or a bare model."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from yggdrasil.abc.catalog import find
from yggdrasil.agent.block import Agent
from yggdrasil.catalog.layers import build_agent
from yggdrasil.core.messages import Usage
from yggdrasil.errors import ConfigError


def scope_of(what: str | None) -> AbstractContextManager[Any]:
    """Where the names in an agent's file mean something: tools and agents of its project, also those found later."""
    return nullcontext() if what is None else find(what, "agent").scope()


def load_agent(what: str | None, model: str | None = None, endpoint_url: str | None = None) -> Agent[Any]:
    """The agent that `what` names, with another model when one is given; without `what` a bare model.

    ConfigError when it is no agent, or there is neither.
    """
    called: Any = model
    if endpoint_url is not None:
        if model is None:
            raise ConfigError("an endpoint without a model", hint="--model openai:NAME --endpoint-url URL")
        called = {"name": model, "endpoint_url": endpoint_url}
    if what is None:
        if called is None:
            raise ConfigError("no agent and no model", hint="a name from `yggdrasil list`, or --model openai:NAME")
        return Agent(called, name="assistant")
    found = find(what, "agent")
    with found.scope():
        if found.file is None or found.root is None:
            raise ConfigError(f"{what!r} is no agent of a file", hint="agents/NAME/agent.yaml")
        # the model goes in before anything is built: the one of the file may need a key that is not there
        given = {} if called is None else {"model": called}
        if "name" not in found.config:
            given["name"] = found.name
        built = build_agent(found.file, found.root, **given)
    if not isinstance(built, Agent):
        raise ConfigError(f"{what!r} is a {built.block_type}, not an agent")
    return built


def spent(usage: Usage) -> str:
    """What a run cost, in few words: "1.2k + 340 tokens  $0.0123", "" when no model counted anything."""
    from yggdrasil.cli.spending import short

    if not usage.input_tokens and not usage.output_tokens and usage.cost is None:
        return ""
    words = f"{short(usage.input_tokens)} + {short(usage.output_tokens)} tokens"
    if usage.cost is not None:
        words += f"  ${usage.cost:.4f}"
    return words + ("  (price unknown)" if usage.unpriced else "")
