"""How each kind of happening is staged: gestures, grouping, fire, boats, beasts."""

from __future__ import annotations

from dataclasses import dataclass

GESTURES = ("stand", "walk", "point", "carry")


@dataclass(frozen=True, slots=True)
class Scene:
    """Gestures in the order of the company; what else is in the picture.

    group: "row"; "pair", two face to face and the others look on; "ring", about a fire; "work", spread out, each at a
    task; "round", all turned to the first. fire: "" none, "small", "great", "beacon" or "house"; warm: a small fire
    after dark; sails: strange or own, out on the water.
    """

    gestures: tuple[str, ...] = ()
    group: str = "row"
    fire: str = ""
    warm: bool = True
    afloat: bool = False
    sails: int = 0
    animal: str = ""


SCENES: dict[str, Scene] = {
    "fishing": Scene(("row", "haul", "row", "steer"), afloat=True),
    "harvest": Scene(("bend", "bend", "carry", "rake"), "work"),
    "haymaking": Scene(("rake", "carry", "rake", "bend"), "work"),
    "sowing": Scene(("sow", "bend", "sow"), "work"),
    "lambing": Scene(("kneel", "bucket", "stand"), "work", fire="small", animal="sheep"),
    "slaughter": Scene(("bend", "carry", "bucket"), "work", fire="small", animal="sheep"),
    "woodcutting": Scene(("chop", "carry", "chop"), "work"),
    "hunting": Scene(("aim", "walk", "point"), animal="stag"),
    "hunting-empty": Scene(("walk", "point", "walk")),
    "smithing": Scene(("hammer", "bucket", "stand"), "work", fire="great"),
    "shearing": Scene(("kneel", "carry", "kneel"), "work", animal="sheep"),
    "mending": Scene(("kneel", "hammer", "carry"), "work"),
    "gathering": Scene(("bend", "kneel", "bucket"), "work"),
    "aid": Scene(("carry", "raise", "carry")),
    "trade": Scene(("offer", "speak", "carry", "stand"), "pair", animal="horse"),
    "tale": Scene(("speak", "sit", "sit", "sit", "sit"), "ring", fire="great"),
    "visit": Scene(("walk", "hold", "stand"), "pair"),
    "quarrel": Scene(("point", "speak", "stand"), "pair"),
    "game": Scene(("wrestle", "wrestle", "raise", "leap"), "pair"),
    "wrestling": Scene(("wrestle", "wrestle", "raise", "leap"), "pair"),
    "nursing": Scene(("lie", "kneel", "sit", "bucket"), "pair", fire="small"),
    "teaching": Scene(("speak", "stand", "stand"), "round"),
    "storm-damage": Scene(("carry", "bend", "carry"), "work", warm=False),
    "omen": Scene(("point", "stand", "point"), warm=False, animal="raven"),
    "beacon": Scene(("torch", "point", "stand"), fire="beacon"),
    "first-summer": Scene(("raise", "dance", "leap", "raise"), "ring", fire="small"),
    "midsummer": Scene(("dance", "leap", "dance", "raise", "leap"), "ring", fire="great"),
    "assembly": Scene(("speak", "stand", "stand", "point", "stand"), "round", warm=False),
    "winter-nights": Scene(("raise", "sit", "raise", "sit", "stand"), "ring", fire="great"),
    "yule": Scene(("raise", "dance", "raise", "sit", "leap"), "ring", fire="great"),
    "birth": Scene(("babe", "stand", "kneel"), "round", fire="small"),
    "death": Scene(("mourn", "mourn", "kneel", "mourn", "torch"), "round", warm=False, animal="raven"),
    "settle": Scene(("walk", "carry", "walk"), animal="horse"),
    "foster": Scene(("walk", "walk", "hold")),
    "arrival": Scene(("raise", "stand", "point"), sails=1),
    "leaving": Scene(("raise", "hold", "stand"), sails=1),
    "of-age": Scene(("raise", "stand", "stand"), "round", fire="small"),
    "dream": Scene(("sit", "sit"), "ring", fire="small"),
    "rumour": Scene(("speak", "stand", "hold"), "pair", fire="small"),
    "feud": Scene(("point", "speak", "stand"), "pair"),
    "feud-blow": Scene(("fight", "lie", "point"), "pair"),
    "feud-law": Scene(("speak", "stand", "stand", "point"), "round", warm=False),
    "feud-duel": Scene(("fight", "parry", "stand", "stand"), "pair", warm=False, animal="raven"),
    "courtship": Scene(("hold", "hold"), "pair"),
    "courtship-gift": Scene(("offer", "hold"), "pair"),
    "wedding": Scene(("hold", "hold", "raise", "dance", "raise"), "pair", fire="great"),
    "beast": Scene(("kneel", "point")),
    "beast-watch": Scene(("sit", "aim", "stand"), fire="small", animal="wolf"),
    "beast-killed": Scene(("aim", "raise")),
    "beast-hurt": Scene(("lie", "kneel", "aim"), "pair"),
    "voyage": Scene(("raise", "raise", "hold"), sails=1),
    "sails": Scene(("point", "stand"), sails=2, warm=False),
    "sails-raid": Scene(("fight", "parry", "aim", "fight", "kneel"), "pair", sails=2, fire="great"),
    "fever": Scene(("lie", "kneel", "sit"), "pair", fire="small"),
    "build": Scene(("chop", "carry", "hammer"), "work"),
    "build-launch": Scene(("bend", "raise", "hold")),
    "lean": Scene(("sit", "stand", "sit"), "ring", fire="small"),
    "lost": Scene(("torch", "point"), fire="small"),
    "lost-found": Scene(("sit", "walk", "raise")),
    "lights": Scene(("point", "stand"), fire="small"),
    "lights-vigil": Scene(("sit", "sit", "mourn"), "ring", fire="small"),
    "lights-stone": Scene(("chop", "kneel"), "work"),
    "journey": Scene(("walk", "walk", "carry", "walk"), animal="horse"),
    "theft": Scene(("carry", "point")),
    "fire": Scene(("bucket", "carry", "bucket", "point"), "work", fire="house"),
}
