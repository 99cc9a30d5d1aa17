"""The whole model: its parameters, its gradients, its precision."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt import blockwise_loss
from nmt.config import ModelConfig
from nmt.losses import SmoothedCrossEntropy
from nmt.search.greedy import greedy_search
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID

SOURCE = np.array([[5, 6, END_ID], [7, END_ID, PAD_ID]], np.int32)
TARGET = np.array([[START_ID, 5, 9], [START_ID, 7, PAD_ID]], np.int32)
LABELS = np.array([[5, 9, END_ID], [7, END_ID, PAD_ID]], np.int32)
WEIGHTS = (LABELS != PAD_ID).astype(np.float32)
STEP_BY_STEP = {
    "cell": "layer_norm_lstm",
    "attention": "scaled",
    "attention_query": "previous",
    "input_feeding": True,
    "lexical_model": True,
    "readout": "maxout",
    "peeky": True,
    "recurrent_dropout": 0.2,
}


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


def trainable(model: Seq2Seq) -> int:
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


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
    assert trainable(model) == expected


def test_attention_adds_its_projections_and_the_context() -> None:
    """Additive attention: W 5x5, U 3x5 + 5, v 5x1; the context of 3 joins the readout's input."""
    plain, additive = make_model(), make_model(attention="additive")
    assert trainable(additive) - trainable(plain) == 5 * 5 + (3 * 5 + 5) + 5 + 3 * 4


def test_maxout_sees_the_last_word_and_has_two_units_for_one() -> None:
    """tanh: 5 to 4 units; maxout: 5 and 4 to 8."""
    assert trainable(make_model(readout="maxout")) - trainable(make_model()) == (9 * 8 + 8) - (5 * 4 + 4)


def test_without_a_readout_the_projection_is_as_wide_as_the_decoder() -> None:
    without, plain = make_model("none", readout="none"), make_model("none")
    assert trainable(plain) - trainable(without) == (5 * 4 + 4) + 4 * 10 - 5 * 10
    assert without.target_embedding.reverse_embeddings.shape == (5, 10)


def test_a_lexical_model_has_its_own_projection() -> None:
    """W 4x4, W' 4x10 and b' 10."""
    plain, lexical = make_model(attention="additive"), make_model(attention="additive", lexical_model=True)
    assert trainable(lexical) - trainable(plain) == 4 * 4 + 4 * 10 + 10


def types_of(*tensors: Any) -> set[str]:
    return {keras.backend.standardize_dtype(tensor.dtype) for tensor in tensors}


@pytest.mark.parametrize("settings", [{"attention": "general"}, STEP_BY_STEP], ids=["at once", "step by step"])
def test_mixed_precision_keeps_float32_variables_and_the_global_policy(settings: dict[str, Any]) -> None:
    before = keras.config.dtype_policy().name
    model = make_model(precision="mixed_bfloat16", **settings)
    assert keras.config.dtype_policy().name == before == "float32"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    memory = model.remember(SOURCE)
    readout = model.decoder(TARGET, memory=memory, training=True)
    assert types_of(memory.values, memory.keys, readout.hidden, *keras.tree.flatten(memory.state)) == {"bfloat16"}
    log_probs, weights, state = model.step(TARGET[:, 0], memory.state, memory)
    assert types_of(log_probs, weights) == {"float32"}
    assert types_of(*keras.tree.flatten(state)) == {"bfloat16"}


@pytest.mark.parametrize("settings", [{"cell": "lstm", "attention": "general"}, STEP_BY_STEP], ids=["lstm", "all else"])
def test_a_model_in_bfloat16_has_the_same_weights_rounded(settings: dict[str, Any]) -> None:
    keras.utils.set_random_seed(1)
    exact = make_model(**settings)
    rough = exact.in_precision("bfloat16")
    assert exact.in_precision("float32") is exact
    assert types_of(*rough.trainable_variables) == {"bfloat16"} and types_of(*exact.trainable_variables) == {"float32"}
    names = [[variable.path for variable in model.trainable_variables] for model in (exact, rough)]
    assert names[0] == names[1]
    for ours, theirs in zip(rough.trainable_variables, exact.trainable_variables, strict=True):
        np.testing.assert_array_equal(
            keras.ops.cast(ours, "float32"), tf.cast(tf.cast(theirs.value, "bfloat16"), "float32")
        )
    memories = [model.remember(SOURCE) for model in (exact, rough)]
    steps = [
        model.step(TARGET[:, 0], memory.state, memory) for model, memory in zip((exact, rough), memories, strict=True)
    ]
    assert types_of(steps[1][0]) == {"float32"} and types_of(*keras.tree.flatten(steps[1][2])) == {"bfloat16"}
    np.testing.assert_allclose(steps[0][0], steps[1][0], atol=0.05)


def test_policy_is_restored_after_an_error() -> None:
    with pytest.raises(ValueError, match="input_dim"):
        make_model(precision="mixed_bfloat16", source=-1)
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.thorough
@pytest.mark.parametrize("settings", [{}, STEP_BY_STEP], ids=["at once", "step by step"])
def test_mixed_precision_is_close_to_float32(settings: dict[str, Any]) -> None:
    keras.utils.set_random_seed(1)
    exact = make_model(**settings)
    rough = make_model(precision="mixed_bfloat16", **settings)
    for old, new in zip(exact.trainable_variables, rough.trainable_variables, strict=True):
        new.assign(old)
    inputs = {"source_ids": SOURCE, "target_ids": TARGET}
    np.testing.assert_allclose(
        np.array(exact.logits(inputs)), np.array(keras.ops.cast(rough.logits(inputs), "float32")), atol=0.05
    )


