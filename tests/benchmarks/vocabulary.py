"""The words that made-up items are described with: common ones often, rare ones rarely, as in any text."""

from __future__ import annotations

from itertools import accumulate


def _words(text: str) -> list[str]:
    return text.split()


_NOUNS = _words(
    """
    jacket shirt dress shoe boot sandal sneaker scarf glove belt wallet bag backpack suitcase watch ring necklace lamp
    table chair sofa shelf drawer mirror carpet curtain pillow blanket towel candle vase bowl plate cup mug glass
    bottle kettle pan knife spoon fork board basket box tool drill hammer saw screw wrench ladder hose rake shovel
    seed plant pot tent stove rope helmet bicycle pedal wheel tyre chain pump paddle kayak racket ball glider puzzle
    doll train block pencil brush paint canvas paper notebook book folder stapler printer screen keyboard cable
    charger battery speaker headphone camera lens tripod sensor filter vent heater fan soap lotion perfume comb razor
    collar leash kennel saddle grain coffee tea honey jam pepper olive pasta rice bread cheese cocoa vanilla engine
    button zip pocket sleeve hood seam lining heel sole strap buckle handle hinge lid spout switch dial frame panel
    surface edge corner base cover pattern stripe print weave fibre cotton wool linen silk leather suede denim velvet
    canvas oak walnut birch pine bamboo steel iron brass copper silver marble stone clay rubber foam resin enamel
    """
)
_ADJECTIVES = _words(
    """
    warm soft light strong smooth rough bright dark deep pale round square narrow wide tall short long thick thin
    hollow solid folding padded woven knitted printed brushed polished glazed carved quilted ribbed pleated fitted
    loose slim roomy sturdy gentle quiet quick steady simple plain fine rare fresh dry waterproof breathable washable
    reusable adjustable removable stackable portable compact durable flexible reliable natural classic modern rustic
    elegant playful timeless everyday seasonal handmade organic recycled vegan certified hidden double single spare
    black white grey blue navy green olive red burgundy rose yellow amber orange brown beige cream ivory teal violet
    """
)
_VERBS = _words(
    """
    keep hold carry wear wash dry fold store hang open close lock turn lift pull push fit match suit wrap cover
    protect warm cool light clean polish cut slice mix pour serve bake grow water travel camp hike ride run climb
    play draw write read rest sleep sit stand move slide roll click snap stretch breathe last
    """
)
_SMALL = _words(
    """
    the a and of with for in to it is that on from you by its this are at as your both each all every one two three
    even when while after before inside over under without between through or not more than most so they can may
    """
)
#: What is not in ASCII, as in real catalogues.
_FOREIGN = _words("crème façade décor naïve größe señorita smørrebrød café 20°C ½ – “new”")

_DERIVED = (
    [noun + "s" for noun in _NOUNS if not noun.endswith("s")]
    + [f"{adjective}er" for adjective in _ADJECTIVES[:25]]
    + [f"{verb}ing" for verb in _VERBS if not verb.endswith("e")]
    + [f"{noun}-{adjective}" for noun, adjective in zip(_NOUNS, _ADJECTIVES * 3, strict=False)]
    + [f"{one}{two}" for one, two in zip(_NOUNS[::2], _NOUNS[1::2], strict=False)]
)

_LISTED = [word for pair in zip(_NOUNS[::2], _ADJECTIVES, strict=False) for word in pair] + _NOUNS[1::2]

#: By falling frequency.
WORDS = list(dict.fromkeys(_SMALL + _LISTED + _VERBS + _FOREIGN + _DERIVED))
#: The n-th word of a text's vocabulary is about n times as rare as the first.
CUMULATIVE_WEIGHTS = list(accumulate(1 / (rank + 3) for rank in range(len(WORDS))))

BRANDS = [f"{adjective.title()} {noun.title()}" for adjective, noun in zip(_ADJECTIVES[::2], _NOUNS[::3], strict=False)]
COLOURS = _ADJECTIVES[-19:]
MATERIALS = _NOUNS[-27:]
SIZES = ["XS", "S", "M", "L", "XL", "XXL", "36", "38", "40", "42", "44"]
NOUNS = _NOUNS
ADJECTIVES = _ADJECTIVES
