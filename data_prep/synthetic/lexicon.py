"""The nouns, adjectives and names, by semantic class: English beside Korean.

Plain data. A table entry is `english=korean`; a mark behind the English says how it counts: `*` a mass noun (rice), `+`
a plural noun (shoes), `^` one without article (tennis); no mark, a countable one. An adjective's entry is
`english=korean/irregularity:honorific stem`. The verbs and what they go with stand in `actions`.
"""

from __future__ import annotations

from dataclasses import dataclass

from data_prep.synthetic.conjugation import IRREGULARS, Predicate


@dataclass(frozen=True)
class Noun:
    """A common noun.

    Attributes:
        english: the lemma.
        korean: its one translation.
        form: "count", "mass", "plural" or "name".
        counter: the Korean counter; "" if it is never counted.
        measure: the English measure word that the counter answers to ("cup"); "" if the noun is counted itself.
        adjectives: lemmas of the adjectives that can describe it.
    """

    english: str
    korean: str
    form: str = "count"
    counter: str = ""
    measure: str = ""
    adjectives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Adjective:
    """An English adjective and the Korean predicate that says the same."""

    english: str
    predicate: Predicate


@dataclass(frozen=True)
class Place:
    """A place to be at or to go to; `at` and `to` are the English phrases."""

    english: str
    korean: str
    at: str
    to: str

    @property
    def phrase(self) -> str:
        """As subject or object: the park, Seoul."""
        return self.to.removeprefix("to ")


FORMS = {"*": "mass", "+": "plural", "^": "name"}


def _entries(table: str) -> list[tuple[str, str]]:
    pairs = (entry.split("=") for entry in table.split(","))
    return [(english.strip(), korean.strip()) for english, korean in pairs]


def nouns(table: str, counter: str = "", measure: str = "", adjectives: str = "") -> tuple[Noun, ...]:
    """Nouns of one class out of a table; see the module for its marks."""
    return tuple(
        Noun(
            english.rstrip("*+^"), korean, FORMS.get(english[-1], "count"), counter, measure, tuple(adjectives.split())
        )
        for english, korean in _entries(table)
    )


def named(table: tuple[Noun, ...], names: str) -> tuple[Noun, ...]:
    """The nouns of a table with these lemmas, comma-separated."""
    by_name = {noun.english: noun for noun in table}
    return tuple(by_name[name.strip()] for name in names.split(","))


def _adjectives(table: str) -> dict[str, Adjective]:
    adjectives = {}
    for english, korean in _entries(table):
        korean, _, honorific = korean.partition(":")
        stem, _, irregular = korean.partition("/")
        if irregular not in IRREGULARS:
            raise ValueError(f"{english}: expected one of {IRREGULARS}; received {irregular!r}")
        predicate = Predicate(stem.removesuffix("다"), True, irregular, honorific)
        adjectives[english] = Adjective(english, predicate)
    return adjectives


