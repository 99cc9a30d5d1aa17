"""The gradient of a dense layer in half precision, against double."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt.config import ModelConfig
from nmt.dense import Dense
from nmt.seq2seq import Seq2Seq

ROWS, UNITS = (50, 64), 8


def outputs_and_gradients(kind: Any, dtype: str) -> list[np.ndarray]:
    """Of the same layer and the same inputs: the outputs, and the gradients of a sum by kernel and bias."""
    random = np.random.default_rng(3)
    layer = kind(UNITS, activation="tanh", dtype=dtype)
    layer.build((None, None, 4))
    layer.set_weights([random.normal(size=(4, UNITS)), random.normal(size=UNITS)])
    inputs = tf.cast(random.normal(size=(*ROWS, 4)), layer.compute_dtype)
    with tf.GradientTape() as tape:
        outputs = layer(inputs, training=True) if kind is Dense else layer(inputs)
        total = tf.reduce_sum(tf.cast(outputs, "float64"))
    gradients = tape.gradient(total, [weight.value for weight in layer.trainable_weights])
    return [np.asarray(part, np.float64) for part in (tf.cast(outputs, "float64"), *gradients)]


@pytest.mark.parametrize(
    "dtype, tolerance", [("mixed_bfloat16", 0.04), ("mixed_float16", 0.01), ("float32", 1e-5), ("float64", 1e-14)]
)
def test_what_it_gives_is_near_to_the_exact_whatever_the_precision(dtype: str, tolerance: float) -> None:
    exact = outputs_and_gradients(keras.layers.Dense, "float64")
    for found, expected in zip(outputs_and_gradients(Dense, dtype), exact, strict=True):
        assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="a graphics processor may sum in float32")
def test_keras_own_layer_is_why() -> None:
    """When this fails, Keras or TensorFlow sums in float32, and the layer is no longer needed."""
    _, _, by_bias = outputs_and_gradients(keras.layers.Dense, "mixed_bfloat16")
    _, _, exact = outputs_and_gradients(keras.layers.Dense, "float64")
    assert np.abs(by_bias - exact).max() > 0.1 * np.abs(exact).max()


@pytest.mark.parametrize("query", ["bottom", "previous"])
def test_in_a_model_it_has_the_gradient_in_training_and_none_in_an_export(query: str) -> None:
    """The layers around it do not pass on whether it is training; Keras does. A GRU has no gradient of its own."""
    sizes = {"embedding_size": 4, "encoder_units": 4, "decoder_units": 4}
    config = ModelConfig(cell="gru", readout="tanh", attention="additive", attention_query=query, **sizes)
    model = Seq2Seq(config, 9, 9, precision="mixed_bfloat16")
    ids = tf.TensorSpec((None, None), tf.int32)

    def own_gradients(training: bool) -> int:
        traced = tf.function(
            lambda source, target: model({"source_ids": source, "target_ids": target}, training=training)
        )
        graph = traced.get_concrete_function(ids, ids).graph.as_graph_def()
        nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
        return sum("_gradient_op_type" in node.attr for node in nodes)

    model.decoder.dropout.rate = model.encoder.dropout.rate = 0.0
    assert own_gradients(training=False) == 0
    assert own_gradients(training=True) >= 3
