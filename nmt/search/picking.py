"""Picking some of many, row by row."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


def take_rows(values: Any, places: Any) -> Any:
    """As `ops.take` of the first axis, which on TensorFlow looks for negative places in three operations more.

    Args:
        values: (size, ...).
        places: from 0 to size - 1; any shape.

    Returns:
        (*shape of places, ...).
    """
    if keras.backend.backend() != "tensorflow":
        return ops.take(values, places, axis=0)
    import tensorflow as tf

    return tf.gather(values, places)


def pick(values: Any, places: Any) -> Any:
    """Of each row, what stands at the row's own places.

    As `ops.take_along_axis`, which broadcasts and transposes all that it picks from; this reads what it picks. There
    may be 2^31 values, as an int32 counts them.

    Args:
        values: (..., size, *rest), with as many dimensions before `size` as `places` has before its last one.
        places: from 0 to size - 1, int32; (..., count).

    Returns:
        (..., count, *rest).
    """
    *outer, count = ops.shape(places)
    size, *rest = ops.shape(values)[len(outer) :]
    rows = math.prod(outer)  # of tensors, where a size is not known
    starts = size * ops.arange(rows, dtype="int32")[:, None]
    picked = take_rows(ops.reshape(values, (rows * size, *rest)), ops.reshape(places, (rows, count)) + starts)
    return ops.reshape(picked, (*outer, count, *rest))
