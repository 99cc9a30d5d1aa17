"""The decoder's two ways: over the whole target at once, and step by step."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops, tree

from nmt.config import ModelConfig
from nmt.decoder import Memory
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID

KINDS = list(itertools.product(("lstm", "gru"), ("none", "dot", "general", "additive"), (1, 2)))
SOURCE = np.array([[5, 6, 7, END_ID], [8, END_ID, PAD_ID, PAD_ID]], np.int32)
TARGET = np.array([[START_ID, 5, 9, 4], [START_ID, 7, 7, 8]], np.int32)


@functools.cache
def make_model(cell: str = "lstm", attention: str = "dot", layers: int = 1) -> Seq2Seq:
    """A model with random weights; only to be read."""
    keras.utils.set_random_seed(1)
    units = 6 if attention == "dot" else 5  # `dot` needs the encoder's size
    config = ModelConfig(
        cell=cell,
        attention=attention,
        decoder_layers=layers,
        decoder_units=units,
        encoder_layers=1,
        encoder_units=6,
        bidirectional=False,
        embedding_size=4,
        dropout=0.5,
    )
    return Seq2Seq(config, 12, 10)


def log_probs_at_once(model: Seq2Seq, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    logits = model({"source_ids": source, "target_ids": target})
    return ops.convert_to_numpy(ops.log_softmax(logits, axis=-1))


def log_probs_step_by_step(model: Seq2Seq, memory: Memory, target: np.ndarray) -> np.ndarray:
    state: Any = memory.state
    steps = []
    for position in range(target.shape[1]):
        log_probs, weights, state = model.step(target[:, position], state, memory)
        assert (weights is None) == (memory.keys is None)
        steps.append(ops.convert_to_numpy(log_probs))
    return np.stack(steps, axis=1)


@pytest.mark.parametrize(("cell", "attention", "layers"), KINDS)
def test_both_ways_agree(cell: str, attention: str, layers: int) -> None:
    model = make_model(cell, attention, layers)
    at_once = log_probs_at_once(model, SOURCE, TARGET)
    assert at_once.shape == (2, 4, 10)
    np.testing.assert_allclose(log_probs_step_by_step(model, model.remember(SOURCE), TARGET), at_once, atol=1e-5)


@pytest.mark.parametrize(("cell", "attention"), [("lstm", "additive"), ("gru", "none")])
def test_a_later_token_does_not_reach_earlier_positions(cell: str, attention: str) -> None:
    model = make_model(cell, attention, 2)
    changed = TARGET.copy()
    changed[:, 2] = 6
    before, after = log_probs_at_once(model, SOURCE, TARGET), log_probs_at_once(model, SOURCE, changed)
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert np.abs(before[:, 2:] - after[:, 2:]).max() > 1e-6


@pytest.mark.parametrize("attention", ["dot", "general", "additive"])
def test_neighbouring_rows_share_their_sentences_memory(attention: str) -> None:
    """Three hypotheses a sentence ask one memory as if each had a copy of its own."""
    model = make_model("lstm", attention, 2)
    memory = model.remember(SOURCE)
    tokens = np.array([5, 6, 7, 8, 9, 4], np.int32)  # three of the first sentence, three of the second
    state = tree.map_structure(lambda x: ops.repeat(x, 3, axis=0), memory.state)
    shared, weights, _ = model.step(tokens, state, memory)
    copied, copied_weights, _ = model.step(tokens, state, model.remember(np.repeat(SOURCE, 3, axis=0)))
    np.testing.assert_allclose(shared, copied, atol=1e-6)
    np.testing.assert_allclose(weights, copied_weights, atol=1e-6)
    assert (ops.convert_to_numpy(weights)[3:, 2:] == 0).all()  # the second sentence has two tokens


def test_without_attention_the_source_speaks_through_the_state_alone() -> None:
    model = make_model("lstm", "none", 2)
    memory = model.remember(SOURCE)
    assert memory.keys is None
    other = model.remember(SOURCE[:, ::-1])
    mixed = Memory(None, other.values * 100.0, other.mask, memory.state)
    expected = log_probs_step_by_step(model, memory, TARGET)
    np.testing.assert_array_equal(log_probs_step_by_step(model, mixed, TARGET), expected)
    assert np.abs(log_probs_step_by_step(model, other, TARGET) - expected).max() > 1e-6


def test_with_attention_the_source_speaks_through_the_memory_too() -> None:
    model = make_model("lstm", "general", 1)
    memory, other = model.remember(SOURCE), model.remember(SOURCE[:, ::-1])
    mixed = Memory(other.keys, other.values, other.mask, memory.state)
    difference = log_probs_step_by_step(model, mixed, TARGET) - log_probs_step_by_step(model, memory, TARGET)
    assert np.abs(difference).max() > 1e-6


@pytest.mark.parametrize("attention", ["none", "general"])
def test_source_padding_changes_nothing(attention: str) -> None:
    model = make_model("gru", attention, 2)
    padded = log_probs_at_once(model, SOURCE[1:], TARGET[1:])
    short = log_probs_at_once(model, SOURCE[1:, :2], TARGET[1:])
    np.testing.assert_allclose(padded, short, atol=1e-6)
