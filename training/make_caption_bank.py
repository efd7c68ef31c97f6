"""Writes the bundled bank of ordinary sentences for the retrieval captioner, from scenes of our own writing.

    python training/make_caption_bank.py vidembed/captions/bank.txt

Each scene says who may do what where; a sentence takes one of each, every sentence of a scene differs from the others
in two places where it can, so that the bank is varied rather than long.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

# who / does what / where ("-" leaves the place out), each a list split at "|"
SCENES = """
a brown dog|a black dog|a small white dog|two dogs / runs|jumps|plays|chases a ball / across the grass|on a beach|through shallow water|in the snow
a dog / sleeps|lies|sits|looks up / on a sofa|on the floor|at a door|beside its owner
a dog / catches a frisbee|carries a stick in its mouth|leaps over a hurdle|shakes off water / in a park|in a field|by a lake
a cat|a grey kitten|two cats / sleeps|plays with a string|yawns|looks out / on a bed|at a window|on a chair|on a wall
a horse|two horses|a white horse / gallops|walks|grazes|jumps over a fence / in a meadow|on a dirt track|on a beach|at a show
cows|sheep|goats / graze|stand together|walk in a line / in a green field|on a hillside|along a country road
a bird|a small yellow bird|a gull / sits|sings|flies|eats seeds / on a branch|over the sea|at a feeder|in a blue sky
ducks|swans|a duck with ducklings / swim|rest|eat bread / on a pond|near the bank of a river|among reeds
an elephant|a family of elephants / walks|drinks water|sprays itself with dust / across dry grassland|at a waterhole|in a zoo
a lion|a tiger|a leopard / lies|walks slowly|yawns|hunts / in tall grass|under a tree|in an enclosure
a monkey|a gorilla|two monkeys / climbs|eats fruit|swings / in a tree|behind glass in a zoo|on a rope
a bear|a deer|a fox / walks|stands still|drinks|looks around / in a forest|by a stream|in the snow
a fish|a school of fish|a sea turtle|a shark / swims|glides slowly|turns / over a coral reef|in clear blue water|in a large tank
a butterfly|a bee|a dragonfly / sits|feeds|flutters / on a pink flower|among leaves|in a garden
a snake|a lizard|a frog / crawls|rests|hides / on a rock|under leaves|beside a pond
a whale|dolphins|a seal / jumps out of the water|swims|dives / in the ocean|next to a boat|near the shore
a man|a young man|a woman / walks|runs|waits|stands / along a city street|on a bridge|at a bus stop|in the rain
a crowd of people|tourists|shoppers / walks|stands|waits / on a busy street|in a market|at a festival|in front of an old church
a woman|an old man|a teacher|a man in a suit / talks to the camera|gives a speech|explains something|smiles / in an office|in front of a white wall|on a stage|at a desk
two people|a man and a woman|friends / talk|laugh|hug|shake hands / at a table|in a living room|in a cafe|outdoors
a little girl|a little boy|a toddler|two children / plays|runs|laughs|jumps / on a playground|in a garden|on a trampoline|in a pile of leaves
a child|a boy in a red shirt|a girl in a pink dress / slides down a slide|swings on a swing|climbs a rope net|blows bubbles / in a park|on a sunny day|-
a baby / crawls|laughs|sleeps|eats with a spoon / on a blanket|in a cot|in a high chair|in its mother's arms
a family|a group of friends / eats|sits together|has a picnic|cheers / at a table|around a campfire|on a blanket in the park|in a garden
a boy|a girl|children / splash|swim|dive|float on a ring / in a swimming pool|in the sea|in a lake|in a water fountain
a woman|a man|a couple / walks|sits|reads a book|takes a photo / on a beach|on a park bench|on a rocky shore|at sunset
a hiker|two hikers|a man with a backpack / climbs|walks|rests|looks at the view / on a mountain trail|on a rock above a valley|in a snowy landscape|in the woods
a climber|a woman with a rope / climbs|hangs|rappels / on a steep rock face|on an indoor climbing wall|over a gorge
a skier|a snowboarder|two skiers / races|jumps|turns|falls / down a snowy slope|through the air|on a mountain|between trees
a surfer|a man on a surfboard / rides|falls off|paddles toward / a big wave|a breaking wave|a green wave
a kayaker|people in a raft|a rower / paddles|moves fast|turns / through white water|on a calm river|along the coast
a sailing boat|a small wooden boat|a motor boat|a ferry / crosses|moves|turns / on blue water|in a harbour|under a bridge|at sunset
a football player|soccer players|a goalkeeper / kicks the ball|runs after the ball|scores a goal|celebrates / on a grass pitch|in a stadium|during a match
a basketball player|two basketball players|a tall player in white / dribbles|shoots at the hoop|jumps for the ball|passes the ball / on an indoor court|during a game|on an outdoor court
a tennis player|a woman in white|a badminton player / serves|hits the ball|swings a racket|waits for the serve / on a clay court|on a green court|in a hall
a baseball player|a batter|a pitcher / swings the bat|throws the ball|slides into a base|catches the ball / on a baseball field|during a game
american football players|rugby players|players in red and white / tackle each other|run with the ball|line up / on a field|in front of a crowd
a gymnast|a cheerleader|an acrobat / does a flip|balances|swings|tumbles / on a mat|on a beam|in a gym|on parallel bars
a boxer|two fighters|a woman in boxing gloves / punches|fights|trains|practises kicks / in a ring|in a gym|with a heavy bag
a man|a woman in sports clothes|an athlete / lifts weights|does push-ups|stretches|jumps rope|does yoga / in a gym|on a mat|at home|outdoors
a cyclist|a group of cyclists|a man on a bicycle / rides|races|goes downhill|makes a jump / on a mountain road|on a forest path|through a city|on a dirt track
a skateboarder|a boy on a skateboard|an inline skater / jumps|grinds along a rail|rides down a ramp|does a trick / in a skate park|on a street|over some steps
a motorcyclist|a motocross rider|two motorbikes / races|jumps over a hill|leans into a curve|raises dust / on a dirt track|on a road|on a race track
runners|a woman in running shoes|athletes / run|sprint|cross the finish line|stretch / on a running track|in a city marathon|in a stadium
a golfer|an archer|a man with a fishing rod / swings a club|aims carefully|waits patiently|practises / on a green lawn|by a lake|on a sunny morning
an ice skater|a couple on ice|hockey players / glides|spins|skates fast|falls / on an ice rink|on a frozen lake|in a big hall
a volleyball team|four volleyball players|a woman in a swimsuit / jumps at the net|serves the ball|dives for the ball / on the sand|in a sports hall
a man|a woman|a cook / chops vegetables|stirs a pot|fries eggs|mixes dough|pours batter / in a kitchen|on a stove|in a bowl|at a counter
hands|a baker|a woman's hands / knead dough|cut bread|decorate a cake|roll out pastry / on a wooden board|on a floury table|-
a plate of food|a bowl of soup|a pizza|a salad|a cake with candles / stands|is served|is shown close up / on a table|in a restaurant|-
meat|fish|sausages|vegetables / cook|sizzle|are turned / in a frying pan|on a grill|over an open fire
a person|a waiter|a bartender|a barista / pours a drink|makes coffee|fills a glass|serves food / in a cafe|at a bar|at a table
people|two women|a man with a beard / eat|drink coffee|make a toast|order food / in a restaurant|at a street stall|outside a cafe
a man|a woman|a street musician|a boy / plays the guitar|plays the violin|plays an accordion|sings into a microphone / on a stage|on a street|in a room|in a studio
a pianist|a girl|a man in black / plays the piano|practises the keyboard|plays a song / in a hall|at home|-
a drummer|a drum group|a man with sticks / plays the drums|beats a rhythm|plays a solo / on a stage|in a parade|in a studio
a band|a rock band|an orchestra|a choir / plays|performs|sings / on a stage|in front of a crowd|in a concert hall|in bright coloured light
dancers|a ballerina|a couple|a group of girls in costumes / dance|turn|jump|practise steps / on a stage|in a dance studio|at a party|in a street parade
a car|a red car|a white van|a sports car / drives|turns|speeds|stops / on a road|along the coast|at a traffic light|on a race track
cars|heavy traffic|buses and cars / move slowly|pass by|stand still / on a motorway|in the city at night|in the rain
a bus|a tram|a truck|a taxi / stops|drives past|turns a corner / in a city centre|on a wet street|at a station
a train|a steam train|an underground train / arrives|passes|leaves / at a platform|over a bridge|through the countryside|in a tunnel
an aeroplane|a jet|a helicopter|a small plane / takes off|lands|flies / from a runway|over the clouds|in a clear sky|above a city
a hot air balloon|a paraglider|a parachutist|a kite / floats|flies|comes down / over hills|in a blue sky|above a beach
an excavator|a tractor|a crane|a bulldozer / digs|works|lifts a load|moves earth / on a building site|in a field|beside a road
workers|a man in a helmet|a carpenter / build a wall|saw wood|weld metal|drill a hole / on a building site|in a workshop|in a factory
a machine|a robot arm|a conveyor belt / assembles parts|moves boxes|turns / in a factory|in a laboratory
a doctor|a nurse|a scientist in a white coat / examines a patient|looks through a microscope|writes notes / in a hospital|in a laboratory
a teacher|students|a class of children / write|read|raise their hands|listen / in a classroom|at a blackboard|in a library
a person|a woman|a young man / types on a keyboard|looks at a screen|uses a phone|draws / at a desk|in an office|on a train
a painter|a girl|an artist / paints a picture|draws with chalk|shapes clay|cuts paper / in a studio|on a pavement|at a table
a woman|a young woman|a girl / brushes her hair|cuts hair|puts on make-up|paints her nails / in front of a mirror|in a salon|in a bathroom
a man|a boy|a person / washes a car|mows the lawn|sweeps the floor|waters plants|cleans a window / in a garden|at home|in a driveway
a bride and groom|a couple|wedding guests / kiss|dance|cut a cake|walk down the aisle / at a wedding|in a church|in a garden
a parade|people in costumes|a marching band / goes|dances|plays / down a street|past a cheering crowd|with flags
protesters|a crowd|football fans / shout|wave flags|march|hold up signs / in a square|in a stadium|on a street
soldiers|police officers|firefighters / march|stand in line|put out a fire|climb a ladder / on a street|at a burning house|in uniform
a presenter|a news reader|a man with a microphone / speaks|interviews someone|reports / in a studio|on a street|in front of a map
""".strip()  # noqa: E501

# Sentences that are no one's doing: places, weather, light, sounds, screens.
PLAIN = """
waves break on a sandy beach|waves crash against rocks|a calm sea under a blue sky|the sun sets over the ocean|the sun rises behind mountains
a waterfall drops into a pool|a river flows through a forest|a stream runs over stones|a lake with mountains behind it|fog drifts over a lake
snow falls on trees|a snowy mountain under a clear sky|a forest path in autumn|tall trees seen from below|a field of yellow flowers
a field of wheat moves in the wind|a desert with sand dunes|a green valley seen from above|clouds move quickly across the sky|lightning flashes in dark clouds
rain falls on a street|rain runs down a window|a storm bends palm trees|a rainbow over a field|stars turn in the night sky
the moon behind clouds|fireworks explode in the night sky|a campfire burns in the dark|a candle flickers|smoke rises from a chimney
a volcano erupts with red lava|a house is on fire|a city skyline at night|a city seen from above|tall glass buildings reflect the sky
a narrow street with old houses|an old castle on a hill|the inside of a church|a bridge over a river|a lighthouse on a rocky coast
a harbour full of boats|a busy street crossing|an empty road through the desert|a road seen from a moving car|a tunnel with lights
a train station full of people|an airport hall|a supermarket aisle|a market stall with fruit|shelves full of books
an empty room with a window|a kitchen with white cupboards|a bedroom with a large bed|a living room with a sofa|an office with many desks
a stage with coloured lights|an empty stadium|a swimming pool seen from above|a playground without children|a garden with a small fountain
red roses in a garden|a bunch of flowers in a vase|green leaves with drops of water|an apple tree full of fruit|mushrooms on the forest floor
a cup of coffee on a table|a glass of water is filled|fruit in a bowl|fresh bread on a board|ice cubes fall into a glass
a clock on a wall|a lamp on a desk|keys on a table|an open book|a pile of old photographs
a map of the world|a chart with numbers|a screen with computer code|text scrolls on a black background|a title on a plain background
a logo on a white background|a cartoon character talks|an animated scene with bright colours|a video game with a racing car|a video game with a soldier
a view of the earth from space|a rocket lifts off|an astronaut floats in a space station|planets move around the sun|a telescope under the stars
a black screen|a blurred picture with soft lights|a white screen|colourful shapes move|a picture full of noise
a close-up of an eye|a close-up of a smiling face|a close-up of hands|a person seen from behind|the shadow of a person on a wall
a microscope picture of cells|drops of ink spread in water|bubbles rise in water|a wheel turns|gears move in a machine
a dog barks|a cat meows|birds sing in the morning|a rooster crows|crickets chirp at night
a horse trots on stone|bees buzz|an audience claps|a crowd cheers|a baby cries
someone laughs|someone coughs|someone snores|footsteps on gravel|a door creaks
someone knocks on a door|a bell rings|church bells ring|a clock ticks|an alarm clock beeps
a phone rings|someone types on a keyboard|a car horn sounds|an engine starts|a siren passes by
a helicopter flies over|a train whistle blows|a chainsaw cuts wood|a vacuum cleaner hums|a washing machine spins
water drips from a tap|water is poured|a toilet flushes|glass breaks|fire crackles
wind blows|thunder rolls|rain patters on a roof|waves wash over pebbles|music plays
""".strip()  # noqa: E501

PER_SCENE = 10


def scene_sentences(line: str) -> list[str]:
    who, does, where = ([part.strip() for part in field.split("|")] for field in line.split(" / "))
    # Steps that share no factor with the number of choices walk through all of them before one comes again.
    picks = [(who[i % len(who)], does[(i + i // len(who)) % len(does)], where[(i + i // len(does)) % len(where)])
             for i in range(len(who) * len(does) * len(where))]  # fmt: skip
    every = itertools.product(who, does, where)
    kept: dict[str, None] = {}
    for subject, verb, place in itertools.chain(picks, every):
        sentence = f"{subject} {agree(subject, verb)}" + ("" if place == "-" else f" {place}")
        kept.setdefault(sentence)
        if len(kept) == PER_SCENE:
            break
    return list(kept)


MANY = ("cows", "sheep", "goats", "ducks", "swans", "people", "tourists", "shoppers", "friends", "children", "players",
        "dancers", "cars", "workers", "students", "protesters", "soldiers", "officers", "firefighters", "runners",
        "athletes", "hands", "vegetables", "sausages", "dolphins", "fans", "guests", "elephants")  # fmt: skip


def agree(subject: str, verb: str) -> str:
    """The verb in the number of the subject: the scenes mix both."""
    head = subject.split(" in ")[0].split(" with ")[0].split(" on ")[0]
    words = head.split()
    many = words[0] in ("two", "four") or " and " in head or (words[0] not in ("a", "an") and words[-1] in MANY)
    first, _, rest = verb.partition(" ")
    base = _base(first)
    form = base if many else {"be": "is", "have": "has", "do": "does", "go": "goes"}.get(base, _third(base))
    if base == "be":
        form = "are" if many else "is"
    return f"{form} {rest}".strip()


def _base(verb: str) -> str:
    known = {"is": "be", "are": "be", "has": "have", "does": "do", "goes": "go", "lies": "lie", "flies": "fly",
             "carries": "carry", "fries": "fry", "leaves": "leave", "dives": "dive", "moves": "move", "tries": "try",
             "passes": "pass", "crosses": "cross", "presses": "press", "dresses": "dress", "tumbles": "tumble",
             }  # fmt: skip
    if verb in known:
        return known[verb]
    if verb.endswith(("shes", "ches", "xes", "sses", "zzes")):
        return verb[:-2]
    if verb.endswith("s") and not verb.endswith("ss"):
        return verb[:-1]
    return verb


def _third(base: str) -> str:
    if base.endswith(("sh", "ch", "x", "ss", "zz", "o")):
        return base + "es"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ies"
    return base + "s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args().out
    sentences: dict[str, None] = {}
    for line in SCENES.splitlines():
        sentences.update(dict.fromkeys(scene_sentences(line)))
    for line in PLAIN.splitlines():
        sentences.update(dict.fromkeys(part.strip() for part in line.split("|")))
    head = (
        '# Ordinary sentences for the retrieval captioner, one a line; "#" starts a comment.\n'
        "# Of this project's own writing (training/make_caption_bank.py makes this file).\n"
    )
    out.write_text(head + "".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8")
    print(f"{len(sentences)} sentences")


if __name__ == "__main__":
    main()
