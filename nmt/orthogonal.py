"""Orthogonal matrices to begin with, in any precision. Knows no cell."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Orthogonal(keras.initializers.Orthogonal):
    """Keras' orthogonal matrices (Saxe et al. 2014), in any precision: no backend finds them in bfloat16."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """A matrix, rounded from float32 where that is longer."""
        dtype = keras.backend.standardize_dtype(dtype)
        return ops.cast(super().__call__(shape, "float32" if dtype == "bfloat16" else dtype), dtype)
