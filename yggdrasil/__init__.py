"""Yggdrasil: blocks, graphs, agents and worlds that live.

Every name here is loaded when it is first used, so that `import yggdrasil` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yggdrasil.abc.block import Block as Block
    from yggdrasil.abc.context import RunContext as RunContext
    from yggdrasil.abc.runnable import Runnable as Runnable
    from yggdrasil.agent.block import Agent as Agent
    from yggdrasil.blocks.function import block as block
    from yggdrasil.blocks.function import tool as tool
    from yggdrasil.core.blob import Blob as Blob
    from yggdrasil.core.budget import Budget as Budget
    from yggdrasil.core.messages import Message as Message
    from yggdrasil.core.messages import Usage as Usage
    from yggdrasil.core.result import Result as Result
    from yggdrasil.errors import (
        AgentError as AgentError,
    )
    from yggdrasil.errors import (
        BlockError as BlockError,
    )
    from yggdrasil.levels.graph import Graph as Graph
    from yggdrasil.levels.pipeline import Pipeline as Pipeline
    from yggdrasil.levels.stage import Stage as Stage
    from yggdrasil.levels.world import World as World
    from yggdrasil.models.scripted import ScriptedModel as ScriptedModel
    from yggdrasil.runtime.call import run_sync as run_sync
    from yggdrasil.runtime.registry import register as register

__version__ = "0.1.0"

_HOMES = {
    "Agent": "yggdrasil.agent.block",
    "Blob": "yggdrasil.core.blob",
    "Block": "yggdrasil.abc.block",
    "Budget": "yggdrasil.core.budget",
    "Graph": "yggdrasil.levels.graph",
    "Message": "yggdrasil.core.messages",
    "Pipeline": "yggdrasil.levels.pipeline",
    "Result": "yggdrasil.core.result",
    "RunContext": "yggdrasil.abc.context",
    "Runnable": "yggdrasil.abc.runnable",
    "ScriptedModel": "yggdrasil.models.scripted",
    "Stage": "yggdrasil.levels.stage",
    "Usage": "yggdrasil.core.messages",
    "World": "yggdrasil.levels.world",
    "block": "yggdrasil.blocks.function",
    "register": "yggdrasil.runtime.registry",
    "run_sync": "yggdrasil.runtime.call",
    "tool": "yggdrasil.blocks.function",
}
"""Where each public name lives. A name is added here, under TYPE_CHECKING and in `__all__`."""
