"""Scores against published values and values worked out by hand."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from nmt.metrics import Score, bleu, character_error_rate, chrf, edit_distance, exact_match, ter

# Sentences from sacreBLEU's README.
HYPOTHESES = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
REFERENCES = ["The dog bit the man.", "It was not unexpected.", "The man bit him first."]


def slow_edit_distance(first: str, second: str) -> int:
    """The textbook's recursion, row by row."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        previous, row = row, [i]
        for j, b in enumerate(second, start=1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
    return row[-1]


def test_bleu_by_hand() -> None:
    # Precisions 5/5, 3/4, 2/3, 1/2; the lengths agree, so there is no penalty: 100 * (1 * 3/4 * 2/3 * 1/2) ** (1/4).
    score = bleu(["the the cat sat down"], ["the cat sat down the"])
    assert score.score == pytest.approx(100 * (1 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)


def test_bleu_brevity_penalty_by_hand() -> None:
    # All n-grams are right and 4 of 5 words are there: 100 * exp(1 - 5/4).
    assert bleu(["one two three four"], ["one two three four five"]).score == pytest.approx(77.8801, abs=1e-3)


@pytest.mark.parametrize("metric", [bleu, chrf])
def test_perfect_and_hopeless(metric: Callable[[list[str], list[str]], Score]) -> None:
    assert metric(REFERENCES, REFERENCES).score == pytest.approx(100.0)
    assert metric([""] * 3, REFERENCES).score == 0.0


def test_ter_by_hand() -> None:
    # One word of four is wrong; a phrase that moved is one edit (Snover et al. 2006).
    assert ter(["a b c x"], ["a b c d"]).score == pytest.approx(25.0)
    assert ter(["c d a b"], ["a b c d"]).score == pytest.approx(25.0)


def test_signatures_tell_the_settings() -> None:
    assert "tok:13a" in str(bleu(HYPOTHESES, REFERENCES).signature)
    assert "nc:6|nw:0" in str(chrf(HYPOTHESES, REFERENCES).signature)
    assert "tok:tercom" in str(ter(HYPOTHESES, REFERENCES).signature)
    for metric in (bleu, chrf, ter):
        assert "nrefs:1" in str(metric(HYPOTHESES, REFERENCES).signature)


def test_score_as_dict_has_a_signature_only_where_there_is_one() -> None:
    assert Score(1.0).as_dict() == {"score": 1.0}
    assert Score(1.0, "tok:13a").as_dict() == {"score": 1.0, "signature": "tok:13a"}


def test_exact_match_takes_any_reference_of_a_source_and_counts_it_once() -> None:
    sources = ["kim", "kim", "lee", "park"]
    references = ["김", "킴", "이", "박"]
    assert exact_match(sources, ["킴", "킴", "이", "팍"], references).score == pytest.approx(100 * 2 / 3)


def test_exact_match_of_nothing() -> None:
    assert exact_match([], [], []).score == 0.0


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("", "", 0), ("한국어", "한국말", 1), ("ab", "ba", 2)],
)
def test_edit_distance(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == distance


def test_edit_distance_against_the_textbook() -> None:
    generator = random.Random(5)
    for _ in range(200):
        first, second = ("".join(generator.choices("ab😀", k=generator.randrange(9))) for _ in range(2))
        assert edit_distance(first, second) == slow_edit_distance(first, second)


def test_character_error_rate_is_over_all_characters() -> None:
    # Three edits over seven characters, one over three: 4/10, not the mean of 3/7 and 1/3.
    assert character_error_rate(["kitten", "abd"], ["sitting", "abc"]).score == pytest.approx(40.0)
    assert character_error_rate(["abc"], [""]).score == pytest.approx(300.0)


@pytest.mark.parametrize("metric", [bleu, chrf, ter])
def test_second_references_count(metric: Callable[..., Score]) -> None:
    score = metric(HYPOTHESES, REFERENCES, HYPOTHESES)
    assert score == metric(HYPOTHESES, HYPOTHESES, REFERENCES)
    assert score.score == pytest.approx(metric(HYPOTHESES, HYPOTHESES).score)
    assert "nrefs:2" in str(score.signature)


def test_exact_match_takes_any_list() -> None:
    assert exact_match(["a", "b", "c"], ["1", "2", "3"], ["1", "x", "x"], ["x", "2", "x"]).score == pytest.approx(
        100 * 2 / 3
    )


def test_character_error_rate_takes_the_nearest_reference() -> None:
    # One edit to "abc" (3 characters) against two to "abxyz"; none to "de" (2): 1/5. Equally near: the shorter, 1/2.
    assert character_error_rate(["abd", "de"], ["abxyz", "de"], ["abc", "xxxx"]).score == pytest.approx(20.0)
    assert character_error_rate(["abc"], ["abcd"], ["ab"]).score == pytest.approx(50.0)
