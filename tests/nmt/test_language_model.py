"""The language model: its three ways through the same layers, its state, its parameters, its gradient."""

from __future__ import annotations

from typing import Any, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt.config import LanguageModelSizes
from nmt.config.model import Cell
from nmt.language_model import LanguageModel
from nmt.losses import SmoothedCrossEntropy
from nmt.tokenizer import END_ID, START_ID

CELLS = get_args(Cell)
VOCABULARY = 10
TOKENS = np.array([[END_ID, 5, 9, 4, END_ID, 7], [8, END_ID, 6, 6, 5, 9]], np.int32)
LABELS = np.roll(TOKENS, -1, axis=1)


def make_model(cell: str = "lstm", precision: str = "float32", **settings: Any) -> LanguageModel:
    sizes = {"cell": cell, "embedding_size": 4, "layers": 2, "units": 5, "dropout": 0.0}
    return LanguageModel(LanguageModelSizes.model_validate(sizes | settings), VOCABULARY, 2, precision)


def inputs(token_ids: np.ndarray, carry: float | list[float]) -> dict[str, np.ndarray]:
    return {"token_ids": token_ids, "carry": np.full(2, carry, np.float32)}


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32")))


def carried(model: LanguageModel) -> list[np.ndarray]:
    return [numbers(variable) for layer in model.carried_state for variable in layer]


def gru_parameters(inputs: int, units: int) -> int:
    """Three gates, each with a kernel, a recurrent kernel and two biases."""
    return 3 * (inputs * units + units * units + 2 * units)


@pytest.mark.parametrize(("tie", "units", "projection"), [(False, 5, 5 * 10 + 10), (True, 4, 0)])
def test_parameters_counted_by_hand(tie: bool, units: int, projection: int) -> None:
    model = make_model("gru", tie_embeddings=tie, units=units)
    expected = 10 * 4 + gru_parameters(4, units) + gru_parameters(units, units) + projection
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == expected


@pytest.mark.parametrize("cell", CELLS)
def test_two_halves_with_the_state_carried_are_the_whole(cell: str) -> None:
    model = make_model(cell, residual=True)
    whole = numbers(model.logits(inputs(TOKENS, 0.0)))
    after_whole = carried(model)
    halves = [
        numbers(model.logits(inputs(half, carry))) for half, carry in ((TOKENS[:, :3], 0.0), (TOKENS[:, 3:], 1.0))
    ]
    np.testing.assert_allclose(np.concatenate(halves, axis=1), whole, atol=1e-6)
    for expected, received in zip(after_whole, carried(model), strict=True):
        np.testing.assert_allclose(received, expected, atol=1e-6)
        assert np.abs(expected).max() > 0


def test_carry_decides_for_each_stream() -> None:
    model = make_model()
    fresh = numbers(model.logits(inputs(TOKENS, 0.0)))
    gone_on = numbers(model.logits(inputs(TOKENS, 1.0)))
    assert np.abs(gone_on - fresh).max(axis=(1, 2)).min() > 1e-4
    np.testing.assert_array_equal(numbers(model.logits(inputs(TOKENS, 0.0))), fresh)
    one_row = numbers(model.logits(inputs(TOKENS, [1.0, 0.0])))
    np.testing.assert_array_equal(one_row[1], fresh[1])
    np.testing.assert_array_equal(one_row[0], gone_on[0])


def test_a_new_model_carries_nothing_and_its_state_is_no_parameter() -> None:
    model = make_model()
    states = [variable for layer in model.carried_state for variable in layer]
    assert [variable.path for variable in states] == [
        f"language_model/state_{layer}_{part}" for layer in (0, 1) for part in (0, 1)
    ]
    assert all(np.abs(state).max() == 0 for state in carried(model))
    trained, kept = ({id(variable) for variable in some} for some in (model.trainable_variables, model.variables))
    assert not trained & {id(variable) for variable in states}
    assert kept >= {id(variable) for variable in states}


