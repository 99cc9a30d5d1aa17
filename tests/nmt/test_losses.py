"""The loss against computations by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from nmt.losses import SmoothedCrossEntropy

# Two positions, three classes: probabilities (1/2, 1/4, 1/4) and (1/8, 1/8, 3/4).
PROBABILITIES = np.array([[[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]])
LOGITS = np.log(PROBABILITIES).astype(np.float32) + 3.0  # a constant more changes nothing
LABELS = np.array([[0, 1]], np.int32)


def test_without_smoothing() -> None:
    """-ln 1/2 = ln 2 and -ln 1/8 = 3 ln 2; their mean is 2 ln 2."""
    assert float(SmoothedCrossEntropy()(LABELS, LOGITS)) == pytest.approx(2 * math.log(2), abs=1e-6)


def test_weights() -> None:
    """(1 · ln 2 + 3 · 3 ln 2) / 4, and a position of weight 0 leaves no trace."""
    loss = SmoothedCrossEntropy()
    assert float(loss(LABELS, LOGITS, sample_weight=np.array([[1.0, 3.0]]))) == pytest.approx(
        2.5 * math.log(2), abs=1e-6
    )
    assert float(loss(LABELS, LOGITS, sample_weight=np.array([[1.0, 0.0]]))) == pytest.approx(math.log(2), abs=1e-6)


def test_with_smoothing() -> None:
    """Target distribution 0.9 at the label plus 0.1 / 3 everywhere."""
    expected = []
    for probabilities, label in zip(PROBABILITIES[0], LABELS[0], strict=True):
        target = np.full(3, 0.1 / 3)
        target[label] += 0.9
        expected.append(-float(np.sum(target * np.log(probabilities))))
    loss = SmoothedCrossEntropy(0.1)
    assert float(loss(LABELS, LOGITS)) == pytest.approx(sum(expected) / 2, abs=1e-6)
    weighted = float(loss(LABELS, LOGITS, sample_weight=np.array([[2.0, 1.0]])))
    assert weighted == pytest.approx((2 * expected[0] + expected[1]) / 3, abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_perplexity_of_uniform_logits_is_the_vocabulary(smoothing: float) -> None:
    loss = SmoothedCrossEntropy(smoothing)(np.array([[3, 5]]), np.zeros((1, 2, 40), np.float32))
    assert math.exp(float(loss)) == pytest.approx(40.0, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradient_is_probability_minus_target_and_sums_to_0(smoothing: float) -> None:
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = SmoothedCrossEntropy(smoothing)(LABELS, logits)
    gradient = tape.gradient(loss, logits).numpy()
    target = np.eye(3)[LABELS] * (1 - smoothing) + smoothing / 3
    np.testing.assert_allclose(gradient, (PROBABILITIES - target) / 2, atol=1e-6)
    np.testing.assert_allclose(gradient.sum(axis=-1), 0.0, atol=1e-6)


def test_bfloat16_logits_are_summed_in_float32() -> None:
    logits = tf.cast(tf.zeros((1, 1000, 40)), "bfloat16")
    loss = SmoothedCrossEntropy(0.1)(np.zeros((1, 1000), np.int32), logits)
    assert loss.dtype == "float32"
    assert float(loss) == pytest.approx(math.log(40), rel=1e-5)


def test_configuration_round_trip() -> None:
    assert SmoothedCrossEntropy.from_config(SmoothedCrossEntropy(0.3).get_config()).smoothing == 0.3
