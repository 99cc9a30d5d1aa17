"""Sampling: what it does to distributions by hand, frequencies of many draws, and the loop over a scripted step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from keras import ops

from nmt.search import Hypotheses, greedy_search, sample
from nmt.search.sampling import Adjust, draw, temperature, top_k, top_p
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID

A, B = 4, 5
VOCABULARY = 6
ALMOST_ONE = np.nextafter(np.float32(1.0), np.float32(0.0))


def log(*probs: float) -> np.ndarray:
    """Log-probabilities (1, vocabulary); 0 becomes what search takes for impossible."""
    return np.log(np.maximum(np.array([probs]), np.exp(-200.0))).astype(np.float32)


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
TWO = {A: 3 / 7, B: 4 / 7}


@pytest.mark.parametrize(
    ("adjust", "expected"),
    [
        (unchanged, PLAIN),
        (lambda log_probs: temperature(log_probs, 0.5), SQUARED),
        (lambda log_probs: top_k(log_probs, 2), TWO),
        (lambda log_probs: top_p(log_probs, 0.6), TWO),
    ],
    ids=["plain", "temperature", "top_k", "top_p"],
)
def test_frequencies_of_many_draws(adjust: Adjust, expected: dict[int, float]) -> None:
    """10,000 tokens of running text; 16.27 is passed once in a thousand times with three degrees of freedom."""
    row = np.full((VOCABULARY,), -60.0, np.float32)
    row[list(PLAIN)] = np.log(list(PLAIN.values()))

    def step(token_ids: Any, state: Any) -> tuple[Any, Any, Any]:
        return ops.broadcast_to(row, (ops.shape(token_ids)[0], VOCABULARY)), None, state

    uniforms = np.random.default_rng(8).random((500, 20), np.float32)
    tokens = ops.convert_to_numpy(sample(step, (), None, 20, uniforms, adjust).token_ids)
    assert chi_square(tokens, expected) < 16.27
    others = [other for other in (PLAIN, SQUARED, TWO) if other != expected]
    assert all(chi_square(tokens, other) > 100.0 for other in others)


# The loop


def code(tokens: list[int]) -> int:
    """The number under which a history stands in a table."""
    number = 0
    for token in tokens:
        number = number * VOCABULARY + token
    return number


class Script:
    """A step function over a random table (histories, vocabulary); its state is the whole history as a number."""

    def __init__(self, seed: int, histories: int = VOCABULARY**4) -> None:
        logits = np.random.default_rng(seed).normal(size=(histories, VOCABULARY)) * 2.0
        self.table = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)

    def __call__(self, token_ids: Any, history: Any) -> tuple[Any, Any, Any]:
        history = (history * VOCABULARY + token_ids) % len(self.table)
        return ops.take(self.table, history, axis=0), None, history

    def log_prob(self, tokens: list[int]) -> float:
        """Of tokens after the start."""
        history = [START_ID, *tokens]
        return sum(float(self.table[code(history[:i]) % len(self.table), history[i]]) for i in range(1, len(history)))


def run(script: Script, limits: list[int] | None, uniforms: np.ndarray, adjust: Adjust = unchanged) -> Hypotheses:
    """Token ids and log-probabilities as arrays."""
    start = ops.zeros((len(uniforms),), "int32")
    rows = None if limits is None else np.array(limits, np.int32)
    found = sample(script, start, rows, uniforms.shape[1], uniforms, adjust)
    return Hypotheses(ops.convert_to_numpy(found.token_ids), ops.convert_to_numpy(found.log_probs))


def uniform_rows(rows: int, length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, length), np.float32)


@pytest.mark.parametrize("adjust", [unchanged, lambda log_probs: temperature(log_probs, 3.0)])
def test_log_probability_is_the_models_own(adjust: Adjust) -> None:
    """That of the tokens to the end, whatever they were drawn from; what follows is padding and counts not."""
    script = Script(3)
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

    def step(token_ids: Any, state: Any) -> tuple[Any, Any, Any]:
        return ops.broadcast_to(log(0.48, 0.01, 0.48, 0.01, 0.01, 0.01), (20, VOCABULARY)), None, state

    tokens = ops.convert_to_numpy(sample(step, (), None, 50, uniform_rows(20, 50), unchanged).token_ids)
    assert set(np.unique(tokens)) == {UNKNOWN_ID, END_ID, A, B}


def test_a_row_ends_at_its_limit() -> None:
    never_ends = Script(1)
    never_ends.table[:] = log(1e-9, 1e-9, 1e-9, 1e-9, 0.5, 0.5)
    found = run(never_ends, [1, 2, 5], uniform_rows(3, 5))
    assert (found.token_ids == END_ID).argmax(axis=1).tolist() == [0, 1, 4]
    assert found.log_probs == pytest.approx([math.log(1e-9) + i * math.log(0.5) for i in (0, 1, 4)], rel=1e-5)


def test_running_text_goes_on_over_the_ends() -> None:
    script = Script(3)
    found = run(script, None, uniform_rows(5, 40))
    assert PAD_ID not in found.token_ids
    assert ((found.token_ids == END_ID).sum(axis=1) > 2).all()
    for row, log_prob in zip(found.token_ids.tolist(), found.log_probs, strict=True):
        assert log_prob == pytest.approx(script.log_prob(row), abs=1e-3)


def test_near_zero_temperature_is_greedy_search() -> None:
    script, limits = Script(5), np.array([8] * 3, np.int32)
    greedy = greedy_search(script, ops.zeros((3,), "int32"), limits, 8)
    for adjust in (lambda log_probs: temperature(log_probs, 1e-4), lambda log_probs: top_k(log_probs, 1)):
        found = run(script, [8] * 3, uniform_rows(3, 8), adjust)
        assert np.array_equal(found.token_ids, ops.convert_to_numpy(greedy.token_ids))
        assert found.log_probs == pytest.approx(ops.convert_to_numpy(greedy.log_probs), abs=1e-5)


def test_a_row_depends_on_its_own_numbers_alone() -> None:
    script, uniforms = Script(3), uniform_rows(4, 6)
    together = run(script, [6] * 4, uniforms)
    assert len({tuple(row) for row in together.token_ids.tolist()}) > 1
    for i in range(4):
        alone = run(script, [6], uniforms[i : i + 1])
        assert np.array_equal(alone.token_ids[0], together.token_ids[i])
        assert alone.log_probs[0] == together.log_probs[i]
