"""`yggdrasil chat`: a talk with an agent in the terminal."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from yggdrasil.agent.block import Agent
from yggdrasil.agent.memory import Memory
from yggdrasil.cli.agents import load_agent, scope_of, spent
from yggdrasil.cli.approve import PROMPT, spread, understood
from yggdrasil.cli.exits import DONE
from yggdrasil.cli.failure import shorten, words
from yggdrasil.cli.lines import Lines
from yggdrasil.cli.plain import Paint, safe
from yggdrasil.cli.resume import give_up, under_way
from yggdrasil.cli.talk import Talk
from yggdrasil.core.approval import Answer, Approval
from yggdrasil.core.budget import Budget
from yggdrasil.core.messages import Usage
from yggdrasil.errors import ConfigError, SuspendedError, YggdrasilError, close_names

MOST_UNDONE = 100
"""How many turns can be taken back."""

HELP = """\
/help            this
/tools           what the agent may call
/model NAME      go on with another model
/undo            take the last turn back
/save FILE       write the talk to a file; /load FILE reads it back
/clear           forget the talk
/usage           what the talk has cost
/quit            leave (Ctrl-D too). Ctrl-C stops the turn that is under way"""


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for on the command line."""

    agent: str | None
    model: str | None = None
    endpoint_url: str | None = None
    thread: str | None = None
    store: str | None = None
    budget: int | None = None
    max_cost: float | None = None


def chat(order: Order) -> int:
    """Talk until the person leaves."""
    if (order.thread is None) != (order.store is None):
        raise ConfigError("a thread and a store go together", hint="--thread NAME --store sqlite:///talks.db")
    with scope_of(order.agent):
        agent = load_agent(order.agent, order.model, order.endpoint_url)
        if agent.memory is None:
            agent = agent.replace(memory=Memory())
        anyio.run(_Chat(agent, order).live)
    return DONE.code


