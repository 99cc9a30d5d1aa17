"""Multi-head attention: several scaled dot products side by side (Vaswani et al. 2017, section 3.2.2)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.attention.base import Attention


class MultiHeadAttention(Attention):
    """Asks with several heads, each with its own part of the query and of the keys.

    Every head weighs its own part of the projected values; a dense layer joins what they found. The weights that are
    returned are the heads' mean.

    Args:
        units: size of the queries, a multiple of `heads`.
        heads: how many ask.
    """

    def __init__(self, units: int, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.heads = heads
        self.query_projection = keras.layers.Dense(units, use_bias=False, name="query_projection")
        self.key_projection = keras.layers.Dense(units, use_bias=False, name="key_projection")
        self.value_projection = keras.layers.Dense(units, use_bias=False, name="value_projection")
        self.output_projection = keras.layers.Dense(units, use_bias=False, name="output_projection")

    def project(self, values: Any) -> Any:
        """Keys and values of all heads, side by side; (batch, source_length, 2 * units)."""
        return ops.concatenate([self.key_projection(values), self.value_projection(values)], axis=-1)

    def score(self, queries: Any, keys: Any) -> Any:
        """Scaled inner products of each head; (batch, heads, queries, source_length)."""
        parts = self._divide(self.query_projection(queries))  # (batch, heads, queries, units / heads)
        products = ops.matmul(parts, ops.transpose(self._divide(keys), (0, 1, 3, 2)))
        return products * (self.units // self.heads) ** -0.5

    def call(self, queries: Any, keys: Any, values: Any, mask: Any) -> tuple[Any, Any]:
        """Answers every query, as `Attention.call` does; the contexts are (batch, queries, units)."""
        own_keys, own_values = ops.split(keys, 2, axis=-1)  # each (batch, source_length, units)
        weights = self.weigh(self.score(queries, own_keys), mask[:, None, None, :])
        parts = ops.matmul(ops.cast(weights, own_values.dtype), self._divide(own_values))
        joined = ops.transpose(parts, (0, 2, 1, 3))  # (batch, queries, heads, units / heads)
        joined = ops.reshape(joined, (*ops.shape(joined)[:2], self.units))
        return self.output_projection(joined), ops.mean(weights, axis=1)

    def _divide(self, vectors: Any) -> Any:
        """(batch, length, units) to (batch, heads, length, units / heads)."""
        batch, length, _ = ops.shape(vectors)
        parts = ops.reshape(vectors, (batch, length, self.heads, self.units // self.heads))
        return ops.transpose(parts, (0, 2, 1, 3))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units, "heads": self.heads}


def attention(units: int, heads: int) -> MultiHeadAttention:
    """For queries of `units`."""
    return MultiHeadAttention(units, heads, name="attention")
