"""Yggdrasil: blocks, graphs, agents and worlds that live.

Every name is loaded when it is first used; importing the package costs about what pydantic costs.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING
from typing import Any as _Any

from yggdrasil.abc.block import Keeper as _Keeper
from yggdrasil.abc.block import install_keeper as _install_keeper
from yggdrasil.abc.catalog import Catalog as _Catalog
from yggdrasil.abc.catalog import Found as _Found
from yggdrasil.abc.catalog import install_catalog as _install_catalog
from yggdrasil.abc.runnable import Door as _Door
from yggdrasil.abc.runnable import Stream as _Stream
from yggdrasil.abc.runnable import install as _install
from yggdrasil.abc.store import Store as _Store
from yggdrasil.abc.store import install_opener as _install_opener

if TYPE_CHECKING:
    from yggdrasil.abc.block import Block
    from yggdrasil.abc.context import RunContext
    from yggdrasil.abc.runnable import Runnable
    from yggdrasil.abc.toolset import Toolset
    from yggdrasil.agent.block import Agent
    from yggdrasil.agent.longterm import LongTerm
    from yggdrasil.agent.mcp.toolset import MCP
    from yggdrasil.agent.memory import Memory
    from yggdrasil.agent.toolset import Tools
    from yggdrasil.core.approval import Answer, Approval
    from yggdrasil.core.blob import Blob
    from yggdrasil.core.budget import Budget
    from yggdrasil.core.events import Event
    from yggdrasil.core.links import Link
    from yggdrasil.core.messages import Message, ToolCall, Usage
    from yggdrasil.core.ports import Given, Spec, port
    from yggdrasil.core.result import Result
    from yggdrasil.core.shape import Shape
    from yggdrasil.core.typed import register_type
    from yggdrasil.errors import (
        AgentError,
        BlockError,
        BudgetError,
        ConfigError,
        ConflictError,
        ContextTooLongError,
        CorruptError,
        EffectMismatchError,
        EffectUnknownError,
        EndWorldError,
        FormatError,
        LeaseError,
        ModelAuthError,
        ModelError,
        ModelReplyError,
        ModelRequestError,
        ModelTransientError,
        OutputError,
        ParkedError,
        PatchError,
        PortError,
        Problem,
        RateLimitError,
        RefusalError,
        ReplayError,
        RunError,
        RunTimeoutError,
        SecretError,
        SpecError,
        StepLimitError,
        StoreError,
        StoreFullError,
        StreamError,
        SuspendedError,
        ToolRetryError,
        UnknownTypeError,
        ValidationError,
        WorldError,
        YggdrasilError,
    )
    from yggdrasil.levels.graph import Graph
    from yggdrasil.levels.pipeline import Pipeline
    from yggdrasil.levels.stage import Stage
    from yggdrasil.levels.supervisor import Supervisor
    from yggdrasil.levels.world import World
    from yggdrasil.models.fallback import FallbackModel
    from yggdrasil.models.recording import RecordingModel
    from yggdrasil.models.replay import ReplayModel
    from yggdrasil.models.scripted import ScriptedModel
    from yggdrasil.runtime.approvals import approve, pending
    from yggdrasil.runtime.call import run_sync
    from yggdrasil.runtime.function import block, tool
    from yggdrasil.runtime.logs import Logs
    from yggdrasil.runtime.observe import observe
    from yggdrasil.runtime.registry import register
    from yggdrasil.runtime.traces import Traces
    from yggdrasil.training.fit import fit
    from yggdrasil.training.plan import train_plan

__version__ = "0.1.0"

__all__ = [
    "MCP",
    "Agent",
    "AgentError",
    "Answer",
    "Approval",
    "Blob",
    "Block",
    "BlockError",
    "Budget",
    "BudgetError",
    "ConfigError",
    "ConflictError",
    "ContextTooLongError",
    "CorruptError",
    "EffectMismatchError",
    "EffectUnknownError",
    "EndWorldError",
    "Event",
    "FallbackModel",
    "FormatError",
    "Given",
    "Graph",
    "LeaseError",
    "Link",
    "Logs",
    "LongTerm",
    "Memory",
    "Message",
    "ModelAuthError",
    "ModelError",
    "ModelReplyError",
    "ModelRequestError",
    "ModelTransientError",
    "OutputError",
    "ParkedError",
    "PatchError",
    "Pipeline",
    "PortError",
    "Problem",
    "RateLimitError",
    "RecordingModel",
    "RefusalError",
    "ReplayError",
    "ReplayModel",
    "Result",
    "RunContext",
    "RunError",
    "RunTimeoutError",
    "Runnable",
    "ScriptedModel",
    "SecretError",
    "Shape",
    "Spec",
    "SpecError",
    "Stage",
    "StepLimitError",
    "StoreError",
    "StoreFullError",
    "StreamError",
    "Supervisor",
    "SuspendedError",
    "ToolCall",
    "ToolRetryError",
    "Tools",
    "Toolset",
    "Traces",
    "UnknownTypeError",
    "Usage",
    "ValidationError",
    "World",
    "WorldError",
    "YggdrasilError",
    "__version__",
    "approve",
    "block",
    "fit",
    "observe",
    "pending",
    "port",
    "register",
    "register_type",
    "run_sync",
    "tool",
    "train_plan",
]

# Where each name lives; whatever is not here lives in yggdrasil.errors.
_HOMES = {
    "Agent": "yggdrasil.agent.block",
    "Answer": "yggdrasil.core.approval",
    "Approval": "yggdrasil.core.approval",
    "Blob": "yggdrasil.core.blob",
    "Block": "yggdrasil.abc.block",
    "Budget": "yggdrasil.core.budget",
    "Event": "yggdrasil.core.events",
    "FallbackModel": "yggdrasil.models.fallback",
    "Given": "yggdrasil.core.ports",
    "Graph": "yggdrasil.levels.graph",
    "Link": "yggdrasil.core.links",
    "Logs": "yggdrasil.runtime.logs",
    "LongTerm": "yggdrasil.agent.longterm",
    "MCP": "yggdrasil.agent.mcp.toolset",
    "Memory": "yggdrasil.agent.memory",
    "Message": "yggdrasil.core.messages",
    "Pipeline": "yggdrasil.levels.pipeline",
    "RecordingModel": "yggdrasil.models.recording",
    "ReplayModel": "yggdrasil.models.replay",
    "Result": "yggdrasil.core.result",
    "RunContext": "yggdrasil.abc.context",
    "Runnable": "yggdrasil.abc.runnable",
    "Shape": "yggdrasil.core.shape",
    "ScriptedModel": "yggdrasil.models.scripted",
    "Spec": "yggdrasil.core.ports",
    "Stage": "yggdrasil.levels.stage",
    "Supervisor": "yggdrasil.levels.supervisor",
    "ToolCall": "yggdrasil.core.messages",
    "Tools": "yggdrasil.agent.toolset",
    "Toolset": "yggdrasil.abc.toolset",
    "Traces": "yggdrasil.runtime.traces",
    "Usage": "yggdrasil.core.messages",
    "World": "yggdrasil.levels.world",
    "approve": "yggdrasil.runtime.approvals",
    "block": "yggdrasil.runtime.function",
    "fit": "yggdrasil.training.fit",
    "observe": "yggdrasil.runtime.observe",
    "pending": "yggdrasil.runtime.approvals",
    "port": "yggdrasil.core.ports",
    "register": "yggdrasil.runtime.registry",
    "register_type": "yggdrasil.core.typed",
    "run_sync": "yggdrasil.runtime.call",
    "tool": "yggdrasil.runtime.function",
    "train_plan": "yggdrasil.training.plan",
}


def __getattr__(name: str) -> _Any:
    """Load a public name on its first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'yggdrasil' has no attribute {name!r}")
    value = getattr(_import_module(_HOMES.get(name, "yggdrasil.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _FirstCall:
    """The call door, until the first call: then runtime/call.py takes its place."""

    async def run(self, what: Runnable, inputs: _Any, named: dict[str, _Any]) -> Result:
        return await _open().run(what, inputs, named)

    def stream(self, what: Runnable, inputs: _Any, named: dict[str, _Any]) -> _Stream:
        return _open().stream(what, inputs, named)


def _open() -> _Door:
    door: _Door = _import_module("yggdrasil.runtime.call").CallDoor()
    _install(door)
    return door


_install(_FirstCall())


class _FirstLookup:
    """The catalogue, until the first name is asked for: then catalog/catalog.py takes its place."""

    def find(self, what: _Any, kind: str, *, overlay: str | None = None) -> _Found:
        catalog: _Catalog = _import_module("yggdrasil.catalog.catalog").StandardCatalog()
        _install_catalog(catalog)
        return catalog.find(what, kind, overlay=overlay)


_install_catalog(_FirstLookup())


def _open_store(url: str) -> _Store:
    store: _Store = _import_module("yggdrasil.storage.open").open_store(url)
    return store


_install_opener(_open_store)


class _FirstKeeping:
    """What saves blocks, until the first one is saved: then levels/saving.py takes its place."""

    def save(self, what: Runnable, path: _Any) -> _Any:
        return _keep().save(what, path)

    def load(self, kind: type[Runnable], path: _Any) -> _Any:
        return _keep().load(kind, path)


def _keep() -> _Keeper:
    keeper: _Keeper = _import_module("yggdrasil.levels.saving")
    _install_keeper(keeper)
    return keeper


_install_keeper(_FirstKeeping())
