"""Every attention against its equations, in NumPy, and against numbers worked out by hand."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest
from keras import ops
from numeric_gradients import Arrays, assert_computes

from nmt.attention import Attention, make_attention
from nmt.attention.additive import AdditiveAttention
from nmt.attention.dot import DotAttention
from nmt.attention.general import GeneralAttention
from nmt.attention.multi_head import MultiHeadAttention
from nmt.config.model import AttentionName
from nmt.precision import layers_of

LOG3 = math.log(3.0)
NAMES = [name for name in get_args(AttentionName) if name != "none"]
UNITS, HEADS = 4, 2
MASK = np.array([[True, True, True, True, True], [True, True, True, False, False]])


def weigh(scores: np.ndarray, values: np.ndarray) -> Arrays:
    """Context and weights: the mean of the values by a softmax over the tokens' scores."""
    shares = np.exp(scores) * MASK[:, None, :]
    weights = shares / shares.sum(axis=-1, keepdims=True)
    return [weights @ values, weights]


def additive(weights: Arrays, queries: np.ndarray, values: np.ndarray) -> Arrays:
    """Bahdanau et al. 2015, appendix A.1.2: v · tanh(W q + U k), with a bias."""
    w, u, b, v = weights
    hidden = np.tanh((queries @ w)[:, :, None, :] + (values @ u + b)[:, None, :, :])
    return weigh((hidden @ v)[..., 0], values)


def dot(weights: Arrays, queries: np.ndarray, values: np.ndarray) -> Arrays:
    """Luong et al. 2015, eq. 8, first line: q · k."""
    assert weights == []
    return weigh(np.einsum("bqu,bsu->bqs", queries, values), values)


def general(weights: Arrays, queries: np.ndarray, values: np.ndarray) -> Arrays:
    """Luong et al. 2015, eq. 8, second line: q · W k."""
    return weigh(np.einsum("bqu,vu,bsv->bqs", queries, *weights, values), values)


def scaled(weights: Arrays, queries: np.ndarray, values: np.ndarray) -> Arrays:
    """g · (q · W k)."""
    g, w = weights
    return weigh(g * np.einsum("bqu,vu,bsv->bqs", queries, w, values), values)


def multi_head(weights: Arrays, queries: np.ndarray, values: np.ndarray) -> Arrays:
    """Vaswani et al. 2017, section 3.2.2: the heads' results side by side, times the output's matrix."""
    of_query, of_key, of_value = (np.split(w, HEADS, axis=1) for w in weights[:3])
    contexts, shares = [], []
    for w_q, w_k, w_v in zip(of_query, of_key, of_value, strict=True):
        scores = (queries @ w_q) @ (values @ w_k).transpose(0, 2, 1) / math.sqrt(UNITS / HEADS)
        context, share = weigh(scores, values @ w_v)
        contexts.append(context)
        shares.append(share)
    return [np.concatenate(contexts, axis=-1) @ weights[3], sum(shares) / HEADS]


FORMULAS: dict[str, Callable[..., Arrays]] = {
    "additive": additive,
    "dot": dot,
    "general": general,
    "scaled": scaled,
    "multi_head": multi_head,
}


@pytest.mark.parametrize("name", NAMES)
def test_equations_and_gradients(name: str) -> None:
    """Two sentences, the second one padded; three queries each."""
    generator = np.random.default_rng(1)
    queries = generator.normal(size=(2, 3, UNITS))
    values = generator.normal(size=(2, 5, UNITS if name == "dot" else 6))
    with layers_of("float64"):
        attention = make_attention(name, UNITS, HEADS)

    def run(queries: Any, values: Any) -> Any:
        return attention(queries, attention.project(values), values, ops.convert_to_tensor(MASK))

    run(queries, values)
    assert_computes(FORMULAS[name], run, attention.trainable_weights, [queries, values])


def test_every_attention_of_the_configuration_is_a_file_and_every_file_an_attention() -> None:
    files = {path.stem for path in (Path(__file__).parents[2] / "nmt" / "attention").glob("*.py")}
    assert files - {"__init__", "base"} == set(NAMES) == set(FORMULAS)


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


def test_two_heads_ask_for_different_things() -> None:
    """All projections are the identity: the first head finds the first word and the second head the second."""
    attention = MultiHeadAttention(2, heads=2)
    values = row([1.0, 0.0], [0.0, 1.0])
    ask(attention, row([0.0, 0.0]), values, [True, True])
    attention.set_weights([np.eye(2)] * 4)
    context, weights = ask(attention, row([40.0, 40.0]), values, [True, True])
    assert context[0, 0] == pytest.approx([1.0, 1.0])
    assert weights[0, 0] == pytest.approx([0.5, 0.5])


def test_the_learned_scale_starts_where_scores_keep_their_variance() -> None:
    attention = make_attention("scaled", 16, 1)
    ask(attention, *random_case(16), [True] * 5)
    assert float(attention.scale) == 0.25


def random_case(units: int = UNITS) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    return generator.normal(size=(1, 2, units)).astype(np.float32), generator.normal(size=(1, 5, units)).astype(
        np.float32
    )


@functools.cache
def made(name: str) -> Attention:
    return make_attention(name, UNITS, HEADS)


@pytest.mark.parametrize("name", NAMES)
def test_masked_positions_have_weight_0_and_the_others_sum_to_1(name: str) -> None:
    queries, values = random_case()
    _, weights = ask(made(name), queries, values, [True, False, True, True, False])
    assert weights.shape == (1, 2, 5)
    assert (weights[:, :, [1, 4]] == 0.0).all()
    assert weights.sum(axis=-1) == pytest.approx(np.ones((1, 2)), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_masked_values_do_not_count(name: str) -> None:
    """Whatever stands at masked positions, the answer is that of the shorter memory."""
    queries, values = random_case()
    values[:, 3:] = 1e4
    padded, _ = ask(made(name), queries, values, [True, True, True, False, False])
    short, _ = ask(made(name), queries, values[:, :3], [True, True, True])
    np.testing.assert_allclose(padded, short, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_that_is_all_masked_stays_finite(name: str) -> None:
    queries, values = random_case()
    context, weights = ask(made(name), queries, values, [False] * 5)
    assert np.isfinite(context).all() and np.isfinite(weights).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_query_is_answered_apart(name: str) -> None:
    queries, values = random_case()
    together, _ = ask(made(name), queries, values, [True] * 5)
    apart = [ask(made(name), queries[:, i : i + 1], values, [True] * 5)[0] for i in range(2)]
    np.testing.assert_allclose(together, np.concatenate(apart, axis=1), atol=1e-6)


def test_scores_are_weighed_in_float32() -> None:
    """Scores 8 and 0, exact in bfloat16: the weight 1 / (1 + e^8) has more digits than bfloat16 holds."""
    attention = DotAttention(dtype="bfloat16")
    values = row([8.0], [0.0])
    _, weights = ask(attention, row([1.0]), values, [True, True])
    assert weights.dtype == np.float32
    assert weights[0, 0, 1] == pytest.approx(1 / (1 + math.exp(8.0)), rel=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "dot"])
def test_configuration_round_trip(name: str) -> None:
    attention = made(name)
    again = type(attention).from_config(attention.get_config())
    assert again.get_config() == attention.get_config()
    assert attention.get_config()["units"] == UNITS


def test_base_class_says_what_to_define() -> None:
    with pytest.raises(NotImplementedError, match="Attention must define score"):
        Attention().score(None, None)
    with pytest.raises(NotImplementedError, match="Attention must define project"):
        Attention().project(None)
    assert issubclass(Attention, keras.layers.Layer)
