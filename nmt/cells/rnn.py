"""The vanilla recurrent cell (Elman 1990): h' = tanh(W x + U h + b)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.orthogonal import Orthogonal


class VanillaCell(keras.layers.SimpleRNNCell):
    """One step of a vanilla network.

    Keras' own cell draws a dropout mask outside of training, too, which search, that takes its steps in a loop, cannot
    have.
    """

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """One step; inputs (batch, input_units), states [h] of (batch, units), to (h', [h'])."""
        (hidden,) = states
        if training and self.recurrent_dropout:
            hidden = hidden * self.get_recurrent_dropout_mask(hidden)
        hidden = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(hidden, self.recurrent_kernel) + self.bias)
        return hidden, [hidden]


def layer(units: int, use_cudnn: bool | str, recurrent_dropout: float, **options: Any) -> Any:
    """A recurrent layer of these cells; there is no cuDNN kernel."""
    del use_cudnn
    cell = VanillaCell(units, recurrent_dropout=recurrent_dropout, recurrent_initializer=Orthogonal, name="cell")
    return keras.layers.RNN(cell, **options)
