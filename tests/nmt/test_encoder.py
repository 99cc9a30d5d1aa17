"""The encoder: shapes, right padding, the direction of reading, and what is added."""

from __future__ import annotations

import itertools
from typing import Any, get_args

import keras
import numpy as np
import pytest
from keras import ops

from nmt.config import ModelConfig
from nmt.config.model import Cell
from nmt.encoder import Encoder, Encoding, reverse_words
from nmt.tokenizer import END_ID, PAD_ID

STATES = {"rnn": 1, "gru": 1, "lstm": 2, "layer_norm_lstm": 2}
KINDS = list(itertools.product(get_args(Cell), (True, False), (1, 2)))
IDS = [[5, 6, 7, END_ID], [8, 9, END_ID, PAD_ID]]
REVERSED = [[7, 6, 5, END_ID], [9, 8, END_ID, PAD_ID]]


def make_encoder(cell: str = "gru", bidirectional: bool = False, layers: int = 1, **settings: Any) -> Encoder:
    keras.utils.set_random_seed(1)
    sizes = {"encoder_units": 3, "embedding_size": 4, "dropout": 0.1, "cell": cell, "bidirectional": bidirectional}
    config = ModelConfig.model_validate({**sizes, "encoder_layers": layers, **settings})
    return Encoder(config, keras.layers.Embedding(12, 4, embeddings_initializer="normal"))


def read(encoder: Encoder, ids: list[list[int]] = IDS) -> Encoding:
    values, mask, states, embedded = encoder(np.array(ids, np.int32))
    arrays = [[ops.convert_to_numpy(state) for state in layer] for layer in states]
    return Encoding(ops.convert_to_numpy(values), ops.convert_to_numpy(mask), arrays, ops.convert_to_numpy(embedded))


@pytest.mark.thorough
@pytest.mark.parametrize(("cell", "bidirectional", "layers"), KINDS)
def test_shapes(cell: str, bidirectional: bool, layers: int) -> None:
    values, mask, states, embedded = read(make_encoder(cell, bidirectional, layers))
    directions = 2 if bidirectional else 1
    assert values.shape == (2, 4, 3 * directions)
    assert mask.tolist() == [[True] * 4, [True, True, True, False]]
    assert [[state.shape for state in layer] for layer in states] == [[(2, 3)] * STATES[cell] * directions] * layers
    assert embedded.shape == (2, 4, 4)


@pytest.mark.thorough
@pytest.mark.parametrize(("cell", "bidirectional", "layers"), KINDS)
@pytest.mark.parametrize("reverse", [False, True])
def test_right_padding_changes_nothing(cell: str, bidirectional: bool, layers: int, reverse: bool) -> None:
    encoder = make_encoder(cell, bidirectional, layers, reverse_source=reverse)
    short, long = read(encoder, [[5, 6, END_ID]]), read(encoder, [[5, 6, END_ID, PAD_ID, PAD_ID, PAD_ID]])
    np.testing.assert_allclose(long.values[:, :3], short.values, atol=1e-6)
    np.testing.assert_allclose(long.states, short.states, atol=1e-6)
    assert long.mask[0].tolist() == [True] * 3 + [False] * 3


@pytest.mark.parametrize(("cell", "layers"), [("lstm", 1), ("gru", 2)])
def test_only_the_backward_direction_sees_what_comes(cell: str, layers: int) -> None:
    """Another last token changes the first output of a bidirectional encoder, and not that of the other."""
    for bidirectional in (True, False):
        encoder = make_encoder(cell, bidirectional, layers)
        values, others = read(encoder, [[5, 6, 7, END_ID]]).values, read(encoder, [[5, 6, 8, END_ID]]).values
        assert (np.abs(values[0, 0] - others[0, 0]).max() > 1e-6) == bidirectional
        assert np.abs(values[0, 2] - others[0, 2]).max() > 1e-6


