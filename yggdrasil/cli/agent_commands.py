"""Commands for agents. What each does lies in a module of its own, loaded when it is called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from yggdrasil.cli.app import KNOWN, Json, Overlay, Store, app, known_agents, known_things

Agents = Annotated[
    Optional[str],  # noqa: UP045
    typer.Argument(metavar="NAME", help="An agent from `yggdrasil list`, or its file.", autocompletion=known_agents),
]
Model = Annotated[Optional[str], typer.Option(metavar="NAME", help="Another model: anthropic:NAME, openai:NAME.")]  # noqa: UP045
Endpoint = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(metavar="URL", help="Where the model is, if not at its provider's."),
]
Thread = Annotated[Optional[str], typer.Option(metavar="NAME", help="Keep it as this thread of the store.")]  # noqa: UP045
Threads = Annotated[Optional[str], typer.Option(metavar="URL", help="Where threads are kept: sqlite:///runs.db.")]  # noqa: UP045
Tokens = Annotated[Optional[int], typer.Option(min=1, metavar="TOKENS", help="Refuse when so many tokens are spent.")]  # noqa: UP045
Dollars = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(min=0, metavar="DOLLARS", help="Refuse when so much money is spent."),
]


@app.command()
def chat(
    agent: Agents = None,
    model: Model = None,
    endpoint_url: Endpoint = None,
    thread: Thread = None,
    store: Threads = None,
    budget: Tokens = None,
    max_cost: Dollars = None,
) -> None:
    """Talk with an agent, or with a bare model.

    Answers come as they are written; a tool that needs your yes asks for it. Ctrl-C stops the turn; /help says more.
    """
    from yggdrasil.cli.chat import Order
    from yggdrasil.cli.chat import chat as talk

    sys.exit(talk(Order(agent, model, endpoint_url, thread, store, budget, max_cost)))


@app.command()
def ask(
    agent: Annotated[str, typer.Argument(metavar="NAME", help="An agent, or a model.", autocompletion=known_agents)],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The question; - is what comes through a pipe.")] = "-",
    model: Model = None,
    endpoint_url: Endpoint = None,
    thread: Thread = None,
    store: Threads = None,
    budget: Tokens = None,
    max_cost: Dollars = None,
    yes: Annotated[bool, typer.Option("--yes", help="Say yes to EVERY tool call that needs a person.")] = False,
    as_json: Json = False,
) -> None:
    """Ask an agent once, for scripts.

    The answer goes to standard output, all else to standard error; what comes through a pipe is added to the question.
    NAME may be a model: openai:gpt-5.
    """
    from yggdrasil.cli.ask import Question, ask_agent
    from yggdrasil.cli.streams import typed

    bare = ":" in agent and not Path(agent).exists()
    named, called = (None, model or agent) if bare else (agent, model)
    question = Question(named, typed(text), called, endpoint_url, thread, store, budget, max_cost, yes)
    sys.exit(ask_agent(question, as_json))


@app.command()
def approve(
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread, or a world.")],
    store: Annotated[str, typer.Option(metavar="URL", help="Where it is kept: sqlite:///runs.db.")],
    approval: Annotated[Optional[str], typer.Option("--id", metavar="ID", help="Answer only this one.")] = None,  # noqa: UP045
    no: Annotated[bool, typer.Option("--no", help="Refuse.")] = False,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What the model is told with a no.")] = "",
    arguments: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="JSON", help="Call it with these arguments instead."),
    ] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Only say what waits.")] = False,
    as_json: Json = False,
) -> None:
    """Answer tool calls that wait for a person.

    On a terminal each is asked; elsewhere, or with options that decide, all that wait are answered with yes.
    Run the same line again afterwards: it goes on.
    """
    from yggdrasil.cli.approve import approve_thread

    code = approve_thread(
        thread, store, approval=approval, no=no, note=note, arguments=arguments, only_list=only_list, as_json=as_json
    )
    sys.exit(code)


@app.command()
def mcp(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help=KNOWN, autocompletion=known_things)],
    http: Annotated[Optional[int], typer.Option(metavar="PORT", help="Over HTTP at this port, not stdio.")] = None,  # noqa: UP045
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    hosts: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--allow-host", metavar="HOST", help="A Host header that is let in besides the address."),
    ] = None,
    bearer: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="VARIABLE", help="The environment variable with the token that clients must send."),
    ] = None,
    store: Store = None,
    overlay: Overlay = None,
) -> None:
    """Serve agents, graphs, tools or worlds as tools of the Model Context Protocol.

    Over standard input and output, as clients start it, or over HTTP. Needs the extra `mcp`.
    """
    from yggdrasil.cli.mcp import serve_entries

    serve_entries(names, http, host, hosts, bearer, store, overlay)
