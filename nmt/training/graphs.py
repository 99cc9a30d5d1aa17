"""What a training computes of a batch; on TensorFlow in one graph for batches of every shape.

Keras' own `train_on_batch` makes a graph for the first batch's shape alone and a general one at the second shape, whose
results differ in the last bit: a resumed training would meet its first graph at another step than the uninterrupted
one. Two graphs also take twice the time to make, and 66 MB more in a training of the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import tree

OfBatch = Callable[[dict[str, Any], Any, Any], Any]


def make_update(model: Any, one_shape: bool) -> OfBatch:
    """What hands the gradient of a batch's loss to the optimizer.

    Args:
        model: compiled.
        one_shape: whether all batches have the same shape.

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

    return _in_one_graph(update, model, one_shape)


def make_loss(model: Any, one_shape: bool) -> OfBatch:
    """What computes a batch's loss alone; arguments and result as of `make_update`."""
    if keras.backend.backend() != "tensorflow":
        return model.test_on_batch  # type: ignore[no-any-return]

    def loss(inputs: dict[str, Any], labels: Any, weights: Any) -> Any:
        outputs = model(inputs, training=False)
        return model.compute_loss(inputs, labels, outputs, weights, training=False)

    return _in_one_graph(loss, model, one_shape)


def _in_one_graph(function: OfBatch, model: Any, one_shape: bool) -> OfBatch:
    """A function of arrays as a graph, which is made from what it is first called with."""
    import tensorflow as tf

    if model.run_eagerly:
        return function

    def specification(array: Any) -> Any:
        return tf.TensorSpec(array.shape if one_shape else [None] * array.ndim, array.dtype)

    graph: OfBatch | None = None

    def call(*arguments: Any) -> Any:
        nonlocal graph
        if graph is None:
            signature = tree.map_structure(specification, arguments)
            graph = tf.function(function, signature, autograph=False, jit_compile=model.jit_compile)
        return graph(*arguments)

    return call
