# ruff: noqa: E501
"""Sentence frames for feasts, births, deaths, comings and goings, and what an action asked for."""

FRAMES: dict[str, tuple[str, ...]] = {
    "first-summer": (
        "It was the First Day of Summer by the count, whatever the ground said. {A} had ale out for {others}, and the children raced to the ford and back.",
        "{all} greeted the summer {at}. Somebody had set a bowl out overnight, and water and frost had frozen together in it, which means a good year for milk.",
    ),
    "midsummer": (
        "They kept Midsummer {at}, and the sun only dipped behind the ridge to wet its face. {A} lit the fire; {others} were there until the dew fell.",
        "On Midsummer night the fire {at} could be seen from the boats. {all} danced, and {a} longest.",
    ),
    "assembly": (
        "At the Althing {A} spoke the law from the stone, a third of it as the custom is, and forgot nothing. {others} were among those who listened.",
        "The free people came to Tingvoll, and {a} judged what there was to judge: two sheep, one fence and an old word. Nobody drew anything.",
    ),
    "winter-nights": (
        "They gave the blot at the Winter Nights, {all}, and {a} poured for the land's own spirits first. Then they ate as one eats before a long road.",
        "On the Winter Nights {A} opened the hall {at}. There was a place laid for the dead, and nobody took it.",
    ),
    "yule": (
        "They drank Yule {at}. {A} swore an oath on the boar, as somebody always does, and {others} promised to remind {him} of it.",
        "The sun stood as low as it would go, and {a} had the great log carried in. {all} drank Yule to it until it turned.",
    ),
    "birth": (
        "{A} bore a {child}, and {b} went out and told it to the beasts, as one does. They named the child {name}.",
        "There was a {child} born {at}, to {a} and {b}. Water was poured and the name given: {name}.",
        "All night there was a light {at}. Then {a} had a {child}, {name}, with a voice to be heard across the fjord.",
    ),
    "death-age": (
        "{A} died, at the age of {age}, with {his} face to the wall and nothing left to say. They laid {him} in the mound, and {others} carried.",
        "{A} did not wake. {He} had seen {age} winters. {others} made the grave, and set in it the knife that {he} always lost.",
        "{a} said {he} would lie down a little, and that was the end of {him}; {he} was {age}. {others} walked with {him} to the mounds.",
    ),
    "death-sickness": (
        "{A} had been failing, and now {he} died, {age} years old. {others} carried {him} to the mounds in the thin light.",
        "The sickness would not let go of {a}, and took {him} at {age}. {others} dug where the ground allowed it.",
    ),
    "death-hunger": (
        "{A} had been giving {his} share away, it was found afterwards. {He} died at {age}, and weighed so little that {others} carried {him} without changing hands.",
        "There was not enough, and it was {a} who died of it, {age} years old. {others} buried {him}, and nobody spoke of food that day.",
    ),
    "settle": (
        "{A} had the roof-posts loaded and moved from {from_} to {to}, where too few were left to keep the fires in.",
        "There was an empty bench at {to}. {all} left {from_} with what they could carry and lit the hearth there before dark.",
    ),
    "foster": (
        "There was nobody grown left to see to them, so {A} came for {others} and took them home, and that was all the talk there was about it.",
        '{a} took in {others}. "There is room," {he} said, which was not true, and then it was.',
    ),
    "arrival": (
        "A ship put in, and {A} caught the rope. It had {name} on board, who had heard that there was land to be had at {to}, and stayed.",
        "{a} saw to the ship's rope and then to its people. {name} went ashore with a chest and a cooking-pot and asked the way to {to}.",
        "A ship put in with {name} on board, who had heard of {to}, went up to look at it, and lit a fire there.",
    ),
    "leaving": (
        "{A} took ship for {thing} and did not mean to come back. {He} stood in the stern until Varden was out of sight; that much was seen.",
        "There was no land left for {a}, or so {he} said. The ship for {thing} took {him} on the morning tide.",
    ),
    "of-age": (
        "{A} was counted among the grown from that day, and would be a {trade}, as far as anyone can know such a thing.",
        "They asked {a} what {he} would be, and {he} said {trade}, and nobody laughed. {He} was given a knife of {his} own.",
    ),
    "deed": (
        "It was {A} who did it: {he} {gist}, {at}, and people stopped what they were doing to see.",
        "{A} {gist}. It was done {at}, in front of everyone, and so it can be told.",
        "That day {A} {gist}, and there was not much else spoken of {at}.",
    ),
    "word": (
        "The word that went round was this: {words}. {A} was {at} when it came to be known.",
        '"{words}", somebody said {at}. {a} neither agreed nor denied it, and set about the matter.',
    ),
    "dream": (
        '{A} dreamt that {lost} stood in the door, wet and in no hurry. "{words}", people said, when {a} told it. In the morning the threshold was dry.',
        "In the night {lost} came to {a}, as the dead do, in sleep and no other way. What {he} told of it was taken to mean: {words}.",
    ),
    "rumour": (
        "It was said {at} that the thing had happened: {words}. {A} had it from someone, who had it from someone. Nobody could be found who had seen it.",
        "A story came over the pass: {words}. {a} told it on, and by evening it had grown legs.",
    ),
    "silence": (
        "Nothing happened that anyone has thought worth telling, and that too is a kind of day.",
        "The valley kept its own company.",
    ),
    "fade": (
        "People stopped speaking of {title}. {A} was asked once more, shrugged, and that was the end of it.",
        "Nothing came of {title}. Too much had changed, and {a} let it lie.",
        "{title} was let drop, as things are that nobody has won.",
    ),
}
