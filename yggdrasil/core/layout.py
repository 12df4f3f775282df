"""A layered layout: boxes in columns from left to right, arrows between them that seldom cross.

After Sugiyama, Tagawa and Toda (1981), in its four steps: arrows that go back are turned round (depth-first), every box
gets the column of its longest way from a source, the boxes of a column are ordered by the barycentre of their
neighbours, and heights are set by isotonic regression (pool adjacent violators), so that no two boxes touch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

SWEEPS = 8


class Spot(NamedTuple):
    """Where a box lies: its upper left corner, and its size."""

    x: float
    y: float
    width: float
    height: float


Point = tuple[float, float]


class Layout(NamedTuple):
    """Spots by id, a way for every arrow in the order given (source first), and the size of it all."""

    spots: Mapping[str, Spot]
    ways: tuple[tuple[Point, ...], ...]
    width: float
    height: float


@dataclass
class _Layers:
    """What is being laid out: columns of names; `chains` has for each arrow the names it goes through."""

    sizes: dict[str, tuple[float, float]]
    columns: list[list[str]]
    chains: list[tuple[str, ...]]
    before: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)


def lay_out(
    sizes: Mapping[str, tuple[float, float]],
    arrows: Sequence[tuple[str, str]],
    *,
    across: float = 56,
    between: float = 22,
) -> Layout:
    """Place boxes of the given (width, height); `across` lies between columns, `between` between boxes of one.

    The same input gives the same layout. KeyError for an arrow whose end is no box.
    """
    for arrow in arrows:
        _ = [sizes[end] for end in arrow]
    turned = _turned(list(sizes), arrows)
    ranks = _ranks(list(sizes), [(b, a) if back else (a, b) for (a, b), back in zip(arrows, turned, strict=True)])
    layers = _layers(sizes, arrows, turned, ranks)
    _order(layers)
    tops = _heights(layers, between)
    return _placed(layers, tops, arrows, turned, across)


def _turned(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> list[bool]:
    """Which arrows close a circle, met depth-first in the order of the names."""
    out: dict[str, list[int]] = {name: [] for name in names}
    for number, (source, _) in enumerate(arrows):
        out[source].append(number)
    back = [False] * len(arrows)
    state = dict.fromkeys(names, 0)  # 1: on the way down, 2: done
    for start in names:
        stack = [(start, iter(out[start]))] if not state[start] else []
        state[start] = state[start] or 1
        while stack:
            name, rest = stack[-1]
            number = next(rest, -1)
            if number < 0:
                state[name] = 2
                stack.pop()
                continue
            target = arrows[number][1]
            if state[target] == 1:
                back[number] = True
            elif state[target] == 0:
                state[target] = 1
                stack.append((target, iter(out[target])))
    return back


def _ranks(names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Each box one column further than the last before it; sources stand right before what they feed."""
    ranks = dict.fromkeys(names, 0)
    plain = [(a, b) for a, b in arrows if a != b]
    for _ in names:
        moved = False
        for source, target in plain:
            if ranks[target] <= ranks[source]:
                ranks[target], moved = ranks[source] + 1, True
        if not moved:
            break
    fed = {target for _, target in plain}
    for name in names:
        after = [ranks[target] for source, target in plain if source == name]
        if after and name not in fed:
            ranks[name] = min(after) - 1
    return ranks


