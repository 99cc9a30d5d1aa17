"""The presets of configs/systems: each a tiny version with every switch as in its file, and weights at random."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from nmt.config import Config, DecodingConfig, load_config, load_language_model_config
from nmt.losses import SmoothedCrossEntropy
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID
from nmt.translation.ensemble import Ensemble
from nmt.translation.searcher import Searcher

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
SYSTEMS = sorted((ROOT / "configs" / "systems").glob("*.yaml"))
NAMES = [path.stem for path in SYSTEMS]
SIZES = ("embedding_size", "encoder_units", "decoder_units")
SHRINK = 32  # a divisor of every size, so that equal sizes stay equal
VOCABULARY = 12
SOURCE = np.array([[5, 6, 7, 8, END_ID], [9, 5, END_ID, PAD_ID, PAD_ID], [10, 11, 4, END_ID, PAD_ID]], np.int32)
TARGET = np.array([[START_ID, 5, 9, 4], [START_ID, 7, 7, PAD_ID], [START_ID, 11, PAD_ID, PAD_ID]], np.int32)
LABELS = np.array([[5, 9, 4, END_ID], [7, 7, END_ID, PAD_ID], [11, END_ID, PAD_ID, PAD_ID]], np.int32)
WEIGHTS = (LABELS != PAD_ID).astype(np.float32)

each_system = pytest.mark.parametrize("name", NAMES)


def preset(name: str, overrides: Sequence[str] = ()) -> Config:
    return load_config(ROOT / "configs" / "systems" / f"{name}.yaml", overrides)


@functools.cache
def tiny_model(name: str) -> Seq2Seq:
    """All sizes divided, all switches kept, and weights large enough that the sources can be told apart."""
    sizes = preset(name).model.model_dump(include=set(SIZES))
    tiny = preset(name, [f"model.{key}={size // SHRINK}" for key, size in sizes.items()]).model
    keras.utils.set_random_seed(1)
    model = Seq2Seq(tiny, VOCABULARY, VOCABULARY)
    for variable in model.trainable_variables:
        variable.assign(2.0 * variable)
    return model


def log_probs_at_once(model: Seq2Seq, source: np.ndarray) -> np.ndarray:
    logits = model.logits({"source_ids": source, "target_ids": TARGET[: len(source)]})
    return ops.convert_to_numpy(ops.log_softmax(logits, axis=-1))


def of_labels(log_probs: np.ndarray) -> np.ndarray:
    """Log-probability of each sentence; (batch, length, vocabulary) to (batch,)."""
    chosen = np.take_along_axis(log_probs, LABELS[:, :, None], axis=2)[:, :, 0]
    return (chosen * WEIGHTS).sum(axis=1)


def is_language_model(path: Path) -> bool:
    return re.search(r"^text:", path.read_text(encoding="utf-8"), re.MULTILINE) is not None


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.relative_to(ROOT / "configs").as_posix())
def test_every_configuration_of_the_project_is_valid(path: Path) -> None:
    load = load_language_model_config if is_language_model(path) else load_config
    assert load(path).name


def test_the_landmarks_are_there() -> None:
    assert set(NAMES) >= {
        "sutskever2014",
        "cho2014",
        "bahdanau2015",
        "luong2015",
        "gnmt2016",
        "rnmt_plus2018",
        "low_resource2019",
        "vanilla_rnn",
    }


@each_system
def test_a_preset_is_named_after_its_file_and_stands_on_the_small_corpus(name: str) -> None:
    config, small = preset(name), load_config(ROOT / "configs" / "multi30k-en-de.yaml")
    assert config.name == name
    assert config.corpus == small.corpus
    if name == "low_resource2019":  # a small vocabulary is its point
        assert config.subword.vocabulary_size < small.subword.vocabulary_size
    else:
        assert config.subword == small.subword


@each_system
def test_a_preset_says_what_is_kept_and_what_is_scaled_down(name: str) -> None:
    text = (ROOT / "configs" / "systems" / f"{name}.yaml").read_text(encoding="utf-8")
    assert all(f"\n# {word}: " in text for word in ("Paper", "Kept", "Scaled down"))
    assert f"| `{name}` |" in (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")


@each_system
def test_sizes_can_be_divided(name: str) -> None:
    """Else the tiny versions of this module would not have the proportions of their files."""
    assert all(getattr(preset(name).model, size) % SHRINK == 0 for size in SIZES)


@pytest.mark.thorough
@each_system
def test_teacher_forcing_and_steps_give_a_sentence_the_same_probability(name: str) -> None:
    model = tiny_model(name)
    memory = model.remember(SOURCE)
    state, steps = memory.state, []
    for last in TARGET.T:
        log_probs, _, state = model.step(last, state, memory)
        steps.append(ops.convert_to_numpy(log_probs))
    expected = of_labels(np.stack(steps, axis=1))
    assert (expected < -1.0).all()
    np.testing.assert_allclose(of_labels(log_probs_at_once(model, SOURCE)), expected, atol=1e-4)


@pytest.mark.thorough
@each_system
def test_a_gradient_reaches_every_variable(name: str) -> None:
    model = tiny_model(name)
    keras.utils.set_random_seed(2)
    with tf.GradientTape() as tape:
        logits = model.logits({"source_ids": SOURCE, "target_ids": TARGET}, training=True)
        loss = SmoothedCrossEntropy(0.1)(LABELS, logits, sample_weight=WEIGHTS)
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    silent = [
        variable.path
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
        if gradient is None or not np.abs(tf.convert_to_tensor(gradient).numpy()).max() > 0
    ]
    assert silent == []


@pytest.mark.thorough
@each_system
def test_source_padding_changes_nothing(name: str) -> None:
    model = tiny_model(name)
    padded = np.pad(SOURCE, ((0, 0), (0, 3)), constant_values=PAD_ID)
    np.testing.assert_allclose(log_probs_at_once(model, padded), log_probs_at_once(model, SOURCE), atol=1e-5)


@pytest.mark.thorough
@each_system
def test_the_source_matters(name: str) -> None:
    """Each of its words: another one at any place changes what is said of the target."""
    model = tiny_model(name)
    before = log_probs_at_once(model, SOURCE[:1])
    for place in range(4):
        other = SOURCE[:1].copy()
        other[0, place] = 4
        assert np.abs(log_probs_at_once(model, other) - before).max() > 1e-6


@pytest.mark.thorough
@each_system
def test_beam_search_gives_a_row_the_same_alone_and_beside_others(name: str) -> None:
    searcher = Searcher(Ensemble([tiny_model(name)]), DecodingConfig(beam_size=3, max_length=6, n_best=2))
    together = [ops.convert_to_numpy(part) for part in searcher({"source_ids": [SOURCE]})]
    assert len({round(float(log_prob), 4) for log_prob in together[1][:, 0]}) == len(SOURCE)  # the rows differ
    for row, *expected in zip(SOURCE, *together, strict=True):
        inputs = {"source_ids": [row[None, row != PAD_ID]]}
        alone = [ops.convert_to_numpy(part)[0] for part in searcher(inputs)]
        np.testing.assert_array_equal(alone[0], expected[0])
        np.testing.assert_allclose(alone[1:], expected[1:], atol=1e-4)
