"""Sentence frames around the happening: how the day was, what could be seen of it, and how it was left."""

OPENINGS: dict[str, tuple[str, ...]] = {
    "clear": (
        "The air was so clear {near} that one could count the sheep on the other side of the fjord.",
        "There was not a cloud, and no wind worth a name.",
        "In {month} there came a clear day, and people used it.",
        "The sky had been swept clean in the night.",
        "From first light there was nothing between the valley and the sun.",
        "One could see weather a long way off, and there was none.",
        "It was the kind of day that old people store up.",
    ),
    "fair": (
        "It was fair weather with a few clouds going east.",
        "The wind had gone round to the south-west and was in a good mood.",
        "In {month} there was a spell of days when nobody spoke of the weather.",
        "Cloud shadows went over the slopes one behind the other.",
        "The wind could not make up its mind, and did no harm.",
        "It was a day for doors left open.",
        "High up the clouds went east, and down here nothing moved that was not made to.",
    ),
    "overcast": (
        "The sky lay like a lid on the valley.",
        "It was a grey day in {month}, neither cold nor otherwise.",
        "The cloud hung half-way down the hills and would not move.",
        "All that day the light came from nowhere in particular.",
        "The hills had their hats on.",
        "It looked like rain all day and did not do it.",
        "There was one cloud, and it covered everything.",
    ),
    "rain": (
        "It rained, as it does in {month}.",
        "The rain came up the fjord in curtains, and one could see each of them coming.",
        "Every path in the valley was a brook that day.",
        "It had rained since the day before, and the roofs had begun to sing.",
        "It was raining into the barrels, and into everything else.",
        "The rain was fine enough to be breathed.",
        "Nobody was dry {near}, and nobody mentioned it.",
    ),
    "fog": (
        "There was fog, and people knew each other by their coughs.",
        "The fjord had gone; there was only white, and the sound of oars in it.",
        "Fog lay {near} so thick that the dogs would not go out.",
        "In the fog that {month} brought, every post was somebody standing still.",
        "The fog stood in the doors like a guest who will not sit.",
        "One could hear the cows, and not see the hand that milked them.",
    ),
    "snow": (
        "Snow fell without hurry, as if it had all of {month} to do it in.",
        "It snowed, and every sound in the valley was put away.",
        "The paths had to be found again each morning, for it kept snowing.",
        "Snow came down on the old snow.",
        "It had snowed so quietly that people only noticed when they opened the door.",
        "Big flakes, the kind that do not last; but there were many of them.",
    ),
    "storm": (
        "There was a storm, and the fjord was white from shore to shore.",
        "The wind stood on the gables and shouted.",
        "In {month} came the sort of weather that is afterwards used for reckoning time.",
        "Nobody went anywhere that could be gone to another day; it was blowing a full storm.",
        "The sea was on the land that day, as spray, and some of it as sea.",
        "It blew the words out of people's mouths.",
        "What was not tied down {near} went to other owners.",
    ),
    "spring": (
        "The streams were loud, and there was still snow where the sun does not go.",
        "It was the time of {month} when the cows are carried out to the grass because they cannot walk.",
        "The birches {near} had a green smoke about them.",
        "The ice was off the fjord, and the eider had come.",
        "The ground gave under the foot, which it had not done for half a year.",
        "The cranes went over toward Myrkskog, calling.",
        "In {month} the ewes are thin and the days are fat, people say.",
    ),
    "summer": (
        "It was {month}, and nobody slept more than they had to.",
        "The grass stood to the thigh, and the flies with it.",
        "The nights in {month} were hardly nights at all.",
        "There was thunder beyond Ulfskard that came no nearer.",
        "The birch leaves had stopped growing and begun to be dusty.",
        "The mackerel birds were loud at the river mouth.",
        "In {month} even the north side of a stone is warm.",
    ),
    "autumn": (
        "The birches had turned, and each morning there was less of them.",
        "It was {month}, and people looked at their wood-stacks and then at the sky.",
        "The geese went over that week, complaining.",
        "Rime lay on the stubble until noon.",
        "There were rowan berries enough to make people uneasy about the winter.",
        "In {month} the evenings come up from the ground.",
        "The bracken had gone down, and one could see where the hares ran.",
    ),
    "winter": (
        "It was {month}, and the fjord smoked with cold.",
        "The frost had got into the timbers, and they cracked like whips.",
        "Winter sat on the valley with its full weight.",
        "The sun showed itself over the ridge for as long as it takes to milk a cow.",
        "The ice on the fjord talked to itself.",
        "In {month} people go to the door to see whether there is still anything outside.",
        "The ravens had come down to the houses.",
    ),
    "night": (
        "It was night, and whoever could was asleep.",
        "The stars were out, or would have been.",
        "It was long after dark.",
        "Only the river was awake.",
        "By then the fires had been covered.",
    ),
    "dawn": (
        "It was hardly light yet.",
        "The sun was still behind the hills.",
        "It was early; there was smoke from one roof only.",
        "The grass was still grey with the night.",
        "The first cock had crowed, and been told to stop.",
    ),
    "dusk": (
        "The light was going.",
        "It was that hour when one puts off lighting the lamp.",
        "The last sun lay on the top of the slopes.",
        "The swallows had gone in, and the bats not yet come out.",
        "Down in the valley it was evening already.",
    ),
    "day": (),
}

