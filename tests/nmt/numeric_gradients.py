"""A Keras layer against a formula in NumPy: its outputs, and its gradients against central differences, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

STEP = 1e-5
TOLERANCE = 1e-4

Arrays = list[np.ndarray]


def assert_computes(
    formula: Callable[..., Arrays], run: Callable[..., Sequence[Any]], weights: Sequence[Any], inputs: Sequence[Any]
) -> None:
    """Holds a layer to its formula, with random weights: outputs, and gradients of a scalar made of them.

    Args:
        formula: (values of the weights, *inputs) to outputs, in NumPy.
        run: (*inputs) to the same outputs, as tensors.
        weights: all of the layer's variables, in the formula's order; float64.
        inputs: float64 arrays, of which gradients are taken, too.
    """
    generator = np.random.default_rng(5)
    values = [generator.normal(scale=0.7, size=tuple(weight.shape)) for weight in weights]
    for weight, value in zip(weights, values, strict=True):
        weight.assign(value)
    expected = formula(values, *inputs)
    shares = [generator.normal(size=output.shape) for output in expected]

    def scalar() -> float:
        return sum(float(np.sum(share * y)) for share, y in zip(shares, formula(values, *inputs), strict=True))

    with tf.GradientTape() as tape:
        tensors = [tf.constant(array) for array in inputs]
        tape.watch(tensors)
        outputs = [tf.cast(output, tf.float64) for output in run(*tensors)]
        loss = tf.add_n([tf.reduce_sum(share * output) for share, output in zip(shares, outputs, strict=True)])
    gradients = tape.gradient(loss, [*(weight.value for weight in weights), *tensors])
    for output, wanted in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output.numpy(), wanted, rtol=0, atol=TOLERANCE)
    for gradient, wanted in zip(gradients, central_differences(scalar, [*values, *inputs]), strict=True):
        np.testing.assert_allclose(gradient.numpy(), wanted, rtol=0, atol=TOLERANCE)


def central_differences(scalar: Callable[[], float], arrays: Sequence[np.ndarray]) -> Arrays:
    """Gradients of a scalar with respect to arrays that it reads: (f(x + step) - f(x - step)) / (2 step)."""
    gradients = [np.zeros_like(array) for array in arrays]
    for array, gradient in zip(arrays, gradients, strict=True):
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + STEP
            above = scalar()
            array[place] = kept - STEP
            gradient[place] = (above - scalar()) / (2 * STEP)
            array[place] = kept
    return gradients