class _Chat:
    def __init__(self, agent: Agent[Any], order: Order) -> None:
        self.agent, self.order = agent, order
        self.budget = Budget(tokens=order.budget, cost=order.max_cost)
        self.usage = Usage()
        self.before: list[dict[str, Any]] = []
        self.talk = Talk(agent.label, sys.stdout)
        self.paint = Paint(sys.stdout)
        self.scope: anyio.CancelScope | None = None
        self.leaving = False
        self.lines: Lines | None = None
        self.asking = anyio.Lock()
        self.cut_off: str | None = None

    @property
    def durable(self) -> bool:
        return self.order.thread is not None

    async def live(self) -> None:
        """Greet, and take turns until there is no more to say."""
        self.lines = Lines()
        async with anyio.create_task_group() as group:
            group.start_soon(self._signals, group.cancel_scope)
            self._say(f"{self.agent.label}: {self.agent._loop.model.name}. /help says what there is.", "2")
            if self.durable:
                await self._go_on()
            while True:
                self._prompt()
                said = await self.lines.next()
                if said is None or said.strip() == "/quit":
                    break
                if said.strip().startswith("/"):
                    await self._command(said.strip())
                elif said.strip():
                    await self._turn(said)
            group.cancel_scope.cancel()
        if said is None and self.paint.on:
            print()

    async def _signals(self, scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                if self.scope is not None:
                    self.scope.cancel()
                elif self.leaving:
                    print()
                    scope.cancel()
                else:
                    self.leaving = True
                    print()
                    self._say("Ctrl-C again leaves, and so does Ctrl-D", "2")
                    self._prompt()

    def _prompt(self) -> None:
        if sys.stdin.isatty():
            print(self.paint("> ", "1"), end="", flush=True)

    def _say(self, text: str, style: str = "") -> None:
        print(self.paint(text, style) if style else text, flush=True)

    # --- a turn

    async def _go_on(self) -> None:
        """Finish a turn of the thread that was interrupted."""
        asked = await under_way(str(self.order.thread), str(self.order.store))
        if asked:
            self._say(f"going on with: {safe(asked)}", "2")
            await self._turn(asked)

    async def _turn(self, said: str) -> None:
        self.leaving = False
        before = None if self.durable else self.agent.state_dict()
        options: dict[str, Any] = {"approve": self._approve, "budget": self.budget}
        if self.durable:
            options |= {"thread": self.order.thread, "store": self.order.store}
        self.talk.begin()
        done = False
        with anyio.CancelScope() as self.scope:
            done = await self._told(said, options)
        stopped = self.scope.cancelled_caught
        self.scope = None
        self.talk.end()
        self.cut_off = said if self.durable and not done else None
        if done and before is not None:
            self.before = [*self.before[-MOST_UNDONE + 1 :], before]
        if stopped:
            if sys.stdin.isatty():
                print()  # after the ^C that the terminal shows
            hint = "; the same words go on with it, others begin anew" if self.durable else ""
            self._say(f"(stopped{hint})", "2")
        self.usage = self.usage + self.talk.usage
        cost = spent(self.talk.usage)
        if cost:
            self._say(cost, "2")

    async def _told(self, said: str, options: dict[str, Any]) -> bool:
        """Run the turn and show it; whether it came to its end."""
        try:
            if self.cut_off not in (None, said):  # the person wants something else now
                await self._give_up()
            async with self.agent.stream(said, **options) as events:
                async for event in events:
                    self.talk.hear(event)
        except SuspendedError:
            self.talk.end()
            line = shlex.join(["yggdrasil", "approve", str(self.order.thread), "--store", str(self.order.store)])
            self._say(f"it waits for a person: {line}; then the same chat goes on", "2")
            return False
        except YggdrasilError as error:
            self.talk.end()
            self._say("\n".join(shorten(words(error))), "31")
            return False
        return True

    async def _give_up(self) -> None:
        thread, store = str(self.order.thread), str(self.order.store)
        if await under_way(thread, store) == self.cut_off:  # and not one that another process has begun since
            await give_up(thread, store)

    async def _approve(self, approval: Approval) -> Answer:
        assert self.lines is not None
        async with self.asking:  # one question after another, each below what led to it
            with anyio.move_on_after(1):
                await self.talk.asked(approval.id).wait()
            self.talk.hold()
            try:
                self.lines.drop()
                self._say(spread(approval), "1")
                return await self._answer(self.lines, approval)
            finally:
                self.talk.release()

    async def _answer(self, lines: Lines, approval: Approval) -> Answer:
        while True:
            print(self.paint(PROMPT, "33"), end="", flush=True)
            said = await lines.next()
            if said is None or not sys.stdin.isatty():
                print()
            if said is None and self.durable:
                raise SuspendedError("nobody answered", pending=[approval], path=approval.path)
            answer = Answer(False, "nobody is there any more") if said is None else understood(said)
            if answer is not None:
                return answer

    # --- commands

    async def _command(self, line: str) -> None:
        name, _, rest = line[1:].partition(" ")
        command = getattr(self, f"_do_{name}", None) if name.isidentifier() else None
        if command is None:
            known = [n.removeprefix("_do_") for n in dir(self) if n.startswith("_do_")]
            self._say(f"there is no /{safe(name)}; {close_names(name, [*known, 'quit'])}")
            return
        try:
            command(rest.strip())
        except (YggdrasilError, OSError, ValueError) as error:
            self._say("\n".join(shorten(words(error))), "31")

    def _do_help(self, rest: str) -> None:
        self._say(HELP)

    def _do_tools(self, rest: str) -> None:
        specs = self.agent._loop.toolbox.specs
        for spec in specs:
            about = spec.description.strip().splitlines()
            self._say(f"{spec.name}  {self.paint(safe(about[0]) if about else '', '2')}")
        if not specs:
            self._say("none")

    def _do_model(self, rest: str) -> None:
        if not rest:
            self._say(self.agent._loop.model.name)
            return
        self.agent = self.agent.replace(model=self._where(rest))
        self._say(f"now {self.agent._loop.model.name}", "2")

    def _where(self, model: str) -> str | dict[str, str]:
        """The endpoint that was given is kept for another model of the same provider."""
        there, first = self.order.endpoint_url, self.order.model or ""
        same = model.partition(":")[0] == first.partition(":")[0]
        return {"name": model, "endpoint_url": there} if there is not None and same else model

    def _do_undo(self, rest: str) -> None:
        self._mine()
        if not self.before:
            self._say("there is nothing to take back")
            return
        self.agent.load_state_dict(self.before.pop())
        self._say("the last turn is taken back", "2")

    def _do_clear(self, rest: str) -> None:
        self._mine()
        assert self.agent.memory is not None
        self.before.append(self.agent.state_dict())
        self.agent.memory.clear()
        self._say("forgotten; /undo brings it back", "2")

    def _do_save(self, rest: str) -> None:
        self._mine()
        path = _file(rest, "save")
        text = json.dumps({"kind": "talk", "version": 1, "agent": self.agent.label, "state": self.agent.state_dict()},
                          ensure_ascii=False, indent=1)  # fmt: skip
        path.write_text(text + "\n", encoding="utf-8")
        self._say(f"saved to {path}", "2")

    def _do_load(self, rest: str) -> None:
        self._mine()
        path = _file(rest, "load")
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, Mapping) or data.get("kind") != "talk" or not isinstance(data.get("state"), Mapping):
            raise ConfigError("this is no talk", path=str(path), hint="a file that /save wrote")
        now = self.agent.state_dict()
        try:
            self.agent.load_state_dict(data["state"])
        except YggdrasilError:
            self.agent.load_state_dict(now)
            raise
        self.before.append(now)
        self._say(f"the talk of {path} goes on", "2")

    def _do_usage(self, rest: str) -> None:
        self._say(spent(self.usage) or f"{self.usage.requests} requests, nothing counted")

    def _mine(self) -> None:
        if self.durable:
            raise ConfigError(f"this talk is kept in thread {self.order.thread!r} of {self.order.store}")


def _file(name: str, command: str) -> Path:
    if not name:
        raise ConfigError("which file?", hint=f"/{command} talk.json")
    return Path(name).expanduser()
