"""Patterns with numbers: counted things, ages, prices, clock times, dates, durations, floors."""

from __future__ import annotations

from data_prep.synthetic import actions as a
from data_prep.synthetic import conjugation as c
from data_prep.synthetic import korean as k
from data_prep.synthetic import lexicon as lx
from data_prep.synthetic import times
from data_prep.synthetic.actions import verb
from data_prep.synthetic.english import number, ordinal, plural
from data_prep.synthetic.lexicon import Noun
from data_prep.synthetic.phrases import (
    CHILDREN,
    GROWN,
    NAMED,
    RELATIVES,
    Action,
    Draw,
    action,
    doer,
    finish,
    lift,
    person,
    thing,
    toward,
)
from data_prep.synthetic.registry import pattern

COUNTED_GOODS = tuple(
    (nouns, frame.places)
    for frame in a.BUY
    if (nouns := tuple(noun for noun in frame.nouns if noun.counter and noun.measure != "cup"))
)
SMALL_PRICES = (*range(1000, 10_000, 1000), 10_000, 15_000, 20_000)
MIDDLE_PRICES = tuple(range(20_000, 100_000, 5000))
BOOK_PRICES = tuple(range(5000, 10_000, 1000)) + tuple(range(10_000, 50_000, 5000))
LARGE_PRICES = tuple(range(100_000, 1_000_000, 50_000))
OPEN_HOURS = tuple(
    place for place in lx.PUBLIC if place.english not in ("hotel", "church", "station", "airport", "beach")
)
LASTING = (
    *(a.READ_LONG, a.LISTEN, a.STUDY, a.PLAY_BALL, a.PLAY_RACKET, a.PLAY_KEYS, a.PLAY_INSTRUMENT, a.PRACTICE),
    *(a.REVIEW, a.REST, *a.MOVEMENT, a.WORK),
)
ROUTES = (
    ("train, bus", lx.CITIES),
    ("airplane", lx.COUNTRIES[1:]),
    ("ship", lx.places("Japan, China, Incheon, Busan")),
)
UNPRICED = lx.all_but(*lx.PRICE_WORDS, *lx.USED)
PRICED = (
    (lx.named(lx.FRUITS, "watermelon, melon, grapefruit") + lx.SNACKS, SMALL_PRICES),
    (lx.BEVERAGES + lx.STATIONERY, SMALL_PRICES[:6]),
    (lx.BOOKS, BOOK_PRICES),
    (lx.BELONGINGS, BOOK_PRICES),
    (lx.CLOTHES, MIDDLE_PRICES),
    (lx.FURNITURE + lx.MACHINES, LARGE_PRICES),
)


def counted(draw: Draw, noun: Noun, low: int = 2, high: int = 10) -> tuple[str, str]:
    """A number of things: three cups of coffee, 커피 세 잔."""
    amount = draw.integer(low, high)
    korean = f"{noun.korean} {k.count(amount, noun.counter)}"
    if noun.measure:
        return f"{number(amount)} {plural(noun.measure)} of {noun.english}", korean
    return f"{number(amount)} {plural(noun.english)}", korean


@pattern
def buying_some(draw: Draw) -> tuple[str, str]:
    """The boy bought three pencils at the supermarket yesterday."""
    nouns, shops = draw.one(COUNTED_GOODS)
    who, (english, korean), shop = person(draw), counted(draw, draw.noun(nouns)), draw.place(shops)
    when, korean_when = times.past(draw)
    bought = finish(who, lift(who, verb("사다")), "past")
    return (
        f"{who.english} bought {english} {shop.at} {when}.",
        f"{who.topic} {korean_when} {shop.korean}에서 {k.attach(korean, '을/를')} {bought}.",
    )


@pattern
def drinking_some(draw: Draw) -> tuple[str, str]:
    """I drank two cups of coffee at the cafe this morning."""
    who, bottled = person(draw, GROWN), draw.chance(0.25)
    english, korean = counted(draw, draw.noun(lx.BOTTLED if bottled else lx.DRINKS), high=3)
    where = draw.place(lx.places("restaurant, hotel, home") if bottled else a.DRINKING)
    when, korean_when = times.past(draw)
    drunk = finish(who, lift(who, a.DRINK.predicate), "past")
    return (
        f"{who.english} drank {english} {where.at} {when}.",
        f"{who.topic} {korean_when} {where.korean}에서 {k.attach(korean, '을/를')} {drunk}.",
    )


@pattern
def ordering(draw: Draw) -> tuple[str, str]:
    """Please give me two cups of tea and three cookies."""
    first = counted(draw, draw.noun(lx.DRINKS + lx.BOTTLED), high=6)
    second = counted(draw, draw.noun(lx.SNACKS + lx.BOWLS + lx.FRUITS), high=6)
    return (
        f"please give me {first[0]} and {second[0]}.",
        f"{k.attach(first[1], '과/와')} {k.attach(second[1], '을/를')} 주세요.",
    )