# Food and drink.
FRUITS = nouns(
    "apple=사과, banana=바나나, orange=오렌지, watermelon=수박, strawberry=딸기, "
    "peach=복숭아, tomato=토마토, grapefruit=자몽, "
    "tangerine=귤, melon=멜론",
    counter="개",
    adjectives="sweet fresh delicious cheap expensive big small",
)
VEGETABLES = nouns(
    "potato=감자, carrot=당근, onion=양파, sweet potato=고구마, cucumber=오이, pumpkin=호박, eggplant=가지",
    counter="개",
    adjectives="fresh cheap expensive big small",
)
SNACKS = nouns(
    "sandwich=샌드위치, hamburger=햄버거, cookie=쿠키, pancake=팬케이크, doughnut=도넛",
    counter="개",
    adjectives="delicious cheap expensive warm sweet",
)
BOWLS = nouns(
    "rice*=밥, noodles+=국수, soup*=수프, porridge*=죽",
    counter="그릇",
    measure="bowl",
    adjectives="delicious cheap expensive warm",
) + nouns("salad*=샐러드", counter="그릇", measure="bowl", adjectives="delicious cheap expensive fresh")
DISHES = nouns(
    "bread*=빵, kimchi*=김치, meat*=고기, fish*=생선, chicken*=닭고기, beef*=소고기, pork*=돼지고기, pizza*=피자, "
    "cake*=케이크, chocolate*=초콜릿, ice cream*=아이스크림, cheese*=치즈, "
    "dumplings+=만두, tofu*=두부, yogurt*=요구르트",
    adjectives="delicious cheap expensive",
)
DRINKS = (
    nouns("water*=물", counter="잔", measure="cup", adjectives="warm")
    + nouns(
        "coffee*=커피, tea*=차, milk*=우유, cocoa*=코코아, green tea*=녹차",
        counter="잔",
        measure="cup",
        adjectives="delicious warm cheap expensive",
    )
    + nouns(
        "orange juice*=오렌지 주스, lemonade*=레모네이드",
        counter="잔",
        measure="cup",
        adjectives="delicious sweet cheap expensive",
    )
)
BEVERAGES = DRINKS[1:]  # what has a price and a taste: not water
BOTTLED = nouns(
    "beer*=맥주, wine*=와인, cola*=콜라", counter="병", measure="bottle", adjectives="delicious cheap expensive"
)
MEALS = nouns("breakfast^=아침, lunch^=점심, dinner^=저녁")

# What one reads, watches, hears, learns.
BOOKS = nouns(
    "book=책, magazine=잡지, novel=소설, comic book=만화책, textbook=교과서, dictionary=사전, notebook=공책",
    counter="권",
    adjectives="thick thin new old expensive cheap",
)
READABLES = (
    BOOKS[:5]
    + nouns("newspaper=신문, poem=시", adjectives="long short interesting boring")
    + nouns("letter=편지, report=보고서, email=이메일", adjectives="long short interesting important")
    + nouns("essay=수필", adjectives="long short interesting boring difficult easy")
)
STORIES = nouns(
    "novel=소설, comic book=만화책, poem=시, essay=수필, book=책",
    adjectives="long short interesting boring famous difficult easy",
) + nouns(
    "movie=영화, drama=드라마, musical=뮤지컬, documentary=다큐멘터리",
    adjectives="long short interesting boring famous",
)
WRITABLES = READABLES[6:] + nouns("novel=소설", adjectives="long short interesting boring")
STAGED = named(STORIES, "movie, musical")
GAMES_SEEN = nouns("baseball game=야구 경기, soccer game=축구 경기", adjectives="interesting boring")
SHOWS = (
    named(STORIES, "movie, drama, documentary")
    + GAMES_SEEN
    + nouns("cartoon=만화 영화, video=동영상", adjectives="long short interesting boring")
)
MUSIC = nouns("pop music^=대중음악, classical music^=고전 음악, jazz^=재즈")
SUBJECTS = nouns(
    "Korean^=한국어, English^=영어, math^=수학, history^=역사, science^=과학, "
    "art^=미술, physics^=물리학, chemistry^=화학, "
    "economics^=경제학, philosophy^=철학, law^=법학, Japanese^=일본어, Chinese^=중국어, "
    "French^=프랑스어, German^=독일어, "
    "Spanish^=스페인어",
    adjectives="difficult easy interesting boring important useful",
)
BALL_GAMES = nouns("soccer^=축구, baseball^=야구, basketball^=농구, volleyball^=배구")  # 하다
RACKET_GAMES = nouns("tennis^=테니스, badminton^=배드민턴, golf^=골프, table tennis^=탁구")  # 치다
KEYS_AND_STRINGS = nouns("piano=피아노, guitar=기타, drums+=드럼")  # 치다
INSTRUMENTS = nouns("violin=바이올린, cello=첼로, flute=플루트, trumpet=트럼펫")  # 연주하다

