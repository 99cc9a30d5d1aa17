"""The encoder: shapes, right padding, and the direction of reading."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from nmt.config import ModelConfig
from nmt.encoder import Encoder
from nmt.tokenizer import END_ID, PAD_ID

KINDS = list(itertools.product(("lstm", "gru"), (True, False), (1, 2)))
IDS = [[5, 6, 7, END_ID], [8, 9, END_ID, PAD_ID]]


def make_encoder(cell: str, bidirectional: bool, layers: int) -> Encoder:
    keras.utils.set_random_seed(1)
    config = ModelConfig(
        cell=cell, bidirectional=bidirectional, encoder_layers=layers, encoder_units=3, embedding_size=4, dropout=0.1
    )
    return Encoder(config, keras.layers.Embedding(12, 4, embeddings_initializer="normal"))


def read(encoder: Encoder, ids: list[list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, mask, state = encoder(np.array(ids, np.int32))
    return ops.convert_to_numpy(values), ops.convert_to_numpy(mask), ops.convert_to_numpy(state)


@pytest.mark.parametrize(("cell", "bidirectional", "layers"), KINDS)
def test_shapes(cell: str, bidirectional: bool, layers: int) -> None:
    values, mask, state = read(make_encoder(cell, bidirectional, layers), IDS)
    directions, states = (2 if bidirectional else 1), {"lstm": 2, "gru": 1}[cell]
    assert values.shape == (2, 4, 3 * directions)
    assert mask.tolist() == [[True] * 4, [True, True, True, False]]
    assert state.shape == (2, 3 * directions * states)


@pytest.mark.parametrize(("cell", "bidirectional", "layers"), KINDS)
def test_right_padding_changes_nothing(cell: str, bidirectional: bool, layers: int) -> None:
    encoder = make_encoder(cell, bidirectional, layers)
    short_values, _, short_state = read(encoder, [[5, 6, END_ID]])
    values, mask, state = read(encoder, [[5, 6, END_ID, PAD_ID, PAD_ID, PAD_ID]])
    np.testing.assert_allclose(values[:, :3], short_values, atol=1e-6)
    np.testing.assert_allclose(state, short_state, atol=1e-6)
    assert mask[0].tolist() == [True] * 3 + [False] * 3


@pytest.mark.parametrize(("cell", "layers"), [("lstm", 1), ("gru", 2)])
def test_only_the_backward_direction_sees_what_comes(cell: str, layers: int) -> None:
    """Another last token changes the first output of a bidirectional encoder, and not that of the other."""
    for bidirectional in (True, False):
        encoder = make_encoder(cell, bidirectional, layers)
        values, _, _ = read(encoder, [[5, 6, 7, END_ID]])
        others, _, _ = read(encoder, [[5, 6, 8, END_ID]])
        assert (np.abs(values[0, 0] - others[0, 0]).max() > 1e-6) == bidirectional
        assert np.abs(values[0, 2] - others[0, 2]).max() > 1e-6


def test_directions_stand_side_by_side() -> None:
    """One layer: the forward half does not see what comes, the backward half not what was."""
    encoder = make_encoder("gru", True, 1)
    values, _, _ = read(encoder, [[5, 6, 7]])
    other_end, _, _ = read(encoder, [[5, 6, 8]])
    other_start, _, _ = read(encoder, [[8, 6, 7]])
    np.testing.assert_array_equal(values[0, :2, :3], other_end[0, :2, :3])
    np.testing.assert_array_equal(values[0, 1:, 3:], other_start[0, 1:, 3:])


def test_state_is_the_last_output_of_each_direction() -> None:
    """A GRU's state is its output: forward at the last token, backward at the first."""
    values, _, state = read(make_encoder("gru", True, 2), IDS)
    for row, last in ((0, 3), (1, 2)):
        np.testing.assert_allclose(state[row], np.concatenate([values[row, last, :3], values[row, 0, 3:]]), atol=1e-6)


def test_dropout_only_in_training() -> None:
    encoder = make_encoder("gru", False, 1)
    ids = np.array(IDS, np.int32)
    still = [ops.convert_to_numpy(encoder(ids)[0]) for _ in range(2)]
    moving = [ops.convert_to_numpy(encoder(ids, training=True)[0]) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    assert np.abs(moving[0] - moving[1]).max() > 0