def _layers(
    sizes: Mapping[str, tuple[float, float]],
    arrows: Sequence[tuple[str, str]],
    turned: Sequence[bool],
    ranks: Mapping[str, int],
) -> _Layers:
    """Columns of boxes, and of joints where an arrow passes a column."""
    every = dict(sizes)
    columns: list[list[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for name in sizes:
        columns[ranks[name]].append(name)
    layers = _Layers(every, columns, [])
    for number, ((source, target), back) in enumerate(zip(arrows, turned, strict=True)):
        first, last = (target, source) if back else (source, target)
        joints = []
        for rank in range(ranks[first] + 1, ranks[last]):
            joint = f"\0{number}:{rank}"
            every[joint] = (0.0, 0.0)
            columns[rank].append(joint)
            joints.append(joint)
        layers.chains.append((first, *joints, last))
        for a, b in pairwise(layers.chains[-1]):
            if a != b:
                layers.after.setdefault(a, []).append(b)
                layers.before.setdefault(b, []).append(a)
    return layers


def _order(layers: _Layers) -> None:
    """Sort columns by the mean place of their neighbours, to and fro; the order with the fewest crossings stays."""
    best, fewest = [list(column) for column in layers.columns], _crossings(layers)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        near = layers.before if forth else layers.after
        steps = range(1, len(layers.columns)) if forth else range(len(layers.columns) - 2, -1, -1)
        for step in steps:
            other = layers.columns[step - 1 if forth else step + 1]
            at = {name: i for i, name in enumerate(other)}
            own = {name: i for i, name in enumerate(layers.columns[step])}
            means = {}
            for name in layers.columns[step]:
                places = [at[n] for n in near.get(name, ()) if n in at]
                means[name] = sum(places) / len(places) if places else float(own[name])
            layers.columns[step].sort(key=means.__getitem__)
        crossed = _crossings(layers)
        if crossed < fewest:
            best, fewest = [list(column) for column in layers.columns], crossed
    layers.columns = best


def _crossings(layers: _Layers) -> int:
    count = 0
    for left, right in pairwise(layers.columns):
        at = {name: i for i, name in enumerate(right)}
        ends = [at[n] for name in left for n in sorted((t for t in layers.after.get(name, ()) if t in at), key=at.get)]  # type: ignore[arg-type]
        count += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return count


def _heights(layers: _Layers, between: float) -> dict[str, float]:
    """The upper edge of everything: as near to its neighbours as the order allows."""
    centres: dict[str, float] = {}
    for column in layers.columns:
        y = 0.0
        for name in column:
            height = layers.sizes[name][1]
            centres[name] = y + height / 2
            y += height + between
    for sweep in range(2 * SWEEPS):
        forth = sweep % 2 == 0
        near = layers.before if forth else layers.after
        for column in layers.columns if forth else reversed(layers.columns):
            wished = []
            for name in column:
                around = [centres[n] for n in near.get(name, ())] or [centres[name]]
                wished.append(sum(around) / len(around))
            needs = [
                (layers.sizes[a][1] + layers.sizes[b][1]) / 2 + between for a, b in pairwise(column)
            ]
            centres.update(zip(column, _apart(wished, needs), strict=True))
    tops = {name: centre - layers.sizes[name][1] / 2 for name, centre in centres.items()}
    least = min(tops.values(), default=0.0)
    return {name: top - least for name, top in tops.items()}


def _apart(wished: Sequence[float], needs: Sequence[float]) -> list[float]:
    """The places nearest to those wished (least squares) that keep the order and the distances needed."""
    shifts = [0.0]
    for need in needs:
        shifts.append(shifts[-1] + need)
    pools: list[tuple[float, int]] = []
    for wish, shift in zip(wished, shifts, strict=False):
        mean, count = wish - shift, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    flat = [mean for mean, count in pools for _ in range(count)]
    return [mean + shift for mean, shift in zip(flat, shifts, strict=False)]


def _placed(
    layers: _Layers, tops: Mapping[str, float], arrows: Sequence[tuple[str, str]], turned: Sequence[bool], across: float
) -> Layout:
    lefts: dict[str, float] = {}
    x = 0.0
    for column in layers.columns:
        widest = max((layers.sizes[name][0] for name in column), default=0.0)
        for name in column:
            lefts[name] = x + (widest - layers.sizes[name][0]) / 2
        x += widest + across
    spots = {name: Spot(lefts[name], tops[name], *size) for name, size in layers.sizes.items()}
    doors = _doors(layers, spots)
    ways = []
    for number, (chain, back) in enumerate(zip(layers.chains, turned, strict=True)):
        if arrows[number][0] == arrows[number][1]:
            ways.append(_round(spots[chain[0]]))
            continue
        way = [doors[number, 1], *((spots[j].x, spots[j].y) for j in chain[1:-1]), doors[number, 0]]
        ways.append(tuple(reversed(way)) if back else tuple(way))
    boxes = {name: spot for name, spot in spots.items() if not name.startswith("\0")}
    height = max((spot.y + spot.height for spot in spots.values()), default=0.0)
    return Layout(boxes, tuple(ways), max(x - across, 0.0), height)


def _doors(layers: _Layers, spots: Mapping[str, Spot]) -> dict[tuple[int, int], Point]:
    """Where every arrow leaves its first box (1) and enters its last one (0): spread over the side."""
    sides: dict[tuple[str, int], list[tuple[float, int]]] = {}
    for number, chain in enumerate(layers.chains):
        for name, beyond, side in ((chain[0], chain[1], 1), (chain[-1], chain[-2], 0)):
            sides.setdefault((name, side), []).append((spots[beyond].y + spots[beyond].height / 2, number))
    doors = {}
    for (name, side), ends in sides.items():
        spot = spots[name]
        for place, (_, number) in enumerate(sorted(ends), 1):
            doors[number, side] = (spot.x + side * spot.width, spot.y + spot.height * place / (len(ends) + 1))
    return doors


def _round(spot: Spot) -> tuple[Point, ...]:
    """The way of an arrow from a box to itself, over its top."""
    left, right, top = spot.x + spot.width / 3, spot.x + 2 * spot.width / 3, spot.y
    return (right, top), (right, top - 12), (left, top - 12), (left, top)
