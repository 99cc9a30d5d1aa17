"""The decoder's two ways, over the whole target and step by step, in every form that it has."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops, tree

from nmt.config import ModelConfig
from nmt.config.model import AttentionName, Cell
from nmt.decoder import Memory
from nmt.losses import SmoothedCrossEntropy
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID

SOURCE = np.array([[5, 6, END_ID], [8, END_ID, PAD_ID]], np.int32)
TARGET = np.array([[START_ID, 5, 9], [START_ID, 7, 8]], np.int32)
LABELS = np.array([[5, 9, END_ID], [7, 8, END_ID]], np.int32)
VOCABULARY = 10

BASE: dict[str, Any] = {
    "cell": "gru",
    "embedding_size": 4,
    "encoder_layers": 1,
    "encoder_units": 6,
    "bidirectional": False,
    "decoder_layers": 1,
    "decoder_units": 6,
    "attention_heads": 2,
    "dropout": 0.3,
}
BOTH_WAYS = {"bidirectional": True, "encoder_units": 3}
ATTENTIONS = [name for name in get_args(AttentionName) if name != "none"]
NO_ATTENTION = {"attention": "none"}
TOP, PREVIOUS = {"attention_query": "top"}, {"attention_query": "previous"}
FED = {**TOP, "input_feeding": True}
EVERYTHING = {
    "cell": "lstm",
    "attention": "multi_head",
    "bridge": "copy",
    "encoder_layers": 2,
    "decoder_layers": 2,
    "residual": True,
    "peeky": True,
    "lexical_model": True,
    "readout": "maxout",
    "reverse_source": True,
    "recurrent_dropout": 0.3,
    **BOTH_WAYS,
}
FORMS: dict[str, dict[str, Any]] = {
    **{f"{cell}, at once": {"cell": cell, "recurrent_dropout": 0.3} for cell in get_args(Cell)},
    **{f"{cell}, step by step": {"cell": cell, "recurrent_dropout": 0.3, **PREVIOUS} for cell in get_args(Cell)},
    **{f"{name} asked by the top": {"attention": name, **TOP} for name in ATTENTIONS},
    "no attention": {"decoder_layers": 2, **NO_ATTENTION},
    **{f"{name} asked by the step before": {"attention": name, **PREVIOUS} for name in ATTENTIONS},
    "bottom, 1 layer": BOTH_WAYS,
    "bottom, 3 layers": {"decoder_layers": 3},
    "top, 3 layers": {"decoder_layers": 3, **TOP},
    "previous, 2 layers": {"decoder_layers": 2, **PREVIOUS},
    "input feeding": FED,
    "input feeding, previous": {**PREVIOUS, "input_feeding": True},
    "peeky": {"peeky": True, **NO_ATTENTION},
    "peeky, input feeding": {"peeky": True, **FED},
    "lexical model": {"lexical_model": True},
    "lexical model, input feeding": {"lexical_model": True, **FED},
    "wide readout, input feeding": {"readout_units": 9, "tie_embeddings": "none", **FED},
    "maxout without attention": {"readout": "maxout", **NO_ATTENTION},
    "maxout": {"readout": "maxout"},
    "maxout, previous": {"readout": "maxout", **PREVIOUS},
    "no readout without attention": {"readout": "none", "tie_embeddings": "none", **NO_ATTENTION},
    "no readout": {"readout": "none", "embedding_size": 6, "decoder_layers": 2},
    "no readout, previous": {"readout": "none", "tie_embeddings": "none", **PREVIOUS},
    "no readout, input feeding": {"readout": "none", "tie_embeddings": "none", **PREVIOUS, "input_feeding": True},
    "copy": {"cell": "lstm", "bridge": "copy", **BOTH_WAYS},
    "copy, input feeding": {"bridge": "copy", "encoder_layers": 2, "decoder_layers": 2, **FED},
    "zero": {"bridge": "zero"},
    "zero, previous": {"bridge": "zero", "cell": "lstm", **PREVIOUS},
    "residual": {"residual": True, "encoder_layers": 3, "decoder_layers": 3},
    "residual, previous": {"residual": True, "decoder_layers": 3, **PREVIOUS},
    "reversed source": {"reverse_source": True, **BOTH_WAYS},
    "reversed source in one direction": {"reverse_source": True, **NO_ATTENTION},
    "bottom alone reads both ways": {"bidirectional_layers": "bottom", "encoder_layers": 2, **BOTH_WAYS},
    "all embeddings tied": {"tie_embeddings": "all", **FED},
    "everything at once": EVERYTHING,
    "everything step by step": {**EVERYTHING, **PREVIOUS, "input_feeding": True},
}
SOME = (
    "layer_norm_lstm, at once",
    "multi_head asked by the top",
    "additive asked by the step before",
    "peeky",
    "no readout, input feeding",
    "everything at once",
    "everything step by step",
)
each_form = pytest.mark.parametrize(
    "form", [form if form in SOME else pytest.param(form, marks=pytest.mark.slow) for form in FORMS]
)
QUICK = ("multi_head asked by the top", "peeky", "everything step by step")
some_forms = pytest.mark.parametrize(
    "form", [form if form in QUICK else pytest.param(form, marks=pytest.mark.slow) for form in SOME]
)


def new_model(**settings: Any) -> Seq2Seq:
    keras.utils.set_random_seed(1)
    return Seq2Seq(ModelConfig.model_validate({**BASE, **settings}), VOCABULARY, VOCABULARY)


@functools.cache
def made(form: str) -> Seq2Seq:
    """A model with random weights; only to be read."""
    return new_model(**FORMS[form])


def log_probs_at_once(model: Seq2Seq, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    logits = model.logits({"source_ids": source, "target_ids": target})
    return ops.convert_to_numpy(ops.log_softmax(logits, axis=-1))


def log_probs_step_by_step(model: Seq2Seq, memory: Memory, target: np.ndarray) -> np.ndarray:
    state: Any = memory.state
    steps = []
    for position in range(target.shape[1]):
        log_probs, weights, state = model.step(target[:, position], state, memory)
        assert (weights is None) == (memory.keys is None)
        steps.append(ops.convert_to_numpy(log_probs))
    return np.stack(steps, axis=1)


@functools.cache
def remembered(form: str) -> Memory:
    """What the model remembers of the source; only to be read."""
    return made(form).remember(SOURCE)


@functools.cache
def said(form: str) -> np.ndarray:
    """Log-probabilities of the target at once; only to be read."""
    return log_probs_at_once(made(form), SOURCE, TARGET)


@pytest.mark.thorough
@each_form
def test_both_ways_agree(form: str) -> None:
    assert said(form).shape == (2, 3, VOCABULARY)
    np.testing.assert_allclose(log_probs_step_by_step(made(form), remembered(form), TARGET), said(form), atol=1e-5)


def silent_variables(model: Seq2Seq) -> list[str]:
    """Paths of the variables that no gradient of a training step reaches."""
    with tf.GradientTape() as tape:
        logits = model.logits({"source_ids": SOURCE, "target_ids": TARGET}, training=True)
        loss = SmoothedCrossEntropy(0.1)(LABELS, logits)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.abs(tf.convert_to_tensor(gradient).numpy()).max() > 0
    ]


@pytest.mark.thorough
@each_form
def test_a_gradient_reaches_every_variable(form: str) -> None:
    assert silent_variables(made(form)) == []


@each_form
def test_no_two_variables_have_one_name(form: str) -> None:
    """Averages and warm starts find variables by their path."""
    paths = [variable.path for variable in made(form).variables]
    assert len(set(paths)) == len(paths)


@some_forms
def test_a_later_token_does_not_reach_earlier_positions(form: str) -> None:
    model = made(form)
    changed = TARGET.copy()
    changed[:, 2] = 6
    before, after = said(form), log_probs_at_once(model, SOURCE, changed)
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert np.abs(before[:, 2] - after[:, 2]).max() > 1e-6


@some_forms
def test_source_padding_changes_nothing(form: str) -> None:
    model = made(form)
    padded = log_probs_at_once(model, SOURCE[1:], TARGET[1:])
    short = log_probs_at_once(model, SOURCE[1:, :2], TARGET[1:])
    np.testing.assert_allclose(padded, short, atol=1e-6)


@some_forms
def test_neighbouring_rows_share_their_sentences_memory(form: str) -> None:
    """Three hypotheses a sentence ask one memory as if each had a copy of its own."""
    model = made(form)
    memory, copies = remembered(form), model.remember(np.repeat(SOURCE, 3, axis=0))
    tokens = np.array([5, 6, 7, 8, 9, 4], np.int32)  # three of the first sentence, three of the second
    first_state = tree.map_structure(lambda x: ops.repeat(x, 3, axis=0), memory.state)
    _, _, state = model.step(tokens, first_state, memory)
    (shared, weights, _), (copied, copied_weights, _) = (model.step(tokens, state, each) for each in (memory, copies))
    np.testing.assert_allclose(shared, copied, atol=1e-6)
    if weights is not None:
        np.testing.assert_allclose(weights, copied_weights, atol=1e-6)
        assert (ops.convert_to_numpy(weights)[3:, 2:] == 0).all()  # the second sentence has two tokens


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["multi_head asked by the top", "peeky", "lexical model, input feeding"])
def test_one_graph_for_all_shapes(form: str) -> None:
    """Traced once, with neither rows nor lengths known, it computes what the layers do when they are called."""
    model = made(form)
    ids = tf.TensorSpec([None, None], tf.int32)
    logits = tf.function(
        lambda source, target: model.logits({"source_ids": source, "target_ids": target}), (ids, ids), autograph=False
    )
    for rows, length in ((2, 3), (1, 2), (2, 1)):
        source, target = SOURCE[:rows], TARGET[:rows, :length]
        expected = model.logits({"source_ids": source, "target_ids": target})
        np.testing.assert_allclose(logits(tf.constant(source), tf.constant(target)), expected, atol=1e-5)
    assert logits.experimental_get_tracing_count() == 1


@pytest.mark.thorough
def test_a_training_step_in_one_graph_for_all_shapes() -> None:
    """The loop over steps, with its masks drawn beforehand, hands gradients back."""
    model = made("rnn, step by step")
    ids = tf.TensorSpec([None, None], tf.int32)

    def gradients(source: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model.logits({"source_ids": source, "target_ids": target}, training=True) ** 2)
        return tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    graph = tf.function(gradients, (ids, ids), autograph=False)
    for rows, length in ((2, 3), (1, 2)):
        found = graph(tf.constant(SOURCE[:rows]), tf.constant(TARGET[:rows, :length]))
        norm = float(tf.linalg.global_norm(found))
        assert np.isfinite(norm) and norm > 0
    assert None not in found and graph.experimental_get_tracing_count() == 1


def test_without_attention_the_source_speaks_through_the_state_alone() -> None:
    model = made("no attention")
    memory = remembered("no attention")
    assert memory.keys is None
    other = model.remember(SOURCE[:, ::-1])
    mixed = Memory(None, other.values * 100.0, other.mask, memory.state)
    expected = log_probs_step_by_step(model, memory, TARGET)
    np.testing.assert_array_equal(log_probs_step_by_step(model, mixed, TARGET), expected)
    assert np.abs(log_probs_step_by_step(model, other, TARGET) - expected).max() > 1e-6


def changed_by(model: Seq2Seq, **parts: Any) -> float:
    """How much other parts of the memory change the log-probabilities of the last step."""
    memory = model.remember(SOURCE)
    other = Memory(**{**vars(memory), **parts})
    change = log_probs_step_by_step(model, other, TARGET) - log_probs_step_by_step(model, memory, TARGET)
    return float(np.abs(change[:, -1]).max())


def test_with_attention_the_source_speaks_through_the_memory_too() -> None:
    other = made("bottom, 1 layer").remember(SOURCE[:, ::-1])
    assert changed_by(made("bottom, 1 layer"), keys=other.keys, values=other.values, mask=other.mask) > 1e-4


def test_a_peeky_decoder_gets_the_final_state_at_every_step() -> None:
    assert changed_by(made("peeky"), summary=made("peeky").remember(SOURCE[:, ::-1]).summary) > 1e-4
    assert remembered("bottom, 1 layer").summary is None


def test_a_peeky_decoder_takes_a_batch_without_rows() -> None:
    """As a server may send one."""
    memory = made("peeky").remember(SOURCE[:0])
    log_probs, _, _ = made("peeky").step(np.zeros(0, np.int32), memory.state, memory)
    assert log_probs.shape[0] == 0


def test_a_lexical_model_gets_the_source_words() -> None:
    model = made("lexical model")
    assert changed_by(model, embedded=model.remember(SOURCE[:, ::-1]).embedded) > 1e-4
    assert remembered("bottom, 1 layer").embedded is None


@pytest.mark.parametrize("form", ["input feeding", "no readout, input feeding"])
def test_input_feeding_begins_with_zeros_and_hands_the_readout_on(form: str) -> None:
    model = made(form)
    memory = remembered(form)
    assert np.abs(memory.state[-1][0]).max() == 0
    readout, _, state = model.decoder.step(TARGET[:, 0], memory.state, memory)
    np.testing.assert_array_equal(state[-1][0], readout.hidden)
    other = [*state[:-1], [state[-1][0] + 1.0]]
    steps = [model.step(TARGET[:, 1], given, memory)[0] for given in (state, other)]
    assert np.abs(np.array(steps[0]) - np.array(steps[1])).max() > 1e-4


def weights_of_step(form: str, token: int) -> np.ndarray:
    memory = remembered(form)
    return ops.convert_to_numpy(made(form).step(np.array([token, token], np.int32), memory.state, memory)[1])


def test_the_previous_state_asks_before_the_token_is_read() -> None:
    np.testing.assert_array_equal(weights_of_step("previous, 2 layers", 5), weights_of_step("previous, 2 layers", 6))
    for form in ("bottom, 3 layers", "top, 3 layers"):
        assert np.abs(weights_of_step(form, 5) - weights_of_step(form, 6)).max() > 1e-6


AT_ONCE, STEP_BY_STEP = NO_ATTENTION, PREVIOUS
ways = pytest.mark.parametrize("way", [AT_ONCE, STEP_BY_STEP], ids=["at once", "step by step"])
LONG_TARGET = np.full((1, 6), START_ID, np.int32)


def trained_readout(model: Seq2Seq) -> np.ndarray:
    """What the decoder hands to the output projection in training; (length, units)."""
    memory = model.remember(SOURCE[:1])
    return ops.convert_to_numpy(model.decoder(LONG_TARGET, memory=memory, training=True).hidden)[0]


@ways
@pytest.mark.parametrize("readout", ["tanh", "none"])
def test_dropout_has_another_mask_at_each_step(way: dict[str, Any], readout: str) -> None:
    model = new_model(readout=readout, embedding_size=16, decoder_units=16, dropout=0.5, **way)
    dropped = trained_readout(model) == 0
    assert 0.3 < dropped.mean() < 0.7
    assert len({tuple(step) for step in dropped.tolist()}) == len(dropped)


@ways
def test_recurrent_dropout_has_one_mask_for_all_steps(way: dict[str, Any]) -> None:
    """h' = tanh(1 · h): what the mask drops is 0 from the first step on, and nothing else ever is."""
    form = {"cell": "rnn", "readout": "none", "tie_embeddings": "none", "decoder_units": 16}
    model = new_model(**form, dropout=0.0, recurrent_dropout=0.5, **way)
    kernel, _, bias = model.decoder.recurrent_layers[0].get_weights()
    model.decoder.recurrent_layers[0].set_weights([np.zeros_like(kernel), np.eye(16), np.zeros_like(bias)])
    first, second = trained_readout(model) == 0, trained_readout(model) == 0
    assert 0 < first[0].sum() < 16
    assert (first == first[0]).all()
    assert (second == second[0]).all() and (second[0] != first[0]).any()  # another text, another mask


