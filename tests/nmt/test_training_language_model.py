"""Training of language models: truncated back-propagation, the state carried, resume, and what stands in the folder."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from nmt.checkpoints import load_state
from nmt.config import LanguageModelConfig, LanguageModelSizes, parse_language_model_config
from nmt.errors import DataError, TrainingError
from nmt.language_model import LanguageModel
from nmt.language_model_run import load_language_model
from nmt.losses import SmoothedCrossEntropy
from nmt.optimizers import SGD
from nmt.plots.figure import draw
from nmt.plots.reading import read_runs
from nmt.prepared_text import open_text
from nmt.run_folder import RunFolder
from nmt.segments import SegmentPlan
from nmt.tokenizer import END_ID, Tokenizer
from nmt.training import language_model_task, loop, train, train_language_model
from nmt.training.agreement import check_text
from nmt.training.graphs import make_update
from nmt.training.language_model_validation import LanguageModelValidation
from nmt.training.steps import take_step
from nmt.translation.translator import load_translator

Checksum = Callable[[Path], str]
TINY: dict[str, dict[str, Any]] = {
    "text": {"prepared": "prepared/tiny", "side": "target"},
    "model": {"cell": "gru", "embedding_size": 8, "layers": 1, "units": 8, "dropout": 0.1},
    "training": {
        "epochs": 2,
        "streams": 4,
        "segment_length": 8,
        "learning_rate": 0.03,
        "warmup_steps": 0,
        "schedule": "constant",
    },
}


def make_config(name: str = "lm", **sections: dict[str, Any]) -> LanguageModelConfig:
    """A language model of the German number words, with the given keys of each section replaced."""
    values: dict[str, Any] = {key: {**section, **sections.get(key, {})} for key, section in TINY.items()}
    return parse_language_model_config({"name": name, **values})


class FixedText:
    """Stands for a prepared text: the same tokens in every part."""

    folder = Path("prepared/fixed")
    fingerprint = "f" * 64

    def __init__(self, token_ids: list[int], tokenizer: Tokenizer) -> None:
        self._stream, self._tokenizer = np.array(token_ids, np.int32), tokenizer

    def tokenizer(self) -> Tokenizer:
        return self._tokenizer

    def stream(self, part: str) -> np.ndarray:
        return self._stream

    def characters(self, part: str) -> int:
        return 2 * len(self._stream)


def last(run: RunFolder) -> Path:
    return run.checkpoint("last")


def lines_of(run: RunFolder, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


class Recorder:
    """Keeps what a training says."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.rounds: list[Any] = []

    def start(self, text: str) -> None:
        self.texts.append(text)

    def note(self, text: str) -> None:
        self.texts.append(text)

    def steps(self, progress: Any) -> None:
        pass

    def round(self, result: Any) -> None:
        self.rounds.append(result)

    def end(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(scope="module")
def trained(tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunFolder, Any]]:
    """A trained language model, in its own current directory, and what it reported."""
    recorder = Recorder()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("trained"))
        Path("prepared").symlink_to(tiny_corpus / "prepared")
        patch.setattr(loop, "LOG_EVERY_STEPS", 4)
        yield train_language_model(make_config(training={"epochs": 3, "tensorboard": True}), recorder), recorder


STREAM = np.array([5, 9, 4, END_ID, 8, 5, 9, 6, 7, 4, END_ID, 8, 8, END_ID], np.int32)


def gradient_of_steps(segment_length: int, streams: int = 1) -> list[np.ndarray]:
    """What training steps over the text subtract from the weights, summed over the segments; one update at the end."""
    model = toy_model(streams)
    plan = SegmentPlan(STREAM, streams, segment_length)
    optimizer = SGD(1.0, momentum=0.0, clip_norm=1e9, accumulates=True)
    model.compile(optimizer, SmoothedCrossEntropy(), run_eagerly=True)  # a graph for so few steps takes longer
    model.optimizer.build(model.trainable_variables)
    before = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    update = make_update(model, plan.one_shape)
    take_step(optimizer, update, list(plan.batches(0)), 1.0, lambda error, shape: None)
    after = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    return [old - new for old, new in zip(before, after, strict=True)]


def toy_model(streams: int = 1) -> LanguageModel:
    keras.utils.set_random_seed(1)
    sizes = {"cell": "lstm", "embedding_size": 4, "layers": 2, "units": 5, "dropout": 0.0}
    return LanguageModel(LanguageModelSizes.model_validate(sizes), 10, streams)


@functools.cache
def full_gradient() -> list[np.ndarray]:
    """Back-propagation through the whole text, read in one call."""
    model = toy_model()
    with tf.GradientTape() as tape:
        logits, _ = model.read(np.concatenate([[END_ID], STREAM[:-1]])[None], model.first_state(1))
        loss = SmoothedCrossEntropy()(STREAM[None], logits, np.full((1, len(STREAM)), 1 / len(STREAM)))
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


