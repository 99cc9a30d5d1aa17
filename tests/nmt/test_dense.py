"""The gradient of a dense layer in half precision, against double."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt.dense import Dense

ROWS, UNITS = (50, 64), 8


def outputs_and_gradients(kind: Any, dtype: str) -> list[np.ndarray]:
    """Of the same layer and the same inputs: the outputs, and the gradients of a sum by kernel and bias."""
    random = np.random.default_rng(3)
    layer = kind(UNITS, activation="tanh", dtype=dtype)
    layer.build((None, None, 4))
    layer.set_weights([random.normal(size=(4, UNITS)), random.normal(size=UNITS)])
    inputs = tf.cast(random.normal(size=(*ROWS, 4)), layer.compute_dtype)
    with tf.GradientTape() as tape:
        outputs = layer(inputs, training=True) if kind is Dense else layer(inputs)
        total = tf.reduce_sum(tf.cast(outputs, "float64"))
    gradients = tape.gradient(total, [weight.value for weight in layer.trainable_weights])
    return [np.asarray(part, np.float64) for part in (tf.cast(outputs, "float64"), *gradients)]


@pytest.mark.parametrize("dtype, tolerance", [("mixed_bfloat16", 0.04), ("float32", 1e-5), ("float64", 1e-14)])
def test_what_it_gives_is_near_to_the_exact_whatever_the_precision(dtype: str, tolerance: float) -> None:
    exact = outputs_and_gradients(keras.layers.Dense, "float64")
    for found, expected in zip(outputs_and_gradients(Dense, dtype), exact, strict=True):
        assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def test_keras_own_layer_is_why() -> None:
    """When this fails, Keras or TensorFlow sums in float32, and the layer is no longer needed."""
    _, _, by_bias = outputs_and_gradients(keras.layers.Dense, "mixed_bfloat16")
    _, _, exact = outputs_and_gradients(keras.layers.Dense, "float64")
    assert np.abs(by_bias - exact).max() > 0.1 * np.abs(exact).max()
