"""An LSTM over a whole sequence, and backpropagation through time, written out.

With x the inputs, h the outputs, c the cell states, W, U and b the weights, a step is

    z_t = W x_t + U h_{t-1} + b
    i, f, g, o = σ(z_t^i), σ(z_t^f), tanh(z_t^g), σ(z_t^o)
    c_t = f ⊙ c_{t-1} + i ⊙ g
    h_t = o ⊙ tanh(c_t)

On the way back, from the last step to the first, only the gradients by h and c have to wait (Werbos 1990; Hochreiter &
Schmidhuber 1997, appendix A); what multiplies them, here in brackets, is known as soon as the step is taken:

    dc_t   = dc + dh ⊙ [o ⊙ (1 - tanh² c_t)]
    dz_t^i = dc_t ⊙ [g ⊙ i ⊙ (1 - i)]                dz_t^g = dc_t ⊙ [i ⊙ (1 - g²)]
    dz_t^f = dc_t ⊙ [c_{t-1} ⊙ f ⊙ (1 - f)]          dz_t^o = dh ⊙ [tanh c_t ⊙ o ⊙ (1 - o)]
    dh     = Uᵀ dz_t + ∂L/∂h_{t-1}                    dc     = [f] ⊙ dc_t

The gradients by the weights and by x are sums over the steps, and so one product over all of them each. Differentiating
the loop automatically adds to gradients as large as the weights at every step, which takes longer than the products.
Gates and cell states have float32 at least; what goes into a product and comes out of it has the precision of the
inputs.

Where nothing else is said, arrays have time first and the batch last, as columns. TensorFlow's products pack their
right side: so the few columns of a step, and not at every step the weights, which stand on the left as the product
needs them. And the parts of z lie one behind the other. In training W, U and b are one matrix, by which the columns of
h_{t-1}, x_t and 1 are multiplied. The bias's gradient is a product with ones: summed in float32 at least, rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Product = Callable[[Any, Any], Any]
ROWS_OF_BIAS = 2  # in half precision: b as it is rounded, and what the rounding left; else it left 0
ROWS_OF_HALF = 32  # of a product in half precision: oneDNN takes so many at a time, so that two cost as much


class Weights(NamedTuple):
    """Of an LSTM, the gates side by side in the order i, f, g, o.

    Attributes:
        kernel: Wᵀ; (input_units, 4 * units).
        recurrent_kernel: Uᵀ; (units, 4 * units).
        bias: b; (4 * units,).
    """

    kernel: Any
    recurrent_kernel: Any
    bias: Any


class Factors(NamedTuple):
    """What multiplies the gradients on the way back; each (units, batch), and of all steps an array of them.

    Attributes:
        output_to_cell: o ⊙ (1 - tanh² c_t).
        to_input: g ⊙ i ⊙ (1 - i).
        to_forget: c_{t-1} ⊙ f ⊙ (1 - f).
        to_candidate: i ⊙ (1 - g²).
        to_output: tanh c_t ⊙ o ⊙ (1 - o).
        cell_to_cell: f.
    """

    output_to_cell: Any
    to_input: Any
    to_forget: Any
    to_candidate: Any
    to_output: Any
    cell_to_cell: Any


def lstm(
    inputs: Any, output: Any, cell: Any, mask: Any, weights: Weights, training: bool = False
) -> tuple[Any, Any, Any]:
    """Walks from the first step to the last.

    Args:
        inputs: (batch, time, input_units), of one step at least.
        output: the output before the first step; (batch, units).
        cell: the cell state before it; (batch, units).
        mask: False where a step leaves output and cell state as they are, and inputs must be finite nevertheless;
            (batch, time), or None.
        weights: in any precision.
        training: whether the gradient will be asked for; without, TensorFlow would derive it from the loop. In half
            precision training rounds W x + U h + b; without, W x and U h are rounded, and then added in float32.

    Returns:
        The outputs (batch, time, units), the last output and the last cell state, both (batch, units).
    """
    precision = inputs.dtype
    wide = precision if precision.size > tf.float32.size else tf.float32
    weights = Weights(
        tf.cast(weights.kernel, precision),
        tf.cast(weights.recurrent_kernel, precision),
        tf.cast(weights.bias, wide),
    )
    start = tf.transpose(output), tf.transpose(tf.cast(cell, wide))
    if mask is not None:  # as factors for every unit: TensorFlow multiplies faster than it chooses or broadcasts
        mask = tf.tile(tf.transpose(tf.cast(mask, wide))[:, None, :], (1, output.shape[-1], 1))
    if training:
        outputs, output, cell = _with_gradient(mask)(inputs, *start, weights)
    else:
        product = _product_of_rows(inputs, weights)
        outputs, _, output, cell = _forward(product, tf.shape(inputs)[1], *start, mask, training=False)
        outputs = outputs[1:]
    results = tf.transpose(outputs, (2, 0, 1)), tf.transpose(output), tf.transpose(tf.cast(cell, precision))
    for result in results:  # loops forget the batch's size, by which attention chooses its products
        result.set_shape((inputs.shape[0], *result.shape[1:]))
    return results


def _product_of_rows(inputs: Any, weights: Weights) -> Product:
    """The sums z of a step t, given the output before; (4 * units, batch), in the bias's precision.

    W x is one product for all steps.

    Args:
        inputs: (batch, time, input_units).
        weights: kernels in the inputs' precision.
    """
    shape, column = tf.shape(inputs), weights.bias[:, None]
    rows = tf.matmul(tf.reshape(inputs, (-1, inputs.shape[-1])), weights.kernel)
    of_inputs = tf.transpose(tf.reshape(rows, (shape[0], shape[1], rows.shape[-1])), (1, 2, 0))

    def product(t: Any, output: Any) -> Any:
        of_output = tf.matmul(weights.recurrent_kernel, output, transpose_a=True)
        return tf.cast(of_inputs[t], column.dtype) + tf.cast(of_output, column.dtype) + column

    return product


def _product_of_columns(inputs: Any, weights: Weights) -> Product:
    """The same in the inputs' precision, all parts by one product, for which the weights are turned once for all steps.

    Args:
        inputs: as `_with_ones` makes them; (time, input_units + rows for the bias, batch).
        weights: kernels in the inputs' precision.
    """
    precision, bias = inputs.dtype, weights.bias[None]
    rounded = tf.cast(bias, precision)
    rest = tf.cast(bias - tf.cast(rounded, bias.dtype), precision)
    empty = inputs.shape[1] - weights.kernel.shape[0] - ROWS_OF_BIAS
    rows = [weights.recurrent_kernel, weights.kernel, rounded, tf.pad(rest, ((0, empty), (0, 0)))]
    turned = tf.transpose(tf.concat(rows, axis=0))

    def product(t: Any, output: Any) -> Any:
        return tf.matmul(turned, tf.concat([output, inputs[t]], axis=0))

    return product


def _with_ones(inputs: Any) -> Any:
    """Inputs (batch, time, input_units) as columns, with rows for the bias below, of 1 and then of 0.

    Returns:
        (time, input_units + rows for the bias, batch).
    """
    batch, time, _ = tf.unstack(tf.shape(inputs))
    empty = (ROWS_OF_HALF if inputs.dtype.size < tf.float32.size else ROWS_OF_BIAS) - ROWS_OF_BIAS
    ones = tf.pad(tf.ones((time, ROWS_OF_BIAS, batch), inputs.dtype), ((0, 0), (0, empty), (0, 0)))
    return tf.concat([tf.transpose(inputs, (1, 2, 0)), ones], axis=1)


def _with_gradient(mask: Any) -> Callable[..., Any]:
    """The walk, with its gradient by everything but the mask."""

    def walk(inputs: Any, output: Any, cell: Any, weights: Weights) -> tuple[Any, Callable[..., Any]]:
        columns = _with_ones(inputs)
        product = _product_of_columns(columns, weights)
        outputs, factors, *last = _forward(product, tf.shape(columns)[0], output, cell, mask, training=True)

        def gradient(by_outputs: Any, by_output: Any, by_cell: Any) -> tuple[Any, ...]:
            by_sums, by_output, by_cell = _backward(
                factors, mask, weights.recurrent_kernel, by_outputs, by_output, by_cell
            )
            sums = _over_time(by_sums)  # (4 * units, time * batch)
            by_weights = _by_weights(outputs[:-1], columns, sums, weights)
            batch, time, _ = tf.unstack(tf.shape(inputs))
            by_inputs = tf.reshape(tf.matmul(weights.kernel, sums), (inputs.shape[2], time, batch))
            return tf.transpose(by_inputs, (2, 1, 0)), by_output, by_cell, *by_weights

        return (outputs[1:], *last), gradient

    gradient_of_its_own: Callable[..., Any] = tf.custom_gradient(walk)
    return gradient_of_its_own


def _by_weights(outputs: Any, inputs: Any, sums: Any, weights: Weights) -> Weights:
    """The gradients by the weights.

    Args:
        outputs: before each step; (time, units, batch).
        inputs: as `_with_ones` makes them.
        sums: the gradients by the sums z of all steps; (4 * units, time * batch).
        weights: whose gradients they are.
    """
    sizes = weights.recurrent_kernel.shape[0], weights.kernel.shape[0]
    columns = tf.concat([_over_time(outputs), _over_time(inputs[:, : sizes[1]])], axis=0)
    by_recurrent_kernel, by_kernel = tf.split(tf.matmul(columns, sums, transpose_b=True), sizes)
    # Not a row of the product above: on two cores one with 769 rows takes as long as one with 1,024 (docs/speed.md).
    by_bias = tf.matmul(tf.ones((1, tf.shape(sums)[1]), sums.dtype), sums, transpose_b=True)
    return Weights(by_kernel, by_recurrent_kernel, tf.cast(by_bias[0], weights.bias.dtype))


def _forward(
    product: Product, time: Any, output: Any, cell: Any, mask: Any, training: bool
) -> tuple[Any, list[Any], Any, Any]:
    """Every step: all outputs from the first one on, arrays of `Factors`, the last output and the last cell state."""

    def step(t: Any, output: Any, cell: Any, outputs: Any, factors: list[Any]) -> tuple[Any, ...]:
        # Cast one by one: else, in half precision, what is kept of one of them may keep the memory of all four.
        z_i, z_f, z_g, z_o = (tf.cast(z, cell.dtype) for z in tf.split(product(t, output), 4))
        i, f, g, o = tf.sigmoid(z_i), tf.sigmoid(z_f), tf.tanh(z_g), tf.sigmoid(z_o)
        new_cell = f * cell + i * g
        squashed = tf.tanh(new_cell)
        new_output = o * squashed
        if training:
            now = _factors(i, f, g, o, cell, squashed)
            factors = [array.write(t, factor) for array, factor in zip(factors, now, strict=True)]
        if mask is not None:
            new, old = mask[t], 1 - mask[t]
            new_cell = new * new_cell + old * cell
            new_output = new * new_output + old * tf.cast(output, cell.dtype)
        new_output = tf.cast(new_output, output.dtype)
        return t + 1, new_output, new_cell, outputs.write(t + 1, new_output), factors

    factors = [_array(time, cell) for _ in Factors._fields] if training else []
    start = 0, output, cell, _array(time + 1, output).write(0, output), factors
    _, output, cell, outputs, factors = tf.while_loop(lambda t, *_: t < time, step, start)
    return outputs.stack(), factors, output, cell


def _factors(i: Any, f: Any, g: Any, o: Any, cell_before: Any, squashed: Any) -> Factors:
    """Those of a step."""
    by_sigmoid, by_tanh = tf.raw_ops.SigmoidGrad, tf.raw_ops.TanhGrad  # dy ⊙ y ⊙ (1 - y), and dy ⊙ (1 - y²)
    return Factors(
        output_to_cell=by_tanh(y=squashed, dy=o),
        to_input=by_sigmoid(y=i, dy=g),
        to_forget=by_sigmoid(y=f, dy=cell_before),
        to_candidate=by_tanh(y=g, dy=i),
        to_output=by_sigmoid(y=o, dy=squashed),
        cell_to_cell=f,
    )


def _backward(
    factors: list[Any], mask: Any, recurrent_kernel: Any, by_outputs: Any, by_output: Any, by_cell: Any
) -> tuple[Any, Any, Any]:
    """The gradients by the sums z (time, 4 * units, batch), by the first output and by the first cell state."""
    time, precision, wide = tf.shape(by_outputs)[0], by_outputs.dtype, by_cell.dtype

    def step(t: Any, by_output: Any, by_cell: Any, by_sums: Any) -> tuple[Any, ...]:
        now = Factors(*[array.read(t) for array in factors])
        by_output = by_output + tf.cast(by_outputs[t], wide)
        by_new_output, by_new_cell = by_output, by_cell + by_output * now.output_to_cell
        if mask is not None:
            by_new_output, by_new_cell = mask[t] * by_new_output, mask[t] * by_new_cell
        parts = (
            by_new_cell * now.to_input,
            by_new_cell * now.to_forget,
            by_new_cell * now.to_candidate,
            by_new_output * now.to_output,
        )
        by_sum = tf.concat([tf.cast(part, precision) for part in parts], axis=0)
        by_output_before = tf.cast(tf.matmul(recurrent_kernel, by_sum), wide)
        by_cell_before = by_new_cell * now.cell_to_cell
        if mask is not None:  # where the step does not count, what comes through it is 0
            old = 1 - mask[t]
            by_output_before, by_cell_before = by_output_before + old * by_output, by_cell_before + old * by_cell
        return t - 1, by_output_before, by_cell_before, by_sums.write(t, by_sum)

    sums = tf.TensorArray(precision, size=time, element_shape=(recurrent_kernel.shape[-1], None))
    start = time - 1, tf.cast(by_output, wide), by_cell, sums
    _, by_output, by_cell, by_sums = tf.while_loop(lambda t, *_: t >= 0, step, start)
    return by_sums.stack(), tf.cast(by_output, precision), by_cell


def _array(count: Any, like: Any) -> Any:
    """For so many matrices like the given one; what is read from it stays there."""
    return tf.TensorArray(like.dtype, size=count, element_shape=(like.shape[0], None), clear_after_read=False)


def _over_time(columns: Any) -> Any:
    """The columns of all steps (time, units, batch) side by side; (units, time * batch)."""
    return tf.reshape(tf.transpose(columns, (1, 0, 2)), (columns.shape[1], -1))
