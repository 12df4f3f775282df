# ruff: noqa: E501
"""Sentence frames for the threads: each beat has its own."""

FRAMES: dict[str, tuple[str, ...]] = {
    "feud": (
        "{A} and {b} fell out over {matter}. Both were in the right, which is the worst kind of quarrel.",
        "It came up again {at}, {the_matter}, and this time neither {a} nor {b} let it go.",
        "What it was about was {matter}. What it was really about, {a} and {b} could have told, and did not.",
        "{A} said one word too many about {matter}, and {b} one more than that.",
    ),
    "feud-blow": (
        "{A} met {b} {at}, and there were no words this time. {b} got up again, though not at once. It was about {the_matter}, if anyone had forgotten.",
        "They came to blows over {the_matter}. {a} struck first and {b} bled for it, and those who stood by were slow to part them.",
        "Nobody saw how it began {at}. What was seen was {b} on the ground and {a} standing over {bhim}, saying {the_matter}, {the_matter}, as one calls a dog.",
        "{b} had a cut over the eye that evening, and {a} a hand that would not close. Neither had to be asked what it was about; {the_matter} has that effect.",
    ),
    "feud-law": (
        "All of an afternoon it was {the_matter}. Then {A} said what the law says, which is shorter: {catch} days' food, from {b} to {c}. {b} went home by the long road.",
        "{b} swore, {c} swore, and {A} let both have done. The fine was {catch} days' food, and {the_matter} was not to be named again at Tingvoll while {a} lived.",
        "{A} heard both sides from the stone: {the_matter}, from the beginning. {b} was to pay {c} {catch} days' food, and the two took hands on it, looking elsewhere.",
        "{the_matter} was brought to Tingvoll. {a} asked three questions, was silent a while, and set {b}'s fine at {catch} days' food. {c} took it.",
    ),
    "feud-duel": (
        "They staked out a cloak at Tingvoll, and {A} and {b} went inside it with three shields each. It was over by the second. {b} was carried, and {the_matter} was {a}'s.",
        "It ended in a holmgang. {a} broke {b}'s last shield and then something more, and lowered {his} sword when {he} might not have.",
    ),
    "feud-peace": (
        "{A} came to {place} alone and without a weapon, and said that {the_matter} was not worth another winter. {b} thought it over for as long as a horn takes to empty.",
        "{a} sent back what {he} had taken, and {b} sent back half of that. There was no more talk of {the_matter}.",
    ),
    "courtship": (
        "It was noticed that {A} had errands {at}, and that {b} was always the one to answer the door.",
        "{a} had never before cared how nets were dried. Now {he} stood {at} and let {b} explain it.",
        "{b} dropped a bucket and {a} was there to pick it up. It was {a}'s third time {at} that week.",
    ),
    "courtship-gift": (
        "{A} gave {b} {thing}, and {bhe} turned it over so long that {a} began to talk about the weather.",
        "{a} had made {thing} with {his} own hands, and it showed. {b} would not be parted from it.",
        "There was {thing} on {b}'s doorstep in the morning, and {a}'s tracks leading away from it in no straight line.",
    ),
    "courtship-cools": (
        "{A} came no more to {place}. {b} said that it was all one to {bhim}, and said it rather often.",
        "Whatever there had been between {a} and {b}, it had gone out like a fire that two people each thought the other was minding.",
    ),
    "wedding": (
        "{A} and {b} were married {at}. {guests} drank for them, and {catch} days' food went in an evening without anyone counting it.",
        "They held the wedding {at}: {a} in borrowed silver and {b} in {bhis} own. They would live at {home}, where the roof was already leaking in their honour.",
    ),
    "beast": (
        "{A} found {catch} sheep torn {at}, and all about, as plain as a seal in wax, the tracks of a {animal}.",
        "Something had been in the fold {at}: {catch} sheep gone and the rest pressed against the wall. {a} measured the track with {his} hand. A {animal}.",
        "The dogs had been silent {at}, and that was worse. {A} found wool on the wall and {catch} sheep too few; the {animal} had come in by the low side.",
    ),
    "beast-watch": (
        "{all} watched a night for the {animal}. It came as far as the light and no farther, and stood, and went.",
        "{A} and {b} lay under one hide by the fold and took turns at being brave. The {animal} had taken {catch} more by morning.",
        "{A} sat by the fold with a horn to blow and {b} with an axe. The {animal} waited until they had to eat.",
    ),
    "beast-killed": (
        "It had gone to ground under Ulfskard. {A} went in on {his} belly with a short spear and {b} held {his} feet; after a while {b} pulled, and {a} came out, and then the {animal}.",
        "The {animal} came back once too often, and {a} was standing where it came. {b} says it looked surprised.",
        "They tracked the {animal} up to Ulfskard, and there {A} killed it. {b} carried the skin down, with the head on, so that it would be believed.",
        "{a} and {b} came down from Ulfskard with the {animal} on a pole between them. It was smaller than it had been in the telling.",
    ),
    "beast-hurt": (
        "Under Ulfskard the {animal} turned. {A} got a spear into it and its teeth into {his} arm, and {b} brought {him} down on {bhis} back. It was not seen again.",
        "{a} had the {animal} before {him} and a drop behind. {He} lives, and {b} has told what it cost; the {animal} went over the pass, limping.",
    ),
    "voyage": (
        "{all} put out for {to}. Those on the shingle watched until the sail was a tooth, and then a thought.",
        "The boat was tarred and the wind was right. {A} took the steering oar, {b} the bow, and they were gone to {to} before the smoke had lifted.",
    ),
    "voyage-home": (
        "A sail was seen, and it was {A}'s. They had been in {to}, and had {thing} on board, and talked all at once.",
        "{all} stood on the shingle again {at}, brown as bark. They had {thing} to unload, and news of {to} that lasted until dark.",
    ),
    "voyage-lost": (
        "A strange ship put {A} ashore, alone. {lost} had gone over the side on the way from {to}, at night, in a sea like a wall; {he} had held on to the sleeve.",
        "{a} came home from {to} without {lost}. {He} told it once, {at}, and nobody asked {him} to tell it again.",
    ),
    "sails": (
        "From Varden {A} saw {thing} that {he} did not know, standing off and on as if waiting for dark.",
        "In the mouth of the fjord lay {thing}. {a} shaded {his} eyes for a long time, and then laid kindling to the beacon.",
    ),
    "sails-traders": (
        "The strange sails were traders after all. {A} went down to them with {others} and an axe behind the back, and came home with {thing}.",
        "They hung a white shield over the side, and {a} let them land. By noon {thing} lay spread out on the shingle, and {others} bargaining.",
    ),
    "sails-raid": (
        "They came in before light with their shields inboard. {all} stood in the shallows, and held; {hurt} was cut, and {catch} days' food was carried off, but no roof burned.",
        "It was raiders. {A} shouted the valley awake, and there was fighting on the shingle in the half dark. {hurt} fell and was dragged clear. They took {catch} days' food and left one of their own.",
    ),
    "fever": (
        "{A} did not get up that day. {He} was hot as a stone from the fire, and called people by wrong names.",
        "A fever took hold of {a} {at}. The shoes were set by the door, in case {he} should need to go far.",
        "It began with {a} asking who had let the fire out. It had not been let out. By night {he} did not know the house.",
    ),
    "fever-vigil": (
        "{A} watched over {b} with one candle. Toward morning it was neither better nor worse, and {a} took that for an answer.",
        "{b} talked to people who were not there. {a} answered for them, so that {bhe} should not feel slighted.",
        "{a} counted {b}'s breaths {at} and lost count, and was glad that there was something to lose count of.",
    ),
    "fever-over": (
        "In the morning {a} wanted to know who had been singing. It had been {b}, for three nights, and not very well.",
        "{A} was on {his} feet again, holding on to things. {b} walked behind with {bhis} hands out.",
        "{A} sat up, asked what day it was, and was angry at the answer. {b} went out and slept in the hay.",
        "The fever went out of {a} like a guest who has forgotten something and may come back. {He} ate, and {b} counted the spoonfuls.",
    ),
    "fever-death": (
        "The fever did not break. {A} died {at} before it was light, {age} years old, and {b} opened the roof-hatch to let out what wanted to go.",
        "{b} had hold of {a}'s hand, and knew by it. {He} was {age}. They covered the fire.",
    ),
    "build": (
        "{all} laid out the timber for {matter} {at}, and everyone who passed knew how it should be done.",
        "{A} had been drawing {matter} in the ashes all winter, it seemed. Now {he} drove the first peg.",
    ),
    "build-work": (
        "{all} worked on {the_matter}. One could see what it would be, if one was told.",
        "{the_matter} grew by a hand's breadth, and the heap of what had been cut wrong by two. {all} burned the heap.",
        "There were shavings all over {place}. {A} had opinions about every joint of {the_matter}, and most of them were right.",
    ),
    "build-done": (
        "They finished {the_matter} {at}. {A} walked round it twice and found only one thing, which {he} kept to {himself}.",
        "The last peg went in, and {the_matter} stood. {all} sat and looked at it as if somebody else had made it.",
    ),
    "build-launch": (
        "They ran {the_matter} down over the rollers, and she took the water without a splash. {A} said nothing, and wiped {his} face with {his} sleeve.",
        "{the_matter} swam. {all} stood in the fjord to their belts and held her there a moment before they let go.",
    ),
    "lean": (
        "{all} counted what was in the barrels {at}, and counted again, and it came to less each time.",
        "The ladle struck wood {at}. {A} said it aloud, so that they need no longer all pretend: there was no food.",
    ),
    "lean-slaughter": (
        "They killed {catch} sheep {at} that should have lived to lamb. {A} held the knife and did not look round.",
        "There was nothing for it {at}: {catch} of the breeding ewes. {a} sharpened the knife for longer than it needed.",
    ),
    "lean-worse": (
        "They ate bark bread and moss {at}, and whatever lay under the tide-line. {A} told the children it was a game.",
        "{a} boiled the same bones for the third day. Nobody {at} went to sleep full, and nobody said so.",
    ),
    "lean-ends": (
        "They ate {at}, and for a long while there was no sound but that. {A} leaned back at last and said it could be called over.",
        "The barrels {at} were filled again. {a} knocked on each one to hear it sound dull.",
    ),
    "lost": (
        "{lost} had gone out and did not come home. {A} stood in the door with a torch until it burned {his} fingers.",
        "At dark {lost} was still out. {a} called, and heard {his} own voice come back from places where nobody was.",
    ),
    "lost-found": (
        "They found {A} {at}, under a rock, with a ewe for a blanket. {b} scolded {him} all the way home, carrying {him}.",
        "{b} saw the end of a scarf, and {a} was on the other end of it, alive and talking nonsense. It took them until evening to get {him} down.",
    ),
    "lost-dead": (
        "{all} found {lost} {at}, sitting upright, with a cloak-pin held tight in one hand. They had been a night too late.",
        "They searched {at} and found {lost}, and there was no hurry any more. {a} took off {his} cloak and laid it where it was needed.",
    ),
    "lights": (
        "{A} saw a fire on the mounds, low and blue, where nobody had laid one. In the morning there was no ash.",
        "Something burned {at} that evening. {a} went nearer than most would have, and came back without wishing to say how near.",
        "{A} came in late and asked who was out on the mounds with a lamp. Nobody was; they counted.",
        "There was a light on the mounds the height of a man and the colour of skimmed milk. {a} put the door to, and then opened it again.",
    ),
    "lights-vigil": (
        "{all} sat a night on the mounds, back to back. They heard a door shut, {A} says, and there is no door there.",
        "{a} took {b} along to watch the mounds. Toward dawn they both woke, and each said it was the other who had slept.",
        "{A} and {b} lay out on the mounds under one cloak. Something walked round them twice, slowly, and had no feet in the morning's dew.",
        "{b} would not go alone and {a} would not either, so they went together. The light came, stood, seemed to think better of it, and was gone.",
    ),
    "lights-stranger": (
        "It was a stranger with wet boots who had been lighting fires on the mounds, out of the wind, and was more afraid of {A} than of anything under the turf. They fed him, and he went over the pass.",
        "{a} found the fire's maker asleep between two graves: an outlaw, thin as a rake. {b} gave him bread, and looked the other way while he went.",
    ),
    "lights-stone": (
        "{all} raised a stone for {lost}, and cut the name, and ran a line of red in it. There was no fire on the mounds after that.",
        "It was {A} who said that {lost} had been put down without a word. They set a stone {at}, and whatever it was that had been burning stopped.",
    ),
}