SEEN: tuple[str, ...] = (
    "What stays with one who saw it is the colour of the hour, {c1} above and {c2} below.",
    "Everything was {c1} and {c2}, and small against the hills.",
    "Seen from across the valley it was a little thing in a great deal of {c1}.",
    "The whole weight of the land seemed to lie {mass} that day.",
    "It is remembered as a picture: {c1}, {c2}, and somebody moving in it.",
    "The land was {c2} and the sky {c1}, and the hills stood {mass} and looked on.",
    "It was a day of {c1} and of {c2}, and of not much between.",
    "Somebody who stood on the ridge would have seen {c2} below, and a few dots on it.",
    "What there was of colour was {c1} and {c2}.",
    "Those who were there remember the {c2} of the ground better than the words.",
    "A painter would have needed {c1} and {c2}, and a very small brush.",
)
SEEN_FIRE = (
    "From a long way off one could see {fires} burning.",
    "{Fires} burned, and that was all the warmth in sight.",
    "From the hills it was {fires} and a great deal of dark.",
)
SEEN_FEWER = (
    "Whoever looked on from a distance saw fewer people there than are named here.",
    "Not all who are named here stood where they could be seen.",
    "Those who saw it disagree about how many they were.",
    "Some of the company must have been behind a wall, for they were not seen.",
)
SEEN_MORE = (
    "There were more about than have been named; there always are.",
    "Others had come to look, and stood where they were not in the way.",
    "It drew a few people who had no business there.",
)
SEEN_SEASON = (
    "To look at the slopes, one would have said it was {season} already.",
    "By the colour of the ground it might have been {season}.",
    "The land has its own count, and by that it looked like {season}.",
)
SEEN_LIGHT = {
    "night": ("It was darker than it should have been at that hour.", "The dark had come early, or the day had not."),
    "dawn": (
        "There was a light on it like the first of the morning.",
        "The light was that of a day beginning, whatever the hour.",
    ),
    "dusk": (
        "There was an evening light on it, whatever the hour.",
        "The light was that of a day that is nearly done.",
    ),
    "day": ("It was lighter than the hour had a right to.", "There was more light on it than one would have thought."),
}
SPOILED = (
    "The weather was worse than they had reckoned with, and some of it spoiled.",
    "It turned out a fouler day than it had promised, and that cost them a part.",
)

RECALLED = (
    "{a} was thinking of the time {he} {memory}.",
    "It was {since} since {a} {memory}, and {he} had not forgotten it.",
    "People still spoke of how {a} {memory}.",
    "Those who knew {a} remembered that {he} {memory}.",
    "It is the same {a} of whom they say that {he} {memory}.",
    "{since} had gone by since {a} {memory}; it did not seem so to {him}.",
    "Not for the first time: it was known that {a} {memory}.",
)
SHORT = (
    "There was food at {home} for {days} more days, if nobody came to visit.",
    "At {home} they were down to {days} days' food, and everyone knew the number.",
    "The barrels at {home} had begun to sound hollow; there were {days} days in them.",
)
COLD = (
    "The wood-stack at {home} was low enough to step over.",
    "At {home} they had begun to burn what was meant for other things.",
)
PENDING = (
    "And nobody had forgotten {title}.",
    "There was still {title} to be got through.",
    "As for {title}, nothing more was heard of it that day.",
    "Meanwhile {title} stood where it had stood.",
    "{Title} was spoken of as well, but with lowered voices.",
    "All the while people waited to see what would come of {title}.",
    "Somebody asked about {title}, and was looked at.",
    "{Title} had not gone away for being left alone.",
    "That was not the end of {title}, by any means.",
)
OPENED = (
    "That was the beginning of it.",
    "It would have been better to leave it there, but things are not left.",
    "More was to come of this.",
    "Nobody thought then that it would be told.",
    "It was a small thing to have such a long shadow.",
    "From there on it went by itself.",
    "Those who could count began to count days.",
)
CLOSED = (
    "So that was over.",
    "And with this the matter is out of the tale.",
    "There was no more to it than that, and no less.",
    "It was told in all four settlements before the week was out.",
    "That story has no more in it.",
    "People said that it might have gone worse, and looked for something else to say.",
    "After that there was one thing less to lie awake over.",
)
CLOSINGS: tuple[str, ...] = (
    "The dogs barked at nothing for a while, and then stopped.",
    "In the evening there was smoke over every roof.",
    "The tide turned, as it would have done anyway.",
    "A raven sat on the ridge-pole through all of it.",
    "Somebody laughed, two houses off.",
    "Then it was time to see to the beasts.",
    "The river could be heard again, now that people were quiet.",
    "No one made a verse about it.",
    "The children played it for days afterwards, and fought about who should be {a}.",
    "{a} slept well on it.",
    "Old people said they had seen the like, and could not say when.",
    "Later there were stars between the clouds.",
    "Nothing was stolen that night.",
    "Someone had left a gate open, and nobody said who.",
    "It made a short day longer.",
    "The bread was late.",
    "{a} was hungry afterwards, as one is.",
    "A cat had kittens in {a}'s shoe.",
    "There are people who say it was the day before.",
    "The wind asked at the door and was not let in.",
    "It was the talk of the well until something else was.",
    "A child asked why, and was given a turnip.",
    "Nobody was the worse for it.",
    "By the next morning it was already a story.",
)