@pattern
def there_are(draw: Draw) -> tuple[str, str]:
    """There are three cats in the garden."""
    nouns, where = draw.one(
        (
            (lx.ANIMALS, "garden, park, beach"),
            (lx.WILD_ANIMALS, "zoo"),
            (
                lx.PEOPLE + lx.YOUNG_PEOPLE,
                "classroom, park, library, station, airport, cafe, bank, hospital, museum, stadium",
            ),
            (
                lx.named(lx.FURNITURE, "chair, table, desk, bookshelf"),
                "classroom, living room, office, dormitory, library",
            ),
            (lx.MACHINES[:3] + lx.MACHINES[4:], "office, library, school, hotel, dormitory"),
            (lx.VEHICLES, "school, market, station, airport, hospital, hotel"),
        )
    )
    place = draw.place(lx.places(where))
    english, korean = counted(draw, draw.noun(nouns))
    return f"there are {english} {place.at}.", f"{place.korean}에 {k.attach(korean, '이/가')} 있습니다."


@pattern
def keeping(draw: Draw) -> tuple[str, str]:
    """My cousin raises four cows and two pigs."""
    who = person(draw, GROWN)
    one, other = draw.noun(lx.ANIMALS), draw.noun(lx.ANIMALS)
    first, second = counted(draw, one), counted(draw, other)
    raised = finish(who, lift(who, a.RAISE.predicate))
    english = f"{who.english} {who.present('raise')} {first[0]} and {second[0]}."
    return english, f"{who.topic} {k.attach(first[1], '과/와')} {k.attach(second[1], '을/를')} {raised}."


@pattern
def age(draw: Draw) -> tuple[str, str]:
    """Minsu is twenty years old and likes baseball."""
    who = person(draw, (NAMED, CHILDREN, RELATIVES))
    years = draw.integer(5, 15) if who in CHILDREN else draw.integer(6, 45)
    liked = draw.noun(lx.SUBJECTS[:6] + lx.BALL_GAMES + lx.RACKET_GAMES + lx.MUSIC)
    english = f"{who.english} is {number(years)} years old and likes {liked.english}."
    return english, f"{who.topic} {k.count(years, '살')}이고 {k.attach(liked.korean, '을/를')} 좋아합니다."


@pattern
def costs(draw: Draw) -> tuple[str, str]:
    """The red bag costs thirty thousand won at the market."""
    nouns, amounts = draw.one(PRICED)
    item, won = thing(draw, nouns, 0.6, 1.0, fits=UNPRICED), draw.one(amounts)
    english = f"{item.english} {'cost' if item.plural else 'costs'} {number(won)} won."
    return english, f"{k.attach(item.korean, '은/는')} {k.price(won)}입니다."


@pattern
def paid(draw: Draw) -> tuple[str, str]:
    """Sora bought the blue dress for fifty thousand won last week."""
    nouns, amounts = draw.one(PRICED)
    who, item, won = person(draw, GROWN), thing(draw, nouns, 0.4, 0.3, fits=UNPRICED), draw.one(amounts)
    when, korean_when = times.moment(draw, times.LONG_PAST)
    bought = finish(who, lift(who, verb("사다")), "past")
    english = f"{who.english} bought {item.english} for {number(won)} won {when}."
    return english, f"{who.topic} {korean_when} {k.attach(item.korean, '을/를')} {k.price(won)}에 {bought}."


@pattern
def opening(draw: Draw) -> tuple[str, str]:
    """The library opens at half past nine in the morning on Mondays."""
    place, verbs = (
        draw.place(OPEN_HOURS),
        draw.one((("open", "엽니다", 6, 11), ("close", "닫습니다", 16, 21))),
    )
    draw.words.append(verbs[0])
    (when, korean_when), (day, korean_day) = times.clock_time(draw, verbs[2:]), times.moment(draw, times.WEEKDAYS)
    english = f"{place.phrase} {verbs[0]}s at {when} on {day}s."
    return english, f"{k.attach(place.korean, '은/는')} {korean_day}마다 {korean_when}에 문을 {verbs[1]}."


@pattern
def departure(draw: Draw) -> tuple[str, str]:
    """The train to Busan leaves at half past three in the afternoon."""
    name, ends = draw.one(ROUTES)
    by, where = thing(draw, lx.named(lx.TRANSPORT, name), 0.3, 1.0), draw.place(ends)
    verb_english, verb_korean = draw.one((("leaves", "출발합니다"), ("arrives", "도착합니다")))
    draw.words.append(verb_english[:-1])
    when, korean_when = times.clock_time(draw)
    if verb_english == "leaves":
        english, korean = f"to {where.english}", f"{toward(where.korean)} 가는"
    else:
        english, korean = f"from {where.english}", f"{where.korean}에서 오는"
    return (
        f"{by.english} {english} {verb_english} at {when}.",
        f"{korean} {k.attach(by.korean, '은/는')} {korean_when}에 {verb_korean}.",
    )


