"""The exercises: right answers, distinct questions, and configurations that ask what they say."""

from __future__ import annotations

import random
import string
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from data_prep import exercises
from data_prep.exercises import EXERCISES, FORMS, Exercise, Pair, generate_exercise, write_date
from data_prep.manifest import describe_inputs
from data_prep.pipeline import prepare
from data_prep.readers import read_corpus
from nmt.config import Config, CorpusConfig, Synthetic, differences, load_config
from nmt.corpus import PARTS, PreparedCorpus
from nmt.errors import DataError

CONFIGS = Path(__file__).parents[2] / "configs" / "exercises"
KINDS = ("addition", "dates", "reversal")


def all_pairs(kind: str, count: int) -> list[Pair]:
    """So many pairs, of all parts together."""
    return [pair for part in generate_exercise(kind, 1, count - 2, 1, 1).values() for pair in part]


def sources(pairs: Iterable[Pair]) -> set[str]:
    return {source for source, _ in pairs}


# What all exercises have in common.


@pytest.mark.parametrize("kind", KINDS)
def test_parts_have_the_sizes_asked_for_and_no_source_in_common(kind: str) -> None:
    parts = generate_exercise(kind, 1, 500, 30, 20)
    assert {part: len(pairs) for part, pairs in parts.items()} == {"train": 500, "validation": 30, "test": 20}
    assert len(sources(pair for pairs in parts.values() for pair in pairs)) == 550


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind: str) -> None:
    corpus = generate_exercise(kind, 3, 500, 30, 20)
    assert generate_exercise(kind, 3, 500, 30, 20) == corpus
    assert generate_exercise(kind, 4, 500, 30, 20) != corpus


def test_all_questions_can_be_had_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six questions, each of which two sources ask."""
    hours = Exercise(lambda generator: (str(generator.randrange(12)), "x"), 6, question_of=lambda hour: int(hour) % 6)
    monkeypatch.setitem(exercises.EXERCISES, "hours", hours)
    parts = generate_exercise("hours", 1, 3, 2, 1)
    assert sorted(int(hour) % 6 for pairs in parts.values() for hour, _ in pairs) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match=r"exercise 'hours': expected at most 6 pairs together.*received train=4"):
        generate_exercise("hours", 1, 4, 2, 1)


@pytest.mark.parametrize(
    ("kind", "largest"), [("addition", 500_500), ("dates", 784_950), ("reversal", 146_813_779_478_808)]
)
def test_too_many_pairs_are_refused_with_the_largest_number(tmp_path: Path, kind: str, largest: int) -> None:
    synthetic = Synthetic.model_validate({"kind": kind, "train": largest - 1, "validation": 1, "test": 1})
    with pytest.raises(DataError, match=rf"at most {largest:,} pairs .*; .*: lower corpus\.synthetic\.train"):
        read_corpus(CorpusConfig(synthetic=synthetic), tmp_path / "raw.parquet")


# Addition.


def test_sums_are_right() -> None:
    numbers = {str(number): number for number in range(1_000)}
    for source, target in all_pairs("addition", 3_000):
        first, second = source.split("+")
        assert int(target) == numbers[first] + numbers[second]


def test_short_numbers_are_as_likely_as_long_ones() -> None:
    """A third of the numbers is below 10; of those below 100 one in 10 has one digit, and so on."""
    generator = random.Random(1)
    numbers = [number for _ in range(2_000) for number in exercises.addition(generator)[0].split("+")]
    shares = [sum(len(number) == digits for number in numbers) / len(numbers) for digits in (1, 2, 3)]
    assert shares == pytest.approx([0.37, 0.33, 0.30], abs=0.03)


def test_the_same_sum_the_other_way_round_is_the_same_question() -> None:
    asked = [frozenset(source.split("+")) for source, _ in all_pairs("addition", 3_000)]
    assert len(set(asked)) == len(asked)


# Dates.


def test_all_forms_of_a_day() -> None:
    written = [letters(write_date(date(1994, 9, 5), form)) for form, letters in FORMS]
    in_words = (
        "September 5, 1994",
        "Sep 5, 1994",
        "5 September 1994",
        "5 Sep 1994",
        "Monday, September 5, 1994",
        "Mon, Sep 5, 1994",
    )
    in_figures = ("9/5/1994", "9/5/94", "5.9.1994", "5.9.94")
    assert written == [form for text in in_words for form in (text, text.lower(), text.upper())] + [*in_figures]
    assert write_date(date(2005, 12, 31), "{number}/{day}/{short_year:02}") == "12/31/05"


def read_date(text: str) -> date:
    """The day of a written date, as Python's own reader understands it; a weekday must be right."""
    weekday, _, rest = text.partition(", ") if text.count(",") == 2 else ("", "", text)
    for form in ("%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%m/%d/%Y", "%m/%d/%y", "%d.%m.%Y", "%d.%m.%y"):
        try:
            day = datetime.strptime(rest, form).date()
        except ValueError:
            continue
        assert f"{day:%A}".lower().startswith(weekday.lower()), text
        return day
    raise AssertionError(f"{text} is no date")


