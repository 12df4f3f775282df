"""Servers to talk to: a light one of our own, and those of others, installed once for all runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aimock import npm_package
from tests.leftovers import channels, children
from yggdrasil.agent.mcp import MCP

LIGHT = Path(__file__).parent / "light_server.py"
EVERYTHING = ("@modelcontextprotocol/server-everything", "2026.8.31")


class Journal:
    """What the light server was told, line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def count(self, line: str) -> int:
        """How often it was told so."""
        return self.path.read_text().splitlines().count(line) if self.path.exists() else 0


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Where the light server writes what it is told."""
    return Journal(tmp_path / "journal")


@pytest.fixture
def light(journal: Journal) -> Callable[..., MCP]:
    """The light server; options as `MCP.stdio` takes them."""

    def make(**options: Any) -> MCP:
        return MCP.stdio(sys.executable, "-I", "-S", str(LIGHT), str(journal.path), **options)

    return make


@pytest.fixture(scope="session")
def everything() -> list[str]:
    """The command of the protocol's reference server, from npm."""
    return ["node", str(npm_package(*EVERYTHING) / "dist" / "index.js")]


@pytest.fixture(scope="session", autouse=True)
def _imported() -> None:
    """The protocol's library, imported before anything is timed."""
    import mcp  # noqa: F401


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Holds that a test leaves no child process behind, nor a socket or pipe."""
    processes, held = children(), channels()
    yield
    assert children() <= processes
    assert channels() <= held
