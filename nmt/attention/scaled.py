"""Scaled attention: score g · (q · W k), g learned.

Luong's `general` (Luong et al. 2015, section 3.1) with one number that sharpens or softens the softmax. It starts at
1 / sqrt(units), which keeps the scores' variance at one whatever the size (Vaswani et al. 2017, section 3.2.1).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.attention.general import GeneralAttention


class ScaledAttention(GeneralAttention):
    """General attention times a learned scale."""

    def build(self, queries_shape: Any) -> None:
        """Creates the scale; the projection comes with its first call."""
        start = keras.initializers.Constant(self.units**-0.5)
        self.scale = self.add_weight((), initializer=start, name="scale")

    def score(self, queries: Any, keys: Any) -> Any:
        """Scaled inner products; (batch, queries, source_length)."""
        return super().score(queries * ops.cast(self.scale, queries.dtype), keys)


def attention(units: int, heads: int) -> ScaledAttention:
    """For queries of `units`."""
    del heads
    return ScaledAttention(units, name="attention")
