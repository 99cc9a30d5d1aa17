"""Korean verbs and adjectives: stems, endings, and the auxiliaries that make one predicate of another.

Pure functions. A `Predicate` is a stem with its irregularity; every function returns either another predicate (past,
negation, ability ...) or finished text. Knows no vocabulary and no English.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from data_prep.synthetic.korean import FINALS_PER_VOWEL, HANGUL_FIRST, RIEUL, final_consonant

VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = "-ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
IRREGULARS = ("", "ㅂ", "ㄷ", "ㅅ", "르", "ㅎ")
BRIGHT = "ㅏㅑㅗ"  # vowels that take 아, not 어 (한글 맞춤법 제16항)
# A stem that ends in one of these vowels fuses with 아/어 (제34항 to 제36항).
FUSED = {"ㅏ": "ㅏ", "ㅓ": "ㅓ", "ㅐ": "ㅐ", "ㅔ": "ㅔ", "ㅕ": "ㅕ", "ㅗ": "ㅘ", "ㅜ": "ㅝ", "ㅣ": "ㅕ", "ㅚ": "ㅙ"}
HIEUT = {"ㅏ": "ㅐ", "ㅓ": "ㅐ", "ㅑ": "ㅒ", "ㅕ": "ㅖ"}


@dataclass(frozen=True)
class Predicate:
    """A stem that endings are put on.

    Attributes:
        stem: the dictionary form without 다; may hold words before it (키가 크).
        adjective: conjugates as an adjective (빨간, not 빨갛는).
        irregular: "" or one of ㅂ ㄷ ㅅ 르 ㅎ. 하다, ㅡ and ㄹ need no mark: the stem shows them.
        honorific_stem: a word of its own for honored subjects (드시 for 먹); "" if -(으)시- makes it.
        honored: the stem already ends in the honorific 시.
    """

    stem: str
    adjective: bool = False
    irregular: str = ""
    honorific_stem: str = ""
    honored: bool = False


def _parts(syllable: str) -> tuple[int, str, str]:
    code = ord(syllable) - ord(HANGUL_FIRST)
    return code // 588, VOWELS[code % 588 // FINALS_PER_VOWEL], FINALS[code % FINALS_PER_VOWEL]


def _syllable(initial: int, vowel: str, final: str = "-") -> str:
    code = initial * 588 + VOWELS.index(vowel) * FINALS_PER_VOWEL + FINALS.index(final)
    return chr(ord(HANGUL_FIRST) + code)


def _with_final(text: str, final: str) -> str:
    initial, vowel, _ = _parts(text[-1])
    return text[:-1] + _syllable(initial, vowel, final)


@cache
def infinitive(predicate: Predicate) -> str:
    """The stem with 아/어: 먹어, 가, 해, 도와, 들어, 몰라, 빨개, 지어, 바빠."""
    stem = predicate.stem
    if stem.endswith("하"):
        return stem[:-1] + "해"
    initial, vowel, final = _parts(stem[-1])
    if predicate.irregular == "ㅂ":  # 제18항 6: 와 only in 돕- and 곱-
        return _with_final(stem, "-") + ("와" if stem[-1] in "돕곱" else "워")
    if predicate.irregular == "르":  # 제18항 9
        return _with_final(stem[:-1], "ㄹ") + ("라" if _parts(stem[-2])[1] in BRIGHT else "러")
    if predicate.irregular == "ㅎ":  # 제18항 3
        return stem[:-1] + _syllable(initial, HIEUT[vowel])
    suffix = "아" if vowel in BRIGHT and final != "ㅆ" else "어"
    if predicate.irregular == "ㄷ":  # 제18항 5
        return _with_final(stem, "ㄹ") + suffix
    if predicate.irregular == "ㅅ":  # 제18항 2
        return _with_final(stem, "-") + suffix
    if final != "-":
        return stem + suffix
    if vowel == "ㅡ":  # 제18항 4: ㅡ falls, the syllable before it decides
        bright = len(stem) > 1 and stem[-2] != " " and _parts(stem[-2])[1] in BRIGHT
        return stem[:-1] + _syllable(initial, "ㅏ" if bright else "ㅓ")
    if vowel in FUSED:
        return stem[:-1] + _syllable(initial, FUSED[vowel])
    return stem + suffix


@cache
def join(predicate: Predicate, ending: str) -> str:
    """The stem with an ending that begins with a consonant and never changes: 고, 지, 기, 는, 다고.

    ㄹ falls before ㄴ (제18항 1): 만드는.
    """
    stem = predicate.stem
    if ending[0] in "는니" and not predicate.irregular and final_consonant(stem) == RIEUL:
        stem = _with_final(stem, "-")
    return stem + ending


@cache
def join_eu(predicate: Predicate, ending: str) -> str:
    """The stem with an ending that takes 으 after a consonant.

    Args:
        predicate: the stem.
        ending: without its 으, as 면, 러, 려고, 면서, 시; ㄴ, ㄹ and ㅂ at its head become a final consonant.
    """
    stem, irregular = predicate.stem, predicate.irregular
    linking = final_consonant(stem) != 0
    if irregular == "ㅂ":
        stem, linking = _with_final(stem, "-") + "우", False
    elif irregular == "ㅎ":
        stem, linking = _with_final(stem, "-"), False
    elif irregular == "ㄷ":
        stem = _with_final(stem, "ㄹ")
    elif irregular == "ㅅ":
        stem = _with_final(stem, "-")
    elif final_consonant(stem) == RIEUL:
        stem, linking = (_with_final(stem, "-") if ending[0] in "ㄴㄹㅂ시니세" else stem), False
    if linking:
        stem += "으"
    return _with_final(stem, ending[0]) + ending[1:] if ending[0] in FINALS else stem + ending


# Predicates out of predicates.


@cache
def past(predicate: Predicate) -> Predicate:
    """먹었-, 갔-, 했-, 도왔-, 들었-."""
    return Predicate(_with_final(infinitive(replace(predicate, honored=False)), "ㅆ"), predicate.adjective)


@cache
def honor(predicate: Predicate) -> Predicate:
    """The form for an honored subject: 드시-, 읽으시-, 가시-."""
    stem = predicate.honorific_stem or join_eu(predicate, "시")
    return Predicate(stem, predicate.adjective, honored=True)


def suppletive(predicate: Predicate, honored: bool) -> Predicate:
    """The stem before an auxiliary that carries -(으)시- itself: only a word of its own changes (드시고 계시-)."""
    return honor(predicate) if honored and predicate.honorific_stem else predicate


@cache
def negative(predicate: Predicate, honored: bool = False) -> Predicate:
    """-지 않-, for an honored subject -지 않으시-."""
    head = suppletive(predicate, honored)
    denied = Predicate(join(head, "지 않"), predicate.adjective)
    return honor(denied) if honored else denied


@cache
def progressive(predicate: Predicate, honored: bool = False) -> Predicate:
    """-고 있-, for an honored subject -고 계시-."""
    head = suppletive(predicate, honored)
    return Predicate(join(head, "고 ") + ("계시" if honored else "있"), honored=honored)


def can(predicate: Predicate) -> Predicate:
    """-(으)ㄹ 수 있-."""
    return Predicate(join_eu(predicate, "ㄹ 수 있"))


def cannot(predicate: Predicate) -> Predicate:
    """-(으)ㄹ 수 없-."""
    return Predicate(join_eu(predicate, "ㄹ 수 없"))


def must(predicate: Predicate) -> Predicate:
    """-아/어야 하-."""
    return Predicate(infinitive(predicate) + "야 하")


@cache
def want(predicate: Predicate, first_person: bool, honored: bool = False) -> Predicate:
    """-고 싶- of the speaker, -고 싶어 하- of others, -고 싶어 하시- of honored ones."""
    head = suppletive(predicate, honored)
    if first_person:
        return Predicate(join(head, "고 싶"), adjective=True)
    return Predicate(join(head, "고 싶어 하") + ("시" if honored else ""), honored=honored)


def favor(predicate: Predicate) -> Predicate:
    """-아/어 주-, written apart (제47항) but for the compound 도와주다."""
    return Predicate(infinitive(predicate) + ("주" if predicate.stem == "돕" else " 주"))


def attempt(predicate: Predicate) -> Predicate:
    """-아/어 보-; 보다 itself stays as it is (본 적이 있다)."""
    return predicate if predicate.stem == "보" else Predicate(infinitive(predicate) + " 보")


# Finished text.


def formal(predicate: Predicate, question: bool = False) -> str:
    """합쇼체: -ㅂ니다, -습니다; in questions -ㅂ니까, -습니까."""
    ending = "니까" if question else "니다"
    if predicate.irregular in ("", "르") and final_consonant(predicate.stem) in (0, RIEUL):
        return join_eu(predicate, "ㅂ" + ending)
    return predicate.stem + "습" + ending


def polite(predicate: Predicate) -> str:
    """해요체: -아요, -어요; -세요 after the honorific 시."""
    if predicate.honored:
        return predicate.stem[:-1] + "세요"
    return infinitive(predicate) + "요"


def future(predicate: Predicate, formal_style: bool, question: bool = False) -> str:
    """-(으)ㄹ 것입니다, -(으)ㄹ 거예요."""
    ending = ("것입니까" if question else "것입니다") if formal_style else "거예요"
    return join_eu(predicate, "ㄹ " + ending)


@cache
def modifier(predicate: Predicate) -> str:
    """Present adnominal: 빨간, 추운, 긴 of adjectives, 읽는, 여는, 맛있는 of verbs and of 있-, 없-."""
    if predicate.adjective and not predicate.stem.endswith(("있", "없")):
        return join_eu(predicate, "ㄴ")
    return join(predicate, "는")


def past_modifier(predicate: Predicate) -> str:
    """Past adnominal of a verb: 읽은, 산, 만든, 들은."""
    return join_eu(predicate, "ㄴ")


def copula(noun: str, formal_style: bool, question: bool = False) -> str:
    """Noun + 이다: 학생입니다, 학생이에요, 의사예요."""
    if formal_style:
        return noun + ("입니까" if question else "입니다")
    return noun + ("이에요" if final_consonant(noun) else "예요")
