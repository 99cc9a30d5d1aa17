"""Dot-product attention: score q · k (Luong et al. 2015, section 3.1, `dot`)."""

from __future__ import annotations

from typing import Any

from nmt.attention.base import Attention, product_of_each


class DotAttention(Attention):
    """Compares query and value themselves, which need the same size."""

    def project(self, values: Any) -> Any:
        """The values themselves."""
        return values

    def score(self, queries: Any, keys: Any) -> Any:
        """Inner products; (batch, queries, source_length)."""
        return product_of_each(queries, keys, transposed=True)


def attention(units: int, heads: int) -> DotAttention:
    """For queries of the values' size."""
    del units, heads
    return DotAttention(name="attention")
