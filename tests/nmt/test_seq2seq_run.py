"""A translation model as translation uses it: the training's weights, without its randomness."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from nmt.checkpoints import copy_weights
from nmt.config import parse_config
from nmt.seq2seq import Seq2Seq
from nmt.seq2seq_run import make_seq2seq
from nmt.tokenizer import END_ID, START_ID, Tokenizer


@pytest.mark.thorough
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "layer_norm_lstm"])
def test_a_model_in_use_draws_no_random_numbers(cell: str, tokenizers: tuple[Tokenizer, Tokenizer]) -> None:
    """It takes the weights of a training with recurrent dropout, and leaves its own seeds alone."""
    sizes = {"cell": cell, "embedding_size": 4, "encoder_units": 4, "decoder_units": 8, "recurrent_dropout": 0.5}
    config = parse_config({"name": "a", "corpus": {"synthetic": {}}, "model": {**sizes, "dropout": 0.5}})
    trained = Seq2Seq(config.model, tokenizers[0].size, tokenizers[1].size)
    model = make_seq2seq(config, *tokenizers)
    copy_weights(trained, model)
    inputs = {"source_ids": np.array([[5, END_ID]], np.int32), "target_ids": np.array([[START_ID, 6]], np.int32)}
    seeds = [ops.convert_to_numpy(variable) for variable in model.variables if "seed" in variable.path]
    np.testing.assert_allclose(model.logits(inputs), trained.logits(inputs), atol=1e-5)
    after = [ops.convert_to_numpy(variable) for variable in model.variables if "seed" in variable.path]
    np.testing.assert_array_equal(seeds, after)
