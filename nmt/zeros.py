"""Weights that begin as zeros, for a model that gets others before it is used. Knows no model."""

from __future__ import annotations

import keras


def begin_with_zeros(model: keras.Model) -> None:
    """Lets the matrices of a model that has no weights yet begin with zeros instead of random numbers.

    Those would take time to draw, and memory that TensorFlow's pool keeps (docs/speed.md). Weights of which a layer has
    no initializer as an attribute, as Keras' layers have them, begin as they are written; an LSTM's forget gates at 1.

    Raises:
        RuntimeError: the model has weights already.
    """
    if count := len(model.trainable_variables):
        raise RuntimeError(
            f"{model.name}: expected a model without weights, received {count}; ask before its first call"
        )
    for layer in model._flatten_layers(include_self=False):
        for name in [name for name in vars(layer) if name.endswith("_initializer")]:
            setattr(layer, name, keras.initializers.Zeros())
