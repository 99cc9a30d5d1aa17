"""Patterns that say what somebody or something is like, where it is, and how it compares."""

from __future__ import annotations

from data_prep.synthetic import actions as a
from data_prep.synthetic import conjugation as c
from data_prep.synthetic import korean as k
from data_prep.synthetic import lexicon as lx
from data_prep.synthetic import times
from data_prep.synthetic.english import indefinite
from data_prep.synthetic.lexicon import ADJECTIVES, Noun
from data_prep.synthetic.phrases import (
    CHILDREN,
    EVERYONE,
    GROWN,
    NAMED,
    RELATIVES,
    THIRD,
    Draw,
    Thing,
    describe,
    finish,
    lift,
    person,
    thing,
)
from data_prep.synthetic.registry import frequent, pattern

DESCRIBED = (
    lx.SUBJECTS,
    lx.named(lx.READABLES, "newspaper, poem, letter, report, email, essay"),
    lx.FRUITS,
    lx.VEGETABLES,
    lx.SNACKS,
    lx.DISHES,
    lx.BODY_CLOTHES,
    lx.FOOTWEAR,
    lx.BELONGINGS,
    lx.FURNITURE,
    lx.MACHINES,
    lx.VEHICLES,
    lx.BOOKS,
    lx.STORIES,
    lx.SUBJECTS,  # twice: few other things are difficult or useful
    lx.FLOWERS,
    lx.KITCHENWARE,
    lx.BOWLS,
    lx.DRINKS,
)
ATTRIBUTIVE_ONLY = frozenset(("new", "old", "worn", "young"))  # 새, 오래된 and 낡은 have no natural predicate here
PLACE_TRAITS = (
    ("library, museum, gallery, church, theater, cafe, hotel", "quiet famous clean beautiful big small"),
    ("market, station, airport, restaurant, stadium", "noisy famous clean big small"),
    (
        "kitchen, living room, classroom, office, dormitory, cafeteria, gym, theater, bakery, hotel",
        "spacious cramped bright dark clean quiet noisy",
    ),
    ("kitchen, living room, classroom, office, dormitory, cafeteria, gym, bakery", "spacious cramped bright dark"),
    ("Seoul, Busan, Incheon, Daegu, Jeonju, Gyeongju, Suwon, Daejeon, Gwangju", "safe beautiful famous quiet noisy"),
    ("park, beach, garden, zoo", "large quiet beautiful clean safe famous"),
)
OCCUPATIONS = tuple(noun for noun in lx.PEOPLE if noun.english != "tourist")
POSITIONS = (("on", "위"), ("under", "아래"), ("next to", "옆"), ("in front of", "앞"), ("behind", "뒤"))


def predicative(noun: Noun) -> tuple[str, ...]:
    """The noun's adjectives that can stand as predicate."""
    return tuple(name for name in noun.adjectives if name not in ATTRIBUTIVE_ONLY)


def quality(draw: Draw, nouns: tuple[Noun, ...], many: bool = False) -> tuple[Thing, str]:
    """A thing (or many of its kind) with "the", and the lemma of an adjective that can be said of it."""
    noun = draw.noun(nouns)
    adjective = draw.adjective(predicative(noun))
    return describe(noun, definite=True, generic=many), adjective.english


@pattern
def very(draw: Draw) -> tuple[str, str]:
    """The tomatoes at the market are very fresh."""
    goods = draw.one(a.BUY)
    shop = draw.place(goods.places)
    item, name = quality(draw, goods.nouns, goods.article == "many")
    if name in lx.COLORS:
        return "", ""
    english = f"{item.english} {shop.at} {item.be} very {name}."
    return (
        english,
        f"{shop.korean}에 있는 {k.attach(item.korean, '은/는')} 아주 {c.formal(ADJECTIVES[name].predicate)}.",
    )


