"""The loss of vectors that are still to be projected, some rows at a time.

A projection makes of each row as many numbers as there are classes. The loss, its gradient and what stands between them
have as many again, and for a long batch that is more than all the rest of a training holds. Here a block of rows goes
the whole way, from the projection to the gradients of all that went in, before the next one begins; rows that do not
count are left out. Knows neither encoder nor decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
from keras import ops

from nmt.losses import SmoothedCrossEntropy, with_gradient_if_finite

# Of a block: in float32 not quite 32 MiB. Larger blocks were no quicker and took more memory (docs/speed.md).
LOGITS = 8_380_000
LEAST_ROWS = 256  # however many classes there are: each block adds a gradient as large as the projection to the others'
# A full block has a multiple of so many rows where that is not many fewer: on two cores a product by 800 rows takes as
# long as one by 1,024 (docs/speed.md).
EVEN = 256
# The last block has a multiple of so many: each other size costs milliseconds for its products, and XLA 0.1 s.
MULTIPLE = 32
PARTS = 16  # of a block: many rows are a multiple of the power of 2 below such a part, so that sizes stay few
ONE_BY_ONE = 1  # else TensorFlow begins up to ten blocks at once


class Projection(NamedTuple):
    """From vectors to logits.

    Attributes:
        project: makes logits (..., classes) of one or more tensors (..., units).
        variables: that it reads. It computes in the vectors' precision, to which they are cast for all blocks at once.
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
    rows = LOGITS // max(1, classes)
    multiple = EVEN if rows % EVEN <= EVEN // 2 else MULTIPLE
    return max(LEAST_ROWS, rows // multiple * multiple)


@dataclass(frozen=True)
class Blocks:
    """Rows that count, in full blocks and a last one with what these leave.

    Attributes:
        loss: of labels, logits and weights, with its gradient by the logits.
        projection: makes the logits.
        vectors: what it takes; each (rows, units), at the end rows of zeros.
        labels: (rows,).
        weights: (rows,), at the end 0.
        count: of the blocks, the last one included.
        size: rows of a full one.
    """

    loss: SmoothedCrossEntropy
    projection: Projection
    vectors: list[Any]
    labels: Any
    weights: Any
    count: Any
    size: int

    def cut(self, i: Any, part: Any) -> Any:
        """The i-th block of something with a row for each row."""
        return part[i * self.size : (i + 1) * self.size]

    def project(self, vectors: Sequence[Any], values: Sequence[Any]) -> Any:
        """Logits of a block's vectors, with given values of the projection's variables, in any precision."""
        with keras.StatelessScope() as scope:
            for variable, value in zip(self.projection.variables, values, strict=True):
                scope.add_update((variable, value))  # its constructor would cast them back to the variables' precision
            return self.projection.project(*vectors)

    def loss_of(self, i: Any, logits: Any) -> tuple[Any, Any]:
        """The i-th block's loss, and its gradient by the logits."""
        return self.loss.value_and_gradient(self.cut(i, self.labels), logits, self.cut(i, self.weights))


def blockwise_loss(
    loss: SmoothedCrossEntropy,
    projection: Projection,
    vectors: Sequence[Any],
    labels: Any,
    weights: Any,
    training: bool,
) -> Any:
    """The loss of all rows, as if they had been projected together, but for rounding.

    Args:
        loss: of labels, logits and weights.
        projection: makes the logits.
        vectors: what it takes; each (batch, length, units).
        labels: (batch, length).
        weights: 0 where a row does not count; (batch, length), (batch,), or None where all count alike.
        training: whether the gradient will be asked for.

    Returns:
        The sum.
    """
    import tensorflow as tf

    if weights is None:
        weights = ops.ones(ops.shape(labels), "float32")
    elif len(weights.shape) == 1:
        weights = weights[:, None]
    weights = ops.cast(ops.broadcast_to(weights, ops.shape(labels)), "float32")
    counts = tf.not_equal(tf.reshape(weights, (-1,)), 0.0)
    size = most_rows(projection.classes)
    count, filled = _cut(tf.math.count_nonzero(counts, dtype=tf.int32), size)
    *rows, labels, weights = (
        _with_zeros(_picked(tf.reshape(part, (-1, *part.shape[2:])), counts), filled)
        for part in (*vectors, labels, weights)
    )
    blocks = Blocks(loss, projection, rows, labels, weights, count, size)
    values = [ops.convert_to_tensor(variable.value) for variable in projection.variables]
    total = _with_gradient(blocks, values) if training else _without_gradient(blocks, values)
    return with_gradient_if_finite(total)


def _picked(rows: Any, counts: Any) -> Any:
    """The rows (rows, ...) that count (rows,)."""
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):  # where the gradient of a partition would go through the host
        return tf.boolean_mask(rows, counts)
    # The gradient of this puts rows back where that of a gather adds them up.
    return tf.dynamic_partition(rows, tf.cast(counts, tf.int32), 2)[1]


