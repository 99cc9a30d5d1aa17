"""The whole model: its parameters, its gradients, its precision."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt.config import ModelConfig
from nmt.losses import SmoothedCrossEntropy
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID

SOURCE = np.array([[5, 6, END_ID], [7, END_ID, PAD_ID]], np.int32)
TARGET = np.array([[START_ID, 5, 9], [START_ID, 7, PAD_ID]], np.int32)
LABELS = np.array([[5, 9, END_ID], [7, END_ID, PAD_ID]], np.int32)
WEIGHTS = (LABELS != PAD_ID).astype(np.float32)


def make_model(tie: str = "target", precision: str = "float32", source: int = 12, **settings: object) -> Seq2Seq:
    sizes = {
        "cell": "gru",
        "embedding_size": 4,
        "encoder_layers": 1,
        "encoder_units": 3,
        "bidirectional": False,
        "decoder_layers": 1,
        "decoder_units": 5,
        "attention": "none",
        "dropout": 0.2,
    }
    config = ModelConfig.model_validate({**sizes, "tie_embeddings": tie, **settings})
    return Seq2Seq(config, source, 10, precision)


def gru_parameters(inputs: int, units: int) -> int:
    """Three gates, each with a kernel, a recurrent kernel and two biases."""
    return 3 * (inputs * units + units * units + 2 * units)


@pytest.mark.parametrize(
    ("tie", "source", "embeddings"),
    [
        ("none", 12, 12 * 4 + 10 * 4 + 4 * 10),  # source, target, output projection
        ("target", 12, 12 * 4 + 10 * 4),
        ("all", 10, 10 * 4),
    ],
)
def test_parameters_counted_by_hand(tie: str, source: int, embeddings: int) -> None:
    bridge, readout = 3 * 5 + 5, 5 * 4 + 4
    expected = embeddings + gru_parameters(4, 3) + bridge + gru_parameters(4, 5) + readout
    model = make_model(tie, source=source)
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert trainable == expected


def test_attention_adds_its_projections_and_the_context() -> None:
    """Additive attention: W 5x5, U 3x5 + 5, v 5x1; the context of 3 joins the readout's input."""
    plain, additive = make_model(), make_model(attention="additive")
    sizes = [sum(int(np.prod(v.shape)) for v in model.trainable_variables) for model in (plain, additive)]
    assert sizes[1] - sizes[0] == 5 * 5 + (3 * 5 + 5) + 5 + 3 * 4


@pytest.mark.parametrize(("tie", "attention"), [("none", "none"), ("target", "general"), ("all", "additive")])
def test_a_gradient_reaches_every_variable(tie: str, attention: str) -> None:
    model = make_model(tie, source=10, attention=attention, decoder_layers=2, bidirectional=True, cell="lstm")
    with tf.GradientTape() as tape:
        logits = model({"source_ids": SOURCE, "target_ids": TARGET}, training=True)
        loss = SmoothedCrossEntropy(0.1)(LABELS, logits, sample_weight=WEIGHTS)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    silent = [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.abs(tf.convert_to_tensor(gradient).numpy()).max() > 0
    ]
    assert silent == []


def test_mixed_precision_keeps_float32_variables_and_the_global_policy() -> None:
    before = keras.config.dtype_policy().name
    model = make_model(precision="mixed_bfloat16", attention="general")
    assert keras.config.dtype_policy().name == before == "float32"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    memory = model.remember(SOURCE)
    readout = model.decoder(TARGET, memory=memory)
    assert {keras.backend.standardize_dtype(x.dtype) for x in (memory.values, memory.keys, readout)} == {"bfloat16"}


def test_policy_is_restored_after_an_error() -> None:
    with pytest.raises(ValueError, match="input_dim"):
        make_model(precision="mixed_bfloat16", source=-1)
    assert keras.config.dtype_policy().name == "float32"


def test_mixed_precision_is_close_to_float32() -> None:
    keras.utils.set_random_seed(1)
    exact = make_model(dropout=0.0)
    rough = make_model(precision="mixed_bfloat16", dropout=0.0)
    for old, new in zip(exact.trainable_variables, rough.trainable_variables, strict=True):
        new.assign(old)
    inputs = {"source_ids": SOURCE, "target_ids": TARGET}
    np.testing.assert_allclose(np.array(exact(inputs)), np.array(keras.ops.cast(rough(inputs), "float32")), atol=0.02)


def test_padded_target_positions_do_not_change_the_loss() -> None:
    model = make_model(attention="general")
    loss = SmoothedCrossEntropy(0.1)

    def loss_of(padding: int) -> float:
        target, labels, weights = (np.pad(x, ((0, 0), (0, padding))) for x in (TARGET, LABELS, WEIGHTS))
        return float(loss(labels, model({"source_ids": SOURCE, "target_ids": target}), sample_weight=weights))

    assert loss_of(3) == pytest.approx(loss_of(0), abs=1e-6)


def test_dropout_only_in_training() -> None:
    model = make_model()
    inputs = {"source_ids": SOURCE, "target_ids": TARGET}
    np.testing.assert_array_equal(np.array(model(inputs)), np.array(model(inputs)))
    assert np.abs(np.array(model(inputs, training=True)) - np.array(model(inputs, training=True))).max() > 0


def test_same_seed_same_weights() -> None:
    models = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        models.append(make_model())
    first, second, other = ([np.array(v) for v in model.trainable_variables] for model in models)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
