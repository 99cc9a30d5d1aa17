"""What every attention is: a softmax over scores, and the weighted mean of the values."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

MASKED_SCORE = -1e9  # finite, so that a softmax over masked positions alone is still a number


class Attention(keras.layers.Layer):
    """Weighs the values by a softmax over scores; subclasses define the score.

    Masked positions get weight 0. The softmax is computed in float32 whatever the layer's precision. A new attention
    defines `project` and `score`, and is done.
    """

    def project(self, values: Any) -> Any:
        """Keys of the memory; (batch, source_length, units) -> (batch, source_length, key_units)."""
        raise NotImplementedError(f"{type(self).__name__} must define project()")

    def score(self, queries: Any, keys: Any) -> Any:
        """Scores of shape (batch, queries, source_length)."""
        raise NotImplementedError(f"{type(self).__name__} must define score()")

    def call(self, queries: Any, keys: Any, values: Any, mask: Any) -> tuple[Any, Any]:
        """Answers every query.

        Args:
            queries: (batch, queries, query_units).
            keys: what `project` made of the values.
            values: (batch, source_length, units).
            mask: True where there is a token; (batch, source_length).

        Returns:
            The contexts (batch, queries, units) and the weights (batch, queries, source_length), which sum to 1.
        """
        weights = self.weigh(self.score(queries, keys), mask[:, None, :])
        return product_of_each(ops.cast(weights, values.dtype), values), weights

    def weigh(self, scores: Any, mask: Any) -> Any:
        """Softmax over the last axis of the scores, in float32; masked positions get 0."""
        scores = ops.where(mask, ops.cast(scores, "float32"), MASKED_SCORE)
        return ops.softmax(scores, axis=-1)


def product_of_each(left: Any, right: Any, transposed: bool = False) -> Any:
    """The matrix product of each sentence: (batch, rows, inner) by (batch, inner, columns).

    In a graph that was made for one sentence, as that of a program that translates line by line, it is the plain
    product, which TensorFlow begins sooner than one of a batch; a greedy search asks in every step.

    Args:
        left: the rows.
        right: the columns.
        transposed: whether they are (batch, columns, inner) instead; the plain product needs no transposed copy.
    """
    if left.shape[0] != 1 or right.shape[0] != 1:
        return ops.matmul(left, ops.transpose(right, (0, 2, 1)) if transposed else right)
    right = ops.squeeze(right, 0)
    return ops.matmul(ops.squeeze(left, 0), ops.transpose(right) if transposed else right)[None]
