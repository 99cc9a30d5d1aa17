from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from nmt.saved_model.allowed_ops import CORE_OPS
from nmt.search.largest import largest
from nmt.search.picking import pick


@pytest.mark.parametrize("size", [3, 1_279, 1_280, 1_281, 4_000])
@pytest.mark.parametrize("count", [1, 3, 10])
def test_as_top_k_with_equal_numbers_among_them(size: int, count: int) -> None:
    generator = np.random.default_rng(size + count)
    count = min(count, size)
    for distinct in (2, 50, 10_000):
        values = generator.integers(distinct, size=(2, 3, size)).astype(np.float32) - distinct
        order = np.argsort(-values, axis=-1, kind="stable")[..., :count]  # of equal ones the first
        found, places = (ops.convert_to_numpy(part) for part in largest(values, count))
        assert places.dtype == np.int32
        assert (places == order).all()
        assert (found == np.take_along_axis(values, order, axis=-1)).all()


def test_numbers_that_stand_in_one_block() -> None:
    values = np.zeros((1, 3_200), np.float32)
    values[0, 64:96] = np.arange(32, 0, -1)
    found, places = largest(values, 10)
    assert ops.convert_to_numpy(places).tolist() == [list(range(64, 74))]
    assert ops.convert_to_numpy(found).tolist() == [list(range(32, 22, -1))]


def test_each_row_picks_at_its_own_places() -> None:
    values = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    places = np.array([[[0, 3], [1, 1], [2, 0]], [[3, 3], [0, 1], [1, 2]]], np.int32)
    for rest in (values, values[..., 0]):
        index = places[..., None] if rest.ndim == 4 else places
        expected = np.take_along_axis(rest, index, axis=2)
        assert ops.convert_to_numpy(pick(rest, places)).tolist() == expected.tolist()


@pytest.mark.parametrize("size", [1_280, 1_281])
def test_an_export_may_hold_what_a_large_vocabulary_needs(size: int) -> None:
    """The models of the export's tests have a few dozen pieces, which are looked at one by one."""
    graph = tf.function(lambda values: largest(values, 10)).get_concrete_function(tf.TensorSpec((None, size))).graph
    assert {operation.type for operation in graph.get_operations()} <= CORE_OPS
