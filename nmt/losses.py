"""The training loss. Knows logits and labels, nothing of models."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


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

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"smoothing": self.smoothing}


def with_gradient_if_finite(total: Any) -> Any:
    """The loss itself; where it is not finite, its gradient is NaN throughout."""
    return total * ops.stop_gradient(ops.where(ops.isfinite(total), 1.0, math.nan))
