"""Sampling: what it does to distributions by hand, frequencies of many draws, and the loop over a scripted step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from keras import ops
from scripted_steps import A, B, C, D, Script, constant_script, random_script

from nmt.search import Hypotheses, Ranking, greedy_search, sample
from nmt.search.rules import never, repetition_penalty
from nmt.search.sampling import Adjust, adjustment, draw, temperature, top_k, top_p
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID

ALMOST_ONE = np.nextafter(np.float32(1.0), np.float32(0.0))


def log(*probs: float) -> np.ndarray:
    """Log-probabilities (1, vocabulary); 0 becomes what search takes for impossible."""
    logarithms: np.ndarray = np.log(np.maximum(np.array([probs]), np.exp(-200.0)))
    return logarithms.astype(np.float32)


def probabilities(log_probs: Any) -> list[float]:
    """Of one row."""
    (row,) = np.exp(ops.convert_to_numpy(log_probs))
    return [float(value) for value in row]


def unchanged(log_probs: Any) -> Any:
    return log_probs


# What is drawn from


def test_temperature_by_hand() -> None:
    """At 1/2 the probabilities are squared and normalized: 0.25, 0.09, 0.04 over 0.38."""
    found = probabilities(temperature(log(0.5, 0.3, 0.2), 0.5))
    assert found == pytest.approx([0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38], abs=1e-6)
    assert probabilities(temperature(log(0.5, 0.3, 0.2), 1.0)) == pytest.approx([0.5, 0.3, 0.2], abs=1e-6)
    assert probabilities(temperature(log(0.5, 0.3, 0.2), 1e6)) == pytest.approx([1 / 3] * 3, abs=1e-5)


def test_temperature_near_zero_leaves_the_likeliest() -> None:
    assert probabilities(temperature(log(0.33, 0.34, 0.33), 1e-4)) == pytest.approx([0.0, 1.0, 0.0], abs=1e-6)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [0, 1, 0, 0]), (2, [0, 0.5 / 0.8, 0, 0.3 / 0.8]), (4, [0.1, 0.5, 0.1, 0.3]), (9, [0.1, 0.5, 0.1, 0.3])],
)
def test_top_k_by_hand(count: int, expected: list[float]) -> None:
    """More than the vocabulary has change nothing."""
    assert probabilities(top_k(log(0.1, 0.5, 0.1, 0.3), count)) == pytest.approx(expected, abs=1e-6)


def test_top_k_takes_the_lower_id_of_equals() -> None:
    assert probabilities(top_k(log(0.2, 0.2, 0.4, 0.2), 2)) == pytest.approx([1 / 3, 0, 2 / 3, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("mass", "expected"),
    [
        (0.0, [0, 1, 0, 0]),  # always at least one token
        (0.45, [0, 1, 0, 0]),
        (0.55, [0, 0.5 / 0.75, 0, 0.25 / 0.75]),  # 0.5 alone does not reach it
        (0.8, [0, 0.5 / 0.9, 0.15 / 0.9, 0.25 / 0.9]),
        (0.95, [0.1, 0.5, 0.15, 0.25]),
    ],
)
def test_top_p_by_hand(mass: float, expected: list[float]) -> None:
    assert probabilities(top_p(log(0.1, 0.5, 0.15, 0.25), mass)) == pytest.approx(expected, abs=1e-6)


def test_top_p_takes_the_lower_id_of_equals() -> None:
    assert probabilities(top_p(log(0.25, 0.25, 0.25, 0.25), 0.4)) == pytest.approx([0.5, 0.5, 0, 0], abs=1e-6)


def test_top_p_of_one_changes_nothing() -> None:
    """Also where the sum of float32 reaches 1 long before the last of many unlikely tokens."""
    probs = np.array([1.0 - 1e-7 * 9_999, *[1e-7] * 9_999])
    log_probs = np.log(probs)[None].astype(np.float32)
    assert np.array_equal(ops.convert_to_numpy(top_p(log_probs, 1.0)), log_probs)


def test_rows_are_cut_each_by_itself() -> None:
    rows = np.concatenate([log(0.6, 0.3, 0.1), log(0.1, 0.3, 0.6)])
    for found in (top_k(rows, 1), top_p(rows, 0.5)):
        assert np.exp(ops.convert_to_numpy(found)) == pytest.approx(np.array([[1, 0, 0], [0, 0, 1]]), abs=1e-6)


def test_they_compose() -> None:
    """0.4, 0.3, 0.2, 0.1 squared is 16, 9, 4, 1 of 30; three stay: of 29; 16 + 9 reach 80 % of them."""
    found = top_p(top_k(temperature(log(0.4, 0.3, 0.2, 0.1), 0.5), 3), 0.8)
    assert probabilities(found) == pytest.approx([16 / 25, 9 / 25, 0, 0], abs=1e-6)


# Draws


def test_draw_is_the_inverse_of_the_cumulative_distribution() -> None:
    uniforms = np.array([0.0, 0.19, 0.21, 0.49, 0.51, ALMOST_ONE], np.float32)
    log_probs = np.repeat(log(0.2, 0.3, 0.5), len(uniforms), axis=0)
    assert ops.convert_to_numpy(draw(log_probs, uniforms)).tolist() == [0, 0, 1, 1, 2, 2]


def test_draw_never_takes_what_is_impossible() -> None:
    uniforms = np.array([0.0, 0.25, 0.5, 0.75, ALMOST_ONE], np.float32)
    log_probs = np.repeat(log(0.0, 0.5, 0.0, 0.5, 0.0), len(uniforms), axis=0)
    assert ops.convert_to_numpy(draw(log_probs, uniforms)).tolist() == [1, 1, 3, 3, 3]


def chi_square(tokens: np.ndarray, expected: dict[int, float]) -> float:
    """Pearson's statistic of draws against probabilities; infinite where something impossible was drawn."""
    assert sum(expected.values()) == pytest.approx(1.0)
    if not set(np.unique(tokens)) <= set(expected):
        return math.inf
    counts = {token: np.count_nonzero(tokens == token) for token in expected}
    return sum((counts[t] - tokens.size * p) ** 2 / (tokens.size * p) for t, p in expected.items())


