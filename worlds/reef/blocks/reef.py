"""A coral reef in one file: the sea's rules, the reef drawn, the drawing measured, and the moon told from that."""

from io import BytesIO
from typing import Any

from yggdrasil import Blob, RunContext, block

COLOURS = {"staghorn": (226, 108, 120), "brain coral": (196, 152, 92), "weed": (70, 128, 58), "sand": (216, 206, 172)}
CELLS, SIZE, TOP, FISH, GUEST = dict(zip("sba.", COLOURS, strict=True)), 16, 112, (250, 220, 40), (40, 60, 70)
FRAMES = {
    "calm": "The water lay still.|Nothing came by but light.|A month of small things.|The current turned.",
    "shoal": "A shoal of fusiliers moved in.|Young fish came off the drift.|Parrotfish came to graze, loud as gravel.",
    "turtle": "The old turtle slept under the ledge.|A turtle scratched its shell on a brain coral.|A turtle passed.",
    "manta": "A manta flew over to be cleaned.|A manta turned above the crest, three times.|A manta's shadow crossed.",
    "cyclone": "A cyclone broke over the crest.|The storm swell tore a street through the shallows.|It blew.",
    "bleaching": "The water was too warm, and corals went white.|The heat stayed.|A white month: the corals starved.",
    "starfish": "Crown-of-thorns came up at night and fed.|Starfish moved through, leaving bone.|They had thorns.",
    "spawning": "Five nights after the full moon, corals spawned.|The sea turned pink.|They all let go at once.",
    "weed": "Weed crept over what was bare.|The weed had the better month.|Green came over the low ground.",
}


@block("reef/sea", outputs={"intent": dict})
def sea(world: dict[str, Any], action: str | None = None, *, ctx: RunContext) -> dict[str, Any]:
    """Block 1: the next moon's happening, from warmth, season and cover, or the one that an action names."""
    luck, cover, moon = ctx.random(), world["census"], world["sea"]["moon"] + 1
    summer, warmth = moon % 12 in (1, 2, 3), world["sea"]["warmth"]
    warmth = max(-6, min(16, warmth + int(luck.random() * 7) - 3 - (warmth > 6)))
    odds = {"bleaching": (warmth - 7) * 0.2 * summer, "cyclone": 0.12 * summer, "spawning": moon % 12 == 11,
            "starfish": 0.004 * (cover["staghorn"] - 12), "weed": 0.02 * (cover["weed"] - 18)}  # fmt: skip
    drawn = next((kind for kind, odd in odds.items() if luck.random() < odd), list(FRAMES)[int(luck.random() * 4)])
    kind = next((kind for kind in FRAMES if action and kind in action.lower()), drawn)
    return {"what": f"moon {moon}: {kind}", "kind": kind, "moon": moon, "warmth": warmth, "at": int(luck.random() * 32)}


@block("reef/growth", outputs={"blueprint": dict})
def growth(intent: dict[str, Any], world: dict[str, Any], *, ctx: RunContext) -> dict[str, Any]:
    """Block 2: the reef as it is to be drawn when the moon is over."""
    kind, old, fish, chance = intent["kind"], world["reef"], world["sea"]["fish"], ctx.random()
    rows = ["".join(_cell(old, y, x, intent, fish, chance) for x in range(32)) for y in range(len(old))]
    room = 2 + sum(row.count("s") + row.count("b") for row in rows) // 14
    fish = max(2, min(20, fish + (room > fish) - (room < fish) + 3 * (kind == "shoal") - 4 * (kind == "cyclone")))
    murk = {"cyclone": 0.7, "weed": 0.4, "spawning": 0.4}.get(kind, 0.1)
    return {"rows": rows, "fish": fish, "guest": kind in ("turtle", "manta"), "at": intent["at"], "murk": murk}


def _cell(old: list[str], y: int, x: int, intent: dict[str, Any], fish: int, chance: Any) -> str:
    """One cell a moon later: coral grows beside coral, weed where fish are few, and each harm has its own prey."""
    cell, kind, luck = old[y][x], intent["kind"], chance.random()
    if cell in "sb":
        hit = abs(x - intent["at"]) < 7
        harm = {"cyclone": hit * (8 - y) * 0.12, "bleaching": 0.4, "starfish": hit * 0.6}.get(kind, 0.012)
        return ("." if kind == "cyclone" else "a") if luck < harm * (1.0 if cell == "s" else 0.5) else cell
    if cell == "a":
        return "." if luck < 0.02 + fish * 0.011 else cell
    beside = "".join(row[max(0, x - 1) : x + 2] for row in old[max(0, y - 1) : y + 2])
    larvae = 0.04 if kind == "spawning" else 0.002
    staghorn, brain = larvae + 0.024 * beside.count("s") * (y < 6), larvae + 0.004 * beside.count("b")
    if luck < staghorn + brain:
        return "s" if luck < staghorn else "b"
    return "a" if luck > 0.985 - 0.012 * beside.count("a") * (3 if kind == "weed" else 1) else "."


