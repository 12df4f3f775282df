# ruff: noqa: E501
"""Sentence frames for work and company. A frame is filled with names and the plan's own words.

{a} {b} {c}: the first three of the company; {A}: the first, in full; {all}, {others}: names in a row; {he} {his} {him} for a,
{bhe} {bhis} {bhim} for b; {at}, {place}: where; the rest are the plan's slots.
"""

FRAMES: dict[str, tuple[str, ...]] = {
    "fishing": (
        "{A} and {b} had the boat out before anyone could tell them not to. The {fish} were standing where they had stood the year before, and they rowed home with {catch} days of food under the thwarts.",
        "The gulls showed where the {fish} were, and {a} knew better than to doubt a gull. {b} hauled until {bhis} hands would not close; it came to {catch} days' food.",
        "{a} rowed and {b} minded the line, and neither said a word until the {fish} came. Then there was no time to speak: {catch} days' food lay in the bilge when they turned for home.",
        "They went out for {fish}, {a} and {b}, and came back low in the water. {catch} days' food was counted out on the shingle, and the gulls had the rest.",
        "The {fish} had come in so close that {a} said one might have called them. {b} called them, in the old way, with the oar; {catch} days' food.",
        "{A} felt the {fish} in the line before {b} saw the water darken. When there was no more room for feet they stopped: {catch} days' food.",
    ),
    "harvest": (
        "{A} went in front with the scythe and {others} bound behind {him}. When they stopped there were {catch} days' bread standing in stooks.",
        "The barley was ripe and would not wait for anyone. {all} cut until they could not see the blades, and it was reckoned at {catch} days' bread.",
        "{all} took the field from the lower end. By evening it was stubble, {catch} days' bread was under a roof, and {a} had lost the whetstone again.",
    ),
    "haymaking": (
        "{all} turned the hay and turned it again, and got it in dry, which {a} said was more than some people could claim.",
        "There was hay on every fence {at}. {A} worked until the light went and slept where {he} stopped.",
        "{a} said it would be dry until evening, and for once it was. {all} carried the hay on their backs to the barn.",
    ),
    "sowing": (
        "{A} walked the field with the seed-bag and {b} walked behind against the crows. {catch} days' food went into the ground and would be asked for in autumn.",
        "The ground had let go of its frost. {all} sowed what they had been forbidden to eat all winter, {catch} days' food of it.",
        "{a} put an ear to the soil, said it was ready, and would not say how {he} knew. By evening the seed was in.",
    ),
    "lambing": (
        "{A} sat up with the ewes, and by the time it was light there were {catch} lambs more {at}, all of them angry.",
        "It was a night of lambs. {all} had {catch} to dry and put back to their mothers, and lost one that had never meant to live.",
        "{a} had straw in {his} hair and blood to the elbow, and {catch} new lambs in the fold.",
    ),
    "slaughter": (
        "There was fodder for some and not for all. {A} chose, and {catch} sheep went into the barrels.",
        "{all} slaughtered {at}, {catch} sheep in a day, and the dogs were too full to bark. {a} thanked each beast by the name it had.",
        "The knives had been whetted the night before. {catch} sheep were salted down by evening, and {a} washed {his} arms in the stream for a long time.",
    ),
    "woodcutting": (
        "{all} went into Myrkskog with two axes and came out with {catch} days of fire for {home}.",
        "The spruce came down where {A} had said it would, which {b} admitted. They dragged {catch} days of wood to {home} before dark.",
        "All day one could hear the axes as far as the ford. {a} and {b} stacked {catch} days of wood against the wall at {home}.",
        "{a} cut, {b} limbed, and the snow or the needles fell on both alike. {home} had {catch} more days of fire by evening.",
    ),
    "woodcutting-hurt": (
        "In Myrkskog the axe turned on a knot and went into {A}'s leg. {b} tied it with {bhis} belt and brought {him} home on the same sledge as the wood.",
        "A tree in Myrkskog fell the way it wanted to. {a} was under the least of it, and walked with a stick afterwards.",
    ),
    "hunting": (
        "{A} lay in the heather until even {his} dog had given {him} up for a stone. Then {he} brought {game} home to {home}.",
        "It was {a} who saw it first and {a} who loosed. {home} ate {game}, and heard about the shot for a week.",
        "The tracks were fresh, and {a} followed them past the place where a sensible person turns round. {He} came back to {home} with {game}.",
    ),
    "hunting-empty": (
        "{A} hunted the whole day {at} and brought home a good account of the view.",
        "There was nothing {at} but old tracks. {a} came home to {home} with the same arrows {he} had taken out.",
        "{a} saw a stag {at}, and the stag saw {him}. That was all the hunting there was.",
    ),
    "smithing": (
        "{A} forged {thing} for {b}, and would not hear what {bhe} thought about the price until it was cold.",
        "{b} wanted {thing} and wanted it that day. {a} made {bhim} work the bellows for it.",
        "For {b} it had to be {thing}. {A} burnt two fingers on it, and {b} heard about both.",
        "The hammer was going {at} from first light. It was {thing} for {b}, and {a} put {his} mark where nobody would look.",
    ),
    "shearing": (
        "{all} sheared {at}, and the sheep walked away from it thin and insulted.",
        "The wool came off in one piece when {A} did it, and in several when {b} did. There were sacks of it by evening.",
        "It rained wool {at}. {a} had the shears, and the rest did the holding and got the kicks.",
    ),
    "mending": (
        "{A} mended {thing}, because somebody had to and everybody had walked past it.",
        "There was a dry hour, and {all} spent it on {thing}.",
        "{a} said that {thing} would hold another year. {b} said {bhe} had heard that the year before, and handed over the nails.",
        "Nobody remembered who had broken {thing}. {all} put it right without asking.",
    ),
    "gathering": (
        "{A} took {b} along for {thing}, and they came home with one full basket and one blue mouth.",
        "{b} found the place where the {thing} were and would tell nobody but {a}.",
        "{all} went for {thing} {at}, and filled what they had brought and then a shoe.",
    ),
    "aid": (
        "When it was known at {from_} how things stood at {to}, {A} loaded the sledge with {catch} days' food and asked nothing for it. {b} said that this would be remembered, and saw to it that it was.",
        "{a} came to {to} with {catch} days' food from {from_}. {b} counted it twice, not because {bhe} doubted it.",
        "There was food at {from_} and none at {to}, and a road between. {a} took {catch} days of it over; {b} met {him} half-way and could not say much.",
    ),
    "trade": (
        "{A} brought {catch} loads of wood to {to}, and {b} gave {price} days' food for them after the talk that such a thing needs.",
        "{from_} had wood and {to} had meal. {a} and {b} struck hands on {catch} loads for {price} days, and both went home sure of having won.",
        "{a} asked too much and {b} offered too little, and at the usual time they met at the usual place: {price} days' food for {catch} loads of wood.",
    ),
    "tale": (
        "In the evening {A} told {tale}. {b} had heard it otherwise, and had the sense to wait until the end.",
        "{a} told {tale}, and the fire was let burn down because nobody would get up for wood.",
        "They asked {a} for something, and {he} gave them the one {tale}. {others} slept badly on it.",
        "{a} began to tell {tale}, and stopped half-way to drink. It was quiet enough {at} to hear the snow slide, or the thatch settle.",
        "It was {a}'s turn, and {he} told {tale}. {others} sat with their mouths open, and the soup went cold.",
        "{A} had promised the children something, so it was {tale}, with all the voices.",
    ),
    "visit": (
        "{A} walked over from {home} to see {b}. It was about {thing}, to begin with, and later about other things.",
        "There was a knock {at}, and it was {a} with {his} shoes wet to the knee. {b} put another bowl out. They spoke of {thing}.",
        "{a} came to {place} for {thing}, and stayed until {b} began to bank the fire.",
        "{A} came by {at}, on account of {thing}. {b} moved over on the bench, and that was the greeting.",
        "{b} saw {a} from a long way off and had time to sweep. They talked {thing} through, and then everybody they knew.",
    ),
    "quarrel": (
        "{A} and {b} had words {at}. It was {thing} this time, and it would be something else the next.",
        "Things were said about {thing} that could not be unsaid, by {a} first and by {b} after. People found that they had work elsewhere.",
        "It began with {thing}. By the time {a} walked off, half of {place} was standing in its doors.",
        "{a} had kept {thing} to {himself} all season, and now {b} got it whole.",
        "{A} and {b} are not people who shout. They spoke very quietly {at}, about {thing}, and the dogs went out.",
    ),
    "game": (
        "There was {thing} {at}, and {A} won it. {b} asked for another go and was laughed at kindly.",
        "{a} and {b} tried each other at {thing}. {a} won, though {b} had the better of the talking afterwards.",
        "The young people held {thing} {at}. It went to {a}, by less than {he} says.",
        "{A} challenged {b} to {thing}, for a belt. {a} has two belts now.",
    ),
    "nursing": (
        "{A} sat up with {b} and gave {bhim} something bitter every time {bhe} woke.",
        "{a} came with angelica and moss and told everybody but {b} to go out. In the morning {b} asked for broth.",
        "{b} was poorly. {a} changed the straw, sang a little, under {his} breath, and did not go home.",
    ),
    "teaching": (
        "{A} taught {b} {thing}. It had to be shown twice, and the second time {b} showed it.",
        "{b} was old enough for it, {a} thought, and so {bhe} learnt {thing} that day.",
        "{a} had learnt {thing} from somebody who was dead now, and thought it time that {b} had it too.",
        "{b} wanted to learn {thing}, and {a} had been waiting two years to be asked.",
    ),
    "storm-damage": (
        "The wind took {thing} {at}. {all} held down what was left with ropes and stones and their own weight.",
        "{A} heard it go: {thing}, all at once, and then the wood-stack after it. {catch} days of fire lay strewn as far as the water.",
        "It blew so that nobody could stand upright {at}. {thing} went in the night, and {all} went after it.",
    ),
    "omen": (
        "{A} saw {thing} {at}, and {b} saw it too, so that it could not be put down to ale.",
        "{a} and {b} came home and said they had seen {thing}. Some said it meant death and some said it meant guests.",
        "It was {thing} {at}, and no mistaking it. {a} made the sign, and {b} counted the people at home that evening.",
    ),
    "beacon": (
        "{A} lit the beacon on Varden, and it was seen at every farm. Doors were opened all along the valley, and people stood and counted their own.",
        "The fire went up on Varden, and {a} stood beside it, a small black thing against the blaze. It took {catch} days of wood, and nobody grudged it.",
        "That night the beacon burned. {A} had lit it, and stayed by it until it was only a red eye over the fjord.",
        "{a} carried the embers up in a pot under {his} cloak. When Varden burned, one could read the runes on the stones at Tingvoll by it.",
    ),
}
