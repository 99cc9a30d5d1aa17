"""Greedy and beam search over scripted log-probabilities, small enough to follow by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scripted_steps import (
    A,
    B,
    C,
    Found,
    Script,
    constant_script,
    random_script,
    rows_of,
    scripted,
)

from nmt.search import Breadth, History, Ranking, Rule, beam_search, greedy_search
from nmt.search.ranking import PLAIN
from nmt.search.rules import unchanged
from nmt.tokenizer import END_ID, PAD_ID, START_ID

NORMALIZED = Ranking("gnmt", 1.0)


def run(
    script: Script,
    limits: list[int],
    max_length: int,
    beam: int = 1,
    ranking: Ranking = PLAIN,
    rule: Rule = unchanged,
) -> list[Found]:
    """The best hypothesis of each sentence."""
    state, rows = script.state(range(len(limits))), np.array(limits, np.int32)
    if beam == 1:
        hypotheses = greedy_search(script, state, rows, max_length, rule, ranking)
    else:
        hypotheses = beam_search(script, state, rows, max_length, Breadth(beam), rule, ranking)
    assert hypotheses.token_ids.shape == (len(limits), 1, max_length)
    return [best for (best,) in rows_of(hypotheses)]


GARDEN_PATH = {
    (): {A: 0.6, B: 0.4},
    (A,): {A: 0.35, B: 0.33, END_ID: 0.32},
    (A, A): {END_ID: 1.0},
    (B,): {END_ID: 0.9, A: 0.1},
}


def test_greedy_takes_the_likeliest_token_and_stops_at_the_end() -> None:
    script = scripted(GARDEN_PATH)
    [(tokens, log_prob, score)] = run(script, [6], 6, ranking=NORMALIZED)
    assert tokens == [A, A, END_ID]
    assert log_prob == pytest.approx(math.log(0.6 * 0.35), abs=1e-5)
    assert score == pytest.approx(math.log(0.6 * 0.35) / (8 / 6), abs=1e-5)
    assert script.calls == 3


def test_beam_leaves_the_garden_path() -> None:
    """A looks better at first, but B ends with 0.4 · 0.9 = 0.36 against 0.21."""
    [(tokens, log_prob, score)] = run(scripted(GARDEN_PATH), [6], 6, beam=2, ranking=NORMALIZED)
    assert tokens == [B, END_ID]
    assert log_prob == pytest.approx(math.log(0.36), abs=1e-5)
    assert score == pytest.approx(math.log(0.36) / (7 / 6), abs=1e-5)


def test_n_best_of_the_garden_path() -> None:
    """B 0.36, then A A 0.21, then A 0.192; the rest has next to no probability."""
    script = scripted(GARDEN_PATH)
    found = beam_search(script, script.state(), np.array([6], np.int32), 6, Breadth(4, n_best=3))
    assert [one.tokens for one in rows_of(found)[0]] == [[B, END_ID], [A, A, END_ID], [A, END_ID]]
    assert np.exp([one.score for one in rows_of(found)[0]]) == pytest.approx([0.36, 0.21, 0.192], abs=1e-5)


def test_fewer_sentences_than_asked_for_are_missing() -> None:
    """Within two tokens there are the empty sentence and those of one word, the unknown one among them."""
    script = random_script(1)
    found = beam_search(script, script.state(), np.array([2], np.int32), 2, Breadth(8, n_best=8))
    assert len(rows_of(found)[0]) == 6


@pytest.mark.parametrize("beam", [1, 3])
def test_limits_are_per_row(beam: int) -> None:
    """The sentence would never end by itself; at its limit it ends with the end's own log-probability."""
    script = constant_script({A: 0.99, END_ID: 0.01}, sentences=3)
    results = run(script, [1, 2, 4], 5, beam, Ranking("gnmt", 5.0))
    for (tokens, log_prob, _), limit in zip(results, (1, 2, 4), strict=True):
        assert tokens == [A] * (limit - 1) + [END_ID]
        assert log_prob == pytest.approx((limit - 1) * math.log(0.99) + math.log(0.01), abs=1e-5)


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_padding_and_start_are_never_chosen(beam: int) -> None:
    """Both are by far the likeliest here."""
    script = constant_script({PAD_ID: 0.48, START_ID: 0.48, A: 0.02, B: 0.01, END_ID: 0.01})
    [(tokens, _, _)] = run(script, [4], 4, beam, Ranking("gnmt", 2.0))
    assert not {PAD_ID, START_ID} & set(tokens)