@pytest.mark.parametrize("segment_length", [len(STREAM), 100])
def test_where_a_segment_is_the_whole_text_nothing_is_truncated(segment_length: int) -> None:
    for truncated, full in zip(gradient_of_steps(segment_length), full_gradient(), strict=True):
        np.testing.assert_allclose(truncated, full, atol=1e-6)


def test_shorter_segments_truncate_the_gradient_and_not_the_forward_pass() -> None:
    """The projection's bias sees only the logits, which are the same; the recurrent kernel would see further back."""
    full, truncated = full_gradient(), gradient_of_steps(3)
    differences = [np.abs(a - b).max() for a, b in zip(full, truncated, strict=True)]
    names = [variable.path for variable in toy_model().trainable_variables]
    by_name = dict(zip(names, differences, strict=True))
    assert by_name["language_model/projection/bias"] < 1e-6
    assert max(value for name, value in by_name.items() if "recurrent_kernel" in name) > 1e-4


@pytest.mark.thorough
def test_the_loss_falls_and_figures_are_those_of_a_language_model(trained: tuple[RunFolder, Any]) -> None:
    run, recorder = trained
    losses = [result.loss for result in recorder.rounds]
    assert len(losses) == 3 and losses[-1] < 0.9 * losses[0]
    assert all(result.bleu is None and result.chrf is None for result in recorder.rounds)
    for line in lines_of(run, "validation"):
        assert line["perplexity"] == pytest.approx(math.exp(line["loss"]))
        assert "bleu" not in line and "chrf" not in line


def test_validation_is_the_mean_over_the_whole_part(trained: tuple[RunFolder, Any]) -> None:
    """By reading each stream of the validation part in one call, from a state of zeros."""
    run, recorder = trained
    model, tokenizer, config = load_language_model(run.folder, "last")
    assert config == make_config(training={"epochs": 3, "tensorboard": True})
    text = open_text(config)
    assert tokenizer.model == text.tokenizer().model
    (whole,) = SegmentPlan(text.stream("validation"), 4, 1_000).batches(0)
    logits, _ = model.read(whole.token_ids, model.first_state(4))
    log_probs = keras.ops.convert_to_numpy(keras.ops.log_softmax(logits, axis=-1))
    nats = -np.take_along_axis(log_probs, whole.labels[..., None], axis=-1)[..., 0][whole.weights == 1]
    assert recorder.rounds[-1].loss == pytest.approx(float(nats.mean()), abs=1e-5)
    bits = float(nats.sum()) / math.log(2) / text.characters("validation")
    assert recorder.rounds[-1].bits_per_character == pytest.approx(bits, abs=1e-5)


def test_what_is_said_before_the_first_step(trained: tuple[RunFolder, Any]) -> None:
    lines = trained[1].texts[0].splitlines()
    tokens = len(open_text(make_config()).stream("train"))
    segments = math.ceil(math.ceil(tokens / 4) / 8)
    assert lines[0] == "runs/lm: starts" and len(lines) == 8
    assert "parameters: embedding 352, recurrent layers 432, output projection 396" in lines[1]  # 44 pieces, 8 units
    assert f"{segments} an epoch over {tokens} tokens, of 4 x 8 (streams x tokens), each with the state of" in lines[2]


def test_the_curves_are_drawn_like_those_of_translation(trained: tuple[RunFolder, Any]) -> None:
    said: list[str] = []
    (log,) = read_runs([trained[0].folder], said.append)
    assert said == [] and log.settings["training.segment_length"] == 8
    labels = [axes.get_ylabel() for axes in draw([log]).axes]
    assert "validation bits per character" in labels and "validation BLEU (%)" not in labels


EVERYTHING: dict[str, Any] = {
    "accumulate_batches": 2,
    "average_decay": 0.9,
    "optimizer": "adamw",
    "schedule": "plateau",
}


class Killed(Exception):
    """Stands for a kill."""


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, EVERYTHING])
def test_resumed_within_an_epoch_bit_for_bit(
    corpus_folder: Path, recorder: Any, checksum: Checksum, settings: dict[str, Any]
) -> None:
    """Killed in the middle of an epoch, with a state that goes on there."""
    model = {"dropout": 0.2, "recurrent_dropout": 0.2}
    whole, killed = (
        make_config(name, model=model, training={"save_every_steps": 1, **settings}) for name in ("whole", "killed")
    )
    expected = train_language_model(whole, recorder)
    original, numbers = loop.take_step, iter(range(1, 1_000))

    def dying(*arguments: Any) -> float:
        if next(numbers) == 4:
            raise Killed
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "take_step", dying)
        with pytest.raises(Killed):
            train_language_model(killed, recorder)
    run = RunFolder(killed.run_folder)
    state = load_state(last(run))
    assert (state.step, state.epoch, state.epoch_step) == (3, 0, 3)
    saved = load_file(last(run) / "model.safetensors")
    assert max(np.abs(value).max() for key, value in saved.items() if "language_model/state_" in key) > 0
    train_language_model(killed, recorder)
    assert load_state(last(run)).epoch == 2
    assert checksum(last(run)) == checksum(last(expected))
    assert replace(load_state(last(run)), seconds=0.0) == replace(load_state(last(expected)), seconds=0.0)


