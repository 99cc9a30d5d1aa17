"""The bridge: which of the encoder's states becomes which of the decoder's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops

from nmt.bridge import Bridge
from nmt.config import ModelConfig

LSTM_LAYER = ("forward h", "forward c", "backward h", "backward c")


def make_bridge(kind: str, states_per_layer: int, **settings: Any) -> Bridge:
    sizes = {"encoder_layers": 2, "encoder_units": 2, "decoder_layers": 2, "decoder_units": 4, "attention": "additive"}
    return Bridge(ModelConfig.model_validate({**sizes, "bridge": kind, **settings}), states_per_layer)


def numbered(layers: int, states: int, units: int = 2) -> list[list[Any]]:
    """States of one row: layer 1's first is all 10, its second all 11, layer 2's first all 20."""
    return [[np.full((1, units), 10.0 * i + j, np.float32) for j in range(states)] for i in range(1, layers + 1)]


def handed_over(bridge: Bridge, states: list[list[Any]]) -> list[list[list[float]]]:
    """The decoder's states of the one row."""
    return [[ops.convert_to_numpy(state)[0].tolist() for state in layer] for layer in bridge(states)]


def test_copy_pairs_the_directions_of_an_lstm() -> None:
    """A layer's states are forward h and c, then backward h and c: h goes with h, c with c, layer to layer."""
    states = numbered(2, len(LSTM_LAYER))
    assert handed_over(make_bridge("copy", 2), states) == [
        [[10, 10, 12, 12], [11, 11, 13, 13]],
        [[20, 20, 22, 22], [21, 21, 23, 23]],
    ]


def test_copy_pairs_the_directions_of_a_gru() -> None:
    assert handed_over(make_bridge("copy", 1), numbered(2, 2)) == [[[10, 10, 11, 11]], [[20, 20, 21, 21]]]


def test_copy_of_one_direction_is_the_state_itself() -> None:
    bridge = make_bridge("copy", 2, bidirectional=False, encoder_units=4)
    assert handed_over(bridge, numbered(2, 2, units=4)) == [[[10] * 4, [11] * 4], [[20] * 4, [21] * 4]]


def test_zero_hands_nothing_over() -> None:
    bridge = make_bridge("zero", 2, decoder_layers=3)
    assert handed_over(bridge, numbered(2, 4)) == [[[0.0] * 4] * 2] * 3
    assert bridge.variables == []


def test_dense_makes_each_state_of_the_top_layers_states() -> None:
    """tanh(W s + b): W adds up all of the top layer's units, b is 0; layer 1 does not count."""
    bridge = make_bridge("dense", 2, decoder_layers=3)
    states = [[state / 100 for state in layer] for layer in numbered(2, 4)]
    assert len(bridge(states)) == 3 and len(bridge.projections) == 6
    for number, projection in enumerate(bridge.projections):
        projection.set_weights([np.full((8, 4), number / 10), np.zeros(4)])
    total = 2 * (0.20 + 0.21 + 0.22 + 0.23)
    expected = [[[np.tanh(total * (2 * i + j) / 10)] * 4 for j in range(2)] for i in range(3)]
    np.testing.assert_allclose(handed_over(bridge, states), expected, atol=1e-6)
    states[0] = [state + 1.0 for state in states[0]]
    np.testing.assert_allclose(handed_over(bridge, states), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["dense", "copy", "zero"])
def test_every_row_gets_its_own_states(kind: str) -> None:
    bridge = make_bridge(kind, 1)
    both = [[np.concatenate([state, -state]) for state in layer] for layer in numbered(2, 2)]
    for layer in bridge(both):
        for state in layer:
            first, second = ops.convert_to_numpy(state)
            np.testing.assert_allclose(second, -first, atol=1e-6)
            assert state.shape == (2, 4) and (kind == "zero") == (np.abs(first).max() == 0)
