"""The loss against computations by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from nmt import losses
from nmt.losses import SmoothedCrossEntropy

# Two positions, three classes: probabilities (1/2, 1/4, 1/4) and (1/8, 1/8, 3/4).
PROBABILITIES = np.array([[[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]])
LOGITS = np.log(PROBABILITIES).astype(np.float32) + 3.0  # a constant more changes nothing
LABELS = np.array([[0, 1]], np.int32)


def test_without_smoothing() -> None:
    """-ln 1/2 = ln 2 and -ln 1/8 = 3 ln 2; their sum is 4 ln 2."""
    assert float(SmoothedCrossEntropy()(LABELS, LOGITS)) == pytest.approx(4 * math.log(2), abs=1e-6)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1.0, 3.0], 10.0),  # 1 · ln 2 + 3 · 3 ln 2
        ([0.25, 0.75], 2.5),
        ([0.5, 0.5], 2.0),  # 1 / tokens: the mean
        ([1.0, 0.0], 1.0),
    ],
)
def test_the_loss_is_the_sum_of_weight_times_loss(weights: list[float], expected: float) -> None:
    loss = SmoothedCrossEntropy()(LABELS, LOGITS, sample_weight=np.array([weights]))
    assert float(loss) == pytest.approx(expected * math.log(2), abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weights_of_one_over_tokens_make_a_mean_over_several_batches(smoothing: float) -> None:
    loss, weights = SmoothedCrossEntropy(smoothing), np.full((1, 2), 0.5)
    parts = sum(float(loss(LABELS[:, i : i + 1], LOGITS[:, i : i + 1], weights[:, i : i + 1])) for i in range(2))
    assert parts == pytest.approx(float(loss(LABELS, LOGITS, weights)), abs=1e-6)


def test_with_smoothing() -> None:
    """Target distribution 0.9 at the label plus 0.1 / 3 everywhere."""
    expected = []
    for probabilities, label in zip(PROBABILITIES[0], LABELS[0], strict=True):
        target = np.full(3, 0.1 / 3)
        target[label] += 0.9
        expected.append(-float(np.sum(target * np.log(probabilities))))
    loss = SmoothedCrossEntropy(0.1)
    assert float(loss(LABELS, LOGITS)) == pytest.approx(sum(expected), abs=1e-6)
    weighted = float(loss(LABELS, LOGITS, sample_weight=np.array([[2.0, 1.0]])))
    assert weighted == pytest.approx(2 * expected[0] + expected[1], abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_perplexity_of_uniform_logits_is_the_vocabulary(smoothing: float) -> None:
    loss = SmoothedCrossEntropy(smoothing)(np.array([[3, 5]]), np.zeros((1, 2, 40), np.float32), np.full((1, 2), 0.5))
    assert math.exp(float(loss)) == pytest.approx(40.0, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradient_is_probability_minus_target_and_sums_to_0(smoothing: float) -> None:
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = SmoothedCrossEntropy(smoothing)(LABELS, logits)
    gradient = tape.gradient(loss, logits).numpy()
    target = np.eye(3)[LABELS] * (1 - smoothing) + smoothing / 3
    np.testing.assert_allclose(gradient, PROBABILITIES - target, atol=1e-6)
    np.testing.assert_allclose(gradient.sum(axis=-1), 0.0, atol=1e-6)


def test_bfloat16_logits_are_summed_in_float32() -> None:
    logits = tf.cast(tf.zeros((1, 1000, 40)), "bfloat16")
    loss = SmoothedCrossEntropy(0.1)(np.zeros((1, 1000), np.int32), logits)
    assert loss.dtype == "float32"
    assert float(loss) == pytest.approx(1_000 * math.log(40), rel=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradient_of_a_loss_that_is_not_finite_is_nan_throughout(smoothing: float, bad: float) -> None:
    """Also at the position that is right by itself."""
    values = LOGITS.copy()
    values[0, 0, 1] = bad
    logits = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = SmoothedCrossEntropy(smoothing)(LABELS, logits)
    assert not math.isfinite(float(loss))
    assert np.isnan(tape.gradient(loss, logits).numpy()).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("shift", [0.0, 200.0], ids=["likely", "all_but_impossible"])
def test_the_gradient_that_is_written_out_is_that_of_the_loss(smoothing: float, shift: float) -> None:
    """Also where the label's probability is too small for float32, and its logarithm is not."""
    random = np.random.default_rng(2)
    values, labels = random.normal(size=(4, 9)).astype(np.float32), np.array([0, 8, 3, 3], np.int32)
    values[1, 8] -= shift
    weights = np.array([0.5, 0.25, 2.0, 0.0], np.float32)
    loss, logits = SmoothedCrossEntropy(smoothing), tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        expected = loss(labels, logits, weights)
    found, gradient = loss.value_and_gradient(labels, logits, weights)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(gradient, tape.gradient(expected, logits), atol=1e-6)


def test_configuration_round_trip() -> None:
    assert SmoothedCrossEntropy.from_config(SmoothedCrossEntropy(0.3).get_config()).smoothing == 0.3


def test_without_xla_the_gradient_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a graphics processor."""
    loss, random = SmoothedCrossEntropy(0.1), np.random.default_rng(1)
    arguments = random.integers(0, 7, 5), random.normal(size=(5, 7)).astype(np.float32), np.ones(5, np.float32)
    fused = loss.value_and_gradient(*(tf.constant(part) for part in arguments))
    monkeypatch.setattr(losses, "_in_one_pass", lambda function: function)
    plain = loss.value_and_gradient(*(tf.constant(part) for part in arguments))
    assert float(fused[0]) == pytest.approx(float(plain[0]))
    np.testing.assert_allclose(fused[1], plain[1], atol=1e-7)


def test_only_on_a_processor_xla_makes_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = losses._in_one_pass.__wrapped__
    assert choose(losses._by_logits) is not losses._by_logits
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    assert choose(losses._by_logits) is losses._by_logits
