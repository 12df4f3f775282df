"""What an agent remembers from run to run: the dialogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yggdrasil.core.messages import Message, message_from_json, message_to_json
from yggdrasil.errors import ConfigError, close_names


class Memory:
    """The messages of earlier runs, in order. Part of an agent's `state_dict`; never shared by two agents."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self.messages: list[Message] = list(messages)

    def keep(self, messages: Sequence[Message]) -> None:
        """Add what one run said, all at once."""
        self.messages.extend(messages)

    def clear(self) -> None:
        """Forget."""
        self.messages.clear()

    def state_dict(self) -> dict[str, Any]:
        """The messages as JSON."""
        return {"messages": [message_to_json(m) for m in self.messages]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The reverse of `state_dict`."""
        unknown = [key for key in state if key != "messages"]
        if unknown or "messages" not in state:
            raise ConfigError(f"this is no memory: {close_names(unknown[0] if unknown else '', ['messages'])}")
        self.messages = [message_from_json(m) for m in state["messages"]]

    def __repr__(self) -> str:
        return f"Memory({len(self.messages)} messages)"
