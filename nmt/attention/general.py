"""General attention: score q · W k (Luong et al. 2015, section 3.1, `general`)."""

from __future__ import annotations

from typing import Any

import keras

from nmt.attention.dot import DotAttention


class GeneralAttention(DotAttention):
    """Brings the values to the query's size before it compares.

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


def attention(units: int, heads: int) -> GeneralAttention:
    """For queries of `units`."""
    del heads
    return GeneralAttention(units, name="attention")