@pattern
def not_so(draw: Draw) -> tuple[str, str]:
    """The yellow candle is not expensive: -지 않다."""
    noun = draw.noun(draw.one(DESCRIBED))
    if noun.form == "name":
        return "", ""
    outer, inner = draw.adjective(noun.adjectives), draw.adjective(predicative(noun))
    if {outer.english, inner.english} in CLASHES or both_colors(outer.english, inner.english):
        return "", ""
    item = describe(noun, outer, definite=True)
    said = c.formal(c.negative(inner.predicate))
    return f"{item.english} {item.be} not {inner.english}.", f"{k.attach(item.korean, '은/는')} {said}."


CLASHES = (
    {"expensive", "cheap"},
    {"big", "small"},
    {"long", "short"},
    {"difficult", "easy"},
    {"interesting", "boring"},
    {"thick", "thin"},
    {"useful", "boring"},
    {"spacious", "cramped"},
    {"bright", "dark"},
    {"quiet", "noisy"},
    {"beautiful", "pretty"},
    {"sweet", "delicious"},
    {"old", "new"},
)


def both_colors(one: str, other: str) -> bool:
    """Whether two adjectives are colors."""
    return one in lx.COLORS and other in lx.COLORS


@pattern
def comparison(draw: Draw) -> tuple[str, str]:
    """The sofa is more expensive than the red chair: 보다 더."""
    nouns = draw.one(DESCRIBED)
    (one, name), other = quality(draw, nouns), thing(draw, nouns, 0.0, 1.0)
    if one.bare == other.bare or name in ("big", "small") or name not in MORE | set(ER):
        return "", ""
    english = f"{one.english} {one.be} {ER.get(name) or 'more ' + name} than {other.english}."
    said = c.formal(ADJECTIVES[name].predicate)
    return english, f"{k.attach(one.korean, '은/는')} {other.korean}보다 더 {said}."


MORE = {
    "expensive",
    "beautiful",
    "delicious",
    "interesting",
    "boring",
    "difficult",
    "important",
    "useful",
    "famous",
    "convenient",
    "comfortable",
}
ER = {
    "big": "bigger",
    "small": "smaller",
    "cheap": "cheaper",
    "long": "longer",
    "short": "shorter",
    "easy": "easier",
    "thick": "thicker",
    "thin": "thinner",
    "fast": "faster",
    "warm": "warmer",
    "sweet": "sweeter",
    "pretty": "prettier",
    "fresh": "fresher",
}


@pattern
def most(draw: Draw) -> tuple[str, str]:
    """This is the most expensive bag in the department store: 가장."""
    goods = draw.one(a.BUY)
    noun, shop = draw.noun(goods.nouns), draw.place(goods.places)
    names = [name for name in noun.adjectives if name in MORE or name in ER]
    if not names or noun.form != "count":
        return "", ""
    name = draw.adjective(names).english
    superlative = ER[name][:-1] + "st" if name in ER else "most " + name
    english = f"this is the {superlative} {noun.english} {shop.at}."
    best = f"{c.modifier(ADJECTIVES[name].predicate)} {noun.korean}"
    return english, f"이것은 {shop.korean}에서 가장 {c.copula(best, True)}."


@pattern
def occupation(draw: Draw) -> tuple[str, str]:
    """Minsu is a kind nurse."""
    who, noun = person(draw, (NAMED, RELATIVES)), draw.noun(OCCUPATIONS)
    trait = draw.adjective(noun.adjectives)
    item = describe(noun, trait)
    return f"{who.english} is {item.english}.", f"{k.attach(who.korean, '은/는')} {c.copula(item.korean, True)}."


@pattern
def not_occupation(draw: Draw) -> tuple[str, str]:
    """Minsu is not a nurse but a singer: 이/가 아니라."""
    who, one, other = person(draw, (NAMED, RELATIVES)), draw.noun(OCCUPATIONS), draw.noun(OCCUPATIONS)
    english = f"{who.english} is not {indefinite(one.english)} but {indefinite(other.english)}."
    return (
        english,
        f"{k.attach(who.korean, '은/는')} {k.attach(one.korean, '이/가')} 아니라 {c.copula(other.korean, True)}.",
    )


