"""A team from a template: two debate in two rounds, a judge decides. It is a graph: save it, draw it, change it.

For a real model: model = "anthropic:claude-sonnet-4-5" (each part may have its own).
Other templates: reflect, router, map_reduce, plan_and_execute.
Prints: Round 1
Prints: elder: We crossed on thinner ice.
Prints: sceptic: The ice is thin.
Prints: Round 2
Prints: elder: We crossed on thinner ice.
Prints: sceptic: The ice is thin.
Prints: The judge: Wait a day; the sceptic's reasons weigh more.
"""

from __future__ import annotations

from yggdrasil import Graph, ScriptedModel, run_sync
from yggdrasil.core.messages import Request

LINES = {"elder": "We crossed on thinner ice.", "sceptic": "The ice is thin."}


def speak(request: Request) -> str:
    """What each would say, and the judge."""
    told = request.messages[0].text
    return next((line for who, line in LINES.items() if who in told), "Wait a day; the sceptic's reasons weigh more.")


model = ScriptedModel(speak)
debate = Graph.from_template(
    "debate",
    model=model,
    debaters={who: f"You are the {who}. Say in one sentence what you think, and why." for who in LINES},
    rounds=2,
)

if __name__ == "__main__":
    result = run_sync(debate, "Do we cross today?")
    print(*filter(None, result["minutes"].splitlines()), sep="\n")
    print("The judge:", result.output)
