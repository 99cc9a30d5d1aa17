"""Additive attention: score v · tanh(W q + U k) (Bahdanau et al. 2015, appendix A.1.2)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.attention.base import Attention
from nmt.dense import Dense


class AdditiveAttention(Attention):
    """Compares query and key in a hidden layer.

    Args:
        units: size of the hidden layer that compares query and key.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.query_projection = keras.layers.Dense(units, use_bias=False, name="query_projection")
        self.key_projection = Dense(units, name="key_projection")
        self.score_projection = keras.layers.Dense(1, use_bias=False, name="score_projection")

    def project(self, values: Any) -> Any:
        """U k; (batch, source_length, units)."""
        return self.key_projection(values)

    def score(self, queries: Any, keys: Any) -> Any:
        """One number for each query and key; (batch, queries, source_length)."""
        projected = self.query_projection(queries)[:, :, None, :]  # (batch, queries, 1, units)
        hidden = ops.tanh(projected + keys[:, None, :, :])  # (batch, queries, source_length, units)
        return ops.squeeze(self.score_projection(hidden), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


def attention(units: int, heads: int) -> AdditiveAttention:
    """For queries of `units`."""
    del heads
    return AdditiveAttention(units, name="attention")