@pattern
def becoming(draw: Draw) -> tuple[str, str]:
    """My son wants to become a brave soldier: 이/가 되다."""
    who, noun = person(draw, (EVERYONE[0][:1], NAMED, CHILDREN[1:], RELATIVES[1:])), draw.noun(OCCUPATIONS)
    item = describe(noun, draw.adjective(noun.adjectives) if draw.chance(0.6) else None)
    wanting = finish(who, c.want(c.Predicate("되"), who.conversational))
    english = f"{who.english} {who.present('want')} to become {item.english}."
    return english, f"{who.topic} {k.attach(item.korean, '이/가')} {wanting}."


@pattern
def character(draw: Draw) -> tuple[str, str]:
    """The teacher is kind and honest."""
    who = person(draw, (*THIRD, EVERYONE[4]))
    one, other = draw.adjective(lx.TRAITS), draw.adjective(lx.TRAITS)
    said = finish(who, lift(who, other.predicate))
    return (
        f"{who.english} {who.be} {one.english} and {other.english}.",
        f"{who.topic} {c.join(one.predicate, '고')} {said}.",
    )


@pattern
def location(draw: Draw) -> tuple[str, str]:
    """The blue umbrella is next to the desk."""
    small = (
        lx.STATIONERY + lx.BELONGINGS + lx.specific(lx.BOOKS) + lx.named(lx.VALUABLES, "key, ticket") + lx.KITCHENWARE
    )
    item, where = (
        thing(draw, small, 0.6, 1.0),
        thing(draw, lx.named(lx.FURNITURE, "chair, table, desk, bed, sofa"), 0.3, 1.0),
    )
    position, korean_position = draw.one(POSITIONS)
    draw.words.append(position)
    english = f"{item.english} {item.be} {position} {where.english}."
    return english, f"{k.attach(item.korean, '은/는')} {where.korean} {korean_position}에 있습니다."


@frequent
def place_quality(draw: Draw) -> tuple[str, str]:
    """The library is quiet and clean."""
    where, traits = draw.one(PLACE_TRAITS)
    place = draw.place(lx.places(where))
    one, other = draw.adjective(traits.split()), draw.adjective(traits.split())
    if {one.english, other.english} in CLASHES:
        return "", ""
    english = f"{place.phrase} is {one.english} and {other.english}."
    return english, f"{k.attach(place.korean, '은/는')} {c.join(one.predicate, '고')} {c.formal(other.predicate)}."


@pattern
def opinion(draw: Draw) -> tuple[str, str]:
    """The painter thinks that the documentary is boring: -다고 생각하다."""
    who, (item, name) = person(draw), quality(draw, draw.one(DESCRIBED))
    if name in lx.COLORS:
        return "", ""
    thinking = finish(who, lift(who, c.Predicate("생각하")))
    english = f"{who.english} {who.present('think')} that {item.english} {item.be} {name}."
    return (
        english,
        f"{who.topic} {k.attach(item.korean, '이/가')} {c.join(ADJECTIVES[name].predicate, '다고')} {thinking}.",
    )


@pattern
def needing(draw: Draw) -> tuple[str, str]:
    """The chef needs a sharp knife: 이/가 필요하다."""
    who = person(draw, GROWN)
    item = thing(
        draw, lx.BELONGINGS + lx.KITCHENWARE + lx.MACHINES + lx.STATIONERY + lx.FURNITURE, 0.7, 0.0, fits=a.BOUGHT
    )
    when, korean_when = times.moment(draw, times.NOW + times.FUTURE)
    needed = finish(who, lift(who, c.Predicate("필요하", adjective=True)))
    english = f"{who.english} {who.present('need')} {item.english} {when}."
    return english, f"{who.topic} {korean_when} {k.attach(item.korean, '이/가')} {needed}."
