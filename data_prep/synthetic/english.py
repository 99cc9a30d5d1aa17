"""English word forms: articles, plurals, verb forms, numbers, ordinals, clock times.

Pure functions; the irregular forms that the lexicon needs stand in tables here. Knows no Korean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]

PLURALS = {
    "child": "children",
    "man": "men",
    "woman": "women",
    "sheep": "sheep",
    "deer": "deer",
    "mouse": "mice",
    "knife": "knives",
    "fish": "fish",
    "potato": "potatoes",
    "tomato": "tomatoes",
    "piano": "pianos",
}
# Words whose first letter misleads: a useful book, an honest nurse.
CONSONANT_SOUND = ("uni", "use", "eu", "one")
SILENT_H = ("honest", "hour")

# base: past, past participle.
IRREGULAR_VERBS = {
    "be": "was been",
    "become": "became become",
    "break": "broke broken",
    "bring": "brought brought",
    "build": "built built",
    "buy": "bought bought",
    "choose": "chose chosen",
    "cut": "cut cut",
    "draw": "drew drawn",
    "drink": "drank drunk",
    "eat": "ate eaten",
    "feed": "fed fed",
    "get": "got gotten",
    "give": "gave given",
    "go": "went gone",
    "grow": "grew grown",
    "hang": "hung hung",
    "have": "had had",
    "lend": "lent lent",
    "lose": "lost lost",
    "make": "made made",
    "meet": "met met",
    "read": "read read",
    "ride": "rode ridden",
    "run": "ran run",
    "sell": "sold sold",
    "send": "sent sent",
    "sing": "sang sung",
    "sleep": "slept slept",
    "sweep": "swept swept",
    "swim": "swam swum",
    "take": "took taken",
    "teach": "taught taught",
    "wake": "woke woken",
    "wear": "wore worn",
    "write": "wrote written",
}
# One-syllable verbs that double their last letter (and "jog", "chat" would belong here too).
DOUBLING = frozenset(["cut", "get", "drop", "run", "swim", "hug", "chat", "jog", "plan", "shop"])


@dataclass(frozen=True)
class VerbForms:
    """The five forms of an English verb."""

    base: str
    third: str
    past: str
    participle: str
    ing: str


@cache
def verb_forms(base: str) -> VerbForms:
    """Forms of one verb; of a phrasal one ("wake up") the first word changes."""
    head, _, rest = base.partition(" ")
    if rest:
        forms = verb_forms(head)
        return VerbForms(*(f"{form} {rest}" for form in (head, forms.third, forms.past, forms.participle, forms.ing)))
    stem = base + base[-1] if base in DOUBLING else base
    if base in IRREGULAR_VERBS:
        past, participle = IRREGULAR_VERBS[base].split()
    elif base.endswith("y") and base[-2] not in "aeiou":
        past = participle = base[:-1] + "ied"
    else:
        past = participle = base + "d" if base.endswith("e") else stem + "ed"
    third = {"be": "is", "have": "has"}.get(base) or _add_s(base)
    ing = base[:-1] + "ing" if base.endswith("e") and not base.endswith(("ee", "be")) else stem + "ing"
    return VerbForms(base, third, past, participle, ing)


def _add_s(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh", "z")) or word in ("go", "do"):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


@cache
def plural(noun: str) -> str:
    """Plural of a noun; of a compound ("police officer") its last word changes."""
    head, _, last = noun.rpartition(" ")
    changed = PLURALS.get(last) or _add_s(last)
    return f"{head} {changed}" if head else changed


@cache
def indefinite(phrase: str) -> str:
    """The phrase with a or an, by the sound of its first word."""
    lower = phrase.lower()
    vowel = lower.startswith(SILENT_H) or (lower[0] in "aeiou" and not lower.startswith(CONSONANT_SOUND))
    return f"{'an' if vowel else 'a'} {phrase}"


@cache
def number(value: int) -> str:
    """A cardinal in words: twenty-three, fifteen thousand, one hundred twenty thousand.

    Raises:
        ValueError: not in 0..999,999.
    """
    if not 0 <= value <= 999_999:
        raise ValueError(f"value: expected 0 to 999999; received {value}")
    if value >= 1000:
        thousands, rest = divmod(value, 1000)
        return f"{number(thousands)} thousand" + (f" {number(rest)}" if rest else "")
    if value >= 100:
        hundreds, rest = divmod(value, 100)
        return f"{ONES[hundreds]} hundred" + (f" {number(rest)}" if rest else "")
    if value < 20:
        return ONES[value]
    tens, ones = divmod(value, 10)
    return TENS[tens] + (f"-{ONES[ones]}" if ones else "")


@cache
def ordinal(value: int) -> str:
    """An ordinal below one hundred in words: third, fourteenth, twentieth, twenty-first."""
    head, hyphen, last = number(value).rpartition("-")
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return head + hyphen + ORDINALS.get(last, regular)


def clock(hour: int, minute: int, period: str) -> str:
    """A time of day in words: half past three in the afternoon, ten fifteen in the morning, nine in the morning."""
    if minute == 0:
        return f"{number(hour)} {period}"
    if minute == 30:
        return f"half past {number(hour)} {period}"
    return f"{number(hour)} {number(minute)} {period}"