@pytest.mark.parametrize("beam", [2, 3, 4])
def test_log_probability_is_that_of_the_tokens(beam: int) -> None:
    """Also a narrow beam: its state must follow each hypothesis, since the table goes by the whole history."""
    script = random_script(2, sentences=10)
    for sentence, (tokens, log_prob, score) in enumerate(run(script, [5] * 10, 5, beam, NORMALIZED)):
        assert log_prob == pytest.approx(script.log_prob(tokens, sentence), abs=1e-4)
        assert score == pytest.approx(log_prob / ((5 + len(tokens)) / 6), abs=1e-5)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_rule_changes_the_score_and_not_the_log_probability(beam: int) -> None:
    """What a rule takes is a matter of the search: the log-probability stays the model's own."""

    def doubled(log_probs: Any, history: History) -> Any:
        return 2.0 * log_probs

    script = random_script(2, sentences=5)
    for sentence, (tokens, log_prob, score) in enumerate(run(script, [5] * 5, 5, beam, rule=doubled)):
        assert log_prob == pytest.approx(script.log_prob(tokens, sentence), abs=1e-4)
        words = script.log_prob(
            tokens[:-1], sentence
        )  # at its limit a sentence ends with the end's own log-probability
        assert score == pytest.approx(2.0 * words + (1.0 if len(tokens) == 5 else 2.0) * (log_prob - words), abs=1e-4)


@pytest.mark.parametrize(
    ("ranking", "steps"),
    [
        # Ending at once scores ln 0.3 = -1.204. Going on costs ln 0.7 = -0.357 a token: after four, -1.427 is worse.
        (PLAIN, 4),
        # Divided by (5 + 20) / 6, the most that can be reached after n tokens is -0.0856 n; worse than -1.204 after 15.
        (NORMALIZED, 15),
        # A reward of 0.1 for each token: 0.1 - 1.204 at once; after n tokens at most 20 · 0.1 - 0.357 n, worse after 9.
        (Ranking("none", word_reward=0.1), 9),
        # The average cannot be better than ln 0.7 · n / 20, which is worse than -1.204 only after 68 tokens.
        (Ranking("average"), 20),
    ],
)
def test_stops_as_soon_as_nothing_better_can_come(ranking: Ranking, steps: int) -> None:
    script = constant_script({A: 0.7, END_ID: 0.3})
    [(tokens, log_prob, _)] = run(script, [20], 20, beam=2, ranking=ranking)
    assert script.calls == steps
    if ranking.normalization != "average":
        assert tokens == [END_ID] and log_prob == pytest.approx(math.log(0.3), abs=1e-5)


def test_goes_on_while_a_longer_one_can_win() -> None:
    """Ending at once has the higher log-probability, but with a length penalty of 1 the longer one scores better.

    ln 0.4 / 1 = -0.916 against ln 0.36 / (8 / 6) = -0.766.
    """
    entries = {(): {END_ID: 0.4, A: 0.36, B: 0.24}, (A,): {A: 1.0}, (A, A): {END_ID: 1.0}}
    assert run(scripted(entries), [4], 4, beam=2)[0].tokens == [END_ID]
    tokens, log_prob, score = run(scripted(entries), [4], 4, beam=2, ranking=NORMALIZED)[0]
    assert tokens == [A, A, END_ID]
    assert log_prob == pytest.approx(math.log(0.36), abs=1e-5)
    assert score == pytest.approx(math.log(0.36) / (8 / 6), abs=1e-5)


def test_greedy_stops_when_all_rows_have_ended() -> None:
    script = random_script(1, sentences=4)
    results = run(script, [4, 3, 2, 4], 4)
    assert script.calls == max(len(found.tokens) for found in results)