def test_dates_are_right() -> None:
    pairs = all_pairs("dates", 3_000)
    assert {source: read_date(source).isoformat() for source, _ in pairs} == dict(pairs)
    assert {int(target[:4]) for _, target in pairs} == set(range(1969, 2069))


def ways_to_write(year: int) -> int:
    """How many different dates of a year there are, counted one by one."""
    days = [date(year, 1, 1) + timedelta(i) for i in range(366)]
    return len({letters(write_date(day, form)) for day in days if day.year == year for form, letters in FORMS})


def test_the_number_of_dates_is_that_of_25_leap_years_and_75_others() -> None:
    assert EXERCISES["dates"].questions == 25 * ways_to_write(1972) + 75 * ways_to_write(1973)


# Reversal.


def test_words_are_reversed() -> None:
    pairs = all_pairs("reversal", 1_000)
    assert all(target == source[::-1] for source, target in pairs)
    assert {len(source) for source, _ in pairs} == {3, 4, 5, 6, 7, 8, 9, 10}
    assert set("".join(sources(pairs))) == set(string.ascii_lowercase)


# The configurations.


def small(name: str) -> Config:
    """A configuration of the project with a few hundred pairs."""
    counts = {"train": 400, "validation": 50, "test": 50}
    return load_config(CONFIGS / f"{name}.yaml", [f"corpus.synthetic.{part}={count}" for part, count in counts.items()])


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_configurations_are_named_after_their_file(path: Path) -> None:
    assert load_config(path).name == path.stem


@pytest.mark.parametrize(
    ("name", "other", "what"),
    [
        ("addition_reversed", "addition_plain", ["model.reverse_source: False -> True"]),
        ("addition_peeky", "addition_reversed", ["model.peeky: False -> True"]),
        (
            "addition_attention",
            "addition_reversed",
            ["model.cell: gru -> lstm", "model.attention: none -> general", "training.learning_rate: 0.002 -> 0.003"],
        ),
    ],
)
def test_in_what_one_addition_differs_from_another(name: str, other: str, what: list[str]) -> None:
    before, after = (load_config(CONFIGS / f"{one}.yaml") for one in (other, name))
    assert differences(before, after) == [f"name: {other} -> {name}", *what]


@pytest.mark.parametrize("name", ["addition_plain", "dates", "reversal"])
def test_nothing_is_lost_on_the_way_to_tokens(tmp_path: Path, name: str) -> None:
    """No filter drops a question, every character has a piece, and every answer comes back from its tokens."""
    preparation = prepare(small(name), tmp_path / name, report=lambda line: None)
    assert [stage.dropped for stage in preparation.stages] == [0] * len(preparation.stages)
    assert {part["pairs"] for part in preparation.manifest["parts"].values()} == {400, 50}
    assert set(preparation.coverage["source"].values()) == set(preparation.coverage["target"].values()) == {1.0}
    corpus = PreparedCorpus(tmp_path / name)
    _, target_tokenizer = corpus.tokenizers()
    answers = [answer for part in PARTS for answer in corpus.text(part)[1]]
    assert [target_tokenizer.decode(target_tokenizer.encode(answer)) for answer in answers] == answers


def test_a_question_is_read_character_by_character(tmp_path: Path) -> None:
    prepare(small("addition_plain"), tmp_path / "addition", report=lambda line: None)
    source_tokenizer, _ = PreparedCorpus(tmp_path / "addition").tokenizers()
    assert source_tokenizer.pieces("57+5") == ["▁", "5", "7", "+", "5"]


def test_a_palindrome_is_not_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(generator: random.Random) -> Pair:
        half = "".join(generator.choices("abcdef", k=6))
        return half + half[::-1], half + half[::-1]

    monkeypatch.setitem(exercises.EXERCISES, "reversal", Exercise(draw, 6**6))
    preparation = prepare(small("reversal"), tmp_path / "reversal", report=lambda line: None)
    assert preparation.stages[-1].kept == 400


def test_an_exercise_is_made_from_its_module() -> None:
    synthetic = Synthetic.model_validate({"kind": "addition"})
    assert list(describe_inputs(CorpusConfig(synthetic=synthetic))) == ["data_prep/exercises.py"]
