"""The training loss. Knows logits and labels, nothing of models."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

TINY = float(np.finfo(np.float32).tiny)  # a probability below has lost digits, or is 0


class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy against labels that give some probability to every class (Szegedy et al. 2016, section 7).

    The target distribution is (1 - smoothing) at the label plus smoothing / classes everywhere. The loss is the sum
    over positions times `sample_weight`: weights of 1 / tokens make it a mean over tokens, also over several batches,
    and padding with weight 0 does not count. Computed in float32. The gradient of a loss that is not finite is NaN
    throughout, so that the optimizer sees that it must not follow it.

    Args:
        smoothing: probability that is spread; 0 is the plain cross-entropy, whose exponential is the perplexity.
    """

    def __init__(self, smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(name="smoothed_cross_entropy", reduction="sum", dtype="float32", **kwargs)
        self.smoothing = smoothing

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The weighted sum of the losses of all positions."""
        return with_gradient_if_finite(super().__call__(y_true, y_pred, sample_weight))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each position; labels (batch, length) and logits (batch, length, classes) to (batch, length)."""
        if not self.smoothing:
            return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        # Dense targets: the gradient through a lookup of each label's logit takes longer than all the rest.
        classes = y_pred.shape[-1]
        spread = self.smoothing / classes
        is_label = ops.equal(ops.cast(y_true, "int32")[..., None], ops.arange(classes, dtype="int32"))
        targets = ops.where(is_label, 1.0 - self.smoothing + spread, spread)  # (batch, length, classes)
        return ops.categorical_crossentropy(targets, y_pred, from_logits=True)

    def value_and_gradient(self, labels: Any, logits: Any, weights: Any) -> tuple[Any, Any]:
        """The weighted sum of the losses of some rows, and its gradient by the logits, written out.

        With p the softmax of the logits z, y a row's label, ε the smoothing and V the number of classes, a row's loss
        is -log p_y + ε (z_y - mean z), and its gradient p - (1 - ε) [v = y] - ε / V. That is one pass for the softmax,
        where automatic differentiation has a row of targets for every row of logits.

        Args:
            labels: (rows,).
            logits: (rows, classes).
            weights: (rows,), float32; a row of weight 0 must be finite, too.

        Returns:
            The sum in float32, and the gradient (rows, classes) in the precision of the logits.
        """
        classes, precision, labels = logits.shape[-1], logits.dtype, ops.cast(labels, "int32")
        places = ops.arange(ops.shape(logits)[0], dtype="int32") * classes + labels

        def of_labels(values: Any) -> Any:
            return ops.cast(ops.take(ops.reshape(values, (-1,)), places), "float32")

        label_logits = of_labels(logits)  # before the cast, which TensorFlow would make twice
        logits = ops.cast(logits, "float32")
        probabilities = ops.softmax(logits)
        right = of_labels(probabilities)  # (rows,)
        losses = -ops.cond(
            ops.all(right > TINY), lambda: ops.log(right), lambda: of_labels(ops.log_softmax(logits))
        )  # the logarithm of the softmax takes three times as long as the softmax
        if self.smoothing:
            losses = losses + self.smoothing * (label_logits - ops.mean(logits, axis=-1))
        gradient = _in_one_pass(_by_logits)(probabilities, labels, weights, classes, self.smoothing, precision)
        return ops.sum(losses * weights), gradient

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"smoothing": self.smoothing}


def _by_logits(probabilities: Any, labels: Any, weights: Any, classes: int, smoothing: float, precision: Any) -> Any:
    """The gradient that `SmoothedCrossEntropy.value_and_gradient` describes; (rows, classes)."""
    is_label = ops.equal(labels[:, None], ops.arange(classes, dtype="int32"))
    gradient = probabilities - ops.where(is_label, 1.0 - smoothing, 0.0) - smoothing / classes
    return ops.cast(gradient * weights[:, None], precision)


@cache
def _in_one_pass(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose operations on each number are fused, by XLA on TensorFlow's processor, where each is a pass."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):  # whose XLA may lack what it needs
        return function
    fused: Callable[..., Any] = tf.function(function, jit_compile=True, reduce_retracing=True)
    return fused


def with_gradient_if_finite(total: Any) -> Any:
    """The loss itself; where it is not finite, its gradient is NaN throughout."""
    return total * ops.stop_gradient(ops.where(ops.isfinite(total), 1.0, math.nan))
