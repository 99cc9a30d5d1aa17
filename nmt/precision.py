"""In which arithmetic the layers of a model work. Knows Keras' dtype policies and no model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def layers_of(precision: str) -> Iterator[None]:
    """Layers that are made inside have this dtype policy: `float32` or `mixed_bfloat16`, for example."""
    outer = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(outer)