@pytest.mark.parametrize("cell", CELLS)
def test_read_is_call_without_the_memory(cell: str) -> None:
    model = make_model(cell)
    called = numbers(model.logits(inputs(TOKENS, 0.0)))
    before = carried(model)
    logits, state = model.read(TOKENS, model.first_state(2))
    np.testing.assert_allclose(numbers(logits), called, atol=1e-6)
    for left, returned, after in zip(before, keras.tree.flatten(state), carried(model), strict=True):
        np.testing.assert_allclose(left, numbers(returned), atol=1e-6)
        np.testing.assert_array_equal(left, after)


@pytest.mark.thorough
@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_step_is_read_token_by_token(cell: str, tie: bool) -> None:
    """Any number of rows, not only the streams of the training."""
    model = make_model(cell, residual=True, tie_embeddings=tie, units=4 if tie else 5)
    rows = np.concatenate([TOKENS, TOKENS[:1]])
    logits, _ = model.read(rows, model.first_state(3))
    expected = numbers(keras.ops.log_softmax(logits, axis=-1))
    state = model.first_state(3)
    for position in range(rows.shape[1]):
        log_probs, weights, state = model.step(keras.ops.convert_to_tensor(rows[:, position]), state)
        assert weights is None
        np.testing.assert_allclose(numbers(log_probs), expected[:, position], atol=1e-5)


def test_a_sentence_begins_after_the_end_of_another() -> None:
    model = make_model()
    starts, ends = (keras.ops.full((3,), i, "int32") for i in (START_ID, END_ID))
    np.testing.assert_array_equal(
        numbers(model.step(starts, model.first_state(3))[0]), numbers(model.step(ends, model.first_state(3))[0])
    )


def test_a_state_that_is_not_finite_is_left_behind() -> None:
    """After a step that was skipped, the next one reads as if it were the first."""
    model = make_model()
    expected = numbers(model.logits(inputs(TOKENS, 0.0)))
    for variable in (variable for layer in model.carried_state for variable in layer):
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    np.testing.assert_allclose(numbers(model.logits(inputs(TOKENS, 1.0))), expected, atol=1e-6)


def test_residual_adds_what_the_second_layer_was_given() -> None:
    plain, residual = (make_model("rnn", residual=added) for added in (False, True))
    for old, new in zip(plain.trainable_variables, residual.trainable_variables, strict=True):
        new.assign(old)
    first = plain.recurrent_layers[0](plain.embedding(TOKENS) * 4**0.5)[0]
    second = plain.recurrent_layers[1](first)[0]
    np.testing.assert_allclose(numbers(plain.logits(inputs(TOKENS, 0.0))), numbers(plain.projection(second)), atol=1e-6)
    expected = numbers(residual.projection(first + second))
    np.testing.assert_allclose(numbers(residual.logits(inputs(TOKENS, 0.0))), expected, atol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_gradient_reaches_every_variable(cell: str, tie: bool) -> None:
    model = make_model(cell, tie_embeddings=tie, units=4 if tie else 5, dropout=0.2, recurrent_dropout=0.2)
    with tf.GradientTape() as tape:
        loss = SmoothedCrossEntropy()(LABELS, model.logits(inputs(TOKENS, 0.0), training=True), np.ones(LABELS.shape))
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    silent = [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.abs(tf.convert_to_tensor(gradient).numpy()).max() > 0
    ]
    assert silent == []


def test_dropout_only_in_training() -> None:
    model = make_model(dropout=0.5)
    np.testing.assert_array_equal(
        numbers(model.logits(inputs(TOKENS, 0.0))), numbers(model.logits(inputs(TOKENS, 0.0)))
    )
    first, second = (numbers(model.logits(inputs(TOKENS, 0.0), training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 0


def test_mixed_precision_keeps_float32_variables_and_is_close() -> None:
    before = keras.config.dtype_policy().name
    exact, rough = make_model(), make_model(precision="mixed_bfloat16")
    assert keras.config.dtype_policy().name == before == "float32"
    assert {variable.dtype for variable in rough.variables if "seed" not in variable.path} == {"float32"}
    for old, new in zip(exact.trainable_variables, rough.trainable_variables, strict=True):
        new.assign(old)
    for carry in (0.0, 1.0):
        logits = rough.logits(inputs(TOKENS, carry))
        assert keras.backend.standardize_dtype(logits.dtype) == "bfloat16"
        np.testing.assert_allclose(numbers(logits), numbers(exact.logits(inputs(TOKENS, carry))), atol=0.03)
