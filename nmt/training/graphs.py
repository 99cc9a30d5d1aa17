"""What a training computes of a batch; on TensorFlow in one graph for batches of every shape.

With the two graphs of Keras' own `train_on_batch` (see `nmt.compiled`) a resumed training would meet the general one,
whose results differ in the last bit, at another step than the uninterrupted one. They take 66 MB more in a training of
the benchmark, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from nmt.compiled import compiled

OfBatch = Callable[[dict[str, Any], Any, Any], Any]


def make_update(model: Any, one_shape: bool) -> OfBatch:
    """What hands the gradient of a batch's loss to the optimizer.

    Args:
        model: compiled.
        one_shape: whether all batches have the same shape; one of another would have a graph of its own.

    Returns:
        A function of inputs, labels (rows, length) and their weights (rows, length), to the loss before the update.
    """
    if keras.backend.backend() != "tensorflow":
        return model.train_on_batch  # type: ignore[no-any-return]
    import tensorflow as tf

    def update(inputs: dict[str, Any], labels: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = model.compute_loss(inputs, labels, outputs, weights, training=True)
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return compiled(update, model, partial(_shape, is_known=one_shape))


def make_loss(model: Any, one_shape: bool) -> OfBatch:
    """What computes a batch's loss alone; arguments and result as of `make_update`."""
    if keras.backend.backend() != "tensorflow":
        return model.test_on_batch  # type: ignore[no-any-return]

    def loss(inputs: dict[str, Any], labels: Any, weights: Any) -> Any:
        outputs = model(inputs, training=False)
        return model.compute_loss(inputs, labels, outputs, weights, training=False)

    return compiled(loss, model, partial(_shape, is_known=one_shape))


def _shape(array: Any, is_known: bool) -> tuple[int | None, ...]:
    """What a graph knows of an array's shape."""
    return tuple(array.shape) if is_known else (None,) * array.ndim
