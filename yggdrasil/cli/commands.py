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
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

World = Annotated[str, typer.Argument(metavar="WORLD", help="A name from `yggdrasil list`, or a file.")]
Thing = Annotated[str, typer.Argument(metavar="NAME", help="A name from `yggdrasil list`, or a file.")]
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
    as_json: Json = False,
) -> None:
    """Let a world live. It goes on where it was; its pictures lie beside its store.

    Ctrl-C stops at the next safe point, a second one at once; the same command goes on. With --json each line is an
    event with its tick.
    """
    from yggdrasil.cli.run import Order, run_world
    from yggdrasil.cli.streams import typed

    action = None if action is None else typed(action)
    sys.exit(run_world(Order(world, ticks, action, store, seed, overlay), as_json))


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
