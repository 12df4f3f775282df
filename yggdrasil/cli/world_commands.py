"""Commands for worlds and files. What each does lies in a module of its own, loaded when it is called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from yggdrasil.cli.app import Json, Overlay, Store, Thing, World, app, known_kinds


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
    name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NAME", help="What it is called in the store: a fork's name, or another one of its kind."),
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
    by = Order(world, ticks, action, store, seed, overlay, model, endpoint_url, image_model, budget, max_cost, name)
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
        str, typer.Argument(metavar="KIND", help="graph, pipeline, stage, world or agent.", autocompletion=known_kinds)
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