PLAIN = {UNKNOWN_ID: 0.1, END_ID: 0.2, A: 0.3, B: 0.4}
SQUARED = {UNKNOWN_ID: 1 / 30, END_ID: 4 / 30, A: 9 / 30, B: 16 / 30}
TWO, THREE = {A: 3 / 7, B: 4 / 7}, {END_ID: 2 / 9, A: 3 / 9, B: 4 / 9}
# Upper critical values at 1 % by degrees of freedom (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4).
CRITICAL = {1: 6.635, 2: 9.210, 3: 11.345}


@pytest.mark.parametrize(
    ("adjust", "expected"),
    [
        (adjustment(), PLAIN),
        (adjustment(degree=0.5), SQUARED),
        (adjustment(count=2), TWO),
        (adjustment(count=3), THREE),
        (adjustment(mass=0.6), TWO),
        (adjustment(mass=0.85), THREE),
        (adjustment(0.5, 3, 0.85), {A: 9 / 25, B: 16 / 25}),  # 16, 9 and 4 of 29, of which 25 are enough
    ],
    ids=["plain", "temperature", "top_k of 2", "top_k of 3", "top_p of 2", "top_p of 3", "all"],
)
def test_frequencies_of_a_hundred_thousand_draws(adjust: Adjust, expected: dict[int, float]) -> None:
    """Running text of 10,000 rows with two samples each."""
    script = constant_script(PLAIN, sentences=10_000)
    uniforms = np.random.default_rng(8).random((10_000, 2, 5), np.float32)
    found = sample(script, script.state(range(10_000)), None, 5, uniforms, adjust)
    tokens = ops.convert_to_numpy(found.token_ids)
    assert tokens.size == 100_000
    assert chi_square(tokens, expected) < CRITICAL[len(expected) - 1]
    others = [other for other in (PLAIN, SQUARED, TWO, THREE) if other != expected]
    assert all(chi_square(tokens, other) > 100.0 for other in others)


# The loop


def run(script: Script, limits: list[int] | None, uniforms: np.ndarray, adjust: Adjust = unchanged) -> Hypotheses:
    """One sample of each row of random numbers, all of the first sentence, as arrays without the samples' axis."""
    rows = None if limits is None else np.array(limits, np.int32)
    state = script.state([0] * len(uniforms))
    found = sample(script, state, rows, uniforms.shape[1], uniforms[:, None], adjust)
    return Hypotheses(*(ops.convert_to_numpy(part)[:, 0] for part in found))


def uniform_rows(rows: int, length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, length), np.float32)


@pytest.mark.parametrize("adjust", [unchanged, lambda log_probs: temperature(log_probs, 3.0)])
def test_log_probability_is_the_models_own(adjust: Adjust) -> None:
    """That of the tokens to the end, whatever they were drawn from; what follows is padding and counts not."""
    script = random_script(3)
    found = run(script, [6] * 20, uniform_rows(20, 6), adjust)
    lengths = set()
    for row, log_prob in zip(found.token_ids.tolist(), found.log_probs, strict=True):
        length = row.index(END_ID) + 1
        lengths.add(length)
        assert set(row[length:]) <= {PAD_ID}
        assert not {PAD_ID, START_ID} & set(row[:length])
        assert log_prob == pytest.approx(script.log_prob(row[:length]), abs=1e-4)
    assert len(lengths) >= 3


