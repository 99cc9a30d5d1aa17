"""Functions of arrays as graphs of TensorFlow, one for each kind of shapes.

Keras' own `train_on_batch` and `predict_on_batch` make a graph for the first arrays' shapes alone, and a general one at
the second shapes. Both take time to make and memory, and what they compute may differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import tree


def compiled(
    function: Callable[..., Any], model: Any, shape_of: Callable[[Any], Sequence[int | None]]
) -> Callable[..., Any]:
    """A function that runs as a graph, made when it is first needed.

    Args:
        function: of arrays, or of structures of them, to tensors.
        model: whose `run_eagerly`, which makes no graph, and `jit_compile` hold for it.
        shape_of: what a graph knows of an array's shape, None for a size that may change. There are as many graphs as
            different answers.
    """
    import tensorflow as tf

    graphs: dict[Any, Any] = {}

    def call(*arguments: Any) -> Any:
        if model.run_eagerly:
            return function(*arguments)
        signature = tree.map_structure(lambda array: tf.TensorSpec(shape_of(array), array.dtype), arguments)
        kind = tuple(tree.flatten_with_path(signature))
        if kind not in graphs:
            general = tf.function(function, signature, autograph=False, jit_compile=model.jit_compile)
            graphs[kind] = general.get_concrete_function()  # whose call looks no signature up: half of a call's time
        return graphs[kind](*arguments)

    return call