def test_padded_target_positions_do_not_change_the_loss() -> None:
    model = make_model(attention="general")
    loss = SmoothedCrossEntropy(0.1)

    def loss_of(padding: int) -> float:
        target, labels, weights = (np.pad(x, ((0, 0), (0, padding))) for x in (TARGET, LABELS, WEIGHTS))
        return float(loss(labels, model.logits({"source_ids": SOURCE, "target_ids": target}), sample_weight=weights))

    assert loss_of(3) == pytest.approx(loss_of(0), abs=1e-6)


def test_dropout_only_in_training() -> None:
    model = make_model()
    inputs = {"source_ids": SOURCE, "target_ids": TARGET}
    np.testing.assert_array_equal(np.array(model.logits(inputs)), np.array(model.logits(inputs)))
    assert (
        np.abs(np.array(model.logits(inputs, training=True)) - np.array(model.logits(inputs, training=True))).max() > 0
    )


def test_same_seed_same_weights() -> None:
    models = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        models.append(make_model())
    first, second, other = ([np.array(v) for v in model.trainable_variables] for model in models)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    "settings",
    [{"tie_embeddings": "none"}, {"tie_embeddings": "all"}, {"attention": "general", "lexical_model": True}],
    ids=["untied", "tied", "lexical model"],
)
def test_the_loss_in_blocks_has_the_gradients_of_the_logits_loss(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockwise_loss, "LEAST_ROWS", 3)
    monkeypatch.setattr(blockwise_loss, "LOGITS", 0)
    sizes = {"source": 10} if settings.get("tie_embeddings") == "all" else {}
    model = make_model(**settings, **sizes)
    loss = SmoothedCrossEntropy(0.1)
    model.compile(loss=loss)
    inputs = {"source_ids": SOURCE % 10, "target_ids": TARGET}
    weights = np.ones(TARGET.shape, np.float32)
    variables = [variable.value for variable in model.trainable_variables]
    gradients = []
    for in_blocks in (True, False):
        with tf.GradientTape() as tape:
            if in_blocks:
                total = model.compute_loss(inputs, TARGET, model(inputs), weights)
            else:
                total = loss(TARGET, model.logits(inputs), weights)
        gradients.append([tf.convert_to_tensor(one).numpy() for one in tape.gradient(total, variables)])
    for ours, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_predict_gives_what_the_projection_takes() -> None:
    model = make_model()
    (hidden,) = model.predict({"source_ids": SOURCE, "target_ids": TARGET}, verbose=0)
    assert hidden.shape == (*TARGET.shape, model.config.hidden_units)


JAX_SCRIPT = """
import sys
import numpy as np
from keras import backend, ops
from nmt.config import ModelConfig
from nmt.losses import SmoothedCrossEntropy
from nmt.search.greedy import greedy_search
from nmt.seq2seq import Seq2Seq

assert backend.backend() == "jax"
ids, given, found = np.load("ids.npz"), np.load("weights.npz"), {}
for name in sys.argv[1:]:
    config = ModelConfig.model_validate_json(open(name + ".json").read())
    model = Seq2Seq(config, 12, 10)
    model.set_weights([given[f"{name}{i}"] for i in range(len(model.weights))])
    found[name] = ops.convert_to_numpy(model.logits(dict(ids)))
    memory = model.remember(ids["source_ids"])
    hypotheses = greedy_search(lambda *step: model.step(*step, memory), memory.state, np.array([4, 4]), 4)
    found[name + "_log_probs"] = ops.convert_to_numpy(hypotheses.log_probs)
    assert np.isfinite(ops.convert_to_numpy(model.logits(dict(ids), training=True))).all()
    model.compile(optimizer="sgd", loss=SmoothedCrossEntropy(0.1))
    found[name + "_loss"] = model.test_on_batch(dict(ids), ids["target_ids"], np.ones(ids["target_ids"].shape))
    assert model._compile_loss.built  # else Keras traces the model anew before every step
np.savez("found.npz", **found)
"""


def search_log_probs(model: Seq2Seq) -> Any:
    """Of four tokens at most."""
    memory = model.remember(SOURCE)
    return greedy_search(lambda *step: model.step(*step, memory), memory.state, np.array([4, 4]), 4).log_probs


@pytest.mark.slow  # imports everything once more, on the other backend
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_same_values_on_jax(tmp_path: Path) -> None:
    models = {"at_once": make_model(attention="multi_head", attention_heads=5, decoder_layers=2, reverse_source=True)}
    models["step_by_step"] = make_model(**STEP_BY_STEP)
    inputs = {"source_ids": SOURCE, "target_ids": TARGET}
    np.savez(tmp_path / "ids.npz", **inputs)
    weights = {f"{name}{i}": np.array(w) for name, model in models.items() for i, w in enumerate(model.weights)}
    np.savez(tmp_path / "weights.npz", **weights)
    for name, model in models.items():
        (tmp_path / f"{name}.json").write_text(model.config.model_dump_json())
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", JAX_SCRIPT, *models], cwd=tmp_path, env=environment, check=True, timeout=300)
    found = np.load(tmp_path / "found.npz")
    for name, model in models.items():
        np.testing.assert_allclose(found[name], np.array(model.logits(inputs)), atol=1e-5)
        model.compile(loss=SmoothedCrossEntropy(0.1))
        loss = model.test_on_batch(inputs, inputs["target_ids"], np.ones(inputs["target_ids"].shape))
        np.testing.assert_allclose(found[name + "_loss"], loss, rtol=1e-5)
        np.testing.assert_allclose(found[name + "_log_probs"], np.array(search_log_probs(model)), atol=1e-5)
