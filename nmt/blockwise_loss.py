"""The loss of vectors that are still to be projected, some rows at a time.

A projection makes of each row as many numbers as there are classes. The loss, its gradient and what stands between them
have as many again, and for a long batch that is more than all the rest of a training holds. Here a block of rows goes
the whole way, from the projection to the gradients of all that went in, before the next one begins; rows that do not
count are left out. Knows neither encoder nor decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from nmt.losses import SmoothedCrossEntropy, with_gradient_if_finite

LOGITS = 8_000_000  # of a block: in float32 32 MB, the most that glibc's malloc keeps ready for the next one
LEAST_ROWS = 256  # however many classes there are: each block adds a gradient as large as the projection to the others'
ONE_BY_ONE = 1  # else TensorFlow begins up to ten blocks at once

Loss = Callable[[Any, Any, Any], Any]


class Projection(NamedTuple):
    """From vectors to logits.

    Attributes:
        project: makes logits (..., classes) of one or more tensors (..., units).
        variables: that it reads.
        classes: how many there are.
    """

    project: Callable[..., Any]
    variables: Sequence[Any]
    classes: int


class ProjectingModel(keras.Model):
    """A model whose `call`, and so `predict`, gives vectors that are projected where loss and metrics are computed."""

    def output_projection(self) -> Projection:
        """What makes logits of the vectors.

        Raises:
            NotImplementedError: the model does not say.
        """
        raise NotImplementedError(f"{type(self).__name__} must define output_projection()")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss of what `call` returned, in blocks where it is a sum over the rows."""
        if has_blocks() and type(self.loss) is SmoothedCrossEntropy:
            total = blockwise_loss(self.loss, self.output_projection(), _tuple(y_pred), y, sample_weight, training)
            return total + sum(self.losses)  # what layers add, such as the penalty of a regularizer
        return super().compute_loss(x, y, self._logits(y_pred), sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The compiled metrics of the logits."""
        if self._compile_metrics is not None:
            y_pred = self._logits(y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _logits(self, output: Any) -> Any:
        return self.output_projection().project(*_tuple(output))


def _tuple(output: Any) -> tuple[Any, ...]:
    """What `call` returned: one tensor, or a tuple of them."""
    return output if isinstance(output, tuple) else (output,)


def has_blocks() -> bool:
    """Whether the backend is TensorFlow; no other one has them here."""
    return bool(keras.backend.backend() == "tensorflow")


def most_rows(classes: int) -> int:
    """Of a block."""
    return max(LEAST_ROWS, LOGITS // max(1, classes))


def blockwise_loss(
    loss: Loss, projection: Projection, vectors: Sequence[Any], labels: Any, weights: Any, training: bool
) -> Any:
    """The loss of all rows, as if they had been projected together, but for rounding.

    Args:
        loss: makes of labels, logits and weights their weighted sum, in float32.
        projection: makes the logits.
        vectors: what it takes; each (batch, length, units).
        labels: (batch, length).
        weights: 0 where a row does not count; (batch, length), (batch,), or None where all count alike.
        training: whether the gradient will be asked for.

    Returns:
        The sum.
    """
    if weights is None:
        weights = ops.ones(ops.shape(labels), "float32")
    elif len(weights.shape) == 1:
        weights = weights[:, None]
    weights = ops.broadcast_to(weights, ops.shape(labels))
    counted = ops.nonzero(ops.reshape(weights, (-1,)))[0]
    *rows, labels, weights = (
        ops.take(ops.reshape(part, (-1, *part.shape[2:])), counted, axis=0) for part in (*vectors, labels, weights)
    )  # each (rows, ...)
    blocks = ops.maximum(1, -(-ops.shape(labels)[0] // most_rows(projection.classes)))
    size = -(-ops.shape(labels)[0] // blocks)

    def cut(i: Any, part: Any) -> Any:
        return part[i * size : (i + 1) * size]

    def loss_of_block(i: Any, vectors: Sequence[Any], values: Sequence[Any]) -> Any:
        """Of a block's vectors, with given values of the projection's variables."""
        with keras.StatelessScope(state_mapping=list(zip(projection.variables, values, strict=True))):
            return loss(cut(i, labels), projection.project(*vectors), cut(i, weights))

    values = [ops.convert_to_tensor(variable.value) for variable in projection.variables]
    if training:
        total = _with_gradient(loss_of_block, rows, values, blocks, cut)
    else:
        total = _without_gradient(loss_of_block, rows, values, blocks, cut)
    return with_gradient_if_finite(total)


def _without_gradient(
    loss_of_block: Callable[..., Any], rows: list[Any], values: list[Any], blocks: Any, cut: Callable[..., Any]
) -> Any:
    """The sum over the blocks."""
    import tensorflow as tf

    def add_block(i: Any, total: Any) -> tuple[Any, Any]:
        return i + 1, total + loss_of_block(i, [cut(i, part) for part in rows], values)

    start = tf.constant(0), tf.constant(0.0)
    return tf.while_loop(lambda i, _: i < blocks, add_block, start, parallel_iterations=ONE_BY_ONE)[1]


def _with_gradient(
    loss_of_block: Callable[..., Any], rows: list[Any], values: list[Any], blocks: Any, cut: Callable[..., Any]
) -> Any:
    """The sum over the blocks, whose gradient by the rows and the values is ready with it."""
    import tensorflow as tf

    def walk(*inputs: Any) -> tuple[Any, Callable[[Any], list[Any]]]:
        parts, variables = inputs[: len(rows)], list(inputs[len(rows) :])

        def add_block(i: Any, total: Any, by_parts: list[Any], by_variables: list[Any]) -> tuple[Any, ...]:
            vectors = [cut(i, part) for part in parts]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([vectors, variables])
                loss = loss_of_block(i, vectors, variables)
            by_vectors, added = tape.gradient(loss, [vectors, variables])
            by_parts = [array.write(i, gradient) for array, gradient in zip(by_parts, by_vectors, strict=True)]
            by_variables = [before + gradient for before, gradient in zip(by_variables, added, strict=True)]
            return i + 1, total + loss, by_parts, by_variables

        arrays = [tf.TensorArray(part.dtype, blocks, infer_shape=False) for part in parts]
        start = tf.constant(0), tf.constant(0.0), arrays, [tf.zeros_like(value) for value in variables]
        _, total, arrays, by_variables = tf.while_loop(
            lambda i, *_: i < blocks, add_block, start, parallel_iterations=ONE_BY_ONE
        )
        by_parts = [tf.ensure_shape(array.concat(), part.shape) for array, part in zip(arrays, parts, strict=True)]
        return total, lambda upstream: [tf.cast(upstream, one.dtype) * one for one in (*by_parts, *by_variables)]

    return tf.custom_gradient(walk)(*rows, *values)
