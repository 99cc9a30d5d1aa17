"""Every cell against its equations, in NumPy, and the dropout of the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest
from keras import ops
from numeric_gradients import Arrays, assert_computes

from nmt.cells import make_recurrent, state_sizes
from nmt.config.model import Cell
from nmt.precision import layers_of

CELLS = get_args(Cell)
INPUTS, UNITS = 2, 3
MASK = np.array([[True, True, True, True], [True, True, False, False]])
EPSILON = 1e-5
NOTHING_DROPPED = (1.0, 1.0, 1.0, 1.0)

Masks = Sequence[Any]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def normalized(x: np.ndarray) -> np.ndarray:
    """Ba et al. 2016, eq. 4, without gain and bias."""
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + EPSILON)


def rnn_step(weights: Arrays, x: np.ndarray, states: Sequence[np.ndarray], masks: Masks) -> Arrays:
    """Elman 1990."""
    w, u, b = weights
    (h,) = states
    return [np.tanh(x @ w + (h * masks[0]) @ u + b)]


def gru_step(weights: Arrays, x: np.ndarray, states: Sequence[np.ndarray], masks: Masks) -> Arrays:
    """Cho et al. 2014, section 2.3, with the reset gate behind the product; Keras' order is z, r, candidate."""
    w_z, w_r, w = np.split(weights[0], 3, axis=1)
    u_z, u_r, u = np.split(weights[1], 3, axis=1)
    (b_z, b_r, b), (c_z, c_r, c) = np.split(weights[2][0], 3), np.split(weights[2][1], 3)
    (h,) = states
    z = sigmoid(x @ w_z + b_z + (h * masks[0]) @ u_z + c_z)
    r = sigmoid(x @ w_r + b_r + (h * masks[1]) @ u_r + c_r)
    candidate = np.tanh(x @ w + b + r * ((h * masks[2]) @ u + c))
    return [z * h + (1.0 - z) * candidate]


def lstm_step(weights: Arrays, x: np.ndarray, states: Sequence[np.ndarray], masks: Masks) -> Arrays:
    """Gers et al. 2000, eq. 2 to 8, without peepholes; Keras' order is i, f, candidate, o."""
    (w_i, w_f, w_g, w_o), (u_i, u_f, u_g, u_o) = (np.split(kernel, 4, axis=1) for kernel in weights[:2])
    b_i, b_f, b_g, b_o = np.split(weights[2], 4)
    h, c = states
    i = sigmoid(x @ w_i + (h * masks[0]) @ u_i + b_i)
    f = sigmoid(x @ w_f + (h * masks[1]) @ u_f + b_f)
    g = np.tanh(x @ w_g + (h * masks[2]) @ u_g + b_g)
    o = sigmoid(x @ w_o + (h * masks[3]) @ u_o + b_o)
    c = f * c + i * g
    return [o * np.tanh(c), c]


def layer_norm_lstm_step(weights: Arrays, x: np.ndarray, states: Sequence[np.ndarray], masks: Masks) -> Arrays:
    """Ba et al. 2016, eq. 20 to 22: one normalization over all four gates of a sum."""
    w, u, b, input_gain, state_gain, cell_gain, cell_shift = weights
    h, c = states
    sums = input_gain * normalized(x @ w) + state_gain * normalized((h * masks[0]) @ u) + b
    i, f, g, o = np.split(sums, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(cell_gain * normalized(c) + cell_shift), c]


STEPS: dict[str, Callable[..., Arrays]] = {
    "rnn": rnn_step,
    "gru": gru_step,
    "lstm": lstm_step,
    "layer_norm_lstm": layer_norm_lstm_step,
}


def over_sequence(
    cell: str, weights: Arrays, sequence: np.ndarray, states: Sequence[np.ndarray], masks: Masks = NOTHING_DROPPED
) -> Arrays:
    """Outputs of all steps, 0 where there is no token, and the states after each row's last token."""
    outputs = []
    for t in range(sequence.shape[1]):
        is_token = MASK[:, t, None]
        new_states = STEPS[cell](weights, sequence[:, t], states, masks)
        states = [np.where(is_token, new, old) for new, old in zip(new_states, states, strict=True)]
        outputs.append(np.where(is_token, new_states[0], 0.0))
    return [np.stack(outputs, axis=1), *states]


def make_layer(cell: str, recurrent_dropout: float = 0.0, backwards: bool = False) -> Any:
    keras.utils.set_random_seed(1)
    with layers_of("float64"):
        layer = make_recurrent(cell, UNITS, recurrent_dropout, use_cudnn=False, name="layer", backwards=backwards)
    layer.build((None, None, INPUTS))
    return layer


def run(layer: Any, sequence: Any, *states: Any, training: bool = False) -> list[Any]:
    outputs, *final = layer(sequence, initial_state=list(states), mask=ops.convert_to_tensor(MASK), training=training)
    return [outputs * MASK[:, :, None].astype(float), *final]


def random_inputs(layer: Any) -> Arrays:
    """A sequence of two rows, and first states."""
    generator = np.random.default_rng(1)
    return [generator.normal(size=(2, 4, INPUTS)), *generator.normal(size=(len(state_sizes(layer)), 2, UNITS))]


def values_of(layer: Any) -> Arrays:
    return [ops.convert_to_numpy(weight) for weight in layer.trainable_weights]


