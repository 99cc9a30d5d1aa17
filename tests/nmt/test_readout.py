"""The readout against its equations, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numeric_gradients import Arrays, assert_computes

from nmt.precision import layers_of
from nmt.readout import Maxout, make_readout


def tanh(weights: Arrays, inputs: np.ndarray) -> Arrays:
    """Luong et al. 2015, eq. 5, with a bias."""
    w, b = weights
    return [np.tanh(inputs @ w + b)]


def maxout(weights: Arrays, inputs: np.ndarray) -> Arrays:
    """Goodfellow et al. 2013, section 2, two pieces; Bahdanau et al. 2015, A.2.2: neighbours are a pair."""
    w, b = weights
    pieces = inputs @ w + b
    return [np.maximum(pieces[..., 0::2], pieces[..., 1::2])]


@pytest.mark.parametrize("formula", [tanh, maxout])
def test_equations_and_gradients(formula: Any) -> None:
    with layers_of("float64"):
        readout = make_readout(formula.__name__, 4)
    inputs = np.random.default_rng(1).normal(size=(2, 3, 5))
    assert readout(inputs).shape == (2, 3, 4)
    assert_computes(formula, lambda x: [readout(x)], readout.trainable_weights, [inputs])


def test_maxout_by_hand() -> None:
    """Two pairs of one input: x and -x, 2x and 3x + 1."""
    readout = Maxout(2)
    readout(np.zeros((1, 1)))
    readout.pairs.set_weights([np.array([[1.0, -1.0, 2.0, 3.0]]), np.array([0.0, 0.0, 0.0, 1.0])])
    assert np.array(readout(np.array([[2.0], [-2.0]]))).tolist() == [[2.0, 7.0], [2.0, -4.0]]


def test_without_a_readout_there_is_no_layer() -> None:
    assert make_readout("none", 4) is None
