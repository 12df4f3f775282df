"""When things go wrong: another model when one fails, and a budget that is refused before it is overspent.

For real models: FallbackModel(["openai:gpt-5", "anthropic:claude-sonnet-4-5"]), or "fallback:[openai:gpt-5, ...]".
Prints: The second one answers.
Prints: refused: the budget of 3 steps is spent (3 used)
"""

from __future__ import annotations

from yggdrasil import Agent, Budget, BudgetError, ModelTransientError, ScriptedModel, ToolCall, run_sync, tool
from yggdrasil.models.fallback import FallbackModel

first = ScriptedModel([ModelTransientError("overloaded")], name="first")
second = ScriptedModel(["The second one answers."], name="second")
careful = Agent(FallbackModel([first, second]))

count = 0


def wander(request: object) -> ToolCall:
    """A model that never comes to an end."""
    global count
    count += 1
    return ToolCall(str(count), "step", {"number": count})


@tool
def step(number: int) -> str:
    """Go a step."""
    return "gone"


if __name__ == "__main__":
    print(run_sync(careful, "Who is there?").output)
    try:
        run_sync(Agent(ScriptedModel(wander), tools=[step]), "Walk.", budget=Budget(steps=3))  # or tokens=, cost=
    except BudgetError as error:
        print("refused:", error.sentence)
