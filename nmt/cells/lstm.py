"""Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000).

    i = σ(W_i x + U_i h + b_i)       f = σ(W_f x + U_f h + b_f)       o = σ(W_o x + U_o h + b_o)
    c' = f ⊙ c + i ⊙ tanh(W_c x + U_c h + b_c)
    h' = o ⊙ tanh(c')

The forget gate's bias starts at 1 (Jozefowicz et al. 2015, section 2.2), so that a new model remembers.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.orthogonal import Orthogonal


class LSTM(keras.layers.LSTM):
    """Keras' LSTM, which on TensorFlow walks over the sequence as `nmt.bptt` does, unless cuDNN may.

    It is made by `layer` alone: another activation, a dropout of inputs or a layer without bias is not for it.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Last output, outputs and states; arguments as of Keras' layer, which calls it."""
        if not self._walks_itself(training):
            return super().inner_loop(sequences, initial_state, mask, training=training)
        from nmt.bptt import Weights, lstm

        mask = mask[0] if isinstance(mask, list | tuple) else mask
        mask = None if mask is None else ops.cast(mask, "bool")
        if self.go_backwards:
            sequences, mask = ops.flip(sequences, axis=1), None if mask is None else ops.flip(mask, axis=1)
        parts = self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias
        weights = Weights(*(ops.convert_to_tensor(part) for part in parts))
        hidden, cell = initial_state
        outputs, hidden, cell = lstm(sequences, hidden, cell, mask, weights, training=training)
        return hidden, outputs, [hidden, cell]

    def search_step(self, inputs: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        """As the cell, with all but the products in float32 at least, which is faster than in bfloat16."""
        hidden, cell = state
        precision = inputs.dtype
        wide = keras.backend.result_type(precision, "float32")
        weights = self.cell.kernel, self.cell.recurrent_kernel
        of_inputs, of_state = (
            ops.cast(ops.matmul(x, ops.cast(matrix, precision)), wide)
            for x, matrix in zip((inputs, hidden), weights, strict=True)
        )
        sums = of_inputs + of_state + ops.cast(self.cell.bias, wide)  # (rows, 4 * units)
        i, f, g, o = ops.split(sums, 4, axis=-1)
        cell = ops.sigmoid(f) * ops.cast(cell, wide) + ops.sigmoid(i) * ops.tanh(g)
        hidden = ops.cast(ops.sigmoid(o) * ops.tanh(cell), precision)
        return hidden, [hidden, ops.cast(cell, precision)]

    def _walks_itself(self, training: bool) -> bool:
        if keras.backend.backend() != "tensorflow" or (training and self.recurrent_dropout):
            return False
        import tensorflow as tf

        return self.use_cudnn is False or not tf.config.list_logical_devices("GPU")


def layer(units: int, use_cudnn: bool | str, **options: Any) -> Any:
    """Keras' LSTM, with the walk above."""
    return LSTM(units, use_cudnn=use_cudnn, recurrent_initializer=Orthogonal, **options)
