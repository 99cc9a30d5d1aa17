"""A dense layer with a bias whose gradient can be relied on in half precision."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Dense(keras.layers.Dense):
    """Keras' Dense, whose gradient by the bias is summed in float32 in training.

    TensorFlow sums it on a processor in the precision of what the bias was added to. In bfloat16, of gradients of one
    sign, that is wrong by a tenth for a thousand rows, and by two fifths for five thousand. Projections to a vocabulary
    are made outside of a training call (see `nmt.blockwise_loss`), where this would do as Keras' layer does.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """(..., input_units) to (..., units)."""
        outputs = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            is_half = keras.backend.standardize_dtype(outputs.dtype) in ("bfloat16", "float16")
            add = _with_gradient if training and is_half and keras.backend.backend() == "tensorflow" else ops.add
            outputs = add(outputs, ops.cast(self.bias, outputs.dtype))
        return self.activation(outputs)


def _with_gradient(outputs: Any, bias: Any) -> Any:
    """The sum of outputs (..., units) and a bias (units,)."""
    import tensorflow as tf

    def add(outputs: Any, bias: Any) -> tuple[Any, Any]:
        def gradient(by_sum: Any) -> tuple[Any, Any]:
            rows = tf.reshape(by_sum, (-1, bias.shape[0]))
            return by_sum, tf.cast(tf.reduce_sum(tf.cast(rows, tf.float32), axis=0), bias.dtype)

        return outputs + bias, gradient

    return tf.custom_gradient(add)(outputs, bias)
