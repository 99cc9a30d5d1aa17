"""Backpropagation through time against automatic differentiation, and when the LSTM layer takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt import bptt
from nmt.bptt import Weights, lstm
from nmt.cells import make_recurrent

UNITS, INPUTS, BATCH = 3, 2, 2


def arguments(steps: int, dtype: str = "float64") -> tuple[list[tf.Tensor], Weights]:
    """Inputs, first output and cell state, and weights."""
    random = np.random.default_rng(4)
    shapes = (BATCH, steps, INPUTS), (BATCH, UNITS), (BATCH, UNITS)
    of_weights = (INPUTS, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,)
    inputs = [tf.cast(random.normal(size=shape), dtype) for shape in shapes]
    return inputs, Weights(*(tf.constant(random.normal(size=shape), "float64") for shape in of_weights))


def derived(steps: int, mask: Any, training: bool, dtype: str = "float64") -> tuple[list[Any], list[Any]]:
    """What `lstm` returns, and the gradients of a scalar made of it."""
    inputs, weights = arguments(steps, dtype)

    @tf.function
    def differentiate() -> Any:
        with tf.GradientTape() as tape:
            tape.watch([inputs, weights])
            results = lstm(*inputs, mask, weights, training=training)
            scalar = tf.add_n([tf.reduce_sum(tf.cast(result, "float64") ** 3) for result in results])
        return results, tape.gradient(scalar, [*inputs, *weights])

    results, gradients = differentiate()
    return list(results), list(gradients)


MASKS = {
    "all_steps": lambda steps: None,
    "right_padded": lambda steps: tf.sequence_mask([steps, max(1, steps // 2)], steps),
    "left_padded": lambda steps: tf.reverse(tf.sequence_mask([steps, max(1, steps // 2)], steps), [1]),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_gradient_is_the_one_that_tensorflow_derives_from_the_loop(steps: int, mask: Callable[[int], Any]) -> None:
    results, gradients = derived(steps, mask(steps), training=True)
    same_results, expected = derived(steps, mask(steps), training=False)
    assert len(gradients) == len(expected) == 6
    for ours, theirs in zip((*results, *gradients), (*same_results, *expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("training", [True, False])
def test_in_bfloat16_all_is_near_and_the_gradients_of_weights_have_their_dtype(
    training: bool, mask: Callable[[int], Any]
) -> None:
    results, gradients = derived(7, mask(7), training=training, dtype="bfloat16")
    exact, expected = derived(7, mask(7), training=True)
    assert [part.dtype for part in results] == [tf.bfloat16] * 3
    assert [part.dtype for part in gradients] == [tf.bfloat16] * 3 + [tf.float64] * 3
    for ours, theirs in zip((*results, *gradients), (*exact, *expected), strict=True):
        np.testing.assert_allclose(tf.cast(ours, "float64"), theirs, atol=0.03 * float(np.abs(theirs).max()))


def test_in_bfloat16_the_gradient_by_the_bias_is_summed_in_float32() -> None:
    """TensorFlow's own gradient of a bias sums in bfloat16, where a thousand terms leave two digits at most."""
    steps, batch = 40, 64
    random = np.random.default_rng(5)
    inputs = random.normal(size=(batch, steps, INPUTS))
    weights = [tf.cast(x, "float32") for x in arguments(steps)[1]]
    by_bias = {}
    for dtype in ("bfloat16", "float64"):
        state = tf.zeros((batch, UNITS), dtype)
        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs, _, _ = lstm(tf.cast(inputs, dtype), state, state, None, Weights(*weights), training=True)
            scalar = tf.reduce_sum(tf.cast(outputs, "float64"))
        by_bias[dtype] = tf.cast(tape.gradient(scalar, weights[2]), "float64").numpy()
    difference = np.abs(by_bias["bfloat16"] - by_bias["float64"]).max()
    assert difference < 0.005 * np.abs(by_bias["float64"]).max()


