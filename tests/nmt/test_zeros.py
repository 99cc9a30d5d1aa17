"""Models whose weights are to be put in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops

from nmt.checkpoints import copy_weights
from nmt.config import LanguageModelSizes, parse_config
from nmt.language_model import LanguageModel
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, START_ID
from nmt.zeros import begin_with_zeros

VOCABULARY = 7


def seq2seq(cell: str, **options: Any) -> Seq2Seq:
    sizes = {"cell": cell, "embedding_size": 4, "encoder_units": 4, "decoder_units": 8, "attention": "additive"}
    config = parse_config({"name": "a", "corpus": {"synthetic": {}}, "model": sizes})
    return Seq2Seq(config.model, VOCABULARY, VOCABULARY, **options)


def matrices(model: Any) -> list[np.ndarray]:
    """All but the vectors and a GRU's pair of biases."""
    variables = [variable for variable in model.trainable_variables if variable.ndim > 1 and variable.name != "bias"]
    return [ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "layer_norm_lstm"])
def test_no_matrix_is_drawn_and_a_copy_is_the_model(cell: str) -> None:
    drawn, model = seq2seq(cell), seq2seq(cell, random_weights=False)
    assert all(matrix.any() for matrix in matrices(drawn))
    assert matrices(model) and not any(matrix.any() for matrix in matrices(model))
    names, expected = ([variable.path for variable in one.trainable_variables] for one in (model, drawn))
    assert names == expected
    copy_weights(drawn, model)
    inputs = {"source_ids": np.array([[5, END_ID]], np.int32), "target_ids": np.array([[START_ID, 6]], np.int32)}
    np.testing.assert_array_equal(model.logits(inputs), drawn.logits(inputs))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "layer_norm_lstm"])
def test_a_language_model_draws_none_either(cell: str) -> None:
    sizes = LanguageModelSizes(cell=cell, embedding_size=4, units=4)  # type: ignore[arg-type]
    model = LanguageModel(sizes, VOCABULARY, streams=2, random_weights=False)
    assert matrices(model) and not any(matrix.any() for matrix in matrices(model))
    assert all(matrix.any() for matrix in matrices(LanguageModel(sizes, VOCABULARY, streams=2)))


def test_a_model_with_weights_keeps_them() -> None:
    model = seq2seq("gru")
    with pytest.raises(RuntimeError, match="seq2seq: expected a model without weights, received"):
        begin_with_zeros(model)
