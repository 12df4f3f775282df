"""A stage: one transformation of a world's state, run on a state by hand.

Prints: chronicle: On that day Kara lit the beacon; two fires were seen.
"""

from __future__ import annotations

from typing import Any

import anyio

from yggdrasil import Stage


def write(intent: str, description: dict[str, Any]) -> str:
    """The Author: ports that are named like state blocks are filled from the state."""
    return f"On that day {intent}; {description['fires']} fires were seen."


author = Stage("author")
author.add("write", write)
author.set_state_contract(fills="chronicle", ports={"chronicle": "output"})
author.set_execution_condition(["intent", "description"])


async def main() -> None:
    """The state has more in it than the stage reads."""
    state = {"intent": "Kara lit the beacon", "description": {"fires": "two"}, "blueprint": {"scene": "a hill"}}
    outputs = await author.run(state)
    print(f"reads {', '.join(author.reads)}, fills {author.fills}")
    print(f"chronicle: {author.block_from(outputs)}")


if __name__ == "__main__":
    anyio.run(main)
