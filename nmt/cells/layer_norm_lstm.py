"""The LSTM with layer normalization (Ba et al. 2016, supplementary material, eq. 20-22).

    [i f g o] = LN(W x) + LN(U h) + b
    c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g)
    h' = σ(o) ⊙ tanh(LN(c'))

LN subtracts the mean over the units and divides by their standard deviation, then scales and shifts each unit.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.orthogonal import Orthogonal

EPSILON = 1e-5  # added to the variance


class LayerNormLSTMCell(keras.layers.LSTMCell):
    """One step of a layer-normalized LSTM; the bias of the sum is the LSTM's own.

    Args:
        units: size of the state.
        **options: as of Keras' LSTMCell.
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(units, **options)
        self.dropout_mask_count = None  # one mask for the state, not one for each gate
        self.input_norm = keras.layers.LayerNormalization(epsilon=EPSILON, center=False, name="input_norm")
        self.state_norm = keras.layers.LayerNormalization(epsilon=EPSILON, center=False, name="state_norm")
        self.cell_norm = keras.layers.LayerNormalization(epsilon=EPSILON, name="cell_norm")

    def build(self, input_shape: Any) -> None:
        """Creates the LSTM's weights and the norms' scales; the two sums need no shift beside the bias."""
        super().build(input_shape)
        self.input_norm.build((None, 4 * self.units))
        self.state_norm.build((None, 4 * self.units))
        self.cell_norm.build((None, self.units))

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """One step; inputs (batch, input_units), states [h, c], each (batch, units), to (h', [h', c'])."""
        hidden, cell = states
        if training and self.recurrent_dropout:
            hidden = hidden * self.get_recurrent_dropout_mask(hidden)
        sums = self.input_norm(ops.matmul(inputs, self.kernel))  # (batch, 4 * units)
        sums = sums + self.state_norm(ops.matmul(hidden, self.recurrent_kernel)) + self.bias
        gate_in, gate_forget, candidate, gate_out = ops.split(sums, 4, axis=-1)  # each (batch, units)
        cell = ops.sigmoid(gate_forget) * cell + ops.sigmoid(gate_in) * ops.tanh(candidate)
        hidden = ops.sigmoid(gate_out) * ops.tanh(self.cell_norm(cell))
        return hidden, [hidden, cell]


def layer(units: int, use_cudnn: bool | str, recurrent_dropout: float, **options: Any) -> Any:
    """A recurrent layer of these cells; there is no cuDNN kernel."""
    del use_cudnn
    cell = LayerNormLSTMCell(units, recurrent_dropout=recurrent_dropout, recurrent_initializer=Orthogonal, name="cell")
    return keras.layers.RNN(cell, **options)
