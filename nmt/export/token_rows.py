"""Rows of token ids, in TensorFlow's own operations."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from nmt.tokenizer import END_ID, PAD_ID, UNKNOWN_ID
from nmt.translation.translator import LENGTH_STEP


def ended(token_ids: Any, lengths: Any) -> Any:
    """Puts the end of sentence behind each row's tokens, and pads to a length that few shapes share.

    Args:
        token_ids: (batch, length).
        lengths: tokens of each row; what stands behind them is left out; (batch,).
    """
    longest = tf.reduce_max(tf.concat([lengths, [0]], axis=0)) + 1
    padded_length = -(-longest // LENGTH_STEP) * LENGTH_STEP
    width = tf.minimum(tf.shape(token_ids)[1], padded_length)
    padded = tf.pad(token_ids[:, :width], [[0, 0], [0, padded_length - width]])
    places = tf.range(padded_length)[tf.newaxis]  # (1, padded_length)
    behind = tf.where(tf.equal(places, lengths[:, tf.newaxis]), END_ID, PAD_ID)
    return tf.where(places < lengths[:, tf.newaxis], padded, behind)


def is_written(token_ids: Any) -> Any:
    """Where a token is part of the text: neither padding nor start nor end."""
    return tf.logical_or(token_ids > END_ID, tf.equal(token_ids, UNKNOWN_ID))
