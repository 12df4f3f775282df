# ruff: noqa: E501
"""Sentence frames for journeys, boats, flocks and hearsay, and for what has no frame of its own left."""

FRAMES: dict[str, tuple[str, ...]] = {
    "journey": (
        "{A} set out for {to} with {load}, by way of Ulfskard, and looked round once.",
        "Before it was light {a} was on the road to {to} with {load}. Whoever goes that way is nowhere until {he} is back.",
        "There were things that {place} did not have and {to} did. {A} took {load} and went to see about it.",
    ),
    "journey-news": (
        "A drover at the ford had met {lost} two days before, singing, on the road to {to}. {A} was the one he told.",
        '{A} had word of {lost}, by a man who had it from a boat: well, delayed, and "no thinner". {to} was given as the reason.',
        "A stick with {lost}'s mark on it stood in the snow-gate on Ulfskard, pointing toward {to}. {A} found it, and put a second notch below.",
    ),
    "journey-home": (
        "{A} was back from {to} with {thing}. It took until midnight to hear what it had cost, and longer to hear about the road.",
        "The dogs knew first. {a} came down from the pass with {thing} on {his} back and {to} in {his} talk, and {b} took the pack.",
        "One evening {a} was simply there again, eating. {thing} lay by the door. Of {to} {he} said that it was too full of people.",
    ),
    "journey-hurt": (
        "{A} came home from {to} on hands and knees. {b} cut the shoes off {him}, and did not say what was in them.",
        "They found {a} at the gate in the evening, come all the way from {to} with a stick in each hand. {b} carried {him} the last of it.",
    ),
    "boat-wreck": (
        "The sea took a boat off the shingle {at} and gave it back as planks. {A} stood and watched it do so; {left}.",
        "The moorings went in the night. {all} got hold of one rope, and the boat at the other end was stronger. Of the boats {left}.",
        "In the morning there was a keel on the skerries and nothing on it. {A} walked the shore for the rest; {left}.",
    ),
    "strayed": (
        "{catch} sheep from {from_} had thought better of their own hill. {A} drove them back from {to}, and {b} counted them through the gate and found one too many.",
        "{A} knew the ear-mark when {he} saw it, and walked {catch} sheep home to {from_}. {b} walked back with {him} half the way.",
    ),
    "strayed-kept": (
        "{catch} sheep from {from_} had gone over to {to} and liked it there. {A} went to fetch them. {b} said that these had always been here, and put a hand over the ear-mark.",
        "{A} missed {catch} sheep, and one could hear them, if one stood right, from behind the wall at {to}. {b} heard nothing.",
    ),
    "feud-sides": (
        "It was no longer only {A} and {b}. {c} was asked {at} where {che} stood about {the_matter}, and answered, and from then on people sat otherwise on the benches.",
        "There was an empty yard's width {at} between those who held with {a} about {the_matter} and those who held with {b}. {c} stood in it for a day, and then stepped to one side.",
        "{the_matter} was talked of at every well. {a} had {c} behind {him} now, and {b} had begun to go about in company.",
    ),
    "alarm": (
        "{place} had it for certain that {said}. {A} had the meal carried up into the wood before dark. It came down again two days later, {catch} days' food the less for the wet.",
        "Because {said}, as they had been told, {all} buried the barrels {at}. Nobody came. What had been put in dry was dug up otherwise.",
        "{A} barred the door {at} and would not say why, and then said it: {said}. By the time somebody came who knew better, the mice had had {catch} days' food in the pit.",
    ),
    "hearsay": (
        "By the time the story had come to {place}, {said}. {A} told it as if {he} had stood beside it.",
        '"{said}," said {a}, and nobody {at} asked who had said so to {him}. {others} looked at each other.',
        "In the evening it was told {at} that {said}. {A} was not sure any more from whom {he} had it, and so {he} told it with more care.",
        "{a} had it on good authority that {said}. {others} had it now as well.",
    ),
}

PLAIN: tuple[str, ...] = (
    "{A} {gist}.",
    "That was the day on which {a} {gist}.",
    "Of {a} it is told that {he} {gist}, and that it was {at}.",
    "Once more {a} {gist}.",
    "{a} {gist}, as had been done before and will be again.",
    "It came about {at} that {a} {gist}.",
    "One may say it shortly: {a} {gist}.",
    "Those who were {at} can witness that {a} {gist}.",
    "{A} it was, this time, who {gist}.",
    "And {a} {gist}; there was little to add.",
    "Whoever asked after {a} was told that {he} {gist}.",
    "{at} {a} {gist}.",
)
"""A happening in one clause, for when each frame of its kind has been used too lately."""

RUMOUR: tuple[str, ...] = (
    "{teller} had heard that {rumour}, and {hearer} heard it now.",
    "By the way, said {teller}, {rumour}. {hearer} set the bucket down.",
    "On such an occasion one talks: {rumour}, according to {teller}, and {hearer} nodded slowly.",
    "{hearer} went home with something new, which was that {rumour}. It was from {teller}.",
    "It was there that {teller} told {hearer} how {rumour}.",
    "{teller} would not swear to it, but {rumour}. {hearer} would have sworn.",
    "Between two other things {teller} let fall that {rumour}, and {hearer} picked it up.",
    "And did {hearer} know, asked {teller}, that {rumour}?",
    "{hearer} asked for news, and {teller} had some: {rumour}.",
)
MENDED: tuple[str, ...] = (
    "{believer} had gone about believing that {mistaken}. {knower} said how it was, and it was less.",
    'That {mistaken} was what {believer} had been told. "By whom?" said {knower}, and put it right.',
    '{knower} learnt there what was being told, and by {believer} too: "{mistaken}." When they had done laughing, that story was dead.',
    "{believer} asked straight out whether {mistaken}. {knower} had not laughed so for a month.",
    "So it was not true that {mistaken}: {believer} had only to look at {knower} to see it.",
)
WITNESSED: tuple[str, ...] = (
    "{b} had been there when {a} {memory}, and had not forgotten it.",
    "Neither of them spoke of how {a} {memory}, though {b} had seen it.",
    "It lay between them that {a} {memory}, {since} before.",
    "{b} still told people how {a} {memory}.",
    "It was {since} since {b} had watched how {a} {memory}.",
)
"""What the second of the company remembers of the first."""