# What one wears; the verb differs by the part of the body.
BODY_CLOTHES = (
    nouns(
        "coat=코트, sweater=스웨터, jacket=재킷",
        counter="벌",
        adjectives="red blue yellow white black new worn expensive cheap pretty clean warm",
    )
    + nouns(
        "shirt=셔츠, dress=원피스, skirt=치마, vest=조끼, suit=정장, raincoat=비옷",
        counter="벌",
        adjectives="red blue yellow white black new worn expensive cheap pretty clean",
    )
    + nouns("pants+=바지, jeans+=청바지", adjectives="blue black new worn expensive cheap clean")
)  # 입다
FOOTWEAR = nouns(
    "shoes+=구두, socks+=양말, boots+=부츠, sneakers+=운동화, sandals+=샌들, slippers+=슬리퍼",
    counter="켤레",
    measure="pair",
    adjectives="red blue yellow white black new worn expensive cheap pretty clean",
)  # 신다
HEADWEAR = nouns("hat=모자, helmet=헬멧", adjectives="red blue yellow white black new worn expensive cheap") + nouns(
    "glasses+=안경, sunglasses+=선글라스", adjectives="new expensive cheap"
)  # 쓰다
HANDWEAR = nouns("gloves+=장갑, ring=반지", adjectives="pretty new expensive cheap")  # 끼다
CLOTHES = BODY_CLOTHES + FOOTWEAR + HEADWEAR + HANDWEAR

# Things.
STATIONERY = nouns(
    "pencil=연필, pen=펜", counter="자루", adjectives="long short red blue yellow black new cheap"
) + nouns("eraser=지우개, ruler=자", counter="개", adjectives="small white new cheap")
SHEETS = nouns(
    "ticket=표, postcard=엽서, stamp=우표, map=지도, photo=사진", counter="장", adjectives="old new expensive cheap"
)
BELONGINGS = nouns(
    "umbrella=우산, bag=가방, wallet=지갑, cup=컵, basket=바구니, box=상자, "
    "towel=수건, doll=인형, ball=공, candle=양초, "
    "blanket=담요, pillow=베개",
    counter="개",
    adjectives="red blue yellow white black new expensive cheap pretty big small",
)
KITCHENWARE = nouns(
    "plate=접시, spoon=숟가락, knife=칼, pot=냄비",
    counter="개",
    adjectives="useful new expensive cheap big small clean",
)
FURNITURE = nouns(
    "chair=의자, table=탁자, desk=책상, bed=침대, mirror=거울, bookshelf=책장, sofa=소파, wardrobe=옷장",
    counter="개",
    adjectives="new old expensive cheap big small comfortable",
)
MACHINES = nouns(
    "computer=컴퓨터, camera=카메라, refrigerator=냉장고, washing machine=세탁기, laptop=노트북, fan=선풍기, "
    "cell phone=휴대 전화, printer=프린터",
    counter="대",
    adjectives="useful new old expensive cheap big small convenient",
)
VEHICLES = nouns(
    "bicycle=자전거, car=자동차, motorcycle=오토바이, truck=트럭",
    counter="대",
    adjectives="red blue yellow white black new old expensive cheap fast",
)
TRANSPORT = nouns(
    "train=기차, bus=버스, taxi=택시, subway=지하철, airplane=비행기, ship=배", adjectives="fast new comfortable"
)
SWITCHED = nouns("lamp=전등, computer=컴퓨터, fan=선풍기, heater=난로, television=텔레비전, radio=라디오")
OPENABLES = nouns("window=창문, door=문, drawer=서랍, box=상자")
FLOWERS = (
    nouns("rose=장미, tulip=튤립", counter="송이", adjectives="red white yellow pretty beautiful expensive cheap")
    + nouns("lily=백합", counter="송이", adjectives="white pretty beautiful expensive cheap")
    + nouns("sunflower=해바라기", counter="송이", adjectives="yellow pretty beautiful expensive cheap")
)
VALUABLES = nouns(
    "umbrella=우산, bag=가방, wallet=지갑, key=열쇠, ticket=표, camera=카메라, hat=모자, ring=반지, passport=여권"
)
PERISHABLE = FRUITS + VEGETABLES + SNACKS + BOWLS + DISHES + DRINKS + FLOWERS
GIFTS = (
    named(BOOKS, "book, magazine, novel")
    + named(BELONGINGS, "umbrella, bag, doll, ball, candle")
    + FLOWERS
    + named(CLOTHES, "shirt, coat, dress, sweater, jacket")
)
# They name a whole set, so they never stand beside one of its kinds.
GENERAL = frozenset(("meat", "book", "tea", "computer"))