def test_padding_and_start_are_never_drawn() -> None:
    """Both are by far the likeliest here."""
    script = constant_script({PAD_ID: 0.48, START_ID: 0.48, UNKNOWN_ID: 0.01, END_ID: 0.01, A: 0.01, B: 0.01})
    found = run(script, None, uniform_rows(200, 5))
    assert set(np.unique(found.token_ids)) == {UNKNOWN_ID, END_ID, A, B}


def test_a_row_ends_at_its_limit() -> None:
    found = run(constant_script({END_ID: 1e-9, A: 0.5, B: 0.5}), [1, 2, 5], uniform_rows(3, 5))
    assert (found.token_ids == END_ID).argmax(axis=1).tolist() == [0, 1, 4]
    assert found.log_probs == pytest.approx([math.log(1e-9) + i * math.log(0.5) for i in (0, 1, 4)], rel=1e-5)


def test_running_text_goes_on_over_the_ends() -> None:
    script = random_script(3)
    found = run(script, None, uniform_rows(8, 20))
    assert PAD_ID not in found.token_ids
    assert ((found.token_ids == END_ID).sum(axis=1) > 2).sum() >= 5
    for row, log_prob in zip(found.token_ids.tolist(), found.log_probs, strict=True):
        assert log_prob == pytest.approx(script.log_prob(row), abs=1e-3)


def test_near_zero_temperature_is_greedy_search() -> None:
    script, limits = random_script(5), np.array([8] * 3, np.int32)
    greedy = greedy_search(script, script.state([0] * 3), limits, 8)
    for adjust in (lambda log_probs: temperature(log_probs, 1e-4), lambda log_probs: top_k(log_probs, 1)):
        found = run(script, [8] * 3, uniform_rows(3, 8), adjust)
        assert np.array_equal(found.token_ids, ops.convert_to_numpy(greedy.token_ids)[:, 0])
        assert found.log_probs == pytest.approx(ops.convert_to_numpy(greedy.log_probs)[:, 0], abs=1e-5)


def test_a_row_depends_on_its_own_numbers_alone() -> None:
    script, uniforms = random_script(3), uniform_rows(4, 6)
    together = run(script, [6] * 4, uniforms)
    assert len({tuple(row) for row in together.token_ids.tolist()}) > 1
    for i in range(4):
        alone = run(script, [6], uniforms[i : i + 1])
        assert np.array_equal(alone.token_ids[0], together.token_ids[i])
        assert alone.log_probs[0] == together.log_probs[i]


def test_samples_of_a_row_are_rows_of_their_own() -> None:
    """Two sentences with three samples each, in the order of the random numbers."""
    script, uniforms = random_script(3, sentences=2), uniform_rows(6, 6)
    found = sample(script, script.state([0, 1]), np.array([6, 4], np.int32), 6, uniforms.reshape(2, 3, 6), unchanged)
    assert found.token_ids.shape == (2, 3, 6)
    for row, limit in enumerate((6, 4)):
        alone = Script(script.table[row : row + 1])
        expected = run(alone, [limit] * 3, uniforms.reshape(2, 3, 6)[row])
        assert np.array_equal(ops.convert_to_numpy(found.token_ids)[row, :, :limit], expected.token_ids[:, :limit])
        assert np.array_equal(ops.convert_to_numpy(found.log_probs)[row], expected.log_probs)


def test_what_a_rule_leaves_is_drawn_in_its_proportions() -> None:
    """Without B and the unknown token, 0.2 and 0.3 are left; the log-probability stays the model's own."""
    script, uniforms = constant_script(PLAIN, sentences=2_000), uniform_rows(2_000, 5)[:, None]
    rule = never([UNKNOWN_ID, B])
    found = sample(script, script.state(range(2_000)), None, 5, uniforms, unchanged, rule)
    tokens = ops.convert_to_numpy(found.token_ids)
    assert chi_square(tokens, {END_ID: 0.4, A: 0.6}) < CRITICAL[1]
    assert float(found.log_probs[0, 0]) == pytest.approx(script.log_prob(tokens[0, 0].tolist()), abs=1e-4)


def test_scores_are_the_rankings() -> None:
    """A A end: ln 1/2, twice that by the rule, and at the limit the end's ln 1/4, over (5 + 3) / 6."""
    script = constant_script({A: 0.5, C: 0.05, D: 0.2, END_ID: 0.25})
    limits, uniforms = np.array([3], np.int32), np.full((1, 1, 3), 0.5, np.float32)
    ranking, rule = Ranking("gnmt", 1.0), repetition_penalty(2.0)
    found = sample(script, script.state(), limits, 3, uniforms, unchanged, rule, ranking)
    assert ops.convert_to_numpy(found.token_ids)[0, 0].tolist() == [A, A, END_ID]
    assert float(found.log_probs[0, 0]) == pytest.approx(4 * math.log(0.5), abs=1e-5)
    assert float(found.scores[0, 0]) == pytest.approx(5 * math.log(0.5) / (8 / 6), abs=1e-5)
