"""How each kind of happening is staged: gestures, fire, boats, beasts."""

from __future__ import annotations

from dataclasses import dataclass

GESTURES = ("stand", "walk", "point", "carry")


@dataclass(frozen=True, slots=True)
class Scene:
    """Gestures in the order of the company; what else is in the picture.

    fire: "" none, "small", "great" or "beacon"; warm: a small fire after dark; sails: strange or own, out on the water.
    """

    gestures: tuple[str, ...] = ()
    fire: str = ""
    warm: bool = True
    afloat: bool = False
    sails: int = 0
    animal: str = ""


SCENES: dict[str, Scene] = {
    "fishing": Scene(("row", "haul"), afloat=True),
    "harvest": Scene(("bend", "bend", "carry")),
    "haymaking": Scene(("bend", "carry", "bend")),
    "sowing": Scene(("walk", "bend")),
    "lambing": Scene(("bend", "kneel"), fire="small", animal="sheep"),
    "slaughter": Scene(("bend", "carry"), fire="small", animal="sheep"),
    "woodcutting": Scene(("chop", "carry")),
    "hunting": Scene(("aim", "walk"), animal="stag"),
    "hunting-empty": Scene(("walk", "point")),
    "smithing": Scene(("chop", "stand"), fire="great"),
    "shearing": Scene(("kneel", "carry"), animal="sheep"),
    "mending": Scene(("kneel", "stand")),
    "gathering": Scene(("bend", "kneel")),
    "aid": Scene(("carry", "raise")),
    "trade": Scene(("point", "stand")),
    "tale": Scene(("raise", "sit", "sit"), fire="great"),
    "visit": Scene(("walk", "raise")),
    "quarrel": Scene(("point", "raise")),
    "game": Scene(("raise", "bend")),
    "nursing": Scene(("kneel", "sit"), fire="small"),
    "teaching": Scene(("point", "stand")),
    "storm-damage": Scene(("carry", "bend"), warm=False),
    "omen": Scene(("point", "stand"), warm=False, animal="raven"),
    "beacon": Scene(("raise",), fire="beacon"),
    "first-summer": Scene(("raise", "stand", "raise"), fire="small"),
    "midsummer": Scene(("raise", "walk", "raise", "stand", "raise"), fire="great"),
    "assembly": Scene(("raise", "stand", "stand", "stand"), warm=False),
    "winter-nights": Scene(("raise", "stand", "kneel"), fire="great"),
    "yule": Scene(("raise", "raise", "stand"), fire="great"),
    "birth": Scene(("sit", "stand", "kneel"), fire="small"),
    "death": Scene(("stand", "carry", "kneel", "stand"), warm=False),
    "settle": Scene(("walk", "carry", "walk")),
    "foster": Scene(("walk", "walk")),
    "arrival": Scene(("raise",), sails=1),
    "leaving": Scene(("raise",), sails=1),
    "of-age": Scene(("stand", "raise"), fire="small"),
    "dream": Scene(("sit",), fire="small"),
    "rumour": Scene(("point", "stand"), fire="small"),
    "feud-blow": Scene(("raise", "kneel")),
    "feud-law": Scene(("raise", "stand", "stand"), warm=False),
    "feud-duel": Scene(("raise", "kneel"), warm=False),
    "courtship": Scene(("stand", "carry")),
    "courtship-gift": Scene(("kneel", "stand")),
    "wedding": Scene(("stand", "stand", "raise", "raise", "raise"), fire="great"),
    "beast": Scene(("kneel", "point")),
    "beast-watch": Scene(("sit", "stand"), fire="small", animal="wolf"),
    "beast-killed": Scene(("aim", "raise")),
    "beast-hurt": Scene(("kneel", "aim")),
    "voyage": Scene(("raise", "raise"), sails=1),
    "sails": Scene(("point",), sails=2, warm=False),
    "sails-raid": Scene(("raise", "aim", "raise", "kneel"), sails=2, fire="great"),
    "fever": Scene(("sit", "kneel"), fire="small"),
    "build": Scene(("chop", "carry")),
    "build-launch": Scene(("bend", "raise")),
    "lean": Scene(("sit", "stand"), fire="small"),
    "lost": Scene(("raise",), fire="small"),
    "lost-found": Scene(("sit", "walk", "raise")),
    "lights": Scene(("point",), fire="small"),
    "lights-vigil": Scene(("sit", "sit")),
    "lights-stone": Scene(("chop", "kneel")),
}
