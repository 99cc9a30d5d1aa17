"""Minimum Bayes risk with chrF, on strings short enough to count their character n-grams by hand."""

from __future__ import annotations

import pytest

from nmt.translation.minimum_bayes_risk import by_expected_utility, expected_utilities, utility


def f2(precision: float, recall: float) -> float:
    """F-score with beta 2, in percent."""
    return 100 * 5 * precision * recall / (4 * precision + recall)


def test_utility_by_hand() -> None:
    """`ab` against `abc`: unigrams 2 of 2 and 2 of 3, bigrams 1 of 1 and 1 of 2; `ab` has no longer ones."""
    assert utility("ab", "abc") == pytest.approx(f2((1 + 1) / 2, (2 / 3 + 1 / 2) / 2))
    assert utility("abc", "ab") == pytest.approx(f2((2 / 3 + 1 / 2) / 2, (1 + 1) / 2))


def test_utility_at_its_ends() -> None:
    assert utility("ab", "cd") == 0.0
    assert utility("", "cd") == utility("cd", "") == 0.0
    assert utility("ab", "ab") == utility("a", "a") == 100.0
    assert utility("", "") == 100.0


def test_expected_utility_is_the_mean_over_the_others() -> None:
    texts = ["ab", "abc", "x"]
    assert expected_utilities(texts) == pytest.approx([utility("ab", "abc") / 2, utility("abc", "ab") / 2, 0.0])


def test_what_occurs_twice_is_two_references() -> None:
    """`x` has one equal among three others, `ab` none."""
    utilities = expected_utilities(["x", "ab", "x", "abc"])
    assert utilities[0] == utilities[2] == pytest.approx(100 / 3)
    assert utilities[1] == pytest.approx(utility("ab", "abc") / 3)


def test_the_most_useful_comes_first() -> None:
    """`abcd` shares something with both; `wx`, which search found first, with nobody."""
    assert by_expected_utility(["wx", "abcf", "abcd", "ebcd"]) == [2, 1, 3, 0]


def test_of_equals_the_first_one() -> None:
    assert by_expected_utility(["ab", "cd", "ef"]) == [0, 1, 2]
    assert by_expected_utility(["x", "ab", "ab"]) == [1, 2, 0]


def test_one_or_none() -> None:
    assert (by_expected_utility([]), expected_utilities([])) == ([], [])
    assert (by_expected_utility(["ab"]), expected_utilities(["ab"])) == ([0], [100.0])
