"""The encoder: source tokens to values that the decoder can ask, and the states it may start from.

Stacked recurrent layers, each in one direction or both (Schuster & Paliwal 1997; Sutskever et al. 2014; Bahdanau et al.
2015, section 3.2), with residual connections (Wu et al. 2016, section 3.1). Knows nothing of the target side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from nmt.cells import make_recurrent
from nmt.config import ModelConfig
from nmt.dropout import Dropout
from nmt.tokenizer import PAD_ID


class Encoding(NamedTuple):
    """What the encoder makes of a source, always in reading order.

    Attributes:
        values: the top layer's outputs; (batch, source_length, units).
        mask: True where there is a token; (batch, source_length).
        states: final states of each layer, the forward direction's before the backward's; lists of (batch, units).
        embedded: the embeddings that the bottom layer read; (batch, source_length, embedding_size).
    """

    values: Any
    mask: Any
    states: list[list[Any]]
    embedded: Any


class Encoder(keras.layers.Layer):
    """Stacked recurrent layers over the embedded source.

    Args:
        config: the model's configuration.
        embedding: the source's embedding layer.
        use_cudnn: False keeps cuDNN kernels out of the graph, for export.
    """

    def __init__(self, config: ModelConfig, embedding: Any, use_cudnn: bool | str = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.embedding = embedding
        self.scale = config.embedding_size**0.5
        self.dropout = Dropout(config.dropout)
        cell = config.cell, config.encoder_units, config.recurrent_dropout, use_cudnn
        layers = range(config.encoder_layers)
        self.forward_layers = [make_recurrent(*cell, f"forward_{i}") for i in layers]
        self.backward_layers = [
            make_recurrent(*cell, f"backward_{i}", backwards=True) for i in layers if config.reads_both_ways(i)
        ]

    def build(self, source_shape: Any) -> None:
        """Nothing: the first call creates the variables, and Keras need not trace the layer beforehand."""

    def call(self, source_ids: Any, training: bool = False) -> Encoding:
        """Reads the source.

        Args:
            source_ids: right-padded token ids with the end of sentence; (batch, source_length).
            training: whether dropout is on.
        """
        mask = ops.not_equal(source_ids, PAD_ID)  # (batch, source_length)
        embedded = self.dropout(self.embedding(source_ids) * self.scale, training=training)
        values = reverse_words(embedded, mask) if self.config.reverse_source else embedded
        states = []
        for i in range(self.config.encoder_layers):
            outputs, state = self._run(i, values, mask, training)  # (batch, source_length, units)
            outputs = self.dropout(outputs, training=training)
            is_residual = self.config.residual and i > 0 and outputs.shape[-1] == values.shape[-1]
            values = values + outputs if is_residual else outputs
            states.append(state)
        values = reverse_words(values, mask) if self.config.reverse_source else values
        return Encoding(values, mask, states, embedded)

    def _run(self, i: int, values: Any, mask: Any, training: bool) -> tuple[Any, list[Any]]:
        """One layer's outputs, the directions side by side, and its final states."""
        outputs, *states = self.forward_layers[i](values, mask=mask, training=training)
        if not self.config.reads_both_ways(i):
            return outputs, states
        # Keras returns a backward layer's outputs last token first.
        backward_outputs, *backward_states = self.backward_layers[i](values, mask=mask, training=training)
        return ops.concatenate([outputs, ops.flip(backward_outputs, axis=1)], axis=-1), states + backward_states


def reverse_words(values: Any, mask: Any) -> Any:
    """Turns each row around but for its end of sentence and its padding, which stay where they are.

    Args:
        values: (batch, source_length, units).
        mask: True where there is a token; (batch, source_length).
    """
    last = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True) - 1  # of the end of sentence; (batch, 1)
    positions = ops.arange(ops.shape(mask)[1], dtype="int32")[None, :]  # (1, source_length)
    origins = ops.where(positions < last, last - 1 - positions, positions)  # (batch, source_length)
    return ops.take_along_axis(values, origins[:, :, None], axis=1)
