"""An LSTM over a whole sequence, and backpropagation through time, written out.

With x the inputs, h the outputs, c the cell states, W, U and b the weights, a step is

    z_t = W x_t + U h_{t-1} + b
    i, f, g, o = σ(z_t^i), σ(z_t^f), tanh(z_t^g), σ(z_t^o)
    c_t = f ⊙ c_{t-1} + i ⊙ g
    h_t = o ⊙ tanh(c_t)

Only U h_{t-1} has to wait for the step before: W x is one product for all steps. On the way back, from the last step to
the first, only the gradients by h and c have to wait (Werbos 1990; Hochreiter & Schmidhuber 1997, appendix A); what
multiplies them is known beforehand, for all steps at once:

    dc_t   = dc + dh ⊙ o ⊙ (1 - tanh² c_t)
    dz_t^i = dc_t ⊙ g ⊙ i ⊙ (1 - i)                  dz_t^g = dc_t ⊙ i ⊙ (1 - g²)
    dz_t^f = dc_t ⊙ c_{t-1} ⊙ f ⊙ (1 - f)            dz_t^o = dh ⊙ tanh c_t ⊙ o ⊙ (1 - o)
    dh     = Uᵀ dz_t + ∂L/∂h_{t-1}                    dc     = f ⊙ dc_t

The gradients by W, U, b and x are sums over the steps, and so one product each. Differentiating the loop automatically
adds to gradients as large as the weights at every step, which takes longer than the products. Gates and cell states
have float32 at least; what goes into a product and comes out of it has the precision of the inputs. All arrays in here
have time before batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf


class Weights(NamedTuple):
    """Of an LSTM, the gates side by side in the order i, f, g, o.

    Attributes:
        kernel: W; (input_units, 4 * units).
        recurrent_kernel: U; (units, 4 * units).
        bias: b; (4 * units,).
    """

    kernel: Any
    recurrent_kernel: Any
    bias: Any


class Walk(NamedTuple):
    """What a walk over the steps passed; the gradient alone wants more than the outputs.

    Attributes:
        outputs: h; (time, batch, units).
        cells_before: the cell state before each step, c_{t-1}; (time, batch, units).
        squashed: tanh c; (time, batch, units).
        input_gates: i; (time, batch, units).
        forget_gates: f; (time, batch, units).
        candidates: g; (time, batch, units).
        output_gates: o; (time, batch, units).
    """

    outputs: Any
    cells_before: Any
    squashed: Any
    input_gates: Any
    forget_gates: Any
    candidates: Any
    output_gates: Any


def lstm(
    inputs: Any, output: Any, cell: Any, mask: Any, weights: Weights, training: bool = False
) -> tuple[Any, Any, Any]:
    """Walks from the first step to the last.

    Args:
        inputs: (batch, time, input_units).
        output: the output before the first step; (batch, units).
        cell: the cell state before it; (batch, units).
        mask: False where a step leaves output and cell state as they are; (batch, time), or None.
        weights: in any precision.
        training: whether the gradient will be asked for; without, TensorFlow would derive it from the loop.

    Returns:
        The outputs (batch, time, units), the last output and the last cell state, both (batch, units).
    """
    precision = inputs.dtype
    wide = precision if precision.size > tf.float32.size else tf.float32
    arguments = (
        tf.transpose(inputs, (1, 0, 2)),
        output,
        tf.cast(cell, wide),
        Weights(
            tf.cast(weights.kernel, precision),
            tf.cast(weights.recurrent_kernel, precision),
            tf.cast(weights.bias, wide),
        ),
    )
    steps = None if mask is None else tf.transpose(mask)[:, :, None]  # (time, batch, 1)
    if training:
        outputs, output, cell = _with_gradient(steps)(*arguments)
    else:
        walk, output, cell = _forward(*arguments, steps, keeps=1)
        outputs = walk[0]
    return tf.transpose(outputs, (1, 0, 2)), output, tf.cast(cell, precision)


def _with_gradient(mask: Any) -> Callable[..., Any]:
    """The walk, with its gradient by everything but the mask."""

    def walk(inputs: Any, output: Any, cell: Any, weights: Weights) -> tuple[Any, Callable[..., Any]]:
        arrays, *last = _forward(inputs, output, cell, weights, mask, keeps=len(Walk._fields))
        passed = Walk(*arrays)

        def gradient(by_outputs: Any, by_output: Any, by_cell: Any) -> tuple[Any, ...]:
            by_sums, by_output, by_cell = _backward(
                passed, mask, weights.recurrent_kernel, by_outputs, by_output, by_cell
            )
            outputs_before = tf.concat([output[None], passed.outputs[:-1]], axis=0)
            by_weights = Weights(
                _product_over_time(inputs, by_sums),
                _product_over_time(outputs_before, by_sums),
                tf.cast(tf.raw_ops.BiasAddGrad(out_backprop=by_sums), cell.dtype),  # sums in float32
            )
            by_inputs = _product(by_sums, weights.kernel, transpose=True)
            return by_inputs, tf.cast(by_output, output.dtype), by_cell, *by_weights

        return (passed.outputs, *last), gradient

    gradient_of_its_own: Callable[..., Any] = tf.custom_gradient(walk)
    return gradient_of_its_own


def _forward(
    inputs: Any, output: Any, cell: Any, weights: Weights, mask: Any, keeps: int
) -> tuple[list[Any], Any, Any]:
    """Every step: so many of the fields of `Walk`, the last output and the last cell state."""
    sums = tf.cast(_product(inputs, weights.kernel), cell.dtype) + weights.bias  # (time, batch, 4 * units)
    time, units = tf.shape(sums)[0], output.shape[-1]

    def step(t: Any, output: Any, cell: Any, arrays: list[Any]) -> tuple[Any, ...]:
        z = sums[t] + tf.cast(tf.matmul(output, weights.recurrent_kernel), cell.dtype)
        z_i, z_f, z_g, z_o = tf.split(z, 4, axis=-1)
        i, f, g, o = tf.sigmoid(z_i), tf.sigmoid(z_f), tf.tanh(z_g), tf.sigmoid(z_o)
        new_cell = f * cell + i * g
        squashed = tf.tanh(new_cell)
        new_output = tf.cast(o * squashed, output.dtype)
        if mask is not None:
            new_cell, new_output = tf.where(mask[t], new_cell, cell), tf.where(mask[t], new_output, output)
        passed = Walk(new_output, cell, squashed, i, f, g, o)[:keeps]
        return t + 1, new_output, new_cell, [x.write(t, now) for x, now in zip(arrays, passed, strict=True)]

    precisions = Walk(output.dtype, *[cell.dtype] * (len(Walk._fields) - 1))
    arrays = [_array(time, units, precision) for precision in precisions[:keeps]]
    _, output, cell, arrays = tf.while_loop(lambda t, *_: t < time, step, (0, output, cell, arrays))
    return [x.stack() for x in arrays], output, cell


def _backward(
    passed: Walk, mask: Any, recurrent_kernel: Any, by_outputs: Any, by_output: Any, by_cell: Any
) -> tuple[Any, Any, Any]:
    """The gradients by the sums z (time, batch, 4 * units), by the first output and by the first cell state."""
    _, cells_before, squashed, i, f, g, o = passed
    by_sigmoid, by_tanh = tf.raw_ops.SigmoidGrad, tf.raw_ops.TanhGrad  # dy ⊙ y ⊙ (1 - y), and dy ⊙ (1 - y²)
    factors = (
        by_tanh(y=squashed, dy=o),  # what a step hands from the output to the cell state
        by_sigmoid(y=i, dy=g),
        by_sigmoid(y=f, dy=cells_before),
        by_tanh(y=g, dy=i),
        by_sigmoid(y=o, dy=squashed),
    )
    if mask is not None:
        taken = tf.cast(mask, f.dtype)
        factors, f = tuple(factor * taken for factor in factors), tf.where(mask, f, tf.ones_like(f))
    time, precision, wide = tf.shape(by_outputs)[0], recurrent_kernel.dtype, f.dtype

    def step(t: Any, by_output: Any, by_cell: Any, by_sums: Any) -> tuple[Any, ...]:
        by_output = by_output + tf.cast(by_outputs[t], wide)
        to_cell, to_i, to_f, to_g, to_o = (factor[t] for factor in factors)
        by_cell = by_cell + by_output * to_cell
        parts = by_cell * to_i, by_cell * to_f, by_cell * to_g, by_output * to_o
        by_sum = tf.concat([tf.cast(part, precision) for part in parts], axis=-1)
        by_output_before = tf.cast(tf.matmul(by_sum, recurrent_kernel, transpose_b=True), wide)
        if mask is not None:
            by_output_before = tf.where(mask[t], by_output_before, by_output)
        return t - 1, by_output_before, by_cell * f[t], by_sums.write(t, by_sum)

    start = time - 1, tf.cast(by_output, wide), by_cell, _array(time, recurrent_kernel.shape[-1], precision)
    _, by_output, by_cell, by_sums = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return by_sums.stack(), by_output, by_cell


def _array(time: Any, width: int, precision: Any) -> Any:
    return tf.TensorArray(precision, size=time, element_shape=(None, width))


def _product(vectors: Any, matrix: Any, transpose: bool = False) -> Any:
    """All vectors (time, batch, units) by a matrix, or its transpose, at once."""
    shape = tf.shape(vectors)
    rows = tf.reshape(vectors, (-1, vectors.shape[-1]))
    product = tf.matmul(rows, matrix, transpose_b=transpose)
    return tf.reshape(product, (shape[0], shape[1], product.shape[-1]))


def _product_over_time(vectors: Any, by_sums: Any) -> Any:
    """The sum of the outer products: the gradient by a matrix that made sums (time, batch, units) of vectors."""
    rows, gradients = (tf.reshape(x, (-1, x.shape[-1])) for x in (vectors, by_sums))
    return tf.matmul(rows, gradients, transpose_a=True)