def _cut(rows: Any, size: int) -> tuple[Any, Any]:
    """How many blocks of that size the rows fill, the last one in part, at least one; and the rows of all these blocks.

    The last block's rows are a multiple of `MULTIPLE`, of a larger one where they are many, so that sizes stay few.
    """
    count = ops.maximum(1, -(-rows // size))
    full = (count - 1) * size
    last = rows - full
    multiple, larger = MULTIPLE, 2 * MULTIPLE
    while PARTS * larger <= size:
        multiple = ops.where(last >= PARTS * larger, larger, multiple)
        larger *= 2
    return count, full + ops.minimum(ops.maximum(1, -(-last // multiple)) * multiple, size)


def _with_zeros(rows: Any, count: Any) -> Any:
    """Rows (rows, ...), and as many of zeros as `count` lacks; (count, ...)."""
    missing = ops.zeros((count - ops.shape(rows)[0], *rows.shape[1:]), rows.dtype)
    return ops.concatenate([rows, missing], axis=0)


def _without_gradient(blocks: Blocks, values: list[Any]) -> Any:
    """The sum over the blocks."""
    import tensorflow as tf

    def add_block(i: Any, total: Any) -> tuple[Any, Any]:
        logits = blocks.project([blocks.cut(i, part) for part in blocks.vectors], values)
        return i + 1, total + blocks.loss_of(i, logits)[0]

    start = tf.constant(0), tf.constant(0.0)
    return tf.while_loop(lambda i, _: i < blocks.count, add_block, start, parallel_iterations=ONE_BY_ONE)[1]


def _with_gradient(blocks: Blocks, values: list[Any]) -> Any:
    """The sum over the blocks, whose gradient by the vectors and the values is ready with it."""
    import tensorflow as tf

    def walk(*inputs: Any) -> tuple[Any, Callable[[Any], list[Any]]]:
        parts, variables = inputs[: len(blocks.vectors)], inputs[len(blocks.vectors) :]
        cast = [tf.cast(variable, parts[0].dtype) for variable in variables]  # here, else each block would do it

        def block(i: Any) -> tuple[Any, list[Any], list[Any]]:
            vectors = [blocks.cut(i, part) for part in parts]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([vectors, cast])
                logits = blocks.project(vectors, cast)
            loss, by_logits = blocks.loss_of(i, logits)
            by_vectors, by_cast = tape.gradient(logits, [vectors, cast], by_logits)
            return loss, by_vectors, [tf.cast(a, b.dtype) for a, b in zip(by_cast, variables, strict=True)]

        def add_block(i: Any, total: Any, arrays: list[Any], sums: list[Any]) -> tuple[Any, ...]:
            loss, by_vectors, by_variables = block(i)
            arrays = [array.write(i, gradient) for array, gradient in zip(arrays, by_vectors, strict=True)]
            return i + 1, total + loss, arrays, [a + b for a, b in zip(sums, by_variables, strict=True)]

        loss, by_vectors, by_variables = block(0)  # so that nothing has to be added to zeros
        arrays = [tf.TensorArray(part.dtype, blocks.count, infer_shape=False) for part in parts]
        arrays = [array.write(0, gradient) for array, gradient in zip(arrays, by_vectors, strict=True)]
        with tf.control_dependencies([loss, *by_vectors, *by_variables]):  # else the second block begins beside it
            second = tf.constant(1)
        start = second, loss, arrays, by_variables
        _, total, arrays, by_variables = tf.while_loop(
            lambda i, *_: i < blocks.count, add_block, start, parallel_iterations=ONE_BY_ONE
        )
        by_parts = [tf.ensure_shape(array.concat(), part.shape) for array, part in zip(arrays, parts, strict=True)]
        ready = [*by_parts, *by_variables]

        def gradient(upstream: Any) -> list[Any]:
            def scaled() -> list[Any]:
                return [tf.cast(upstream, one.dtype) * one for one in ready]

            # A training asks for it times 1: that spares a pass over as many numbers as the projection has.
            return list(tf.cond(upstream == 1.0, lambda: ready, scaled))

        return total, gradient

    return tf.custom_gradient(walk)(*blocks.vectors, *values)