@pattern
def routine_time(draw: Draw) -> tuple[str, str]:
    """My mother wakes up at seven in the morning every day."""
    english_verb, predicate, low, high = draw.one(
        (
            ("wake up", verb("일어나다"), 5, 9),
            ("leave home", verb("집을 나서다"), 6, 10),
            ("arrive at school", verb("학교에 도착하다"), 7, 10),
            ("come home", verb("집에 오다"), 16, 21),
            ("take a shower", verb("샤워하다"), 6, 9),
            ("take a walk", verb("산책하다"), 6, 18),
        )
    )
    who = person(draw)
    draw.words.append(english_verb)
    (when, korean_when), (day, korean_day) = times.clock_time(draw, (low, high)), times.habit(draw, daily=True)
    korean = f"{who.topic} {korean_day} {korean_when}에 {finish(who, lift(who, predicate))}."
    return f"{who.english} {who.present(english_verb)} at {when} {day}.", korean


@pattern
def appointment(draw: Draw) -> tuple[str, str]:
    """The lawyer will meet the reporter at the hotel on March fourteenth."""
    act = a_plan(draw)
    who, (day, korean_day) = doer(draw, act), times.calendar_day(draw)
    korean = f"{who.topic} {korean_day}에 {act.korean(finish(who, lift(who, act.predicate), 'future'))}."
    return f"{who.english} will {act.english('base')} on {day}.", korean


def a_plan(draw: Draw) -> Action:
    """Something that one does on a date."""
    return action(
        draw, (a.MEET, a.VISIT, a.INVITE, a.BUY_FURNITURE, a.SELL, a.FIX, a.PLANT, a.MOVE, a.HELP, a.CALL), 0.5
    )


@pattern
def birthday(draw: Draw) -> tuple[str, str]:
    """My daughter's birthday is June fifteenth: 의."""
    who, (day, korean_day) = person(draw, (NAMED, RELATIVES, CHILDREN)), times.calendar_day(draw)
    return f"{who.english}'s birthday is {day}.", f"{who.korean}의 생일은 {korean_day}입니다."


@pattern
def duration(draw: Draw) -> tuple[str, str]:
    """It takes three hours from Seoul to Busan by train."""
    start, end, by, hours = (
        draw.place(lx.CITIES),
        draw.place(lx.CITIES),
        draw.noun(lx.named(lx.TRANSPORT, "train, bus")),
        draw.integer(2, 4),
    )
    english = f"it takes {number(hours)} hours from {start.english} {end.to} by {by.english}."
    korean = f"{start.korean}에서 {end.korean}까지 {toward(by.korean)} {k.count(hours, '시간')}이 걸립니다."
    return english, korean


@pattern
def how_long(draw: Draw) -> tuple[str, str]:
    """The singer practiced tennis for three hours yesterday."""
    act = action(draw, LASTING, described=0.0)
    who, (when, korean_when) = doer(draw, act), times.past(draw, act)
    if draw.chance(0.6):
        amount = draw.integer(2, 5)
        length, korean_length = f"{number(amount)} hours", f"{k.count(amount, '시간')}"
    else:
        amount = draw.one((10, 15, 20, 30, 40, 50))
        length, korean_length = f"{number(amount)} minutes", f"{k.count(amount, '분')}"
    korean = (
        f"{who.topic} {korean_when} {korean_length} 동안 {act.korean(finish(who, lift(who, act.predicate), 'past'))}."
    )
    return f"{who.english} {act.english('past')} for {length} {when}.", korean


@pattern
def how_often(draw: Draw) -> tuple[str, str]:
    """The soldier exercises at the gym three times a week."""
    act = action(draw, a.HABITS, place=0.5, generic=True)
    who, times_a_week = doer(draw, act), draw.integer(2, 6)
    repeated = "twice" if times_a_week == 2 else f"{number(times_a_week)} times"
    english = f"{who.english} {act.present(who)} {repeated} a week."
    return (
        english,
        f"{who.topic} 일주일에 {k.count(times_a_week, '번')} {act.korean(finish(who, lift(who, act.predicate)))}.",
    )


@pattern
def floor(draw: Draw) -> tuple[str, str]:
    """The bookstore is on the third floor of the department store."""
    shop = draw.place(
        lx.places("restaurant, cafe, bookstore, pharmacy, office, bakery, flower shop, gallery, gym, bank")
    )
    building = draw.place(lx.places("department store, hotel, airport, hospital, university, museum"))
    level = draw.integer(2, 9)
    english = f"the {shop.english} is on the {ordinal(level)} floor of the {building.english}."
    return english, f"{k.attach(shop.korean, '은/는')} {building.korean} {k.count(level, '층')}에 있습니다."


@pattern
def stay(draw: Draw) -> tuple[str, str]:
    """We will stay in France for two months: 동안."""
    who, where, amount = person(draw), draw.place(lx.CITIES + lx.COUNTRIES), draw.integer(2, 9)
    unit, counter = draw.one((("week", "주"), ("month", "개월"), ("year", "년")))
    length = f"{number(amount)} {plural(unit)}"
    staying = finish(who, lift(who, c.Predicate("머무르", irregular="르")), "future")
    korean = f"{who.topic} {where.korean}에서 {k.count(amount, counter)} 동안 {staying}."
    return f"{who.english} will stay {where.at} for {length}.", korean
