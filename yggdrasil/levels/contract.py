"""The state contract of a world, proved on its cycle: who fills each block, who sees it, and that they fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from yggdrasil.core.cycle import Cycle
from yggdrasil.core.ports import Port, fits
from yggdrasil.errors import Problem
from yggdrasil.levels.seat import Seat


def contract_problems(seats: Mapping[str, Seat], cycle: Cycle) -> list[Problem]:
    """What is wrong with the contract besides the order of the cycle (see `core.cycle.static_problems`)."""
    return [*_never_filled(seats, cycle), *_unfit(seats), *_dropped(seats, cycle)]


def _never_filled(seats: Mapping[str, Seat], cycle: Cycle) -> Iterator[Problem]:
    """A block that is carried from tick to tick is there only if somebody fills it once."""
    filled = {seat.fills for seat in seats.values()}
    for block, extra in cycle.schema.extra.items():
        if block in filled:
            continue
        readers = [seat.name for seat in seats.values() if block in (*seat.reads, *seat.step.needs)]
        needed = [seat.name for seat in seats.values() if _needs(seat, block)]
        if needed and extra.keep:
            yield Problem(needed[0], f"it reads {block!r}, which no stage fills", f"a stage with fills: {block}")
        elif not readers:
            sentence = f"no stage fills the block {block!r} and none reads it"
            yield Problem(f"schema/{block}", sentence, "take it out of the schema", "warning")


def _needs(seat: Seat, block: str) -> bool:
    port = _input(seat, block)
    return block in seat.step.needs or (block in seat.reads and port is not None and port.required)


def _unfit(seats: Mapping[str, Seat]) -> Iterator[Problem]:
    """What fills a block must fit what reads it. A warning: blocks are kept as JSON, so what fits is less strict."""
    writers = {seat.fills: seat for seat in seats.values()}
    for reader in seats.values():
        for block in reader.reads:
            writer, port = writers.get(block), _input(reader, block)
            given = writer.block.spec.outputs.get(writer.port) if writer is not None else None
            if writer is None or port is None or given is None or fits(given.type, port.type):
                continue
            sentence = f"it takes {block!r} as {port.type}, and {writer.name} gives {given.type}"
            yield Problem(f"{reader.name}/{block}", sentence, f"one type for {block} in both", "warning")


def _dropped(seats: Mapping[str, Seat], cycle: Cycle) -> Iterator[Problem]:
    """A stage may write its own block and no other: what else it gives goes nowhere."""
    for seat in seats.values():
        for name in seat.block.spec.outputs:
            if name != seat.port and name in cycle.schema.blocks:
                sentence = f"it also gives {name!r}, which is not its block: that is dropped"
                yield Problem(f"{seat.name}/{name}", sentence, f"a stage of its own with fills: {name}", "warning")


def _input(seat: Seat, block: str) -> Port | None:
    ports = seat.stage.ports if seat.stage is not None else {}
    return seat.block.spec.inputs.get(ports.get(block, block))