@block("reef/tide", outputs={"patch": list})
def tide(intent: dict[str, Any], blueprint: dict[str, Any], chronicle: dict[str, Any], world: dict[str, Any]) -> Any:
    """World update: the rows that changed, the sea, the census as it was measured, and the entry of the log."""
    rows = {f"reef/{y}": row for y, row in enumerate(blueprint["rows"]) if row != world["reef"][y]}
    sea_now = {"moon": intent["moon"], "warmth": intent["warmth"], "fish": blueprint["fish"]}
    after = {"sea": sea_now, "census": chronicle["census"], "style": {"recent": chronicle["recent"]}, **rows}
    patch = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in after.items()]
    return [*patch, {"op": "add", "path": "/history/-", "value": {"moon": intent["moon"], "text": chronicle["text"]}}]


@block("reef/lens", outputs={"artifacts": dict}, blocking=True)
def lens(blueprint: dict[str, Any]) -> dict[str, Any]:
    """Block 3: a PNG of the reef below and the water above it."""
    from PIL import Image, ImageDraw

    rows = blueprint["rows"]
    image = Image.new("RGB", (len(rows[0]) * SIZE, TOP + len(rows) * SIZE), COLOURS["sand"])
    draw = ImageDraw.Draw(image)
    for y in range(TOP):
        fall = (1 - blueprint["murk"]) * (1 - y / TOP)
        draw.line((0, y, image.width, y), (int(20 + 90 * fall), int(80 + 120 * fall), int(120 + 110 * fall)))
    for n, cell in enumerate("".join(rows)):
        x, y = n % len(rows[0]) * SIZE, TOP + n // len(rows[0]) * SIZE
        if cell == "s":
            for lean in (2, 7, 12):
                draw.line((x + 7, y + 15, x + lean, y + 1), COLOURS["staghorn"], 4)
        elif cell in "ba":
            draw.ellipse((x, y + 2, x + 15, y + 15), COLOURS[CELLS[cell]])
    if blueprint["guest"]:
        draw.ellipse((40 + blueprint["at"] * 12, 40, 86 + blueprint["at"] * 12, 64), GUEST)
    for n in range(blueprint["fish"]):
        x, y = 10 + n * 83 % 480, 10 + n % 5 * 19
        draw.ellipse((x, y, x + 14, y + 7), FISH)
    image.save(made := BytesIO(), "PNG")
    return {"images": [{"payload": Blob(made.getvalue(), "image/png"), "description": "the reef from the side"}]}


@block("reef/eye", outputs={"description": dict}, blocking=True)
def eye(artifacts: dict[str, Any]) -> dict[str, Any]:
    """Block 4, all from pixels: per cent of each cover, fish, a guest's dark shape, how clear the water is."""
    import numpy
    from PIL import Image

    pixels = numpy.asarray(Image.open(BytesIO(artifacts["images"][0]["payload"].data)).convert("RGB")).astype(int)
    near: Any = [(abs(pixels - colour) < 12).all(axis=2) for colour in (*COLOURS.values(), FISH, GUEST)]
    cover = {name: round(100 * float(seen[TOP:].mean())) for name, seen in zip(COLOURS, near, strict=False)}
    f, guest = near[-2], int(near[-1].sum()) > 200
    beside, below, square = f[:, 1:] & f[:, :-1], f[1:] & f[:-1], f[1:, 1:] & f[:-1, 1:] & f[1:, :-1] & f[:-1, :-1]
    fish = int(f.sum() - beside.sum() - below.sum() + square.sum())  # Euler's number: patches without holes
    water = ("murky", "hazy", "clear")[sum(pixels[0].mean() > limit for limit in (120, 160))]
    words = f"{water} water, {fish} fish; {', '.join(f'{share} % {name}' for name, share in cover.items())}"
    return {"words": words, "cover": cover, "fish": fish, "guest": guest, "water": water}


@block("reef/log", outputs={"chronicle": dict})
def log(intent: dict[str, Any], description: dict[str, Any], world: dict[str, Any], *, ctx: RunContext) -> Any:
    """Block 5: the moon in two or three sentences; what grew and what went is what the eye measured, never the plan."""
    now, before, chance = description["cover"], world["census"], ctx.random()
    fresh = [said for said in FRAMES[intent["kind"]].split("|") if said not in world["style"]["recent"]]
    said = fresh[int(chance.random() * len(fresh))] if fresh else f"{intent['kind'].capitalize()} again."
    most = max(now, key=lambda name: (abs(now[name] - before[name]) * (name != "sand"), name))
    by = now[most] - before[most]
    change = f"{('Less', 'As much', 'More')[(by > 0) - (by < 0) + 1]} {most}: {now[most]} % of the ground"
    text = f"{said} {change}; {description['fish']} fish were counted in {description['water']} water."
    return {"text": text, "census": now, "recent": [*world["style"]["recent"], said][-10:], "moon": intent["moon"]}
