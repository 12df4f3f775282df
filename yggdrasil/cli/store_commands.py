"""Commands for stores, for the past of worlds, and for worlds that live. Each loads its own module when called."""

from __future__ import annotations

import sys
from typing import Annotated, Optional

import typer

from yggdrasil.cli.app import KNOWN, Json, Overlay, Store, app, known_worlds

Maybe = Annotated[Optional[str], typer.Argument(metavar="WORLD", help=KNOWN, autocompletion=known_worlds)]  # noqa: UP045


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


Past = Annotated[str, typer.Argument(metavar="WORLD", help=f"{KNOWN} Or a fork's, with --store.")]
Side = Annotated[str, typer.Argument(metavar="WORLD[@TICK]", help="A world or a fork; at its last tick or this one.")]


@app.command()
def at(
    world: Past,
    tick: Annotated[int, typer.Argument(min=0, metavar="TICK", help="0 is how it began.")],
    store: Store = None,
    overlay: Overlay = None,
    as_json: Json = False,
) -> None:
    """What a world was after a tick.

    It may be asked while another process runs the world. With --json its content and state too.
    """
    from yggdrasil.cli.past import print_past

    print_past(world, tick, store, overlay, as_json)


@app.command()
def fork(
    world: Past,
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="What the fork is called in the store.")],
    tick: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--at", min=0, metavar="TICK", help="Up to the end of this tick.", show_default="the last"),
    ] = None,
    store: Store = None,
    overlay: Overlay = None,
    as_json: Json = False,
) -> None:
    """Begin a world of its own from any tick of another. This is how a world is rewound.

    Nothing is copied, and nothing of the other is changed: what happened stays. Go on with `run WORLD --name NAME`.
    """
    from yggdrasil.cli.past import fork_world

    fork_world(world, tick, name, store, overlay, as_json)


@app.command()
def diff(
    a: Side,
    b: Side,
    store: Store = None,
    other: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--other-store", metavar="URL", help="Where the second one is kept, if elsewhere."),
    ] = None,
    overlay: Overlay = None,
    as_json: Json = False,
) -> None:
    """What differs between two worlds, two ticks or two forks, and in which tick they part."""
    from yggdrasil.cli.past import print_diff

    print_diff(a, b, store, other, overlay, as_json)


@app.command()
def replay(
    world: Past,
    since: Annotated[int, typer.Option("--from", min=1, metavar="TICK", help="The first tick.")] = 1,
    upto: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--to", min=1, metavar="TICK", help="The last tick.", show_default="the last one lived"),
    ] = None,
    store: Store = None,
    overlay: Overlay = None,
    as_json: Json = False,
) -> None:
    """Execute a world's ticks again from its journal, offline.

    Every tick must end with the hash that was recorded; the first that does not is told, with its place. Nothing is
    asked outside, nothing is written.
    """
    from yggdrasil.cli.past import replay_world

    replay_world(world, since, upto, store, overlay, as_json)


@app.command()
def verify(world: Past, store: Store = None, overlay: Overlay = None, as_json: Json = False) -> None:
    """Look through a world and its store: every record, tick, snapshot and blob.

    Code 0 only when all is whole. Each damage is told with its place; nothing is changed.
    """
    from yggdrasil.cli.past import verify_world

    sys.exit(verify_world(world, store, overlay, as_json))


@app.command()
def up(
    worlds: Annotated[list[str], typer.Argument(metavar="WORLD...", help=KNOWN, autocompletion=known_worlds)],
    store: Store = None,
    overlay: Overlay = None,
    as_json: Json = False,
) -> None:
    """Let worlds live until they are stopped: many in one process.

    Each ticks by the `timers` of its file, without them tick after tick. One that is parked waits for `yggdrasil
    resume` or `yggdrasil approve`, or is tried again where its error may pass; the others live on. Ctrl-C and SIGTERM
    stop them all at safe points, a second one at once; the same command goes on.
    """
    from yggdrasil.cli.up import live_worlds

    sys.exit(live_worlds(worlds, store, overlay, as_json))


@app.command()
def ps(
    store: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The store to look into.", show_default="every *.db in this folder"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Where the worlds of a store stand.

    living (a process runs it), resting (nobody does), paused, parked (and by what), or waiting (for an approval).
    """
    from yggdrasil.cli.ps import print_worlds

    print_worlds(store, as_json)


Living = Annotated[
    str, typer.Argument(metavar="WORLD", help="A name, a file, or a world of the store.", autocompletion=known_worlds)
]


@app.command()
def pause(world: Living, store: Store = None, as_json: Json = False) -> None:
    """Let a world rest: at its next safe point, or as soon as somebody runs it."""
    from yggdrasil.cli.steer import steer

    steer(world, store, "pause", as_json)


@app.command()
def resume(
    world: Living,
    retry: Annotated[bool, typer.Option("--retry", help="Parked: try the stage again.")] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Parked: the stage's block stays empty in this tick.")] = False,
    edit: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="VALUE|FILE", help="Parked: this is what the stage gives; JSON, YAML, or text."),
    ] = None,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Parked by a changed request: what was recorded holds for the new one.")
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Parked: drop what the stage has recorded; it begins anew.")
    ] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Let a world go on that rests, or that is parked.

    What was given is checked before it is posted. It goes on at once where a process lives it, else with the next run.
    """
    from yggdrasil.cli.steer import resume_world

    chosen = [name for name, said in (("retry", retry), ("skip", skip), ("migrate", migrate), ("abandon", abandon))
              if said]  # fmt: skip
    chosen += [] if edit is None else ["edit"]
    if len(chosen) > 1:
        raise typer.BadParameter("one of them at a time", param_hint=" and ".join(f"--{name}" for name in chosen))
    resume_world(world, store, chosen[0] if chosen else "", edit, as_json)


@app.command()
def step(world: Living, store: Store = None, as_json: Json = False) -> None:
    """Let a world live one tick and rest again."""
    from yggdrasil.cli.steer import steer

    steer(world, store, "step", as_json)


@app.command()
def stop(world: Living, store: Store = None, as_json: Json = False) -> None:
    """End the life of a world that a process runs, at its next safe point."""
    from yggdrasil.cli.steer import steer

    steer(world, store, "stop", as_json)


@app.command()
def act(
    world: Living,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What you do in it.")],
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Do something in a world, from any process: its next tick sees it."""
    from yggdrasil.cli.steer import act_in
    from yggdrasil.cli.streams import typed

    act_in(world, store, typed(text), as_json)
