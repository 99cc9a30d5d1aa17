"""Attention against numbers worked out by hand."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import ops

from nmt.attention import AdditiveAttention, Attention, DotAttention, GeneralAttention, make_attention

LOG3 = math.log(3.0)
NAMES = ("dot", "general", "additive")


def row(*vectors: list[float]) -> np.ndarray:
    """One sentence's vectors, (1, length, units)."""
    return np.array([vectors], np.float32)


def ask(
    attention: Attention, queries: np.ndarray, values: np.ndarray, mask: list[bool]
) -> tuple[np.ndarray, np.ndarray]:
    keys = attention.project(ops.convert_to_tensor(values))
    context, weights = attention(queries, keys, values, np.array([mask]))
    return ops.convert_to_numpy(context), ops.convert_to_numpy(weights)


def test_dot_by_hand() -> None:
    """Scores 0 and ln 3, so the weights are 1/4 and 3/4."""
    context, weights = ask(DotAttention(), row([1.0, 0.0]), row([0.0, 4.0], [LOG3, 8.0]), [True, True])
    assert weights[0, 0] == pytest.approx([0.25, 0.75])
    assert context[0, 0] == pytest.approx([0.75 * LOG3, 7.0])


def test_general_by_hand() -> None:
    """W maps (a, b) to 2a, so the scores are 3 · 2 · (0, ln 3 / 6) = (0, ln 3)."""
    attention = GeneralAttention(1)
    attention.project(row([0.0, 0.0]))
    attention.key_projection.set_weights([np.array([[2.0], [0.0]])])
    context, weights = ask(attention, row([3.0]), row([0.0, 4.0], [LOG3 / 6, 8.0]), [True, True])
    assert weights[0, 0] == pytest.approx([0.25, 0.75])
    assert context[0, 0] == pytest.approx([LOG3 / 8, 7.0])


def test_additive_by_hand() -> None:
    """v · tanh(W q + U k + b) with W = 2, U = 1, b = -1, v = 3: tanh(2 - 1 + k) of k = -1 and k = 0."""
    attention = AdditiveAttention(1)
    ask(attention, row([1.0]), row([0.0]), [True])
    attention.query_projection.set_weights([np.array([[2.0]])])
    attention.key_projection.set_weights([np.array([[1.0]]), np.array([-1.0])])
    attention.score_projection.set_weights([np.array([[3.0]])])
    scores = [3.0 * math.tanh(0.0), 3.0 * math.tanh(1.0)]
    share = math.exp(scores[1]) / (math.exp(scores[0]) + math.exp(scores[1]))
    context, weights = ask(attention, row([1.0]), row([-1.0], [0.0]), [True, True])
    assert weights[0, 0] == pytest.approx([1 - share, share], abs=1e-6)
    assert context[0, 0] == pytest.approx([share - 1], abs=1e-6)


def random_case(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(1, 2, 4)).astype(np.float32), generator.normal(size=(1, 5, 4)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_masked_positions_have_weight_0_and_the_others_sum_to_1(name: str) -> None:
    queries, values = random_case()
    _, weights = ask(make_attention(name, 4), queries, values, [True, False, True, True, False])
    assert weights.shape == (1, 2, 5)
    assert (weights[:, :, [1, 4]] == 0.0).all()
    assert weights.sum(axis=-1) == pytest.approx(np.ones((1, 2)), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_masked_values_do_not_count(name: str) -> None:
    """Whatever stands at masked positions, the answer is that of the shorter memory."""
    queries, values = random_case()
    attention = make_attention(name, 4)
    values[:, 3:] = 1e4
    padded, _ = ask(attention, queries, values, [True, True, True, False, False])
    short, _ = ask(attention, queries, values[:, :3], [True, True, True])
    np.testing.assert_allclose(padded, short, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_that_is_all_masked_stays_finite(name: str) -> None:
    queries, values = random_case()
    context, weights = ask(make_attention(name, 4), queries, values, [False] * 5)
    assert np.isfinite(context).all() and np.isfinite(weights).all()


def test_scores_are_weighed_in_float32() -> None:
    """Scores 8 and 0, exact in bfloat16: the weight 1 / (1 + e^8) has more digits than bfloat16 holds."""
    attention = DotAttention(dtype="bfloat16")
    values = row([8.0], [0.0])
    _, weights = ask(attention, row([1.0]), values, [True, True])
    assert weights.dtype == np.float32
    assert weights[0, 0, 1] == pytest.approx(1 / (1 + math.exp(8.0)), rel=1e-4)


def test_every_query_is_answered_apart() -> None:
    queries, values = random_case()
    attention = make_attention("additive", 4)
    together, _ = ask(attention, queries, values, [True] * 5)
    apart = [ask(attention, queries[:, i : i + 1], values, [True] * 5)[0] for i in range(2)]
    np.testing.assert_allclose(together, np.concatenate(apart, axis=1), atol=1e-6)


@pytest.mark.parametrize("name", ["general", "additive"])
def test_configuration_round_trip(name: str) -> None:
    attention = make_attention(name, 4)
    again = type(attention).from_config(attention.get_config())
    assert again.get_config() == attention.get_config()
    assert attention.get_config()["units"] == 4


def test_base_class_says_what_to_define() -> None:
    with pytest.raises(NotImplementedError, match="Attention must define score"):
        Attention().score(None, None)
    assert issubclass(Attention, keras.layers.Layer)
