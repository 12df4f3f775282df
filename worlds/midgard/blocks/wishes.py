"""What an action (or a dropped proposal) mentions: people, places, weather, and the kind of happening it asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from .facts import Facts

VERBS: tuple[tuple[str, str], ...] = (
    (r"beacon", "beacon"),
    (r"fish\w*|nets?|herring|cod", "fishing"),
    (r"harvest\w*|reaps?|barley", "harvest"),
    (r"hay\w*", "haymaking"),
    (r"sows?|sowing|ploughs?", "sowing"),
    (r"lambs?|ewes?|lambing", "lambing"),
    (r"hunts?|hunting|elk|reindeer|stag", "hunting"),
    (r"wood|logs?|fells?|chops?|firewood|timber", "woodcutting"),
    (r"forges?|smith\w*|iron|sword|axe", "smithing"),
    (r"shears?|wool", "shearing"),
    (r"slaughters?|butchers?", "slaughter"),
    (r"marr\w+|weds?|wedding|woos?|courts?|kiss\w*|loves?", "courtship"),
    (r"trades?|barters?|sells?|buys?", "trade"),
    (r"helps?|shares?|feeds?|gives? (?:food|bread|grain|meal)", "aid"),
    (r"tells?|stor(?:y|ies)|sings?|song|tales?|verse", "tale"),
    (r"visits?|rides? to|walks? to|travels? to|goes to|calls? on", "visit"),
    (r"feud|insults?|curses? (?:him|her|at)", "feud"),
    (r"quarrels?|argues?|shouts? at|fights?|strikes?|kills?|slays?|murders?|stabs?", "quarrel"),
    (r"wrestl\w+|games?|races?|skates?|swims?", "game"),
    (r"heals?|nurses?|cures?|tends?|herbs?", "nursing"),
    (r"teach\w*|learns?", "teaching"),
    (r"sails? (?:for|to|away)|voyage", "voyage"),
    (r"raiders?|strange sails?|dragon-?ships?|longships?", "sails"),
    (r"wolf|wolves|bear|lynx", "beast"),
    (r"builds?|boat|barn|bridge|raises? a (?:hall|house)", "build"),
    (r"mends?|repairs?", "mending"),
    (r"gathers?|berries|picks?", "gathering"),
    (r"omen|sign|ravens?|dreams?", "omen"),
    (r"fever|ill|sick", "fever"),
    (r"lost|missing|strays?", "lost"),
    (r"lights? on the mounds?|ghosts?|draugr?|grave-fire", "lights"),
    (r"moves? to|settles? (?:at|in)", "settle"),
    (r"ship comes|newcomers?|strangers?", "arrival"),
)
"""The words that ask for a kind, the more telling ones first."""

WEATHERS = (
    (r"storm\w*|gale", "storm"),
    (r"snow\w*|blizzard", "snow"),
    (r"rain\w*", "rain"),
    (r"fog|mist", "fog"),
    (r"sun\w*|clear sk\w+|bright day", "clear"),
)

_KINDS = tuple((re.compile(rf"\b(?:{words})\b"), kind) for words, kind in VERBS)
_WEATHERS = tuple((re.compile(rf"\b(?:{words})\b"), kind) for words, kind in WEATHERS)


@dataclass(slots=True)
class Wish:
    """What a text asks for: living people, a place, kinds of happening, a weather, and the dead it names."""

    text: str
    people: list[str] = field(default_factory=list)
    away: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    place: str | None = None
    kinds: list[str] = field(default_factory=list)
    weather: str | None = None


def read(text: str, facts: Facts) -> Wish:
    """A wish from free text; names match whole words, in the order in which they stand there."""
    words = " ".join(text.split())[:300]
    low = words.lower()
    wish = Wish(words)
    found: list[tuple[int, str]] = []
    for who in facts.ids:
        hit = re.search(rf"\b{re.escape(facts.people[who]['name'].lower())}(?:'s)?\b", low)
        if hit:
            found.append((hit.start(), who))
    for _, who in sorted(found):
        (wish.people if facts.people[who]["at"] != "abroad" else wish.away).append(who)
    for grave in facts.world["graves"]:
        first = grave["name"].split(" ")[0]
        taken = any(facts.people[w]["name"] == first for w in facts.ids)
        if not taken and re.search(rf"\b{re.escape(first.lower())}(?:'s)?\b", low):
            wish.dead.append(grave["name"])
    places = []
    for place in sorted(facts.places):
        name = facts.places[place]["name"].lower().removeprefix("the ")
        at = low.find(name)
        if at >= 0:
            places.append((at, place))
    wish.place = min(places)[1] if places else None
    # "Ingrid bakes a loaf and sings" is about the loaf: a doer's first verb is what is asked for.
    plain = bool(found) and deed(words, facts.name(min(found)[1])) is not None
    asked = low.partition(" and ")[0] if plain else low
    wish.kinds = [kind for pattern, kind in _KINDS if pattern.search(asked)]
    wish.weather = next((kind for pattern, kind in _WEATHERS if pattern.search(low)), None)
    return wish


PAST = {
    "is": "was",
    "has": "had",
    "goes": "went",
    "comes": "came",
    "sees": "saw",
    "says": "said",
    "takes": "took",
    "gives": "gave",
    "makes": "made",
    "builds": "built",
    "lights": "lit",
    "finds": "found",
    "brings": "brought",
    "rides": "rode",
    "sings": "sang",
    "tells": "told",
    "fights": "fought",
    "swims": "swam",
    "runs": "ran",
    "steals": "stole",
    "throws": "threw",
    "falls": "fell",
    "holds": "held",
    "keeps": "kept",
    "leaves": "left",
    "sells": "sold",
    "buys": "bought",
    "wins": "won",
    "drinks": "drank",
    "eats": "ate",
    "writes": "wrote",
    "swears": "swore",
    "stands": "stood",
    "sits": "sat",
    "lies": "lay",
    "digs": "dug",
    "breaks": "broke",
    "speaks": "spoke",
    "hides": "hid",
    "sets": "set",
    "puts": "put",
    "cuts": "cut",
    "lets": "let",
    "teaches": "taught",
    "catches": "caught",
    "thinks": "thought",
    "wakes": "woke",
    "weaves": "wove",
    "draws": "drew",
    "begins": "began",
    "does": "did",
    "gets": "got",
    "meets": "met",
    "sends": "sent",
    "shoots": "shot",
    "flies": "flew",
    "blows": "blew",
    "freezes": "froze",
    "rises": "rose",
    "forgives": "forgave",
    "bakes": "baked",
    "carves": "carved",
}


def past(verb: str) -> str | None:
    """The past of a verb in the third person, or None where the word does not look like one."""
    if verb in PAST:
        return PAST[verb]
    if not verb.endswith("s") or verb.endswith("ss") or len(verb) < 4:
        return None
    if verb.endswith("ies"):
        return verb[:-3] + "ied"
    if verb.endswith(("shes", "ches", "sses", "xes", "zes")):
        return verb[:-2] + "ed"
    return verb[:-1] + "d" if verb.endswith("es") else verb[:-1] + "ed"


def deed(text: str, name: str) -> str | None:
    """What `name` did, without the name: "Kara bakes bread and sings" gives "baked bread and sang"."""
    head, found, rest = text.partition(name)
    words = rest.strip().rstrip(".!").split(" ")
    if not found or head.strip() or not words[0]:
        return None
    first = past(words[0])
    if first is None:
        return None
    told = [first]
    for before, word in pairwise(words):
        told.append((past(word) or word) if before == "and" else word)
    return " ".join(told)
