"""The largest few of many numbers."""

from __future__ import annotations

from typing import Any

from keras import ops

from nmt.search.picking import pick

BLOCK = 32
WORTHWHILE = 4  # times as many numbers as are looked at one by one


def largest(values: Any, count: int) -> tuple[Any, Any]:
    """As `ops.top_k`, and of equal numbers the first too, but faster where few are wanted of many.

    The largest `count` numbers stand in those `count` blocks whose maxima are largest: each of these has a number that
    comes before any of another block. A maximum of each block is found in one pass, at the memory's speed; what looks
    at number after number is left with the blocks, and with what stands in the best of them.

    Args:
        values: (..., size); the size must be known.
        count: at most `size`.

    Returns:
        The numbers, largest first, and their places in 0 to size - 1, int32; (..., count).
    """
    size = values.shape[-1]
    if size < WORTHWHILE * count * BLOCK:
        found, places = ops.top_k(values, count)
        return found, ops.cast(places, "int32")
    *outer, _ = ops.shape(values)
    if missing := -size % BLOCK:
        values = ops.pad(values, [(0, 0)] * len(outer) + [(0, missing)], constant_values=float("-inf"))
    blocks = ops.reshape(values, (*outer, (size + missing) // BLOCK, BLOCK))
    _, best = ops.top_k(ops.max(blocks, axis=-1), count)
    best = ops.sort(ops.cast(best, "int32"), axis=-1)  # in their order, so that of equal numbers the first is found
    chosen = pick(blocks, best)  # (..., count, BLOCK)
    found, places = ops.top_k(ops.reshape(chosen, (*outer, count * BLOCK)), count)
    places = ops.cast(places, "int32")
    return found, pick(best, places // BLOCK) * BLOCK + places % BLOCK
