"""`yggdrasil approve`: answer the tool calls that wait for a person, in a thread or in a world."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import anyio

from yggdrasil.cli.exits import DONE
from yggdrasil.cli.plain import line, safe
from yggdrasil.cli.streams import json_line
from yggdrasil.core.approval import Answer, Approval
from yggdrasil.errors import ConfigError
from yggdrasil.runtime.approvals import approve, pending
from yggdrasil.storage.open import is_there


def approve_thread(
    thread: str,
    store: str,
    *,
    approval: str | None,
    no: bool,
    note: str,
    arguments: str | None,
    only_list: bool,
    as_json: bool,
) -> int:
    """List what waits, or answer it: as the options say, else by asking at the terminal, else with yes."""
    given = _arguments(arguments)
    if not is_there(store):
        raise ConfigError(f"there is no store {store}", hint="--store sqlite:///runs.db")
    waiting = anyio.run(lambda: pending(thread, store=store))
    if only_list:
        _print(waiting, as_json)
        return DONE.code
    decided = no or bool(note) or given is not None or approval is not None or as_json
    if not decided and sys.stdin.isatty() and waiting:
        for one in waiting:
            anyio.run(_answer, thread, store, one.id, ask_at_terminal(one))
        return DONE.code
    answer = Answer(not no, note, given)
    answered = anyio.run(_answer, thread, store, approval, answer)
    if as_json:
        print(json_line([{"id": a.id, "tool": a.tool, "approved": not no} for a in answered]))
    else:
        for one in answered:
            print(f"{'refused' if no else 'approved'}: {one.tool} ({one.id})")
        print("run the same line again, and it goes on", file=sys.stderr)
    return DONE.code


async def _answer(thread: str, store: str, approval: str | None, answer: Answer) -> list[Approval]:
    return await approve(
        thread,
        store=store,
        approved=answer.approved,
        approval=approval,
        note=answer.note,
        arguments=answer.arguments,
    )


def _arguments(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the arguments are not JSON: {error}", hint="""--arguments '{"to": "Ketil"}'""") from None
    if not isinstance(found, dict):
        raise ConfigError("the arguments are no JSON object", hint="""--arguments '{"to": "Ketil"}'""")
    return found


def _print(waiting: list[Approval], as_json: bool) -> None:
    if as_json:
        print(json_line([{"id": a.id, "tool": a.tool, "arguments": a.arguments, "path": a.path} for a in waiting]))
    elif not waiting:
        print("nothing waits")
    for one in [] if as_json else waiting:
        print(f"{one.id}  {one.tool}  {question(one)}")


def question(approval: Approval) -> str:
    """The arguments of a call, safe to show."""
    return safe(json.dumps(approval.arguments, ensure_ascii=False, default=str))


def spread(approval: Approval) -> str:
    """The call with an argument a line, and those of several lines as they are: what a person says yes to."""
    told = [line(approval.tool, 100)]
    for name, value in approval.arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        lines = safe(text).splitlines() or [""]
        # the bar keeps a value from looking like the next argument
        told += [f"  {line(str(name), 60)}: {lines[0]}"] if len(lines) == 1 else [f"  {line(str(name), 60)}:"]
        told += [f"    | {each}" for each in lines] if len(lines) > 1 else []
    return "\n".join(told)


PROMPT = "may it be called? y, n, n because ..., or other arguments as JSON: "


def ask_at_terminal(approval: Approval) -> Answer:
    """Ask until the answer can be understood."""
    print(f"{approval.path}: {spread(approval)}")
    while True:
        answer = understood(input(PROMPT))
        if answer is not None:
            return answer


def understood(said: str) -> Answer | None:
    """What a person typed, as an Answer; None when it is neither yes nor no nor arguments."""
    said = said.strip()
    word, _, rest = said.partition(" ")
    if said.lower() in ("y", "yes"):
        return Answer(True)
    if word.lower() in ("n", "no"):
        return Answer(False, rest.removeprefix("because ").strip())
    if said.startswith("{"):
        try:
            arguments = json.loads(said)
        except (ValueError, RecursionError):
            return None
        return Answer(True, arguments=arguments)
    return None
