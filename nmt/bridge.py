"""The bridge: from the encoder's final states to the decoder's first.

Knows tensors and sizes, and neither encoder nor decoder.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.config import ModelConfig
from nmt.dense import Dense


class Bridge(keras.layers.Layer):
    """First states of the decoder.

    `dense`: a layer with tanh for each of them, over the top encoder layer's states (Bahdanau et al. 2015, appendix
    A.2.2). `copy`: from layer to layer, the directions side by side (Sutskever et al. 2014). `zero`: nothing is handed
    over.

    Args:
        config: the model's configuration.
        states_per_layer: of the cell: two for an LSTM, one for the others.
    """

    def __init__(self, config: ModelConfig, states_per_layer: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.states_per_layer = states_per_layer
        self.projections = [
            Dense(config.decoder_units, activation="tanh", name=f"bridge_{i}")
            for i in range(config.decoder_layers * states_per_layer if config.bridge == "dense" else 0)
        ]

    def build(self, states_shape: Any) -> None:
        """Nothing: the first call creates the variables."""

    def call(self, states: list[list[Any]]) -> list[list[Any]]:
        """The encoder's states, a list of tensors (batch, units) a layer, to as many as the decoder's layers have."""
        size = self.states_per_layer
        if self.config.bridge == "copy":
            return [[ops.concatenate(layer[part::size], axis=-1) for part in range(size)] for layer in states]
        if self.config.bridge == "zero":
            nothing = ops.zeros((ops.shape(states[0][0])[0], self.config.decoder_units), dtype=states[0][0].dtype)
            return [[nothing] * size for _ in range(self.config.decoder_layers)]
        final_state = ops.concatenate(states[-1], axis=-1)  # (batch, state_units)
        parts = [projection(final_state) for projection in self.projections]  # each (batch, units)
        return [parts[i : i + size] for i in range(0, len(parts), size)]
