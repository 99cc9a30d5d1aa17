"""Scores of hypotheses by hand, and the bound that stops a search."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from keras import ops
from scripted_steps import NEVER, VOCABULARY, A, B, Script, nodes_of, rows_of

from nmt.search import MISSING, Breadth, Ranking, beam_search
from nmt.search.hypotheses import IMPOSSIBLE
from nmt.search.ranking import coverage_of
from nmt.tokenizer import END_ID


def score(ranking: Ranking, log_prob: float, length: int, coverage: float = 0.0) -> float:
    return float(ranking.score(np.float32(log_prob), length, coverage))


@pytest.mark.parametrize(
    ("exponent", "length", "divisor"), [(1.0, 1, 1.0), (1.0, 7, 2.0), (0.5, 19, 2.0), (2.0, 7, 4.0), (0.0, 100, 1.0)]
)
def test_gnmt_divides_by_a_power_of_the_length(exponent: float, length: int, divisor: float) -> None:
    """(5 + 7) / 6 = 2, and (5 + 19) / 6 = 4."""
    assert score(Ranking("gnmt", exponent), -6.0, length) == pytest.approx(-6.0 / divisor)


def test_other_scores_by_hand() -> None:
    assert score(Ranking("average", exponent=0.6), -6.0, 4) == pytest.approx(-1.5)
    assert score(Ranking("none", exponent=0.6), -6.0, 4) == pytest.approx(-6.0)
    assert score(Ranking("none", word_reward=0.5), -6.0, 4) == pytest.approx(-4.0)
    assert score(Ranking("average", word_reward=0.5), -6.0, 4) == pytest.approx(-1.0)
    assert score(Ranking("gnmt", 1.0, word_reward=-1.0), -6.0, 7) == pytest.approx(-6.5)
    assert score(Ranking("gnmt", 1.0, coverage_penalty=0.5), -6.0, 7, coverage=-2.0) == pytest.approx(-4.0)


def test_coverage_by_hand() -> None:
    """The first hypothesis gave its source tokens 2, 1/2 and 1/4: ln 1 + ln 1/2 + ln 1/4 = -3 ln 2.

    The second row has two tokens only, and what stands on its padding counts not.
    """
    attention = np.array([[[2.0, 0.5, 0.25], [1.0, 1.0, 1.0]], [[0.5, 1.0, 0.1], [0.5, 0.5, 2.0]]], np.float32)
    mask = np.array([[True, True, True], [True, True, False]])
    found = ops.convert_to_numpy(coverage_of(attention, mask))
    assert found == pytest.approx(-math.log(2.0) * np.array([[3, 0], [1, 2]]), abs=1e-6)


def test_a_source_token_without_attention_costs_much_and_stays_a_number() -> None:
    found = float(coverage_of(np.zeros((1, 1, 1), np.float32), np.ones((1, 1), bool))[0, 0])
    assert -20.0 < found < -10.0


@pytest.mark.parametrize(("weight", "expected", "best"), [(0.0, [A, A], math.log(0.6)), (1.0, [A, B], math.log(0.4))])
def test_a_search_prefers_what_covers_the_source(weight: float, expected: list[int], best: float) -> None:
    """Over three steps A A gives its two source tokens 2.5 and 0.5, and A B 2 and 1.

    With a weight of 1 A A loses ln 0.5: ln 0.6 + ln 0.5 = ln 0.3 is less than ln 0.4.
    """
    script = Script(np.full((1, nodes_of(2), VOCABULARY), NEVER), np.zeros((1, nodes_of(2), 2)))
    assert script.attention is not None
    steps: list[tuple[list[int], dict[int, float], tuple[float, float]]] = [
        ([], {A: 1.0}, (1.0, 0.0)),
        ([A], {A: 0.6, B: 0.4}, (1.0, 0.0)),
        ([A, A], {END_ID: 1.0}, (0.5, 0.5)),
        ([A, B], {END_ID: 1.0}, (0.0, 1.0)),
    ]
    for history, probabilities, attention in steps:
        script.table[0, script.node(history), list(probabilities)] = np.log(list(probabilities.values()))
        script.attention[0, script.node(history)] = attention
    ranking = Ranking("none", coverage_penalty=weight)
    mask = np.ones((1, 2), bool)
    found = beam_search(
        script, script.state(), np.array([3], np.int32), 3, Breadth(2, 2), ranking=ranking, source_mask=mask
    )
    first, second = rows_of(found)[0]
    assert first.tokens == [*expected, END_ID]
    assert first.score == pytest.approx(best, abs=1e-5)
    assert second.score == pytest.approx(math.log(0.4) if weight == 0.0 else math.log(0.3), abs=1e-5)


def bound(ranking: Ranking, log_prob: float, position: int, limit: int) -> float:
    found = ranking.bound(np.array([log_prob], np.float32), position, np.array([limit], np.int32), 10)
    return float(found[0])


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        (Ranking("none"), -2.0),
        (Ranking("gnmt", 1.0), -1.0),  # -2 / 2 with seven tokens
        (Ranking("average"), -2.0 / 7),
        (Ranking("none", word_reward=0.5), 1.5),  # -2 + 7 / 2
        (Ranking("none", word_reward=-0.5), -3.0),  # one token more, and then the end: -2 - 2 / 2
        (Ranking("gnmt", 1.0, word_reward=-1.0), -4.0 / (7 / 6)),  # with two tokens; with seven it is -9 / 2
        (Ranking("gnmt", 1.0, coverage_penalty=2.0), -1.0),  # the best there is has no penalty
    ],
)
def test_bound_by_hand(ranking: Ranking, expected: float) -> None:
    """One token has -2; two to seven are possible."""
    assert bound(ranking, -2.0, 1, 7) == pytest.approx(expected, abs=1e-6)


def test_nothing_can_come_of_what_is_impossible_or_at_its_limit() -> None:
    assert bound(Ranking(), IMPOSSIBLE, 1, 7) == bound(Ranking(), -2.0, 7, 7) == np.float32(MISSING)


@pytest.mark.parametrize("normalization", ["gnmt", "average", "none"])
@pytest.mark.parametrize("reward", [-0.7, 0.0, 0.7])
def test_no_continuation_is_above_the_bound(normalization: Any, reward: float) -> None:
    """Whatever a hypothesis may still lose on its way, to the last bit."""
    ranking = Ranking(normalization, exponent=0.6, word_reward=reward)
    generator = np.random.default_rng(1)
    now = -generator.exponential(4.0, size=(200, 1)).astype(np.float32)
    later = now - generator.exponential(0.05, size=(200, 7)).astype(np.float32) * (generator.random((200, 7)) > 0.3)
    scores = ops.convert_to_numpy(ranking.score(later, np.arange(4, 11)))
    bounds = ops.convert_to_numpy(ranking.bound(now[:, 0], 3, np.full((200,), 10, np.int32), 10))
    assert (scores.max(axis=1) <= bounds).all()
    assert np.median(bounds - scores.max(axis=1)) < 0.05  # nor is it far above
