"""The encoder: source tokens to a memory that the decoder can ask, and the state it starts from.

Stacked LSTM or GRU layers, each in one direction or both (Schuster & Paliwal 1997; Sutskever et al. 2014; Bahdanau et
al. 2015, section 3.2). Knows nothing of the target side.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.config import ModelConfig
from nmt.tokenizer import PAD_ID


def make_recurrent(cell: str, units: int, use_cudnn: bool | str, name: str, backwards: bool = False) -> Any:
    """An LSTM or GRU layer that returns its outputs at every step and its final state."""
    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
    return layer(
        units, return_sequences=True, return_state=True, use_cudnn=use_cudnn, go_backwards=backwards, name=name
    )


class Encoder(keras.layers.Layer):
    """Stacked recurrent layers over the embedded source.

    Args:
        config: the model's configuration.
        embedding: the source's embedding layer.
        use_cudnn: False keeps cuDNN kernels out of the graph, for export.
    """

    def __init__(self, config: ModelConfig, embedding: Any, use_cudnn: bool | str = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding
        self.scale = config.embedding_size**0.5
        self.dropout = keras.layers.Dropout(config.dropout)
        self.forward_layers = [
            make_recurrent(config.cell, config.encoder_units, use_cudnn, f"forward_{i}")
            for i in range(config.encoder_layers)
        ]
        self.backward_layers = [
            make_recurrent(config.cell, config.encoder_units, use_cudnn, f"backward_{i}", backwards=True)
            for i in range(config.encoder_layers if config.bidirectional else 0)
        ]

    def build(self, source_shape: Any) -> None:
        """Nothing: the first call creates the variables, and Keras need not trace the layer beforehand."""

    def call(self, source_ids: Any, training: bool = False) -> tuple[Any, Any, Any]:
        """Reads the source.

        Args:
            source_ids: right-padded token ids with the end of sentence; (batch, source_length).
            training: whether dropout is on.

        Returns:
            The values (batch, source_length, units), the mask (batch, source_length), True where there is a token, and
            the top layer's final state, all parts side by side (batch, state_units).
        """
        mask = ops.not_equal(source_ids, PAD_ID)  # (batch, source_length)
        values = self.dropout(self.embedding(source_ids) * self.scale, training=training)
        states: list[Any] = []
        for i, forward in enumerate(self.forward_layers):
            outputs, *states = forward(values, mask=mask, training=training)
            if self.backward_layers:
                # Keras returns a backward layer's outputs in reading order, last token first.
                reversed_outputs, *backward_states = self.backward_layers[i](values, mask=mask, training=training)
                outputs = ops.concatenate([outputs, ops.flip(reversed_outputs, axis=1)], axis=-1)
                states += backward_states
            values = self.dropout(outputs, training=training)  # (batch, source_length, units)
        return values, mask, ops.concatenate(states, axis=-1)
