"""The lexical model: source words vote for target words past the decoder (Nguyen & Chiang 2018, section 4).

A rare word that the attention points to needs no room in the decoder's state. Sennrich & Zhang (2019)
found it to help where there is little data. Knows nothing of recurrence.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class LexicalModel(keras.layers.Layer):
    """Attended source embeddings to a vector, and the vector to logits.

    Args:
        units: size of the source embeddings.
        vocabulary_size: pieces of the target's subword model.
    """

    def __init__(self, units: int, vocabulary_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(units, activation="tanh", use_bias=False, name="hidden")
        self.projection = keras.layers.Dense(vocabulary_size, name="projection")

    def build(self, weights_shape: Any, embedded_shape: Any) -> None:
        """Nothing: the first call creates the variables."""

    def call(self, weights: Any, embedded: Any) -> Any:
        """Weighs the words: f = tanh(Σ a_s f_s), h = tanh(W f) + f.

        Args:
            weights: of the attention; (batch, queries, source_length).
            embedded: the source's embeddings; (batch, source_length, units).

        Returns:
            (batch, queries, units).
        """
        words = ops.tanh(ops.matmul(ops.cast(weights, embedded.dtype), embedded))
        return self.hidden(words) + words

    def logits(self, vector: Any) -> Any:
        """What is added to the model's logits; (..., units) to (..., vocabulary_size)."""
        return self.projection(vector)
