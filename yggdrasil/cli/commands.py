"""Every command: importing this registers them, in the order in which help lists them."""

from __future__ import annotations

# isort: off
from yggdrasil.cli import world_commands, agent_commands, store_commands
from yggdrasil.cli.app import app

__all__ = ["agent_commands", "app", "store_commands", "world_commands"]