def specific(table: tuple[Noun, ...]) -> tuple[Noun, ...]:
    """The nouns that can stand side by side: none of them names a whole set."""
    return tuple(noun for noun in table if noun.english not in GENERAL)


# Animals and people.
ANIMALS = nouns(
    "cat=고양이, dog=개, rabbit=토끼, horse=말, cow=소, pig=돼지, duck=오리, goat=염소, sheep=양, puppy=강아지",
    counter="마리",
    adjectives="big small white black cute healthy young",
)
WILD_ANIMALS = nouns(
    "tiger=호랑이, lion=사자, elephant=코끼리, monkey=원숭이, bear=곰, fox=여우, "
    "penguin=펭귄, giraffe=기린, deer=사슴, "
    "zebra=얼룩말, wolf=늑대, camel=낙타",
    counter="마리",
    adjectives="big small cute young healthy",
)
PEOPLE = nouns(
    "student=학생, nurse=간호사, singer=가수, writer=작가, farmer=농부, chef=요리사, police officer=경찰관, "
    "firefighter=소방관, painter=화가, actor=배우, engineer=기술자, tourist=관광객, lawyer=변호사, soldier=군인, "
    "reporter=기자, scientist=과학자, pilot=조종사, translator=번역가, "
    "athlete=운동선수, librarian=사서, musician=음악가",
    counter="명",
    adjectives="kind diligent smart honest brave polite healthy tall",
)
YOUNG_PEOPLE = nouns(
    "child=아이, girl=소녀, boy=소년", counter="명", adjectives="kind smart honest brave polite healthy tall"
)
ELDERS = nouns("grandmother=할머니, grandfather=할아버지, mother=어머니, father=아버지")
HONORED = nouns("teacher=선생님, professor=교수님, doctor=의사 선생님, principal=교장 선생님, boss=사장님, guest=손님")
RELATIVES = nouns(
    "friend=친구, son=아들, daughter=딸, younger brother=남동생, younger sister=여동생, cousin=사촌, nephew=조카"
)

NAMES = {
    "he": nouns(
        "Minsu=민수, Junho=준호, Seojun=서준, Taeho=태호, Dohyun=도현, Jaemin=재민, Donguk=동욱, Hyunwoo=현우, "
        "Sangchul=상철, Youngsik=영식"
    ),
    "she": nouns(
        "Jiyoung=지영, Sujin=수진, Yuna=유나, Minji=민지, Eunji=은지, Yejin=예진, "
        "Sora=소라, Boram=보람, Misuk=미숙, Arim=아림"
    ),
}