@pytest.mark.parametrize("beam", [1, 3])
def test_a_row_does_not_depend_on_its_neighbours(beam: int) -> None:
    script = random_script(5, sentences=4)
    limits = [4, 2, 3, 4]
    together = run(script, limits, 4, beam, NORMALIZED)
    for sentence, limit in enumerate(limits):
        alone = Script(script.table[sentence : sentence + 1])
        assert run(alone, [limit], 4, beam, NORMALIZED) == [together[sentence]]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("breadth", "ranking"),
    [
        (Breadth(4, n_best=3), PLAIN),
        (Breadth(4, n_best=3), Ranking("none", word_reward=0.2)),
        (Breadth(4, n_best=2, groups=2, diversity=0.7), Ranking("gnmt", 0.6)),
    ],
)
def test_a_row_that_is_done_stays_as_it_is_while_a_longer_one_runs(breadth: Breadth, ranking: Ranking) -> None:
    """Beside a sentence of 12 tokens the others get what they get alone, though alone they stop earlier."""
    short, long = random_script(9, sentences=3), constant_script({A: 0.98, B: 0.019, END_ID: 0.001})
    script = Script(np.concatenate([short.table, np.repeat(long.table, short.table.shape[1], axis=1)]))
    limits = np.array([12] * 4, np.int32)
    together = rows_of(beam_search(script, script.state(range(4)), limits, 12, breadth, unchanged, ranking))
    assert script.calls == 12
    for sentence in range(3):
        alone = Script(script.table[sentence : sentence + 1])
        found = beam_search(alone, alone.state(), limits[:1], 12, breadth, unchanged, ranking)
        assert rows_of(found) == [together[sentence]]
        assert alone.calls < 12


# Groups


def test_a_later_group_takes_what_the_first_left() -> None:
    """Of 0.5, 0.3 and 0.2 the groups of one take A, and then B: ln 0.5 - 1 = -1.69 is less than ln 0.3 = -1.20."""
    script = scripted({(): {A: 0.5, B: 0.3, C: 0.2}, (A,): {END_ID: 1.0}, (B,): {END_ID: 1.0}, (C,): {END_ID: 1.0}})
    for diversity, expected in ((0.0, [[A, END_ID]]), (1.0, [[A, END_ID], [B, END_ID]])):
        found = beam_search(script, script.state(), np.array([2], np.int32), 2, Breadth(2, 2, 2, diversity))
        assert [one.tokens for one in rows_of(found)[0]] == expected
        assert np.exp([one.score for one in rows_of(found)[0]]) == pytest.approx([0.5, 0.3][: len(expected)], abs=1e-5)


def test_a_token_loses_for_each_hypothesis_that_took_it() -> None:
    """The first group keeps A A 0.33 and B A 0.27, so in the second A loses 2 · 0.5 there.

    ln 0.33 - 1 = -2.11 is less than ln 0.18 = -1.71 of B C; with 0.5 for both together, -1.61, it would be more.
    """
    after, end = {A: 0.6, C: 0.4}, {END_ID: 1.0}
    script = scripted({(): {A: 0.55, B: 0.45}, (A,): after, (B,): after}, depth=2)
    for history in ((A, A), (A, C), (B, A), (B, C)):
        script.table[0, script.node(history), list(end)] = 0.0
    found = beam_search(script, script.state(), np.array([3], np.int32), 3, Breadth(4, 4, 2, 0.5))
    assert [one.tokens[:-1] for one in rows_of(found)[0]] == [[A, A], [B, A], [A, C], [B, C]]
    assert np.exp([one.score for one in rows_of(found)[0]]) == pytest.approx([0.33, 0.27, 0.22, 0.18], abs=1e-5)


def search_in_groups(script: Script, breadth: Breadth) -> list[list[Found]]:
    sentences = len(script.table)
    limits = np.full((sentences,), 5, np.int32)
    return rows_of(beam_search(script, script.state(range(sentences)), limits, 5, breadth, unchanged, NORMALIZED))


def test_one_group_is_plain_beam_search() -> None:
    script = random_script(3, sentences=10)
    assert search_in_groups(script, Breadth(4, 3, 1, diversity=9.0)) == search_in_groups(script, Breadth(4, 3))


def test_groups_without_diversity_are_narrower_beams() -> None:
    """All find the same, which counts once."""
    script = random_script(3, sentences=10)
    assert search_in_groups(script, Breadth(6, 4, groups=3)) == search_in_groups(script, Breadth(2, 2))


def test_groups_find_different_sentences_and_none_of_them_twice() -> None:
    script = random_script(3, sentences=30)
    same, different = (search_in_groups(script, Breadth(6, 6, groups=3, diversity=d)) for d in (0.0, 1.0))
    for sentence, found in enumerate(different):
        assert len({tuple(one.tokens) for one in found}) == len(found)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        assert found[0].score >= same[sentence][0].score - 1e-6  # the first group searches as it would alone
        for one in found:
            assert one.log_prob == pytest.approx(script.log_prob(one.tokens, sentence), abs=1e-4)
    assert sum(map(len, different)) > 1.5 * sum(map(len, same))