@pytest.mark.thorough
@ways
def test_dropout_is_off_outside_of_training(way: dict[str, Any]) -> None:
    """After a training step, too, of which no mask is left."""
    model, without = (new_model(dropout=rate, recurrent_dropout=rate, **way) for rate in (0.5, 0.0))
    for variable, other in zip(model.trainable_variables, without.trainable_variables, strict=True):
        other.assign(variable)
    trained_readout(model)
    np.testing.assert_allclose(
        log_probs_at_once(model, SOURCE, TARGET), log_probs_at_once(without, SOURCE, TARGET), atol=1e-6
    )


@pytest.mark.thorough
@ways
def test_dropout_follows_from_the_seed(way: dict[str, Any]) -> None:
    def readouts() -> Sequence[np.ndarray]:
        model = new_model(dropout=0.5, recurrent_dropout=0.5, **way)
        return [trained_readout(model) for _ in range(2)]

    (first, second), again = readouts(), readouts()
    np.testing.assert_array_equal([first, second], again)
    assert np.abs(first - second).max() > 0


def test_residual_adds_the_inputs_from_the_second_layer_on() -> None:
    """Layers 2 and 3 have weights of 0 and so outputs of 0: what comes out at the top is what layer 1 gave."""
    form = {"decoder_layers": 3, "readout": "none", "tie_embeddings": "none", "bridge": "zero"}
    model = new_model(residual=True, **form)
    for layer in model.decoder.recurrent_layers[1:]:
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    memory = model.remember(SOURCE)
    readout, _, state = model.decoder.step(TARGET[:, 0], memory.state, memory)
    np.testing.assert_allclose(readout.hidden, state[0][0], atol=1e-6)
    assert np.abs(state[0][0]).max() > 1e-3 and np.abs(state[1][0]).max() == 0
