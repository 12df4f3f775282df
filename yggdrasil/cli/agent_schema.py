"""The JSON Schema of an agent's file: what `Agent` takes in a config."""

from __future__ import annotations

import inspect
from typing import Any

from yggdrasil.core.config import VERSION

_TEXT: dict[str, Any] = {"type": "string"}
_WORD: dict[str, Any] = {"type": "string", "minLength": 1}
_ANY: dict[str, Any] = {"type": "object"}
_YES: dict[str, Any] = {"type": "boolean"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1}
_AMOUNT: dict[str, Any] = {"type": "number", "minimum": 0}

# what only Python can give; a file has an `answer` tool where it needs a validator
_ONLY_PYTHON = ("self", "validators")


def agent_schema() -> dict[str, Any]:
    """The schema of `agents/NAME/agent.yaml`, without its dialect and title."""
    from yggdrasil.agent.block import Agent

    known = {**_properties(), **_head()}
    # whatever an agent takes its file may say, also what has no words here yet
    names = [n for n in inspect.signature(Agent.__init__).parameters if n not in _ONLY_PYTHON]
    found: dict[str, Any] = {**{key: {} for key in names}, **known, **_api()}
    return {
        "type": "object",
        "properties": found,
        "additionalProperties": False,
        "anyOf": [{"required": ["model"]}, {"required": ["provider", "model_id"]}],
        "$defs": {"output": _output()},
    }


def _head() -> dict[str, Any]:
    version = {"type": "integer", "minimum": 1, "maximum": VERSION, "description": "The version of the format."}
    return {
        "kind": {"const": "agent"},
        "version": version,
        "name": {**_TEXT, "description": "What paths and other files call it."},
        "description": {**_TEXT, "description": "What other agents are told it is for."},
        "type": {
            **_TEXT,
            "default": "agent/llm",
            "examples": ["agent/llm", "agent/api", "agent/react"],
            "description": "agent/react for a model that knows no tool calls.",
        },
    }


def _api() -> dict[str, Any]:
    return {
        "provider": {**_WORD, "description": "Of agent/api: openai, anthropic, ..."},
        "model_id": {**_WORD, "description": "Of agent/api: the provider's name of the model."},
        "endpoint_url": {**_WORD, "description": "Of agent/api: where the model is, if not at its provider's."},
        "backend": {"const": "api", "description": "Of agent/api."},
        "options": {**_ANY, "description": "Of agent/api: attempts, max_concurrent_requests, ..."},
    }


def _properties() -> dict[str, Any]:
    list_of_tools = {"type": "array", "items": _tool()}
    handoff = {"anyOf": [_WORD, {**_ANY, "properties": {"type": _WORD}, "required": ["type"]}]}
    return {
        "model": {"anyOf": [_WORD, _model()], "description": "provider:model_id, or a mapping with its name."},
        "instructions": {
            "anyOf": [_TEXT, _object({"ref": _WORD}, "ref")],
            "description": "A text, or {ref: prompt.md}.",
        },
        "tools": {**list_of_tools, "description": "Names from `yggdrasil list`, or mappings with their type."},
        "handoffs": {"type": "array", "items": handoff, "description": "Agents that may take over the talk."},
        "output": {"$ref": "#/$defs/output", "description": "What the answer must be; text, if nothing is said."},
        "answer": {**_WORD, "description": "Instead of output: the name of the tool that takes the answer."},
        "max_steps": {**_COUNT, "default": 32, "description": "Model turns in one run."},
        "max_retries": {
            "type": "integer",
            "minimum": 0,
            "default": 2,
            "description": "How often one tool, or the answer, may be wrong in one run.",
        },
        "on_limit": {
            "enum": ["error", "answer"],
            "default": "error",
            "description": "After max_steps: an error, or one answer without tools.",
        },
        "params": {**_ANY, "description": "The model's own: temperature, max_tokens, ..."},
        "memory": {"anyOf": [_YES, _memory()], "default": False, "description": "Remember earlier runs."},
        "budget": {**_budget(), "description": "What one run may spend."},
        "parallel": {**_YES, "default": True, "description": "Whether the tool calls of one turn run at once."},
        "max_result": {
            "anyOf": [_COUNT, {"type": "null"}],
            "default": 20000,
            "description": "Characters of a tool's result that the model is shown at once; null: all.",
        },
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


def _model() -> dict[str, Any]:
    known = {
        "name": {**_WORD, "description": "provider:model_id"},
        "endpoint_url": {**_WORD, "description": "Where it is, if not at its provider's."},
    }
    return {**_ANY, "properties": known, "required": ["name"], "description": "The rest is the provider's own."}


def _tool() -> dict[str, Any]:
    rules = {
        "type": {**_WORD, "description": "tool/NAME, agent/NAME, a block's type, or a toolset's."},
        "name": {**_WORD, "description": "What the model calls it."},
        "description": {**_TEXT, "description": "What the model reads of it, instead of its own."},
        "approval": {**_YES, "description": "A person must say yes to every call."},
        "timeout": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds for one call."},
        "limit": {**_COUNT, "description": "How many of its calls run at once in one run."},
        "bind": {**_ANY, "description": "Inputs that are given here and hidden from the model."},
        "config": {**_ANY, "description": "Its own config, where the names clash; else it stands beside the type."},
    }
    return {"anyOf": [_WORD, {**_ANY, "properties": rules, "required": ["type"]}]}


def _memory() -> dict[str, Any]:
    embedding = {**_ANY, "properties": {"type": _WORD}, "required": ["type"]}
    long_term = {
        "url": {**_WORD, "description": "sqlite:///memory.db: a file of its own."},
        "namespace": {**_WORD, "default": "default", "description": "Whose passages; who has the same shares them."},
        "embedding": {**embedding, "description": "Search by meaning too: {type: embedding/api, ...}."},
        "half_life": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds in which recency halves."},
        "weights": {**_ANY, "description": "How much recency, importance and relevance count."},
    }
    return _object(
        {
            "budget": {
                "anyOf": [_COUNT, {"type": "null"}],
                "default": 8000,
                "description": "Tokens of dialogue kept word for word; beyond it a summary. null: all.",
            },
            "pinned": {"type": "array", "items": _TEXT, "description": "Facts that no summary drops."},
            "summarise": {**_WORD, "description": "The model that writes the summary; its own, if nothing is said."},
            "long_term": {"anyOf": [_WORD, _object(long_term)], "description": "What is searched before each run."},
            "tools": {**_YES, "description": "It may pin, remember, recall and forget; with long_term it may."},
            "recalled": {"type": "integer", "minimum": 0, "default": 5, "description": "Passages told before a run."},
            "archive": {**_YES, "default": False, "description": "What is summarised goes into long_term first."},
        }
    )


def _budget() -> dict[str, Any]:
    return _object(
        {
            "tokens": {"type": "integer", "minimum": 0, "description": "Read and written together."},
            "cost": {**_AMOUNT, "description": "US dollars."},
            "steps": {"type": "integer", "minimum": 0, "description": "Model calls."},
            "seconds": {**_AMOUNT, "description": "Of wall time."},
        }
    )


def _output() -> dict[str, Any]:
    from yggdrasil.core.answer import NAMED

    choices = {"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}}
    return {
        "anyOf": [
            {"enum": list(NAMED)},
            {**choices, "description": "One of these."},
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/output"}, "description": "Its fields."},
        ]
    }
