"""The built-in corpus keeps its promises: size, lengths, words, held-out combinations, and Korean that agrees."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import pytest

from data_prep.synthetic import Sentence, content_words, english_korean, is_held_out, lexicon, patterns
from data_prep.synthetic import conjugation as c
from data_prep.synthetic.conjugation import Predicate
from data_prep.synthetic.english import clock, indefinite, number, ordinal, plural, verb_forms

ENDS_IN_CONSONANT = {"은": True, "는": False, "이": True, "가": False, "을": True, "를": False, "과": True, "와": False}


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[Sentence]]:
    return english_korean()


@pytest.fixture(scope="module")
def sentences(corpus: dict[str, list[Sentence]]) -> list[Sentence]:
    return [sentence for part in corpus.values() for sentence in part]


@pytest.fixture(scope="module")
def of_another_seed() -> list[Sentence]:
    """Training pairs of seed 2; the corpus is that of seed 1."""
    return english_korean(seed=2, train=20_000)["train"]


# The promises in numbers.


def test_there_are_enough_patterns_words_and_pairs(
    corpus: dict[str, list[Sentence]], sentences: list[Sentence]
) -> None:
    assert len(patterns()) >= 50
    assert len(content_words()) >= 430
    assert {name: len(part) for name, part in corpus.items()} == {"train": 60_000, "validation": 1_000, "test": 1_000}
    assert len({sentence.source for sentence in sentences}) == 62_000


def test_sources_have_4_to_25_words(sentences: list[Sentence]) -> None:
    lengths = Counter(len(sentence.source.split()) for sentence in sentences)
    assert min(lengths) == 4
    assert 20 <= max(lengths) <= 25


def test_every_word_and_pattern_is_trained(corpus: dict[str, list[Sentence]], sentences: list[Sentence]) -> None:
    frequency = Counter(word for sentence in corpus["train"] for word in set(sentence.words))
    assert {word: frequency[word] for word in content_words() if frequency[word] < 30} == {}
    assert {word for sentence in sentences for word in sentence.words} == content_words()
    assert {sentence.pattern for sentence in corpus["train"]} == set(patterns())


def test_every_written_form_of_validation_and_test_is_trained(corpus: dict[str, list[Sentence]]) -> None:
    trained = {word for sentence in corpus["train"] for word in re.findall(r"[\w'-]+", sentence.source)}
    for sentence in corpus["validation"] + corpus["test"]:
        assert set(re.findall(r"[\w'-]+", sentence.source)) <= trained, sentence


# What is held out.


def combinations_of(sentence: Sentence) -> set[tuple[str, str, str]]:
    return {(sentence.pattern, *sorted(pair)) for pair in combinations(sentence.words, 2)}


def test_every_held_out_sentence_has_a_combination_that_training_never_had(corpus: dict[str, list[Sentence]]) -> None:
    trained = {combination for sentence in corpus["train"] for combination in combinations_of(sentence)}
    for sentence in corpus["validation"] + corpus["test"]:
        assert is_held_out(sentence)
        assert combinations_of(sentence) - trained, sentence
    assert not any(is_held_out(sentence) for sentence in corpus["train"])


def test_what_is_held_out_does_not_depend_on_the_seed(
    corpus: dict[str, list[Sentence]], of_another_seed: list[Sentence]
) -> None:
    assert corpus["train"][:20_000] != of_another_seed
    assert not any(is_held_out(sentence) for sentence in of_another_seed)
    assert not {s.source for s in corpus["test"]} & {s.source for s in of_another_seed}


def test_no_pattern_takes_much_of_the_held_out_part(corpus: dict[str, list[Sentence]]) -> None:
    patterns_held_out = Counter(sentence.pattern for sentence in corpus["validation"] + corpus["test"])
    assert max(patterns_held_out.values()) <= 60


def test_long_sentences_are_trained(corpus: dict[str, list[Sentence]]) -> None:
    lengths = [len(sentence.source.split()) for sentence in corpus["train"]]
    assert sum(length >= 20 for length in lengths) >= 800
    assert 9 <= sum(lengths) / len(lengths) <= 11


def test_the_held_out_part_covers_most_patterns(corpus: dict[str, list[Sentence]]) -> None:
    assert len({sentence.pattern for sentence in corpus["test"]}) >= 0.9 * len(patterns())


# The generator.


def test_same_seed_same_corpus() -> None:
    assert english_korean(seed=3, train=500, validation=20, test=20) == english_korean(
        seed=3, train=500, validation=20, test=20
    )


def test_one_source_has_one_target(sentences: list[Sentence], of_another_seed: list[Sentence]) -> None:
    target_of = {sentence.source: sentence.target for sentence in sentences}
    again = [sentence for sentence in of_another_seed if sentence.source in target_of]
    assert len(again) > 100
    assert all(target_of[sentence.source] == sentence.target for sentence in again)


def test_asking_for_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_prep.synthetic.PATIENCE", 5)
    with pytest.raises(ValueError, match="Ask for fewer"):
        english_korean(train=2_000_000)


# How the sentences look.


def test_sentences_are_written_properly(sentences: list[Sentence]) -> None:
    for sentence in sentences:
        assert re.fullmatch(r"[A-Z][A-Za-z,'\- ]*[.?]", sentence.source), sentence
        assert re.fullmatch(r"[가-힣, ]+[.?]", sentence.target), sentence
        assert sentence.source[-1] == sentence.target[-1], sentence
        assert "  " not in sentence.source + sentence.target, sentence


def test_english_articles_agree(sentences: list[Sentence]) -> None:
    for sentence in sentences:
        for article, word in re.findall(r"\b([Aa]n?) ([a-z]+)", sentence.source):
            vowel = (word[0] in "aeiou" and word != "useful") or word == "honest"
            assert (article.lower() == "an") == vowel, sentence


def all_nouns() -> set[str]:
    entries = [entry for table in vars(lexicon).values() if isinstance(table, tuple) for entry in table]
    nouns = {entry.korean for entry in entries if hasattr(entry, "korean")}
    return nouns | {name.korean for names in lexicon.NAMES.values() for name in names}


def test_particles_agree_with_the_final_consonant(sentences: list[Sentence]) -> None:
    """A scan that knows only the nouns and how a syllable is encoded."""
    nouns = {noun.split()[-1] for noun in all_nouns()}
    alternatives = "|".join(sorted(nouns, key=len, reverse=True))
    with_particle = re.compile(rf"(?<![가-힣])({alternatives})(은|는|이|가|을|를|과|와)(?![가-힣])")
    toward = re.compile(rf"(?<![가-힣])({alternatives})(으로|로)(?![가-힣])")
    seen: Counter[str] = Counter()
    for sentence in sentences:
        for noun, particle in with_particle.findall(sentence.target):
            if noun + particle in nouns:  # 음악가 is no 음악 with 가
                continue
            seen[particle] += 1
            assert ((ord(noun[-1]) - 0xAC00) % 28 != 0) == ENDS_IN_CONSONANT[particle], sentence
        for noun, particle in toward.findall(sentence.target):
            seen[particle] += 1
            assert ((ord(noun[-1]) - 0xAC00) % 28 not in (0, 8)) == (particle == "으로"), sentence
    assert min(seen[particle] for particle in (*ENDS_IN_CONSONANT, "으로", "로")) >= 100


# Korean conjugation, by hand.


@pytest.mark.parametrize(
    ("stem", "irregular", "haeyo", "formal", "past", "if_", "adnominal"),
    [
        ("먹", "", "먹어요", "먹습니다", "먹었습니다", "먹으면", "먹는"),
        ("가", "", "가요", "갑니다", "갔습니다", "가면", "가는"),
        ("보", "", "봐요", "봅니다", "봤습니다", "보면", "보는"),
        ("마시", "", "마셔요", "마십니다", "마셨습니다", "마시면", "마시는"),
        ("배우", "", "배워요", "배웁니다", "배웠습니다", "배우면", "배우는"),
        ("쉬", "", "쉬어요", "쉽니다", "쉬었습니다", "쉬면", "쉬는"),
        ("공부하", "", "공부해요", "공부합니다", "공부했습니다", "공부하면", "공부하는"),
        ("쓰", "", "써요", "씁니다", "썼습니다", "쓰면", "쓰는"),
        ("만들", "", "만들어요", "만듭니다", "만들었습니다", "만들면", "만드는"),
        ("열", "", "열어요", "엽니다", "열었습니다", "열면", "여는"),
        ("듣", "ㄷ", "들어요", "듣습니다", "들었습니다", "들으면", "듣는"),
        ("걷", "ㄷ", "걸어요", "걷습니다", "걸었습니다", "걸으면", "걷는"),
        ("돕", "ㅂ", "도와요", "돕습니다", "도왔습니다", "도우면", "돕는"),
        ("굽", "ㅂ", "구워요", "굽습니다", "구웠습니다", "구우면", "굽는"),
        ("부르", "르", "불러요", "부릅니다", "불렀습니다", "부르면", "부르는"),
        ("고르", "르", "골라요", "고릅니다", "골랐습니다", "고르면", "고르는"),
        ("짓", "ㅅ", "지어요", "짓습니다", "지었습니다", "지으면", "짓는"),
    ],
)
def test_verbs(stem: str, irregular: str, haeyo: str, formal: str, past: str, if_: str, adnominal: str) -> None:
    verb = Predicate(stem, irregular=irregular)
    forms = (c.polite(verb), c.formal(verb), c.formal(c.past(verb)), c.join_eu(verb, "면"), c.modifier(verb))
    assert forms == (haeyo, formal, past, if_, adnominal)


@pytest.mark.parametrize(
    ("stem", "irregular", "formal", "past", "adnominal"),
    [
        ("춥", "ㅂ", "춥습니다", "추웠습니다", "추운"),
        ("아름답", "ㅂ", "아름답습니다", "아름다웠습니다", "아름다운"),
        ("빨갛", "ㅎ", "빨갛습니다", "빨갰습니다", "빨간"),
        ("하얗", "ㅎ", "하얗습니다", "하얬습니다", "하얀"),
        ("바쁘", "", "바쁩니다", "바빴습니다", "바쁜"),
        ("예쁘", "", "예쁩니다", "예뻤습니다", "예쁜"),
        ("키가 크", "", "키가 큽니다", "키가 컸습니다", "키가 큰"),
        ("길", "", "깁니다", "길었습니다", "긴"),
        ("빠르", "르", "빠릅니다", "빨랐습니다", "빠른"),
        ("맛있", "", "맛있습니다", "맛있었습니다", "맛있는"),
        ("좋", "", "좋습니다", "좋았습니다", "좋은"),
    ],
)
def test_adjectives(stem: str, irregular: str, formal: str, past: str, adnominal: str) -> None:
    adjective = Predicate(stem, adjective=True, irregular=irregular)
    assert (c.formal(adjective), c.formal(c.past(adjective)), c.modifier(adjective)) == (formal, past, adnominal)


def test_honorific_forms() -> None:
    read, eat, make, listen = (
        Predicate("읽"),
        Predicate("먹", honorific_stem="드시"),
        Predicate("만들"),
        Predicate("듣", irregular="ㄷ"),
    )
    assert c.polite(c.honor(read)) == "읽으세요"
    assert c.formal(c.past(c.honor(eat))) == "드셨습니다"
    assert c.formal(c.honor(make)) == "만드십니다"
    assert c.polite(c.honor(listen)) == "들으세요"
    assert c.formal(c.progressive(eat, honored=True)) == "드시고 계십니다"
    assert c.formal(c.past(c.negative(read, honored=True))) == "읽지 않으셨습니다"


def test_a_honorific_word_stands_before_every_ending() -> None:
    sleep = Predicate("자", honorific_stem="주무시")
    assert c.join(c.suppletive(sleep, honored=True), "기로 하") == "주무시기로 하"
    assert c.join(c.suppletive(sleep, honored=False), "기로 하") == "자기로 하"
    assert c.join_eu(c.honor(c.attempt(c.suppletive(sleep, honored=True))), "ㄴ 적이") == "주무셔 보신 적이"


def test_auxiliaries() -> None:
    make, call = Predicate("만들"), Predicate("부르", irregular="르")
    assert c.formal(c.can(make)) == "만들 수 있습니다"
    assert c.polite(c.cannot(call)) == "부를 수 없어요"
    assert c.formal(c.must(call)) == "불러야 합니다"
    assert c.polite(c.want(make, first_person=True)) == "만들고 싶어요"
    assert c.formal(c.want(make, first_person=False)) == "만들고 싶어 합니다"
    assert c.future(make, formal_style=True) == "만들 것입니다"
    assert c.join_eu(make, "려고") == "만들려고"
    assert c.join_eu(make, "ㅂ시다") == "만듭시다"
    assert c.past_modifier(make) == "만든"


# English forms, by hand.


def test_english_forms() -> None:
    assert indefinite("apple") == "an apple"
    assert indefinite("useful book") == "a useful book"
    assert indefinite("honest nurse") == "an honest nurse"
    assert [plural(noun) for noun in ("child", "knife", "puppy", "box", "police officer")] == [
        "children",
        "knives",
        "puppies",
        "boxes",
        "police officers",
    ]
    assert [number(n) for n in (12, 20, 45, 15_000, 350_000)] == [
        "twelve",
        "twenty",
        "forty-five",
        "fifteen thousand",
        "three hundred fifty thousand",
    ]
    assert [ordinal(n) for n in (1, 3, 9, 12, 14, 20, 31)] == (
        ["first", "third", "ninth", "twelfth", "fourteenth", "twentieth", "thirty-first"]
    )
    assert clock(3, 30, "in the afternoon") == "half past three in the afternoon"


@pytest.mark.parametrize(
    ("base", "third", "past", "participle", "ing"),
    [
        ("study", "studies", "studied", "studied", "studying"),
        ("swim", "swims", "swam", "swum", "swimming"),
        ("play", "plays", "played", "played", "playing"),
        ("wash", "washes", "washed", "washed", "washing"),
        ("bake", "bakes", "baked", "baked", "baking"),
        ("take care of", "takes care of", "took care of", "taken care of", "taking care of"),
        ("chat with", "chats with", "chatted with", "chatted with", "chatting with"),
    ],
)
def test_english_verbs(base: str, third: str, past: str, participle: str, ing: str) -> None:
    forms = verb_forms(base)
    assert (forms.third, forms.past, forms.participle, forms.ing) == (third, past, participle, ing)


# Whole sentences, written out by hand; all are drawn by the default seed.

BY_HAND = {
    "Sangchul will sell the truck on September second.": "상철은 구월 이일에 트럭을 팔 것입니다.",
    "We bought six postcards at the museum last night.": "우리는 어젯밤에 박물관에서 엽서 여섯 장을 샀어요.",
    "The small table costs one hundred fifty thousand won.": "작은 탁자는 십오만 원입니다.",
    "The library closes at half past four in the afternoon on Mondays.": (
        "도서관은 월요일마다 오후 네 시 반에 문을 닫습니다."
    ),
    "Jaemin is wearing a clean raincoat and a hat.": "재민은 깨끗한 비옷을 입고 모자를 쓰고 있습니다.",
    "My younger sister went to city hall to help the boy this morning.": (
        "제 여동생은 오늘 아침에 소년을 도우러 시청에 갔습니다."
    ),
    "Could you look for the ruler tomorrow morning?": "내일 아침에 자를 찾아 주시겠어요?",
    "Please plant white lilies tomorrow.": "내일 하얀 백합을 심어 주세요.",
    "My cousin lent a magazine to the guest this morning.": "제 사촌은 오늘 아침에 손님께 잡지를 빌려드렸습니다.",
    "The milk that the guest bought this morning is delicious.": "손님께서 오늘 아침에 사신 우유는 맛있습니다.",
    "My father waited for the train while drinking cocoa.": (
        "저희 아버지께서는 코코아를 드시면서 기차를 기다리셨습니다."
    ),
    "Have you ever eaten fish?": "생선을 드셔 보신 적이 있으세요?",
    "You must not sleep in the classroom.": "교실에서 주무시면 안 돼요.",
    "My grandfather likes green tea but hates lemonade.": (
        "저희 할아버지께서는 녹차는 좋아하시지만 레모네이드는 싫어하십니다."
    ),
    "Please give me four cups of cocoa and five doughnuts.": "코코아 네 잔과 도넛 다섯 개를 주세요.",
    "I did not study physics at the university on Wednesday because I was busy.": (
        "저는 수요일에 바빴기 때문에 대학교에서 물리학을 공부하지 않았어요."
    ),
    "Although the lilies at the flower shop were expensive, my mother bought them.": (
        "꽃집에 있는 백합은 비쌌지만 저희 어머니께서는 그것을 사셨습니다."
    ),
    "Because it rained this morning, my grandfather did not run in the park but played the guitar at home.": (
        "오늘 아침에 비가 왔기 때문에 저희 할아버지께서는 공원에서 뛰지 않고 집에서 기타를 치셨습니다."
    ),
    "We have to work at the bank tomorrow morning, so please boil the potatoes.": (
        "우리가 내일 아침에 은행에서 일해야 하니까 감자를 삶아 주세요."
    ),
}


def test_whole_sentences(sentences: list[Sentence]) -> None:
    target_of = {sentence.source: sentence.target for sentence in sentences}
    assert {source: target_of.get(source) for source in BY_HAND} == BY_HAND