@pytest.mark.parametrize("training", [False, True])
def test_in_bfloat16_the_bias_is_not_rounded(training: bool) -> None:
    bias = 1.0 + 2.0**-9  # its neighbours in bfloat16 are 1 and 1 + 2^-7
    inputs, kernel = tf.ones((2, 1, 1), "bfloat16"), tf.fill((1, 16), tf.constant(-1.0, "bfloat16"))
    weights = Weights(kernel, tf.zeros((4, 16), "bfloat16"), tf.fill((16,), bias))
    product = bptt._product_of_columns(bptt._with_ones(inputs), weights) if training else None
    product = product or bptt._product_of_rows(inputs, weights)
    sums = product(0, tf.zeros((4, 2), "bfloat16"))
    np.testing.assert_array_equal(sums, np.full((16, 2), 2.0**-9))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch", [1, None])
def test_a_known_size_of_the_batch_stays_known(batch: int | None, training: bool) -> None:
    _, weights = arguments(1, "float32")
    shapes: list[list[int | None]] = []

    @tf.function(input_signature=[tf.TensorSpec((batch, None, INPUTS)), tf.TensorSpec((batch, None), "bool")])
    def walk(inputs: Any, mask: Any) -> None:
        start = tf.zeros((tf.shape(inputs)[0], UNITS))
        shapes.extend(part.shape.as_list() for part in lstm(inputs, start, start, mask, weights, training))

    walk.get_concrete_function()
    assert shapes == [[batch, None, UNITS], [batch, UNITS], [batch, UNITS]]


def test_a_batch_of_no_rows_has_a_gradient() -> None:
    weights, state = arguments(3)[1], tf.zeros((0, UNITS), "float64")
    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs, _, _ = lstm(tf.zeros((0, 3, INPUTS), "float64"), state, state, None, weights, training=True)
        total = tf.reduce_sum(outputs)
    assert outputs.shape == (0, 3, UNITS)
    assert all(np.all(gradient == 0.0) for gradient in tape.gradient(total, list(weights)))


@pytest.mark.parametrize(
    "recurrent_dropout, training, takes_it", [(0.0, True, True), (0.5, False, True), (0.5, True, False)]
)
def test_the_layer_takes_it_unless_its_state_has_dropout(
    recurrent_dropout: float, training: bool, takes_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras' own loop knows the masks of each gate."""
    calls = []
    monkeypatch.setattr(bptt, "lstm", lambda *parts, **options: calls.append(options) or lstm(*parts, **options))
    layer = make_recurrent("lstm", UNITS, recurrent_dropout, use_cudnn="auto", name="layer")
    layer(np.zeros((BATCH, 4, INPUTS), np.float32), training=training)
    assert calls == ([{"training": training}] if takes_it else [])


@pytest.mark.parametrize("training", [True, False])
def test_a_graph_has_a_gradient_of_its_own_in_training_alone(training: bool) -> None:
    """An exported model shall hold nothing that a server would have to know."""
    layer = make_recurrent("lstm", UNITS, 0.0, use_cudnn=False, name="layer")
    signature = tf.TensorSpec((None, None, INPUTS), tf.float32)
    concrete = tf.function(lambda x: layer(x, training=training)[0]).get_concrete_function(signature)
    assert any("_gradient_op_type" in node.attr for node in concrete.graph.as_graph_def().node) is training


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("backwards", [False, True])
def test_keras_own_layer_with_the_same_weights_gives_the_same(backwards: bool, training: bool) -> None:
    """A checkpoint of one is one of the other; the mask is right-padded, as all are here."""
    options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    ours = make_recurrent("lstm", UNITS, 0.0, use_cudnn=False, name="layer", backwards=backwards)
    theirs = keras.layers.LSTM(UNITS, use_cudnn=False, name="layer", **options)
    inputs = np.random.default_rng(6).normal(size=(BATCH, 5, INPUTS)).astype(np.float32)
    mask = np.array([[True] * 5, [True, True, True, False, False]])
    for layer in (ours, theirs):
        layer.build((None, None, INPUTS))
    assert [weight.path for weight in ours.weights] == [weight.path for weight in theirs.weights]
    theirs.set_weights(ours.get_weights())
    for found, expected in zip(ours(inputs, mask=mask, training=training), theirs(inputs, mask=mask), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
