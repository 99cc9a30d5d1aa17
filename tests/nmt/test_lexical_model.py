"""The lexical model against its equations, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numeric_gradients import Arrays, assert_computes

from nmt.lexical_model import LexicalModel
from nmt.precision import layers_of


def formula(weights: Arrays, shares: np.ndarray, embedded: np.ndarray) -> Arrays:
    """Nguyen & Chiang 2018, eq. 3 to 5: f = tanh(Σ a_s f_s), h = tanh(W f) + f, W' h + b'."""
    w, w_out, b_out = weights
    word = np.tanh(np.einsum("bqs,bsu->bqu", shares, embedded))
    hidden = np.tanh(word @ w) + word
    return [hidden, hidden @ w_out + b_out]


def test_equations_and_gradients() -> None:
    with layers_of("float64"):
        model = LexicalModel(3, 5)

    def run(shares: Any, embedded: Any) -> list[Any]:
        vector = model(shares, embedded)
        return [vector, model.logits(vector)]

    generator = np.random.default_rng(1)
    shares, embedded = generator.dirichlet(np.ones(4), size=(2, 3)), generator.normal(size=(2, 4, 3))
    assert run(shares, embedded)[1].shape == (2, 3, 5)
    assert_computes(formula, run, model.trainable_weights, [shares, embedded])


def test_the_word_that_is_attended_to_votes() -> None:
    """With W = 0 and one output for each of two units, the vote of a word is the tanh of its embedding."""
    model = LexicalModel(2, 2)
    embedded = np.array([[[1.0, 0.0], [0.0, 2.0]]])
    model.logits(model(np.zeros((1, 1, 2)), embedded))
    model.set_weights([np.zeros((2, 2)), np.eye(2), np.zeros(2)])
    votes = np.array(model.logits(model(np.eye(2)[None], embedded)))
    np.testing.assert_allclose(votes[0], np.tanh(embedded[0]), atol=1e-6)
