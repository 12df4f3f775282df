"""A project with worlds to be run by `yggdrasil up`: written into a folder by tests.

`wood` ticks ten times a second, `slow` every hour; `ill` fails where a file `ill` lies beside it; `shy` asks first.
"""

from __future__ import annotations

from pathlib import Path

BLOCKS = '''
"""The stages of a small world."""

from pathlib import Path

from yggdrasil import Agent, RunContext, ScriptedModel, ToolCall, block, tool


@block("small/eye")
async def eye(artifacts: dict, *, ctx: RunContext) -> str:
    import anyio

    await anyio.sleep(0.01)
    return "One sees " + artifacts["texts"][0]


@block("small/diary")
def diary(intent: str, description: str) -> str:
    return intent + ": " + description[:40]


@block("small/day")
def day(chronicle: str, world: dict) -> list:
    days = {"op": "replace", "path": "/days/count", "value": world["days"]["count"] + 1}
    return [days, {"op": "add", "path": "/history/-", "value": chronicle}]


@block("small/weather")
def weather(world: dict, action: str | None = None) -> str:
    return action or "day " + str(world["days"]["count"])


@block("small/plan")
def plan(intent: str) -> str:
    return "a picture of " + intent


@block("small/frail")
def frail(intent: str) -> str:
    if Path("ill").exists():
        raise ValueError("it is ill")
    return "a picture of " + intent


@block("small/brush")
def brush(blueprint: str) -> dict:
    return {"texts": [blueprint]}


@tool(approval=True)
def shout(what: str) -> str:
    """Shout it."""
    return what.upper()


def say(request):
    last = request.messages[-1]
    return [ToolCall("1", "shout", {"what": last.text})] if last.role == "user" else "It was shouted."


@block("small/shouter")
async def shouter(blueprint: str, *, ctx: RunContext) -> dict:
    agent = Agent(ScriptedModel(say), name="shouter", tools=[shout])
    return {"texts": [(await agent.run(blueprint, context=ctx)).output]}
'''

WORLD = """kind: world
version: 1
name: {name}
execution:
  {more}
  stages:
    philosopher: {{type: small/eye}}
    author: {{type: small/diary}}
    environment:
      update: {{type: small/day}}
      development: {{type: small/weather}}
    architect: {{type: {architect}}}
    creator: {{type: {creator}}}
content:
  days: {{count: 0}}
"""


def write_project(folder: Path) -> None:
    """Write it."""
    (folder / "yggdrasil.toml").write_text("")
    for name, more, architect, creator in (
        ("wood", "timers: {every: 0.1}", "small/plan", "small/brush"),
        ("ill", "timers: {every: 0.1}", "small/frail", "small/brush"),
        ("slow", "timers: {every: 3600}", "small/plan", "small/brush"),
        ("shy", "ticks: 1", "small/plan", "small/shouter"),
    ):
        home = folder / "worlds" / name
        (home / "blocks").mkdir(parents=True)
        (home / "world.yaml").write_text(WORLD.format(name=name, more=more, architect=architect, creator=creator))
        (home / "blocks" / "small.py").write_text(BLOCKS)
