"""An agent as a config: what of it can be written down, and what only exists in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from yggdrasil.abc.block import Block
from yggdrasil.abc.model import Model
from yggdrasil.abc.runnable import Runnable
from yggdrasil.abc.tool import Tool
from yggdrasil.errors import ConfigError
from yggdrasil.runtime.registry import active_registry

if TYPE_CHECKING:
    from yggdrasil.agent.block import Agent

_PLAIN = (
    "name", "description", "instructions", "answer", "max_steps", "max_retries", "on_limit", "params", "parallel",
    "max_result",
)  # fmt: skip
_DEFAULTS = {"max_steps": 32, "max_retries": 2, "on_limit": "error", "parallel": True, "max_result": 20_000}


def agent_to_config(agent: Agent[Any]) -> dict[str, Any]:
    """What rebuilds it, as JSON. ConfigError for a model, tool, function or type that only exists in Python."""
    found: dict[str, Any] = {"model": _model(agent)}
    if callable(agent.instructions):
        raise _only_python(agent, "instructions", "a function", "instructions: a text, or {ref: prompt.md}")
    if agent.validators:
        raise _only_python(agent, "validators", "functions", "a tool that takes the answer: answer: NAME")
    for key in _PLAIN:
        value = getattr(agent, key)
        if value != _DEFAULTS.get(key):
            found[key] = value
    if agent.tools:
        found["tools"] = [_tool(agent, given, made) for given, made in zip(agent.tools, agent._made, strict=True)]
    if agent.handoffs:
        found["handoffs"] = [_handoff(agent, other) for other in agent._handoffs()]
    if agent.output is not None:
        found["output"] = _output(agent)
    if agent.memory is not None:
        found["memory"] = agent.memory.config or True
    if agent.budget is not None:
        budget = agent.budget
        limits = {name: getattr(budget, name) for name in ("tokens", "cost", "steps", "seconds")}
        found["budget"] = {name: limit for name, limit in limits.items() if limit is not None}
    return found


def _only_python(agent: Agent[Any], what: str, kind: str, hint: str) -> ConfigError:
    return ConfigError(f"{what} of agent {agent.label}: {kind}, which cannot be saved", hint=hint)


def _model(agent: Agent[Any]) -> Any:
    if isinstance(agent.model, Model):
        raise ConfigError(
            f"agent {agent.label} has a model object ({agent.model.name}), which cannot be saved",
            hint='Agent("provider:model_id", ...), or {"name": "openai:m", "endpoint_url": "..."}',
        )
    return agent.model if isinstance(agent.model, str) else dict(agent.model)


def _tool(agent: Agent[Any], given: Any, made: Any) -> Any:
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        return dict(given)
    rules: dict[str, Any] = {}
    if isinstance(made, Tool):
        rules = _rules(agent, made)
        made = made.inner
    kind = getattr(made, "block_type", "")
    if not isinstance(made, Block) or kind not in active_registry().names():
        label = getattr(made, "label", type(made).__name__)
        raise ConfigError(
            f"the tool {label} of agent {agent.label} is Python only, so it cannot be saved",
            hint=f'@block("tool/{label}") above its def, or a file tools/{label}.py',
        )
    config = made.config
    return {"type": kind, **rules, **config} if config or rules else kind


def _rules(agent: Agent[Any], tool: Tool) -> dict[str, Any]:
    policy = tool.policy
    if callable(policy.approval):
        raise _only_python(agent, f"the approval of tool {tool.label}", "a function", "approval: true")
    found = {
        "name": tool.name,
        "description": tool.description,
        "approval": policy.approval or None,
        "timeout": policy.timeout,
        "limit": policy.limit,
        "bind": tool.bound or None,
    }
    return {rule: value for rule, value in found.items() if value is not None}


def _handoff(agent: Agent[Any], other: Runnable) -> Any:
    if not isinstance(other, Block) or other.block_type not in active_registry().names():
        raise ConfigError(f"agent {other.label}, to whom {agent.label} hands over, cannot be saved")
    return {"type": other.block_type, **other.config}


def _output(agent: Agent[Any]) -> Any:
    from yggdrasil.core.answer import NAMED

    output = agent.output
    if isinstance(output, str | Mapping | list):
        return output
    plain = {kind: name for name, kind in NAMED.items() if name != "text"}
    try:
        return plain[output]
    except (KeyError, TypeError):
        raise ConfigError(
            f"the output type {output!r} of agent {agent.label} is Python only, so it cannot be saved",
            hint="output: {title: str, pages: int}",
        ) from None