def test_validation_leaves_the_carried_state_alone(corpus_folder: Path) -> None:
    config = make_config()
    text = open_text(config)
    model = LanguageModel(config.model, text.tokenizer().size, 4)
    (segment, *_) = SegmentPlan(text.stream("train"), 4, 8).batches(0)
    model(segment.inputs)
    before = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    LanguageModelValidation(config, text, lambda error, shape: None).run(model, None, lambda: None)
    after = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.slow
def test_a_carried_state_reaches_further_than_a_segment(
    tokenizers: tuple[Tokenizer, Tokenizer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5 5 5 6 6 6 5 5 5 ...: what comes next stands three tokens back, and a segment has two.

    Who sees two tokens guesses after 5 5 and after 6 6, at four of six places: 4/6 ln 2 = 0.46 nats at best.
    """
    monkeypatch.chdir(tmp_path)
    text = FixedText([5, 5, 5, 6, 6, 6] * 121, tokenizers[1])  # each of six streams begins one token later
    monkeypatch.setattr(language_model_task, "open_text", lambda config: text)
    losses = {}
    for carry in (True, False):
        recorder = Recorder()
        training = {"segment_length": 2, "streams": 6, "learning_rate": 0.015, "carry_state": carry}
        config = make_config(f"carry-{carry}", model={"dropout": 0.0, "units": 16}, training=training)
        train_language_model(config, recorder)
        losses[carry] = min(result.loss for result in recorder.rounds)
    assert losses[True] < 0.46 < losses[False]


def test_the_folder_of_another_kind_of_model_is_refused(
    trained: tuple[RunFolder, Any], tiny_config: Any, tokenizers: tuple[Tokenizer, Tokenizer]
) -> None:
    run, recorder = trained
    expected = "expected the run folder of a translation model, received that of a language model: it is for nmt lm"
    with pytest.raises(DataError, match=expected):
        train(tiny_config("lm", corpus={"prepared": "prepared/tiny"}), recorder)
    with pytest.raises(DataError, match=expected):
        load_translator(run.folder)
    translation = RunFolder(Path("runs/translation"))
    translation.create(tiny_config(), "f" * 64, tokenizers)
    expected = "expected the run folder of a language model, received that of a translation model: it is for nmt train"
    with pytest.raises(DataError, match=expected):
        train_language_model(make_config("translation"), recorder)
    with pytest.raises(DataError, match=expected):
        load_language_model(translation.folder)


def test_the_run_folder_holds_the_one_subword_model(trained: tuple[RunFolder, Any]) -> None:
    run, _ = trained
    assert run.kind == "language_model"
    assert sorted(path.name for path in run.folder.glob("*.model")) == ["text.model"]


def test_out_of_memory_names_the_segment_and_the_setting(
    corpus_folder: Path, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*arguments: Any, **named: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(LanguageModel, "compute_loss", exhausted)
    with pytest.raises(TrainingError, match=r"a segment of 4 x 8 \(streams x tokens\); lower training\.segment_length"):
        train_language_model(make_config(), recorder)


def test_changed_settings_and_another_text_are_refused(trained: tuple[RunFolder, Any], recorder: Any) -> None:
    with pytest.raises(TrainingError, match=r"\(training\.segment_length: 8 -> 9\); take the old ones to resume"):
        train_language_model(make_config(training={"segment_length": 9, "epochs": 4}), recorder)
    with pytest.raises(TrainingError, match=r"was trained on the corpus .* remove the run folder or choose"):
        train_language_model(make_config(text={"side": "source"}), recorder)


def test_a_text_of_other_settings_is_refused() -> None:
    """A side of a prepared corpus has no settings of its own to compare."""

    class Text:
        folder = Path("prepared/lm")
        settings: dict[str, Any]

    def config(**text: Any) -> LanguageModelConfig:
        return parse_language_model_config({"name": "lm", "text": text, "subword": {"model": "char"}})

    prepared = config(synthetic={"depth": 3, "seed": 1})
    text: Any = Text()
    text.settings = json.loads(prepared.model_dump_json())
    check_text(prepared, text)
    with pytest.raises(TrainingError, match=r"prepared/lm: .*\(text\.synthetic\.depth: 3 -> 4\); run nmt prepare"):
        check_text(config(synthetic={"depth": 4, "seed": 1}), text)
    text.settings = {}
    with pytest.raises(DataError, match="the manifest is damaged or of another version"):
        check_text(prepared, text)
    check_text(config(prepared="prepared/tiny"), text)
