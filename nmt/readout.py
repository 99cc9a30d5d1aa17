"""The readout: what stands between the decoder's layers and the output projection.

Knows nothing of recurrence or attention.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.dense import Dense


class Maxout(keras.layers.Layer):
    """A dense layer of pairs of units, of which the larger counts (Goodfellow et al. 2013, section 2).

    Args:
        units: pairs.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.pairs = Dense(2 * units, name="pairs")

    def build(self, input_shape: Any) -> None:
        """Nothing: the first call creates the variables."""

    def call(self, inputs: Any) -> Any:
        """(..., input_units) to (..., units)."""
        pairs = self.pairs(inputs)
        return ops.max(ops.reshape(pairs, (*ops.shape(pairs)[:-1], self.units, 2)), axis=-1)


def make_readout(kind: str, units: int) -> Any:
    """The layer of that kind (`model.readout`), which makes `units` of all that it is given; None for `none`."""
    if kind == "none":
        return None
    if kind == "maxout":
        return Maxout(units, name="readout")
    return Dense(units, activation="tanh", name="readout")
