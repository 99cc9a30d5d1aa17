"""Korean nouns and numbers: particles, numerals, counters, dates, clock times, prices.

Pure functions over strings. Knows no vocabulary, no verbs (see `conjugation`) and no English.
"""

from __future__ import annotations

HANGUL_FIRST, HANGUL_LAST = "가", "힣"
FINALS_PER_VOWEL = 28  # a syllable is (initial * 21 + vowel) * 28 + final
RIEUL = 8  # index of the final consonant ㄹ

PARTICLES = {
    "은/는": ("은", "는"),
    "이/가": ("이", "가"),
    "을/를": ("을", "를"),
    "으로/로": ("으로", "로"),
    "과/와": ("과", "와"),
    "이나/나": ("이나", "나"),
}

DIGITS = ("", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구")
PLACES = ("", "십", "백", "천")
NATIVE_ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
MODIFIER_ONES = {1: "한", 2: "두", 3: "세", 4: "네"}

NATIVE_COUNTERS = frozenset(
    [
        "개",
        "명",
        "마리",
        "권",
        "잔",
        "병",
        "장",
        "대",
        "살",
        "시간",
        "송이",
        "켤레",
        "그릇",
        "벌",
        "자루",
        "채",
        "번",
        "달",
    ]
)
SINO_COUNTERS = frozenset(["분", "초", "년", "개월", "주", "원", "층", "인분", "일", "킬로그램", "미터", "도"])

DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# 표준어 규정 / 한글 맞춤법 제52항: 六月 and 十月 are read 유월 and 시월.
IRREGULAR_MONTHS = {6: "유월", 10: "시월"}


def final_consonant(word: str) -> int:
    """Index of the final consonant of the last syllable, 0 if it ends in a vowel.

    Raises:
        ValueError: `word` does not end in a Hangul syllable.
    """
    if not word or not HANGUL_FIRST <= word[-1] <= HANGUL_LAST:
        raise ValueError(f"expected a word that ends in a Hangul syllable; received {word!r}")
    return (ord(word[-1]) - ord(HANGUL_FIRST)) % FINALS_PER_VOWEL


def attach(noun: str, particle: str) -> str:
    """Puts a particle behind a noun in the form that the noun's last sound asks for.

    The first form follows a consonant, the second a vowel; 으로/로 is 로 after ㄹ too (서울로, 연필로).

    Args:
        noun: ends in a Hangul syllable.
        particle: one of 은/는, 이/가, 을/를, 으로/로, 과/와, 이나/나.

    Raises:
        ValueError: unknown particle, or a noun that does not end in a Hangul syllable.
    """
    if particle not in PARTICLES:
        raise ValueError(f"particle: expected one of {', '.join(PARTICLES)}; received {particle!r}")
    after_consonant, after_vowel = PARTICLES[particle]
    final = final_consonant(noun)
    if final == 0 or (particle == "으로/로" and final == RIEUL):
        return noun + after_vowel
    return noun + after_consonant


def _check(name: str, number: int, low: int, high: int) -> None:
    if not low <= number <= high:
        raise ValueError(f"{name}: expected {low} to {high}; received {number}")


def _sino_below_ten_thousand(number: int) -> str:
    syllables = []
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit == 0:
            continue
        syllables.append(PLACES[place] if digit == 1 and place > 0 else DIGITS[digit] + PLACES[place])
    return "".join(syllables)


def sino(number: int) -> str:
    """Sino-Korean reading, with a space at 만 (한글 맞춤법 제44항): 15000 is 만 오천, 120000 is 십이만.

    Raises:
        ValueError: `number` is not in 1..99,999,999.
    """
    _check("number", number, 1, 99_999_999)
    high, low = divmod(number, 10_000)
    words = []
    if high:
        words.append("만" if high == 1 else _sino_below_ten_thousand(high) + "만")
    if low:
        words.append(_sino_below_ten_thousand(low))
    return " ".join(words)


def native(number: int) -> str:
    """Native numeral standing alone: 하나, 둘, 열, 스물, 스물하나, 아흔아홉.

    Raises:
        ValueError: `number` is not in 1..99.
    """
    _check("number", number, 1, 99)
    return NATIVE_TENS[number // 10] + NATIVE_ONES[number % 10]


def native_modifier(number: int) -> str:
    """Native numeral before a counter: 한, 두, 세, 네, 다섯, 스무, 스물한, 서른.

    Raises:
        ValueError: `number` is not in 1..99.
    """
    _check("number", number, 1, 99)
    if number == 20:
        return "스무"
    tens, ones = divmod(number, 10)
    return NATIVE_TENS[tens] + MODIFIER_ONES.get(ones, NATIVE_ONES[ones])


def count(number: int, counter: str) -> str:
    """A number with its counter, spaced (한글 맞춤법 제43항): 세 개, 스무 살, 오 분, 이 층.

    Native counters take native numerals up to 99 and Sino-Korean ones from 100 on (백이십 명).

    Raises:
        ValueError: unknown counter, or a number that its numerals do not reach.
    """
    if counter in SINO_COUNTERS:
        return f"{sino(number)} {counter}"
    if counter in NATIVE_COUNTERS:
        return f"{native_modifier(number) if number < 100 else sino(number)} {counter}"
    known = ", ".join(sorted(NATIVE_COUNTERS | SINO_COUNTERS))
    raise ValueError(f"counter: expected one of {known}; received {counter!r}")


def month_name(month: int) -> str:
    """일월, 이월, ..., 유월, ..., 시월, 십일월, 십이월.

    Raises:
        ValueError: `month` is not in 1..12.
    """
    _check("month", month, 1, 12)
    return IRREGULAR_MONTHS.get(month, sino(month) + "월")


def date(month: int, day: int) -> str:
    """Month and day as names, unspaced inside each: 유월 십오일, 시월 삼일.

    Raises:
        ValueError: no such month, or no such day in it.
    """
    _check("month", month, 1, 12)
    _check("day", day, 1, DAYS_IN_MONTH[month - 1])
    return f"{month_name(month)} {sino(day)}일"


def clock(hour: int, minute: int, period: str = "") -> str:
    """Time of day: native hours, Sino-Korean minutes, 반 for thirty: 오후 세 시 반, 열 시 십오 분, 일곱 시.

    Args:
        hour: 1 to 12.
        minute: 0 to 59.
        period: a word that stands before the hour, as 오전, 오후, 저녁.

    Raises:
        ValueError: no such time.
    """
    _check("hour", hour, 1, 12)
    _check("minute", minute, 0, 59)
    words = [period] if period else []
    words.append(f"{native_modifier(hour)} 시")
    if minute == 30:
        words.append("반")
    elif minute:
        words.append(f"{sino(minute)} 분")
    return " ".join(words)


def price(won: int) -> str:
    """An amount of money: 만 오천 원, 오백 원.

    Raises:
        ValueError: `won` is not in 1..99,999,999.
    """
    return f"{sino(won)} 원"