@pytest.mark.parametrize("training", [False, True], ids=["at_rest", "training"])
@pytest.mark.parametrize("cell", CELLS)
def test_equations_and_gradients(cell: str, training: bool) -> None:
    """In training the LSTM has a gradient of its own."""
    layer = make_layer(cell)
    assert_computes(
        lambda weights, sequence, *states: over_sequence(cell, weights, sequence, states),
        lambda sequence, *states: run(layer, sequence, *states, training=training),
        layer.trainable_weights,
        random_inputs(layer),
    )


@pytest.mark.parametrize("cell", CELLS)
def test_in_training_one_mask_for_all_steps_drops_units_of_the_state(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = make_layer(cell, recurrent_dropout=0.5)
    monkeypatch.setattr(layer.cell, "reset_recurrent_dropout_mask", lambda: None)  # the mask can be read afterwards
    sequence, *states = random_inputs(layer)
    outputs = run(layer, sequence, *states, training=True)
    mask = layer.cell.get_recurrent_dropout_mask(outputs[1])
    masks = [ops.convert_to_numpy(one) for one in (mask if isinstance(mask, list) else [mask])]
    assert set(np.unique(masks)) == {0.0, 2.0}  # dropped, or twice as large, which keeps the mean
    for output, expected in zip(outputs, over_sequence(cell, values_of(layer), sequence, states, masks), strict=True):
        np.testing.assert_allclose(output, expected, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_each_sequence_has_its_own_mask(cell: str) -> None:
    layer = make_layer(cell, recurrent_dropout=0.5)
    inputs = random_inputs(layer)
    first, second = (np.array(run(layer, *inputs, training=True)[0]) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("cell", CELLS)
def test_outside_of_training_nothing_is_dropped(cell: str) -> None:
    layer = make_layer(cell, recurrent_dropout=0.5)
    sequence, *states = random_inputs(layer)
    expected = over_sequence(cell, values_of(layer), sequence, states)
    np.testing.assert_allclose(run(layer, sequence, *states)[0], expected[0], atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_outside_of_training_draws_no_random_numbers(cell: str) -> None:
    """Search takes its steps in a loop, where no backend but TensorFlow can."""
    layer = make_layer(cell, recurrent_dropout=0.5)
    before = ops.convert_to_numpy(layer.cell.seed_generator.state)
    sequence, *states = random_inputs(layer)
    layer.cell(sequence[:, 0], states)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.cell.seed_generator.state), before)


@pytest.mark.parametrize("cell", CELLS)
def test_backwards_is_forwards_over_the_reversed_sequence(cell: str) -> None:
    forwards, backwards = make_layer(cell), make_layer(cell, backwards=True)
    backwards.set_weights(forwards.get_weights())
    sequence, *_ = random_inputs(forwards)
    for output, expected in zip(backwards(sequence), forwards(sequence[:, ::-1]), strict=True):
        np.testing.assert_allclose(output, expected, atol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "layer_norm_lstm"])
def test_the_forget_gate_starts_open(cell: str) -> None:
    assert values_of(make_layer(cell))[2].tolist() == [0.0] * UNITS + [1.0] * UNITS + [0.0] * 2 * UNITS


def test_states_of_each_cell() -> None:
    counts = {cell: len(state_sizes(make_layer(cell))) for cell in CELLS}
    assert counts == {"rnn": 1, "gru": 1, "lstm": 2, "layer_norm_lstm": 2}


def test_every_cell_of_the_configuration_is_a_file_and_every_file_a_cell() -> None:
    files = {path.stem for path in (Path(__file__).parents[2] / "nmt" / "cells").glob("*.py")}
    assert files - {"__init__"} == set(CELLS) == set(STEPS)


@pytest.mark.parametrize("cell", CELLS)
def test_xla_is_left_out(cell: str) -> None:
    """Keras would take it by itself where there is a GPU; it cannot compile the gradient of the steps' loop."""
    assert make_layer(cell).supports_jit is False


def test_a_step_of_search_is_the_cells_and_closer_to_float32() -> None:
    generator = np.random.default_rng(1)
    inputs, hidden, cell = (generator.normal(size=(7, 32)).astype(np.float32) for _ in range(3))
    steps: dict[tuple[str, bool], list[Any]] = {}
    for precision in ("float32", "bfloat16"):
        with layers_of(precision):
            layer = make_recurrent("lstm", 32, 0.0, False, "layer")
        layer.build((None, None, 32))
        weights = np.random.default_rng(2)
        for variable in layer.weights:
            variable.assign(weights.normal(size=variable.shape) * 0.3)
        values = [ops.cast(x, precision) for x in (inputs, hidden, cell)]
        for by_cell in (False, True):
            step = layer.cell if by_cell else layer.search_step
            outputs, state = step(values[0], values[1:])
            assert all(part.dtype == values[0].dtype for part in (outputs, *state))
            steps[precision, by_cell] = [ops.convert_to_numpy(ops.cast(x, "float32")) for x in (outputs, *state)]
    for own, of_cell in zip(steps["float32", False], steps["float32", True], strict=True):
        np.testing.assert_allclose(own, of_cell, atol=1e-5)
    errors = {
        by_cell: np.mean(
            [np.abs(x - y).mean() for x, y in zip(steps["bfloat16", by_cell], steps["float32", True], strict=True)]
        )
        for by_cell in (False, True)
    }
    assert errors[False] < 0.9 * errors[True]
