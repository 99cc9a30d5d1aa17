"""The decoder: one set of layers, two ways through them.

`call` runs over the whole target at once, for training; `step` takes one token, for search. Only the bottom layer's
output asks the memory, and the layers above and the readout get the context (as in GNMT: Wu et al. 2016, section 3):
no layer waits for the attention of the step before, so each runs over the whole target. Without attention the decoder
is that of Sutskever et al. 2014: all it knows of the source is the state it starts from. Knows nothing of search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from nmt.attention import Attention, make_attention
from nmt.config import ModelConfig
from nmt.encoder import make_recurrent


@dataclass(frozen=True)
class Memory:
    """What the decoder knows of the source.

    Attributes:
        keys: what the attention compares with; (batch, source_length, key_units), None without attention.
        values: what it returns; (batch, source_length, units).
        mask: True where there is a token; (batch, source_length).
        state: the decoder's first state: a list of tensors (batch, units) for each layer.
    """

    keys: Any
    values: Any
    mask: Any
    state: list[list[Any]]


class Decoder(keras.layers.Layer):
    """Stacked recurrent layers over the embedded target, with the memory asked by the lowest.

    Args:
        config: the model's configuration.
        embedding: the target's embedding layer.
        use_cudnn: False keeps cuDNN kernels out of the graph, for export.
    """

    def __init__(self, config: ModelConfig, embedding: Any, use_cudnn: bool | str = "auto", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = embedding
        self.scale = config.embedding_size**0.5
        self.dropout = keras.layers.Dropout(config.dropout)
        self.recurrent_layers = [
            make_recurrent(config.cell, config.decoder_units, use_cudnn, f"recurrent_{i}")
            for i in range(config.decoder_layers)
        ]
        self.states_per_layer = {"lstm": 2, "gru": 1}[config.cell]
        self.bridges = [
            keras.layers.Dense(config.decoder_units, activation="tanh", name=f"bridge_{i}")
            for i in range(config.decoder_layers * self.states_per_layer)
        ]
        self.attention: Attention | None = (
            make_attention(config.attention, config.decoder_units) if config.attention != "none" else None
        )
        self.readout = keras.layers.Dense(config.embedding_size, activation="tanh", name="readout")

    def remember(self, values: Any, mask: Any, final_state: Any) -> Memory:
        """Prepares the memory: the keys, and the first state through a dense bridge (Bahdanau et al. 2015, A.2.2)."""
        parts = [bridge(final_state) for bridge in self.bridges]  # each (batch, units)
        size = self.states_per_layer
        state = [parts[i : i + size] for i in range(0, len(parts), size)]
        return Memory(self.attention.project(values) if self.attention else None, values, mask, state)

    def build(self, target_shape: Any) -> None:
        """Nothing: the first call creates the variables, and Keras need not trace the layer beforehand."""

    def call(self, target_ids: Any, memory: Memory, training: bool = False) -> Any:
        """Runs over the whole target, which begins with the start of sentence.

        Args:
            target_ids: (batch, target_length).
            memory: of the same batch.
            training: whether dropout is on.

        Returns:
            The readout that the output projection turns into logits; (batch, target_length, embedding_size).
        """
        outputs = self.dropout(self.embedding(target_ids) * self.scale, training=training)
        context = None
        for i, layer in enumerate(self.recurrent_layers):
            outputs, *_ = layer(_join(outputs, context), initial_state=memory.state[i], training=training)
            outputs = self.dropout(outputs, training=training)  # (batch, target_length, units)
            if i == 0 and self.attention:
                context, _ = self.attention(outputs, memory.keys, memory.values, memory.mask)
        return self.dropout(self.readout(_join(outputs, context)), training=training)

    def step(self, token_ids: Any, state: list[list[Any]], memory: Memory) -> tuple[Any, Any, list[list[Any]]]:
        """Reads one token: the same layers as `call`, one step.

        Args:
            token_ids: the last token of each row; (rows,).
            state: as in `Memory.state`, for each row.
            memory: of `rows`, or of fewer rows each of which serves as many neighbouring rows of `token_ids`.

        Returns:
            The readout (rows, embedding_size), the attention weights (rows, source_length; None without attention),
            and the new state.
        """
        outputs = self.embedding(token_ids) * self.scale  # (rows, embedding_size)
        context = weights = None
        new_state = []
        for i, layer in enumerate(self.recurrent_layers):
            outputs, cell_state = layer.cell(_join(outputs, context), state[i], training=False)
            new_state.append(list(cell_state) if isinstance(cell_state, list | tuple) else [cell_state])
            if i == 0 and self.attention:
                context, weights = _ask(self.attention, outputs, memory)
        return self.readout(_join(outputs, context)), weights, new_state


def _ask(attention: Attention, outputs: Any, memory: Memory) -> tuple[Any, Any]:
    """One query a row; rows of one sentence ask its memory together, so that it is never copied."""
    sentences, rows = ops.shape(memory.values)[0], ops.shape(outputs)[0]
    queries = ops.reshape(outputs, (sentences, -1, outputs.shape[-1]))  # (batch, rows of a sentence, units)
    context, weights = attention(queries, memory.keys, memory.values, memory.mask)
    return ops.reshape(context, (rows, context.shape[-1])), ops.reshape(weights, (rows, ops.shape(weights)[-1]))


def _join(outputs: Any, context: Any) -> Any:
    return outputs if context is None else ops.concatenate([outputs, context], axis=-1)
