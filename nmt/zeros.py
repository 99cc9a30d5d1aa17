"""Weights that begin as zeros, for a model that gets others before it is used. Knows no model."""

from __future__ import annotations

import keras


def begin_with_zeros(model: keras.Model) -> None:
    """Lets the layers of a model that has no variables yet begin with zeros instead of random numbers.

    Those would take time to draw, and memory that TensorFlow's pool keeps (docs/speed.md). Only weights of layers that
    know an initializer, as Keras' own do, are concerned; the others begin as they are written.
    """
    for layer in model._flatten_layers(include_self=False):
        for name in [name for name in vars(layer) if name.endswith("_initializer")]:
            setattr(layer, name, keras.initializers.Zeros())
