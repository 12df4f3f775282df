"""The commands and their options. What each does lies in a module of its own, loaded when it is called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from yggdrasil.cli import exits

_EPILOG = f"\b\nExit codes:\n{exits.table()}"  # \b: the lines stay as they are

app = typer.Typer(
    help="Yggdrasil: blocks, graphs, agents and worlds that live.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _worlds(incomplete: str) -> list[str]:
    return [name for kind, name in _entries(incomplete) if kind == "world"]


def _agents(incomplete: str) -> list[str]:
    return [name for kind, name in _entries(incomplete) if kind == "agent"]


def _things(incomplete: str) -> list[str]:
    return [name for _, name in _entries(incomplete)]


def _entries(incomplete: str) -> list[tuple[str, str]]:
    from yggdrasil.catalog.catalog import StandardCatalog

    return [(entry.kind, entry.name) for entry in StandardCatalog().entries() if entry.name.startswith(incomplete)]


def _kinds(incomplete: str) -> list[str]:
    from yggdrasil.cli.schema import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


_KNOWN = "A name from `yggdrasil list`, or a file."
World = Annotated[str, typer.Argument(metavar="WORLD", help=_KNOWN, autocompletion=_worlds)]
Thing = Annotated[str, typer.Argument(metavar="NAME", help=_KNOWN, autocompletion=_things)]
Store = Annotated[
    Optional[str],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option(help="Where it is kept: sqlite:///file.db or memory://.", show_default="sqlite:///<world>.db"),
]
Overlay = Annotated[Optional[str], typer.Option(metavar="NAME", help="Lay NAME.yaml of its folder over it.")]  # noqa: UP045
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.callback(invoke_without_command=True)
def options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Yggdrasil: blocks, graphs, agents and worlds that live."""
    if version:
        from yggdrasil import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def run(
    world: World,
    ticks: Annotated[int, typer.Option(min=1, help="How many passes through the five stages.")] = 1,
    action: Annotated[Optional[str], typer.Option(metavar="TEXT", help="What you do in it.")] = None,  # noqa: UP045
    store: Store = None,
    seed: Annotated[Optional[int], typer.Option(help="Of a new world: the same seed, the same world.")] = None,  # noqa: UP045
    overlay: Overlay = None,
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NAME", help="A language model takes the stages: anthropic:NAME or openai:NAME."),
    ] = None,
    endpoint_url: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="URL", help="Where the model is, if not at its provider's."),
    ] = None,
    image_model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NAME", help="With --overlay llm-image: who makes the pictures, as openai:gpt-image-1."),
    ] = None,
    budget: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, metavar="TOKENS", help="End cleanly when so many tokens are spent, read and written."),
    ] = None,
    max_cost: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0, metavar="DOLLARS", help="End cleanly when so much money is spent."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a world live. It goes on where it was; its pictures lie beside its store.

    Ctrl-C stops at the next safe point, a second one at once; the same command goes on. With --json each line is an
    event with its tick.
    """
    from yggdrasil.cli.run import Order, run_world
    from yggdrasil.cli.streams import typed

    action = None if action is None else typed(action)
    if endpoint_url is not None and model is None and image_model is None:
        raise typer.BadParameter("say which model is there: --model openai:NAME", param_hint="--endpoint-url")
    by = Order(world, ticks, action, store, seed, overlay, model, endpoint_url, image_model, budget, max_cost)
    sys.exit(run_world(by, as_json))


@app.command("list")
def list_entries(as_json: Json = False) -> None:
    """What there is: worlds, agents and tools.

    Those of the project you stand in come first, then those of plugins, then those that ship here.
    """
    from yggdrasil.cli.show import print_list

    print_list(as_json)


@app.command()
def show(what: Thing, store: Store = None, overlay: Overlay = None, as_json: Json = False) -> None:
    """What an entry is, and where a world stands."""
    from yggdrasil.cli.show import print_entry

    print_entry(what, store, overlay, as_json)


@app.command()
def validate(what: Thing, overlay: Overlay = None, as_json: Json = False) -> None:
    """Check a config without running it.

    A world, graph, pipeline, stage, agent or tool; every problem is told with its place.
    """
    from yggdrasil.cli.validate import validate_entry

    sys.exit(validate_entry(what, overlay, as_json))


@app.command()
def export(
    world: World,
    content: Annotated[bool, typer.Option("--content", help="The content with its history.")] = False,
    store: Store = None,
    overlay: Overlay = None,
    output: Annotated[Optional[Path], typer.Option(help="A file to write instead of standard output.")] = None,  # noqa: UP045
    as_json: Annotated[
        bool, typer.Option("--json", help="The content alone, as JSON: the same bytes for the same content.")
    ] = False,
) -> None:
    """Write what a world has become.

    With --content an End World: fixed, readable, linkable; a file of it can be opened like any world.
    """
    if not content:
        raise typer.BadParameter("say what to export", param_hint="--content")
    from yggdrasil.cli.export import export_content

    export_content(world, store, overlay, output, as_json)


@app.command()
def log(
    world: World,
    since: Annotated[Optional[int], typer.Option(min=0, help="Only what was told in this tick and later.")] = None,  # noqa: UP045
    about: Annotated[Optional[str], typer.Option(metavar="NAME", help="Only what tells of someone.")] = None,  # noqa: UP045
    store: Store = None,
    overlay: Overlay = None,
    as_json: Json = False,
) -> None:
    """Read the saga so far, tick by tick.

    It may be read while another process runs the world. With --json each line is a passage.
    """
    from yggdrasil.cli.log import print_log

    print_log(world, store, overlay, since, about, as_json)


@app.command()
def book(
    world: World,
    out: Annotated[Optional[Path], typer.Option(metavar="FOLDER", show_default="<world>-book")] = None,  # noqa: UP045
    store: Store = None,
    overlay: Overlay = None,
    as_json: Json = False,
) -> None:
    """Bind the saga with its pictures: one page to read, one to print."""
    from yggdrasil.cli.book import make_book

    make_book(world, store, overlay, out, as_json)


@app.command()
def draw(
    what: Thing,
    form: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--format", metavar="FORMAT", help="mermaid, svg or png.", show_default="by the output's ending"),
    ] = None,
    output: Annotated[Optional[Path], typer.Option(help="A file to write instead of standard output.")] = None,  # noqa: UP045
    depth: Annotated[int, typer.Option(min=1, help="How many levels are drawn, one in the other.")] = 3,
    overlay: Overlay = None,
    as_json: Json = False,
) -> None:
    """Draw anything: a world, stage, pipeline, graph or agent.

    Its nodes and what goes between them; nothing of it runs.
    """
    from yggdrasil.cli.draw import FORMATS, draw_entry

    if form is not None and form not in FORMATS:
        raise typer.BadParameter(f"{form!r} is none of {', '.join(FORMATS)}", param_hint="--format")
    draw_entry(what, form, output, depth, overlay, as_json)


@app.command()
def schema(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="graph, pipeline, stage, world or agent.", autocompletion=_kinds)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="As it is: a schema is JSON.")] = False,
) -> None:
    """Print the JSON Schema of a kind of file, for your editor."""
    from yggdrasil.cli.schema import print_schema

    print_schema(kind)


@app.command()
def new(name: Annotated[str, typer.Argument(metavar="NAME")], as_json: Json = False) -> None:
    """Begin a project with a small world that runs at once.

    A folder with a world, an agent, a tool and a test that passes.
    """
    from yggdrasil.cli.new import new_project

    new_project(name, as_json)


Agents = Annotated[
    Optional[str],  # noqa: UP045
    typer.Argument(metavar="NAME", help="An agent from `yggdrasil list`, or its file.", autocompletion=_agents),
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
    agent: Annotated[str, typer.Argument(metavar="NAME", help="An agent, or a model.", autocompletion=_agents)],
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
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help=_KNOWN, autocompletion=_things)],
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


Maybe = Annotated[Optional[str], typer.Argument(metavar="WORLD", help=_KNOWN, autocompletion=_worlds)]  # noqa: UP045


@app.command()
def stats(world: Maybe = None, store: Store = None, as_json: Json = False) -> None:
    """What a store weighs: its streams with their records, snapshots and forks, its blobs, its files.

    Of a WORLD, it and its forks alone.
    """
    from yggdrasil.cli.upkeep import print_stats

    sys.exit(print_stats(world, store, as_json))


@app.command()
def vacuum(world: Maybe = None, store: Store = None, as_json: Json = False) -> None:
    """Prune worlds as the `keep` of their files says, forget blobs that nothing names, and give the space back.

    The worlds of the store are looked for by their names; WORLD is a file that is not found so. One that runs is not
    pruned: it does so itself.
    """
    from yggdrasil.cli.upkeep import vacuum_store

    sys.exit(vacuum_store(world, store, as_json))


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store to copy: sqlite:///midgard.db.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="The store to copy into: sqlite:///copy.db.")],
    as_json: Json = False,
) -> None:
    """Copy a store into another: every world and thread with its forks, letters and blobs.

    Worlds may go on meanwhile. Cut off, the same line goes on. What is there already and is another is refused.
    """
    from yggdrasil.cli.upkeep import copy as copy_all

    sys.exit(copy_all(source, target, as_json))
