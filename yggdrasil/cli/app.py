"""The command itself, and what its commands share: arguments, options, completion."""

from __future__ import annotations

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


def known_worlds(incomplete: str) -> list[str]:
    """Completion: worlds."""
    return [name for kind, name in _entries(incomplete) if kind == "world"]


def known_agents(incomplete: str) -> list[str]:
    """Completion: agents."""
    return [name for kind, name in _entries(incomplete) if kind == "agent"]


def known_things(incomplete: str) -> list[str]:
    """Completion: worlds, agents and tools."""
    return [name for _, name in _entries(incomplete)]


def _entries(incomplete: str) -> list[tuple[str, str]]:
    from yggdrasil.catalog.catalog import StandardCatalog

    return [(entry.kind, entry.name) for entry in StandardCatalog().entries() if entry.name.startswith(incomplete)]


def known_kinds(incomplete: str) -> list[str]:
    """Completion: kinds of files."""
    from yggdrasil.cli.schema import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


KNOWN = "A name from `yggdrasil list`, or a file."
World = Annotated[str, typer.Argument(metavar="WORLD", help=KNOWN, autocompletion=known_worlds)]
Thing = Annotated[str, typer.Argument(metavar="NAME", help=KNOWN, autocompletion=known_things)]
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
