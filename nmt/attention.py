"""Attention: what the decoder reads from the encoder's outputs.

Each attention is a layer `(queries, keys, values, mask) -> (context, weights)`. The keys are computed once a sentence
by `project`, because search asks the same memory at every step. Knows nothing of encoder and decoder.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

MASKED_SCORE = -1e9  # finite, so that a softmax over masked positions alone is still a number


class Attention(keras.layers.Layer):
    """Weighs the values by a softmax over scores; subclasses define the score.

    Masked positions get weight 0. The softmax is computed in float32 whatever the layer's precision.
    """

    def project(self, values: Any) -> Any:
        """Keys of the memory; (batch, source_length, units) -> (batch, source_length, key_units)."""
        raise NotImplementedError(f"{type(self).__name__} must define project()")

    def score(self, queries: Any, keys: Any) -> Any:
        """Scores of shape (batch, queries, source_length)."""
        raise NotImplementedError(f"{type(self).__name__} must define score()")

    def call(self, queries: Any, keys: Any, values: Any, mask: Any) -> tuple[Any, Any]:
        """Answers every query.

        Args:
            queries: (batch, queries, query_units).
            keys: what `project` made of the values.
            values: (batch, source_length, units).
            mask: True where there is a token; (batch, source_length).

        Returns:
            The contexts (batch, queries, units) and the weights (batch, queries, source_length), which sum to 1.
        """
        scores = ops.cast(self.score(queries, keys), "float32")  # (batch, queries, source_length)
        scores = ops.where(mask[:, None, :], scores, MASKED_SCORE)
        weights = ops.softmax(scores, axis=-1)
        return ops.matmul(ops.cast(weights, values.dtype), values), weights


class DotAttention(Attention):
    """Score q · k; queries and values need the same size (Luong et al. 2015, section 3.1, `dot`)."""

    def project(self, values: Any) -> Any:
        """The values themselves."""
        return values

    def score(self, queries: Any, keys: Any) -> Any:
        """Inner products; (batch, queries, source_length)."""
        return ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))


class GeneralAttention(DotAttention):
    """Score q · W k; W brings the values to the query's size (Luong et al. 2015, section 3.1, `general`).

    Args:
        units: size of the queries.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.key_projection = keras.layers.Dense(units, use_bias=False, name="key_projection")

    def project(self, values: Any) -> Any:
        """W k; (batch, source_length, units)."""
        return self.key_projection(values)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "units": self.units}


class AdditiveAttention(Attention):
    """Score v · tanh(W q + U k) (Bahdanau et al. 2015, appendix A.1.2).

    Args:
        units: size of the hidden layer that compares query and key.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.query_projection = keras.layers.Dense(units, use_bias=False, name="query_projection")
        self.key_projection = keras.layers.Dense(units, name="key_projection")
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


def make_attention(name: str, units: int) -> Attention:
    """The attention of that name (`model.attention`), for queries of `units`."""
    if name == "dot":
        return DotAttention(name="attention")
    return {"general": GeneralAttention, "additive": AdditiveAttention}[name](units, name="attention")
