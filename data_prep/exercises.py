"""The exercises that sequence-to-sequence models are learned with: addition, dates and reversal.

Each asks questions that a rule answers, so that there are as many pairs as anybody wants and every wrong answer is the
model's own. A question stands in one part only: what validation and test ask, training has never seen. Knows nothing of
files, subwords or models.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from string import ascii_lowercase

Pair = tuple[str, str]
Letters = Callable[[str], str]

DIGITS = 3  # of the largest number that is added
NUMBERS = 10**DIGITS

# What POSIX makes of two digits of a year: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068.
FIRST_DAY, LAST_DAY = date(1969, 1, 1), date(2068, 12, 31)
YEARS = LAST_DAY.year - FIRST_DAY.year + 1
DAYS = (LAST_DAY - FIRST_DAY).days + 1
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
IN_WORDS = (
    "{month} {day}, {year}",
    "{month:.3} {day}, {year}",
    "{day} {month} {year}",
    "{day} {month:.3} {year}",
    "{weekday}, {month} {day}, {year}",
    "{weekday:.3}, {month:.3} {day}, {year}",
)
# With slashes the month stands first, with dots the day.
IN_FIGURES = (
    "{number}/{day}/{year}",
    "{number}/{day}/{short_year:02}",
    "{day}.{number}.{year}",
    "{day}.{number}.{short_year:02}",
)
LETTERS: tuple[Letters, ...] = (str, str.lower, str.upper)
FORMS: tuple[tuple[str, Letters], ...] = (*product(IN_WORDS, LETTERS), *product(IN_FIGURES, LETTERS[:1]))
# The three letters of May are the whole month: two of the forms in words are written like two others.
SAME_IN_MAY = 31 * YEARS * 2 * len(LETTERS)

WORD_LENGTHS = range(3, 11)  # letters of a word that is reversed


@dataclass(frozen=True)
class Exercise:
    """How the questions of an exercise are made.

    Attributes:
        draw: makes a random question and its answer.
        questions: how many different ones there are.
        question_of: what all sources have in common that ask the same.
    """

    draw: Callable[[random.Random], Pair]
    questions: int
    question_of: Callable[[str], Hashable] = str


def generate_exercise(kind: str, seed: int, train: int, validation: int, test: int) -> dict[str, list[Pair]]:
    """Generates an exercise; the same arguments give the same pairs.

    Args:
        kind: `addition`, `dates` or `reversal`.
        seed: of the random draws.
        train: pairs for training.
        validation: pairs for validation.
        test: pairs for testing.

    Returns:
        (source, target) under "train", "validation" and "test"; no question occurs twice.

    Raises:
        ValueError: there are fewer different questions.
    """
    exercise, wanted = EXERCISES[kind], train + validation + test
    if wanted > exercise.questions:
        raise ValueError(
            f"exercise '{kind}': expected at most {exercise.questions:,} pairs together, as many as there are "
            f"different questions; received train={train}, validation={validation}, test={test}"
        )
    generator = random.Random(seed)
    drawn: dict[Hashable, Pair] = {}
    while len(drawn) < wanted:
        source, target = exercise.draw(generator)
        drawn.setdefault(exercise.question_of(source), (source, target))
    pairs = list(drawn.values())
    generator.shuffle(pairs)  # frequent questions come first, and each part shall have its share of them
    held_out = pairs[train:]
    return {"train": pairs[:train], "validation": held_out[:validation], "test": held_out[validation:]}


def addition(generator: random.Random) -> Pair:
    """Two numbers, each below 10, 100 or 1,000 with equal chance, and their sum: 57+5 and 62."""
    first, second = (generator.randrange(10 ** generator.randint(1, DIGITS)) for _ in range(2))
    return f"{first}+{second}", str(first + second)


def dates(generator: random.Random) -> Pair:
    """A day of 1969 to 2068 in one of many forms, and in that of ISO 8601: Sep 27, 1994 and 1994-09-27."""
    day = FIRST_DAY + timedelta(generator.randrange(DAYS))
    form, letters = generator.choice(FORMS)
    return letters(write_date(day, form)), day.isoformat()


def reversal(generator: random.Random) -> Pair:
    """A word of 3 to 10 random letters, each length with equal chance, and the word backwards: tulip and pilut."""
    letters = generator.choices(ascii_lowercase, k=generator.choice(WORD_LENGTHS))
    return "".join(letters), "".join(reversed(letters))


def write_date(day: date, form: str) -> str:
    """A day in a form of `IN_WORDS` or `IN_FIGURES`."""
    return form.format(
        day=day.day,
        number=day.month,
        month=MONTHS[day.month - 1],
        weekday=WEEKDAYS[day.weekday()],
        year=day.year,
        short_year=day.year % 100,
    )


EXERCISES = {
    "addition": Exercise(
        addition,
        questions=NUMBERS * (NUMBERS + 1) // 2,
        question_of=lambda source: frozenset(source.split("+")),  # 5+57 asks what 57+5 asks
    ),
    "dates": Exercise(dates, questions=DAYS * len(FORMS) - SAME_IN_MAY),
    "reversal": Exercise(reversal, questions=sum(len(ascii_lowercase) ** length for length in WORD_LENGTHS)),
}
