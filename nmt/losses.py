"""The training loss. Knows logits and labels, nothing of models."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy against labels that give some probability to every class (Szegedy et al. 2016, section 7).

    The target distribution is (1 - smoothing) at the label plus smoothing / classes everywhere. The mean is over
    positions weighted by `sample_weight`, so padding with weight 0 does not count. Computed in float32.

    Args:
        smoothing: probability that is spread; 0 is the plain cross-entropy, whose exponential is the perplexity.
    """

    def __init__(self, smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(name="smoothed_cross_entropy", reduction="mean_with_sample_weight", dtype="float32", **kwargs)
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each position; labels (batch, length) and logits (batch, length, classes) to (batch, length)."""
        cross_entropy = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        if not self.smoothing:
            return cross_entropy
        # -mean(log p) = logsumexp - mean(logits), and logsumexp = cross_entropy + the label's logit.
        labels = ops.cast(y_true, "int32")[..., None]
        label_logit = ops.squeeze(ops.take_along_axis(y_pred, labels, axis=-1), axis=-1)
        return cross_entropy + self.smoothing * (label_logit - ops.mean(y_pred, axis=-1))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"smoothing": self.smoothing}