COLORS = ["red", "blue", "yellow", "white", "black"]
ADJECTIVES = _adjectives(
    "big=크다, small=작다, new=새롭다/ㅂ, old=오래되다, worn=낡다, expensive=비싸다, "
    "cheap=싸다, pretty=예쁘다, beautiful=아름답다/ㅂ, "
    "long=길다, short=짧다, clean=깨끗하다, red=빨갛다/ㅎ, blue=파랗다/ㅎ, "
    "yellow=노랗다/ㅎ, white=하얗다/ㅎ, black=까맣다/ㅎ, "
    "delicious=맛있다, sweet=달콤하다, warm=따뜻하다, fresh=신선하다, interesting=재미있다, "
    "boring=지루하다, difficult=어렵다/ㅂ, easy=쉽다/ㅂ, important=중요하다, useful=유용하다, "
    "famous=유명하다, quiet=조용하다, "
    "noisy=시끄럽다/ㅂ, spacious=넓다, large=넓다, cramped=좁다, bright=밝다, dark=어둡다/ㅂ, "
    "thick=두껍다/ㅂ, thin=얇다, convenient=편리하다, "
    "comfortable=편안하다, fast=빠르다/르, cute=귀엽다/ㅂ, kind=친절하다, diligent=부지런하다, "
    "smart=똑똑하다, honest=정직하다, "
    "brave=용감하다, polite=예의 바르다/르, healthy=건강하다, young=어리다, tall=키가 크다, tired=피곤하다, "
    "hungry=배가 고프다, thirsty=목이 마르다/르, busy=바쁘다, sick=아프다:편찮으시, sleepy=졸리다, "
    "lonely=외롭다/ㅂ, bored=심심하다, "
    "cold=춥다/ㅂ, hot=덥다/ㅂ, safe=안전하다"
)
STATES = ["tired", "hungry", "thirsty", "busy", "sick", "sleepy", "lonely", "bored"]  # of people, for a while
PRICE_WORDS = ("expensive", "cheap")
USED = ("old", "worn")
TRAITS = ["kind", "diligent", "smart", "honest", "brave", "polite", "tall"]


def all_but(*names: str) -> frozenset[str]:
    """The lemmas of all adjectives except these."""
    return frozenset(ADJECTIVES) - frozenset(names)


# Places.


def _places(table: str, at: str = "at the {}", to: str = "to the {}") -> tuple[Place, ...]:
    return tuple(Place(english, korean, at.format(english), to.format(english)) for english, korean in _entries(table))


SCHOOL, HOME = Place("school", "학교", "at school", "to school"), Place("home", "집", "at home", "home")
INDOORS = _places(
    "library=도서관, hospital=병원, bank=은행, post office=우체국, restaurant=식당, "
    "cafe=카페, museum=박물관, bookstore=서점, "
    "church=교회, theater=극장, supermarket=슈퍼마켓, pharmacy=약국, office=사무실, hotel=호텔, bakery=빵집, "
    "department store=백화점, flower shop=꽃집, gallery=미술관, convenience store=편의점, gym=체육관",
    at="at the {}",
)
CITY_HALL = Place("city hall", "시청", "at city hall", "to city hall")
PARK = Place("park", "공원", "in the park", "to the park")
OUTDOORS = _places("market=시장, airport=공항, station=역, zoo=동물원, beach=해변, university=대학교, stadium=경기장")
ROOMS = _places(
    "kitchen=부엌, garden=정원, classroom=교실, living room=거실, dormitory=기숙사, cafeteria=구내식당", at="in the {}"
)
CITIES = _places(
    "Seoul=서울, Busan=부산, Incheon=인천, Daegu=대구, Daejeon=대전, "
    "Gwangju=광주, Jeonju=전주, Gyeongju=경주, Suwon=수원",
    at="in {}",
    to="to {}",
)
COUNTRIES = _places(
    "Korea=한국, Japan=일본, China=중국, France=프랑스, Germany=독일, Canada=캐나다, Australia=호주, Vietnam=베트남, "
    "Spain=스페인, England=영국, Mexico=멕시코, Brazil=브라질, Egypt=이집트, India=인도",
    at="in {}",
    to="to {}",
)
PUBLIC = (*INDOORS, CITY_HALL, *OUTDOORS, PARK)
PLACES = {place.english: place for place in (SCHOOL, HOME, *PUBLIC, *ROOMS, *CITIES, *COUNTRIES)}


def places(names: str) -> tuple[Place, ...]:
    """Places by name, comma-separated."""
    return tuple(PLACES[name.strip()] for name in names.split(","))