def test_directions_stand_side_by_side() -> None:
    """One layer: the forward half does not see what comes, the backward half not what was."""
    encoder = make_encoder("gru", True)
    values = read(encoder, [[5, 6, 7]]).values
    other_end, other_start = read(encoder, [[5, 6, 8]]).values, read(encoder, [[8, 6, 7]]).values
    np.testing.assert_array_equal(values[0, :2, :3], other_end[0, :2, :3])
    np.testing.assert_array_equal(values[0, 1:, 3:], other_start[0, 1:, 3:])


@pytest.mark.parametrize("cell", STATES)
def test_states_are_the_last_output_of_each_direction(cell: str) -> None:
    """The first state of a cell is its output: forward at the last token, backward at the first."""
    values, _, states, _ = read(make_encoder(cell, True, 2))
    forward, backward = states[-1][0], states[-1][STATES[cell]]
    for row, last in ((0, 3), (1, 2)):
        np.testing.assert_allclose(forward[row], values[row, last, :3], atol=1e-6)
        np.testing.assert_allclose(backward[row], values[row, 0, 3:], atol=1e-6)


def test_the_bottom_layer_alone_reads_both_ways() -> None:
    encoder = make_encoder("lstm", True, 3, bidirectional_layers="bottom")
    values, _, states, _ = read(encoder)
    assert values.shape == (2, 4, 3)
    assert [len(layer) for layer in states] == [4, 2, 2]
    assert len(encoder.backward_layers) == 1


def silence(layer: Any) -> None:
    """With weights of 0, a GRU's output is 0."""
    layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])


def test_residual_adds_the_inputs_from_the_second_layer_on() -> None:
    """Layers 2 and 3 have weights of 0 and so outputs of 0: what comes out at the top is what layer 1 gave."""
    for residual in (True, False):
        encoder = make_encoder("gru", layers=3, residual=residual)
        bottom = read(encoder).states[0][0]  # after the last token
        for layer in encoder.forward_layers[1:]:
            silence(layer)
        values = read(encoder).values
        np.testing.assert_allclose(values[0, 3], bottom[0] if residual else np.zeros(3), atol=1e-6)


def test_nothing_is_added_to_the_first_layer_or_where_sizes_differ() -> None:
    first = make_encoder("gru", residual=True, encoder_units=4)  # as large as the embeddings
    second = make_encoder("gru", True, 2, residual=True, bidirectional_layers="bottom")  # 6 units into 3
    for encoder in (first, second):
        assert np.abs(read(encoder).values).max() > 0
        silence(encoder.forward_layers[-1])
        assert np.abs(read(encoder).values).max() == 0


def test_reverse_words_by_hand() -> None:
    """The words turn around; the end of sentence (the last token) and the padding stay."""
    values = np.array([[[1], [2], [3], [9]], [[1], [2], [9], [0]], [[9], [0], [0], [0]]], np.float32)
    mask = values[:, :, 0] > 0
    turned = ops.convert_to_numpy(reverse_words(ops.convert_to_tensor(values), ops.convert_to_tensor(mask)))
    assert turned[:, :, 0].tolist() == [[3, 2, 1, 9], [2, 1, 9, 0], [9, 0, 0, 0]]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_reversed_source_is_read_last_to_first_and_answered_first_to_last(bidirectional: bool) -> None:
    """It reads `c b a </s>` where the other is given it so; its values stand where the words stood."""
    plain, reverse = (make_encoder("gru", bidirectional, 2, reverse_source=turned) for turned in (False, True))
    expected, found = read(plain, REVERSED), read(reverse, IDS)
    np.testing.assert_allclose(found.states, expected.states, atol=1e-6)
    np.testing.assert_allclose(found.values[0], expected.values[0, [2, 1, 0, 3]], atol=1e-6)
    np.testing.assert_allclose(found.values[1, :3], expected.values[1, [1, 0, 2]], atol=1e-6)
    np.testing.assert_allclose(found.embedded, read(plain, IDS).embedded, atol=1e-6)


def test_dropout_only_in_training() -> None:
    encoder = make_encoder(recurrent_dropout=0.3)
    ids = np.array(IDS, np.int32)
    still = [ops.convert_to_numpy(encoder(ids)[0]) for _ in range(2)]
    moving = [ops.convert_to_numpy(encoder(ids, training=True)[0]) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    assert np.abs(moving[0] - moving[1]).max() > 0
