"""Attention: what the decoder reads from the encoder's outputs.

Each attention is a layer `(queries, keys, values, mask) -> (context, weights)`. The keys are computed once a sentence
by `project`, because search asks the same memory at every step. Each is a file named as `model.attention` names it, and
defines `attention(units, heads)`, which makes the layer. Knows nothing of encoder and decoder.
"""

from __future__ import annotations

from importlib import import_module

from nmt.attention.base import Attention

__all__ = ["Attention", "make_attention"]


def make_attention(name: str, units: int, heads: int) -> Attention:
    """The attention of that name.

    Args:
        name: a file of this folder.
        units: size of the queries.
        heads: of `multi_head`.
    """
    made: Attention = import_module(f"nmt.attention.{name}").attention(units, heads)
    return made
