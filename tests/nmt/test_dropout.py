"""Dropout's share, its scale, its gradient, and what decides on the random numbers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt.dropout import Dropout

COUNT = 200_001  # odd: two numbers are drawn at once


def drop(rate: float, dtype: str = "float32", seed: int = 1, **options: Any) -> np.ndarray:
    outputs = Dropout(rate, seed=seed, dtype=dtype)(tf.ones((3, COUNT // 3), dtype), **options)
    return np.asarray(tf.cast(outputs, tf.float32))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("rate", [0.001, 0.2, 0.5, 0.9])
def test_a_share_is_dropped_and_the_rest_is_scaled_up(rate: float, dtype: str) -> None:
    outputs = drop(rate, dtype, training=True)
    kept = outputs[outputs != 0.0]
    np.testing.assert_allclose(kept, 1.0 / (1.0 - rate), rtol=5e-3 if dtype == "bfloat16" else 1e-3)
    assert 1.0 - kept.size / COUNT == pytest.approx(rate, abs=5.0 * np.sqrt(rate * (1.0 - rate) / COUNT))


def test_neighbours_are_dropped_independently() -> None:
    """Also those that are drawn at once: of two neighbours both are dropped as often as chance says."""
    dropped = (drop(0.3, training=True) == 0.0)[:, : COUNT // 6 * 2].reshape(-1, 2)
    assert dropped.all(axis=1).mean() == pytest.approx(0.09, abs=0.005)


def test_nothing_is_dropped_without_training_or_without_a_rate() -> None:
    assert (drop(0.5) == 1.0).all() and (drop(0.5, training=False) == 1.0).all()
    assert (drop(0.0, training=True) == 1.0).all()


def test_the_seed_decides_and_each_call_draws_anew() -> None:
    assert (drop(0.5, training=True) == drop(0.5, training=True)).all()
    assert (drop(0.5, training=True) != drop(0.5, seed=2, training=True)).any()
    layer, ones = Dropout(0.5, seed=1), tf.ones((100,))
    assert (np.asarray(layer(ones, training=True)) != np.asarray(layer(ones, training=True))).any()


def test_the_gradient_is_dropped_alike() -> None:
    layer, inputs = Dropout(0.4, seed=1), tf.fill((5, 7), 3.0)

    @tf.function(input_signature=[tf.TensorSpec((None, None))])
    def differentiate(inputs: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
        return outputs, tape.gradient(outputs, inputs)

    outputs, gradient = differentiate(inputs)
    np.testing.assert_allclose(outputs, 3.0 * gradient)
    assert 0 < np.count_nonzero(gradient) < 35


@pytest.mark.parametrize("rate", [1e-6, 1.0])
def test_a_rate_that_no_levels_have_is_left_to_keras(rate: float) -> None:
    assert (drop(rate, training=True) == (0.0 if rate == 1.0 else 1.0 / (1.0 - rate))).mean() > 0.999


def test_a_shared_mask_is_left_to_keras() -> None:
    outputs = np.asarray(Dropout(0.5, seed=1, noise_shape=(1, 1_000))(tf.ones((3, 1_000)), training=True))
    assert (outputs == outputs[:1]).all() and 300 < np.count_nonzero(outputs[0]) < 700


def test_other_backends_have_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, ones = Dropout(0.5, seed=1), tf.ones((100,))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    expected = keras.layers.Dropout(0.5, seed=1)(ones, training=True)
    np.testing.assert_array_equal(layer(ones, training=True), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_hidden(value: float) -> None:
    """Also where it is dropped: so the guard of the step sees it."""
    outputs = np.asarray(Dropout(0.5, seed=1)(tf.fill((1_000,), value), training=True))
    assert not np.isfinite(outputs).any()


def test_an_empty_batch_is_an_empty_batch() -> None:
    assert Dropout(0.5)(tf.zeros((0, 4)), training=True).shape == (0, 4)
