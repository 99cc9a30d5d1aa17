"""What people do: each verb with the nouns it takes and the places where it happens.

A `Frame` is one English verb, one Korean predicate, and the selectional restrictions of both: one eats food, plays
(치다) the piano and plays (하다) soccer. The nouns themselves stand in `lexicon`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from data_prep.synthetic import lexicon as lx
from data_prep.synthetic.conjugation import Predicate
from data_prep.synthetic.lexicon import Noun, Place, all_but, named, places, specific


@dataclass(frozen=True)
class Frame:
    """A verb and what may stand beside it.

    Attributes:
        verb: English, with its preposition if it has one ("listen to").
        predicate: Korean.
        objects: what it may be done to; empty for an intransitive verb.
        particle: behind the Korean object.
        places: where it may be done; empty if no place is said.
        article: "any"; "the" where English says no other (play the piano, open the window); "many" for a plural.
        adult: not done by children.
        instant: over in a moment, so it has no progressive.
        brief: so small a deed that nobody dates it by the week or the month.
        fits: the adjectives that its object may have; None for all.
    """

    verb: str
    predicate: Predicate
    objects: tuple[Noun | Place, ...] = ()
    particle: str = "을/를"
    places: tuple[Place, ...] = ()
    article: str = "any"
    adult: bool = False
    instant: bool = False
    brief: bool = False
    fits: Collection[str] | None = None

    @property
    def nouns(self) -> tuple[Noun, ...]:
        """The objects that are things or people, not places."""
        return tuple(item for item in self.objects if isinstance(item, Noun))


def verb(korean: str, honorific: str = "") -> Predicate:
    """A verb from its dictionary form, with its irregularity behind a slash: 듣다/ㄷ."""
    stem, _, irregular = korean.partition("/")
    return Predicate(stem.removesuffix("다"), irregular=irregular, honorific_stem=honorific)


# Adjectives that go with a kind of deed.
TASTE = frozenset(["delicious", "sweet", "warm", "fresh", "big", "small"])
MADE = frozenset(["delicious", "warm", "sweet", "big", "small"])
RAW = frozenset(["fresh", "big", "small"])
BOUGHT = all_but(*lx.USED, "clean", "warm")
NEEDS_REPAIR = all_but("new", "clean", "convenient", "comfortable", "useful")

EATING = places("restaurant, cafeteria, home, park, beach, hotel, kitchen, living room")
MEALTIME = places("restaurant, cafeteria, home, park, beach, hotel")
DRINKING = places("restaurant, cafe, home, park, hotel, office, living room")
READING = places("library, cafe, park, home, classroom, office, dormitory, garden, living room, bookstore")
LISTENING = places("cafe, park, home, dormitory, garden, living room")
STUDYING = places("library, school, cafe, home, classroom, university, dormitory")
SPORTS = places("park, school, gym, stadium, university")
MUSICAL = places("school, home, theater, living room, church, park")
WRITING = places("home, office, cafe, library, dormitory")
KITCHENS = places("kitchen, home")
MEETING = places(
    "cafe, park, station, airport, library, restaurant, school, hospital, museum, bank, hotel, Seoul, Busan, "
    "post office, market, church, city hall, pharmacy, gallery, stadium, cafeteria"
)
GROCERS = places("market, supermarket, department store")
SHOPPING = places("market, supermarket, department store, convenience store")
CLOTHES_SHOPS = places("department store, market")

MEAL = Frame("eat", verb("먹다", "드시"), lx.MEALS, places=MEALTIME)
EAT_DISH = Frame("eat", verb("먹다", "드시"), lx.DISHES + lx.BOWLS + lx.SNACKS, places=EATING, fits=TASTE)
EAT_FRUIT = Frame("eat", verb("먹다", "드시"), lx.FRUITS, places=EATING, fits=TASTE)
DRINK = Frame("drink", verb("마시다", "드시"), lx.DRINKS + named(lx.BOTTLED, "cola"), places=DRINKING, fits=TASTE)
DRINK_ALCOHOL = Frame(
    "drink",
    verb("마시다", "드시"),
    named(lx.BOTTLED, "beer, wine"),
    places=places("restaurant"),
    adult=True,
    fits=TASTE,
)
READ = Frame("read", verb("읽다"), lx.READABLES, places=READING, fits=all_but(*lx.PRICE_WORDS))
READ_LONG = Frame("read", verb("읽다"), named(lx.READABLES, "novel, comic book, report, essay"), places=READING)
WATCH = Frame("watch", verb("보다"), lx.SHOWS, places=places("home, living room, dormitory, hotel"))
WATCH_ON_STAGE = Frame("watch", verb("보다"), lx.STAGED, places=places("theater"))
WATCH_GAME = Frame("watch", verb("보다"), lx.GAMES_SEEN, places=places("stadium"))
LISTEN = Frame("listen to", verb("듣다/ㄷ"), lx.MUSIC, places=LISTENING)
STUDY = Frame("study", verb("공부하다"), lx.SUBJECTS, places=STUDYING)
LEARN = Frame("learn", verb("배우다"), lx.SUBJECTS + lx.RACKET_GAMES, places=places("school, university"))
PLAY_BALL = Frame("play", verb("하다"), lx.BALL_GAMES, places=SPORTS)
PLAY_RACKET = Frame("play", verb("치다"), lx.RACKET_GAMES, places=SPORTS)
PLAY_KEYS = Frame("play", verb("치다"), lx.KEYS_AND_STRINGS, places=MUSICAL, article="the")
PLAY_INSTRUMENT = Frame("play", verb("연주하다"), lx.INSTRUMENTS, places=MUSICAL, article="the")
PRACTICE = Frame("practice", verb("연습하다"), lx.RACKET_GAMES + lx.BALL_GAMES, places=SPORTS)
REVIEW = Frame("review", verb("복습하다"), lx.SUBJECTS, places=STUDYING)
WRITE = Frame("write", verb("쓰다"), lx.WRITABLES, places=WRITING, fits=("long", "short", "important"))
COOK = Frame("cook", verb("요리하다"), named(lx.DISHES, "meat, fish, chicken, beef, pork"), places=KITCHENS, fits=MADE)
BAKE = Frame(
    "bake",
    verb("굽다/ㅂ"),
    named(lx.DISHES + lx.SNACKS, "bread, cake, cookie, pizza"),
    places=KITCHENS,
    article="many",
    fits=MADE,
)
BOIL = Frame(
    "boil",
    verb("삶다"),
    named(lx.VEGETABLES + lx.BOWLS, "potato, sweet potato, noodles"),
    places=KITCHENS,
    article="many",
    brief=True,
    fits=RAW,
)
SLICE = Frame("slice", verb("썰다"), lx.VEGETABLES, places=KITCHENS, article="many", brief=True, fits=RAW)
PEEL = Frame(
    "peel",
    verb("깎다"),
    named(lx.FRUITS, "apple, peach, melon"),
    places=KITCHENS,
    article="many",
    brief=True,
    fits=RAW,
)
WASH_FOOD = Frame(
    "wash", verb("씻다"), lx.FRUITS + lx.VEGETABLES, places=KITCHENS, article="many", brief=True, fits=RAW
)
WASH_CLOTHES = Frame(
    "wash",
    verb("빨다"),
    named(lx.CLOTHES, "shirt, dress, sweater, skirt, vest, pants, jeans, socks, sneakers"),
    places=places("home, dormitory"),
    article="the",
    fits=frozenset(lx.COLORS),
)
TIDY = Frame(
    "tidy", verb("정리하다"), lx.nouns("desk=책상, bookshelf=책장, wardrobe=옷장, drawer=서랍, room=방"), article="the"
)
SWEEP = Frame("sweep", verb("쓸다"), lx.nouns("yard=마당, floor=바닥, stairs+=계단"), article="the", brief=True)
FEED = Frame("take care of", verb("돌보다"), lx.ANIMALS, article="the")
SING = Frame("sing", verb("부르다/르"), lx.nouns("song=노래, folk song=민요, carol=캐럴"), places=MUSICAL)
SLEEP = Frame("sleep", verb("자다", "주무시"), places=places("home, hotel, dormitory, living room"))
REST = Frame("rest", verb("쉬다"), places=places("home, park, cafe, beach, garden, living room, hotel"))
SWIM = Frame("swim", verb("수영하다"), places=places("beach, gym, hotel"))
RUN = Frame("run", verb("뛰다"), places=places("park, beach, stadium"))
WALK = Frame("take a walk", verb("산책하다"), places=places("park, beach, garden"))
DANCE = Frame("dance", verb("춤을 추다"), places=places("park, school, theater, gym"))
EXERCISE = Frame("exercise", verb("운동하다"), places=places("park, gym, stadium, home, beach"))
WORK = Frame(
    "work",
    verb("일하다"),
    places=places("office, bank, hospital, library, restaurant, hotel, museum, airport, bookstore, pharmacy"),
    adult=True,
)
MOVEMENT = (SWIM, RUN, WALK, DANCE, EXERCISE)
CHAT = Frame(
    "chat with",
    verb("이야기하다"),
    lx.PEOPLE + lx.YOUNG_PEOPLE,
    "과/와",
    places("cafe, park, restaurant, hotel, station"),
    "the",
)
FUN = (WATCH, WATCH_ON_STAGE, WATCH_GAME, LISTEN, PLAY_BALL, PLAY_RACKET, PLAY_KEYS, PLAY_INSTRUMENT, SING)
LEARNING = (STUDY, REVIEW, PRACTICE, LEARN)
HOUSEWORK = (COOK, BAKE, BOIL, SLICE, PEEL, WASH_FOOD, WASH_CLOTHES, TIDY, SWEEP, FEED)
HABITS = (
    *(EAT_DISH, EAT_FRUIT, DRINK, READ, WRITE),
    *(*FUN, *LEARNING, *HOUSEWORK),
    *(SLEEP, REST, *MOVEMENT, WORK),
)

PERSONS = lx.PEOPLE + lx.YOUNG_PEOPLE
BUY_PRODUCE = Frame("buy", verb("사다"), lx.FRUITS + lx.VEGETABLES, places=GROCERS, article="many", fits=BOUGHT)
BUY_FOOD = Frame(
    "buy",
    verb("사다"),
    lx.DISHES + lx.SNACKS + named(lx.DRINKS, "milk, orange juice"),
    places=SHOPPING,
    fits=BOUGHT,
)
BUY_FURNITURE = Frame(
    "buy", verb("사다"), lx.FURNITURE + lx.MACHINES, places=places("department store"), adult=True, fits=BOUGHT
)
BUY = (
    BUY_PRODUCE,
    BUY_FOOD,
    Frame("buy", verb("사다"), lx.CLOTHES, places=CLOTHES_SHOPS, fits=BOUGHT),
    Frame(
        "buy",
        verb("사다"),
        named(lx.BOOKS, "book, magazine, novel, comic book, textbook, dictionary"),
        places=places("bookstore, department store"),
        fits=BOUGHT,
    ),
    Frame("buy", verb("사다"), lx.FLOWERS, places=places("flower shop, market"), article="many", fits=BOUGHT),
    Frame("buy", verb("사다"), lx.BELONGINGS + lx.KITCHENWARE, places=CLOTHES_SHOPS, fits=BOUGHT),
    BUY_FURNITURE,
    Frame(
        "buy",
        verb("사다"),
        lx.STATIONERY + named(lx.BOOKS, "notebook"),
        places=places("supermarket, department store, convenience store"),
        fits=BOUGHT,
    ),
    Frame("buy", verb("사다"), lx.SHEETS, places=places("museum, airport, gallery"), fits=BOUGHT),
)
SELL = Frame("sell", verb("팔다"), lx.FURNITURE + lx.MACHINES + lx.VEHICLES, adult=True)
SELL_FOOD = Frame(
    "sell",
    verb("팔다"),
    lx.FRUITS + lx.VEGETABLES + lx.FLOWERS,
    places=places("market"),
    article="many",
    adult=True,
)
LENT = (
    named(lx.BOOKS, "book, magazine, novel, comic book, textbook, dictionary")
    + named(lx.VALUABLES, "umbrella, bag")
    + named(lx.MACHINES, "camera")
    + named(lx.VEHICLES, "bicycle")
)
BORROW = Frame("borrow", verb("빌리다"), LENT, fits=all_but(*lx.PRICE_WORDS))
BORROW_BOOK = Frame(
    "borrow",
    verb("빌리다"),
    named(lx.BOOKS, "book, magazine, novel, comic book, dictionary"),
    places=places("library"),
    fits=all_but(*lx.PRICE_WORDS),
)
DRAW = Frame(
    "draw",
    verb("그리다"),
    lx.ANIMALS + lx.WILD_ANIMALS + lx.FLOWERS,
    places=places("school, home, park, classroom"),
    fits=all_but(*lx.PRICE_WORDS, "healthy"),
)
PHOTOGRAPH = Frame("photograph", verb("촬영하다"), lx.WILD_ANIMALS, places=places("zoo"))
FIX = Frame(
    "fix", verb("고치다"), lx.MACHINES + lx.VEHICLES + lx.FURNITURE, adult=True, fits=NEEDS_REPAIR - set(lx.PRICE_WORDS)
)
MAKE = Frame(
    "make",
    verb("만들다"),
    named(
        lx.SNACKS + lx.BOWLS + lx.DISHES,
        "sandwich, hamburger, cookie, pancake, doughnut, soup, salad, porridge, cake, dumplings, kimchi",
    ),
    places=KITCHENS,
    article="many",
    fits=MADE,
)
MAKE_THINGS = Frame(
    "make",
    verb("만들다"),
    named(
        lx.BELONGINGS + lx.FURNITURE, "doll, basket, box, candle, blanket, pillow, chair, table, desk, bed, bookshelf"
    ),
    adult=True,
    fits=("big", "small", "pretty"),
)
CHOOSE = Frame("choose", verb("고르다/르"), lx.CLOTHES, places=places("department store"), article="the", fits=BOUGHT)
USE = Frame("use", verb("사용하다"), lx.MACHINES + lx.KITCHENWARE + named(lx.BOOKS, "dictionary"), article="the")
MOVE = Frame(
    "move",
    verb("옮기다"),
    lx.FURNITURE + named(lx.BELONGINGS, "box"),
    article="the",
    adult=True,
    fits=all_but(*lx.PRICE_WORDS),
)
PLANT = Frame(
    "plant",
    verb("심다"),
    lx.FLOWERS + named(lx.VEGETABLES, "potato, carrot, onion, sweet potato, cucumber"),
    article="many",
    fits=("red", "white", "yellow", "pretty"),
)
RAISE = Frame("raise", verb("기르다/르"), lx.ANIMALS)
OPEN = Frame("open", verb("열다"), lx.OPENABLES, article="the", instant=True, brief=True)
CLOSE = Frame("close", verb("닫다"), lx.OPENABLES, article="the", instant=True, brief=True)
TURN_ON = Frame("turn on", verb("켜다"), lx.SWITCHED, article="the", instant=True, brief=True)
TURN_OFF = Frame("turn off", verb("끄다"), lx.SWITCHED, article="the", instant=True, brief=True)
LOOK_FOR = Frame("look for", verb("찾다"), lx.VALUABLES + lx.STATIONERY, article="the", fits=frozenset(lx.COLORS))
VISIT_FAR = Frame("visit", verb("방문하다"), lx.CITIES + lx.COUNTRIES, instant=True)
VISIT = Frame(
    "visit",
    verb("방문하다"),
    lx.CITIES + lx.COUNTRIES + places("museum, hospital, city hall, gallery, zoo, university"),
    instant=True,
)
MEET = Frame("meet", verb("만나다"), PERSONS, places=MEETING, article="the", instant=True)
HELP = Frame("help", verb("돕다/ㅂ"), PERSONS, places=MEETING, article="the")
WAIT = Frame("wait for", verb("기다리다"), PERSONS, places=places("cafe, park, station"), article="the")
WAIT_STATION = Frame(
    "wait for", verb("기다리다"), named(lx.TRANSPORT, "train, bus"), places=places("station"), article="the", fits=()
)
WAIT_AIRPORT = Frame(
    "wait for", verb("기다리다"), named(lx.TRANSPORT, "airplane"), places=places("airport"), article="the", fits=()
)
WAITING = (WAIT, WAIT_STATION, WAIT_AIRPORT)
INVITE = Frame("invite", verb("초대하다"), PERSONS, article="the", instant=True)
CALL = Frame("call", verb("전화하다"), PERSONS, particle="에게", article="the", instant=True)
PRAISE = Frame("praise", verb("칭찬하다"), PERSONS, article="the", instant=True)

SMALL_DEEDS = (OPEN, CLOSE, TURN_ON, TURN_OFF)
# What one plans, wishes or proposes; a small deed or a routine one just happens.
UNPLANNED = (SLEEP, PEEL, SLICE, WASH_FOOD)
PLANS = (
    *(frame for frame in HABITS if frame not in UNPLANNED),
    *(*BUY, DRINK_ALCOHOL, SELL, SELL_FOOD, BORROW, BORROW_BOOK, DRAW, PHOTOGRAPH, FIX, MAKE, MAKE_THINGS),
    *(MOVE, PLANT, VISIT, MEET, HELP, INVITE, CALL, CHAT),
)
DEEDS = (*PLANS, *UNPLANNED, *SMALL_DEEDS, CHOOSE, USE, LOOK_FOR, *WAITING, PRAISE)
# What one does for others, so that one may be asked to.
FAVORS = (
    *(*HOUSEWORK, *SMALL_DEEDS, *BUY, FIX, MAKE, CHOOSE, MOVE, PLANT, LOOK_FOR, HELP, CALL, WAIT),
    *(SELL, INVITE, DRAW, WRITE, MEET),
)
# What one has to do.
TASKS = (*FAVORS, STUDY, REVIEW, PRACTICE, BORROW_BOOK)
# What one may never have done before.
ADVENTURES = (
    *(EAT_DISH, EAT_FRUIT, READ_LONG, WATCH_ON_STAGE, WATCH_GAME, LEARN, PLAY_BALL, PLAY_RACKET, PLAY_KEYS),
    *(PLAY_INSTRUMENT, BAKE, MAKE, MAKE_THINGS, DRAW, PHOTOGRAPH, VISIT_FAR, VISIT_FAR, PLANT, RAISE, MEET),
)
LASTING = tuple(frame for frame in DEEDS if not frame.instant)
# What two or more things can be done to in one sentence.
PAIRED = tuple(
    replace(frame, objects=specific(frame.nouns))
    for frame in (*BUY, EAT_DISH, EAT_FRUIT, DRINK, READ, PHOTOGRAPH, DRAW, LOOK_FOR, USE)
)
ALTERNATIVES = tuple(
    replace(frame, objects=specific(frame.nouns))
    for frame in (DRINK, EAT_FRUIT, READ, STUDY, PLAY_BALL, PLAY_RACKET, LISTEN, EAT_DISH)
)

# Never on purpose: past tense only.
LOSE = Frame(
    "lose", verb("잃어버리다"), lx.VALUABLES, places=places("station, airport, park, market, zoo, stadium, beach")
)
CUP = named(lx.BELONGINGS, "cup")
FRAGILE = named(lx.KITCHENWARE, "plate") + CUP + lx.nouns("vase=꽃병, mirror=거울")
BREAK = Frame("break", verb("깨뜨리다"), FRAGILE)
DROP = Frame(
    "drop",
    verb("떨어뜨리다"),
    lx.KITCHENWARE + CUP + named(lx.VALUABLES, "wallet, key, ticket, camera"),
    brief=True,
    fits=all_but("useful", "clean"),
)
MISHAPS = (LOSE, BREAK, DROP)

# Not allowed indoors among others.
NUISANCES = tuple(
    replace(frame, places=places(where))
    for frame, where in (
        (EAT_DISH, "library, museum, gallery, theater, bookstore, church, classroom"),
        (EAT_FRUIT, "library, museum, gallery, theater, bookstore, church, classroom"),
        (DRINK, "library, museum, gallery, bookstore, classroom"),
        (PLAY_BALL, "library, hospital, museum, restaurant, airport, station, classroom"),
        (PLAY_KEYS, "library, hospital, office, dormitory, museum"),
        (PLAY_INSTRUMENT, "library, hospital, office, dormitory, museum"),
        (SING, "library, hospital, museum, gallery, office, bank"),
        (RUN, "library, museum, hospital, classroom, gallery"),
        (SLEEP, "library, museum, office, classroom, theater"),
        (DANCE, "library, hospital, museum, office, classroom"),
    )
)
WEAR = (
    Frame("wear", verb("입다"), lx.BODY_CLOTHES),
    Frame("wear", verb("신다"), lx.FOOTWEAR),
    Frame("wear", verb("쓰다"), lx.HEADWEAR),
    Frame("wear", verb("끼다"), lx.HANDWEAR),
)
GIVE = Frame("give", verb("주다"), lx.GIFTS, fits=BOUGHT - {"cheap"})
SEND = Frame(
    "send",
    verb("보내다"),
    named(lx.READABLES, "letter, email, book, magazine, novel") + named(lx.SHEETS, "postcard, photo") + lx.FLOWERS,
    fits=BOUGHT - set(lx.PRICE_WORDS),
)
SHOW = Frame("show", verb("보여 주다"), lx.SHEETS + named(lx.VALUABLES, "hat, ring") + named(lx.ANIMALS, "cat, puppy"))
LEND = Frame("lend", verb("빌려주다"), LENT + named(lx.VEHICLES, "car"), fits=all_but(*lx.PRICE_WORDS))
GIVING = (GIVE, SEND, SHOW, LEND)
