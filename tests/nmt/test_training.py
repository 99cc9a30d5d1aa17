"""Training: the loop with a toy model and scripted validations.

The toy model sees only the target, has dropout, and is fast; what is tested with it (order of batches, resume,
checkpoints, patience) does not depend on the model.
"""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest
from keras import ops
from safetensors.numpy import load_file

from nmt.batches import Batch
from nmt.checkpoints import TrainingState, load_state, load_weights
from nmt.config import Config
from nmt.errors import CorruptFileError, DataError, Interrupted, TrainingError
from nmt.run_folder import RunFolder
from nmt.run_lock import locked
from nmt.training import loop, steps, train, translation_task
from nmt.training.task import ValidationFigures

ROOT = Path(__file__).resolve().parents[2]
Checksum = Callable[[Path], str]


class ToyModel(keras.Model):
    """Answers from the token before alone; takes Seq2Seq's arguments."""

    def __init__(self, config: Any, source_size: int, target_size: int, precision: str = "float32") -> None:
        super().__init__(name="toy")
        self.embedding = keras.layers.Embedding(target_size, 4, name="embedding")
        self.dropout = keras.layers.Dropout(0.2, name="dropout")
        self.dense = keras.layers.Dense(target_size, name="dense")
        ids = ops.ones((1, 2), "int32")
        self({"source_ids": ids, "target_ids": ids})

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        return self.dense(self.dropout(self.embedding(inputs["target_ids"]), training=training))


class ScriptedValidation:
    """Gives the figures of `script`, one (loss, BLEU) a round; the last ones for ever."""

    script: ClassVar[list[tuple[float, float]]] = []

    def __init__(self, *arguments: Any) -> None:
        self.rounds = 0

    def run(self, model: Any, average: Any, check: Callable[[], None]) -> ValidationFigures:
        check()
        loss, score = self.script[min(self.rounds, len(self.script) - 1)]
        self.rounds += 1
        return ValidationFigures(loss, score, score)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, corpus_folder: Path) -> type[ScriptedValidation]:
    """A prepared corpus in the current directory, and fakes in place of model and validation."""
    monkeypatch.setattr(translation_task, "Seq2Seq", ToyModel)
    monkeypatch.setattr(translation_task, "TranslationValidation", ScriptedValidation)
    monkeypatch.setattr(translation_task, "freeze", lambda model, parts: None)
    monkeypatch.setattr(translation_task, "announcement", lambda *arguments: f"step {arguments[-1]}")
    monkeypatch.setattr(ScriptedValidation, "script", [(2.0, 10.0)])
    monkeypatch.setattr(loop, "LOG_EVERY_STEPS", 1)
    return ScriptedValidation


class Killed(Exception):
    """Stands for a kill."""


def at_step(patch: pytest.MonkeyPatch, number: int, action: Callable[[Any, list[Batch]], None]) -> None:
    """Does something to the model or the batches before a step, counted from 1 in this process."""
    original, numbers = loop.take_step, iter(range(1, 1_000_000))

    def acting(model: Any, batches: list[Batch], *arguments: Any) -> float:
        if next(numbers) == number:
            action(model, batches)
        return original(model, batches, *arguments)

    patch.setattr(loop, "take_step", acting)


def die(model: Any, batches: list[Batch]) -> None:
    raise Killed


def spoil_step(patch: pytest.MonkeyPatch, number: int) -> None:
    """Makes the gradient of a step NaN."""
    original, armed = steps.arguments, []

    def poisoned(batch: Batch, weights: np.ndarray) -> Any:
        return original(batch, weights * (armed.pop() if armed else 1.0))

    patch.setattr(steps, "arguments", poisoned)
    at_step(patch, number, lambda model, batches: armed.append(np.float32(math.nan)))


def last(run: RunFolder) -> Path:
    return run.checkpoint("last")


def lines_of(folder: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def state_of(run: RunFolder) -> TrainingState:
    """The last state without the clock."""
    return replace(load_state(last(run)), seconds=0.0)


def named(config: Config, name: str) -> Config:
    """The same configuration under another name, with the corpus of the first."""
    if not Path("prepared", name).exists():
        os.symlink(Path("prepared", "tiny").resolve(), Path("prepared", name))
    return config.model_copy(update={"name": name})


@pytest.mark.slow
def test_same_seed_same_weights(toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum) -> None:
    config, other = tiny_config(), tiny_config(training={"seed": 2})
    runs = [train(named(one, name), recorder) for one, name in ((config, "a"), (config, "b"), (other, "c"))]
    sums = [checksum(last(run)) for run in runs]
    assert sums[0] == sums[1] != sums[2]


@pytest.mark.slow
def test_one_epoch_and_then_another_equals_two(toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum) -> None:
    """With a constant learning rate; a schedule that looks at the number of epochs changes its steps."""
    for schedule, equal in (("constant", True), ("cosine", False)):
        one, two = (tiny_config(training={"schedule": schedule, "epochs": epochs}) for epochs in (1, 2))
        at_once = train(named(two, f"{schedule}-once"), recorder)
        train(named(one, f"{schedule}-twice"), recorder)
        resumed = train(named(two, f"{schedule}-twice"), recorder)
        assert load_state(last(resumed)).epoch == 2
        assert (checksum(last(resumed)) == checksum(last(at_once))) == equal


EVERYTHING = {
    "subword_sampling": 0.3,
    "source_word_dropout": 0.1,
    "target_word_dropout": 0.1,
    "accumulate_batches": 2,
    "average_decay": 0.9,
    "optimizer": "adamw",
    "schedule": "plateau",
    "keep_best": "chrf",
    "batch_tokens": 80,
}


@pytest.mark.parametrize(
    ("dies_at", "settings"),
    [pytest.param(2, {}, marks=pytest.mark.slow), pytest.param(6, {}, marks=pytest.mark.slow), (5, EVERYTHING)],
)
def test_resumed_within_an_epoch_bit_for_bit(
    toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum, dies_at: int, settings: dict[str, Any]
) -> None:
    config = tiny_config(training={"save_every_steps": 2, **settings})
    whole = train(named(config, "whole"), recorder)
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, dies_at, die)
        with pytest.raises(Killed):
            train(named(config, "killed"), recorder)
    train(named(config, "killed"), recorder)
    killed = RunFolder(Path("runs/killed"))
    assert checksum(last(killed)) == checksum(last(whole))
    assert state_of(killed) == state_of(whole)
    steps = [[line["step"] for line in lines_of(run.folder, "steps")] for run in (whole, killed)]
    assert steps[0] == steps[1] == list(range(1, load_state(last(whole)).step + 1))
    assert [line["step"] for line in lines_of(killed.folder, "validation")] == [
        line["step"] for line in lines_of(whole.folder, "validation")
    ]


def test_a_finished_training_does_nothing_more(toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum) -> None:
    run = train(tiny_config(training={"epochs": 1}), recorder)
    before, metrics = checksum(last(run)), (run.folder / "metrics.jsonl").read_text()
    train(tiny_config(training={"epochs": 1}), recorder)
    assert (checksum(last(run)), (run.folder / "metrics.jsonl").read_text()) == (before, metrics)
    assert recorder.texts[-2] == f"step {load_state(last(run)).step}" and "all 1 epochs done" in recorder.texts[-1]


@pytest.mark.parametrize(
    ("keep_best", "script"),
    [
        ("loss", [(3.0, 9.0), (2.0, 8.0), (2.5, 7.0), (2.1, 9.9), (1.0, 99.0)]),
        pytest.param("bleu", [(1.0, 5.0), (2.0, 7.0), (0.5, 6.0), (2.0, 7.0), (0.1, 99.0)], marks=pytest.mark.slow),
        pytest.param("bleu", [(3.0, 0.0), (2.0, 0.0), (2.5, 0.0), (2.1, 0.0), (0.1, 99.0)], marks=pytest.mark.slow),
    ],
)
def test_patience_stops_and_the_best_is_kept(
    toy: Any, tiny_config: Any, recorder: Any, keep_best: str, script: list[tuple[float, float]]
) -> None:
    """The second round is the best; two without a gain follow. Loss breaks ties of BLEU, and a tie of both is none."""
    toy.script = script
    config = tiny_config(training={"epochs": 9, "patience": 2, "keep_best": keep_best, "keep_last": 1})
    run = train(config, recorder)
    assert [result.is_best for result in recorder.rounds] == [True, True, False, False]
    best = recorder.rounds[1].step
    assert run.checkpoint("best") == run.checkpoint_at(best)
    assert run.steps() == [best, recorder.rounds[3].step]
    assert "no gain in 2 rounds" in recorder.texts[-1]
    train(config, recorder)
    assert len(recorder.rounds) == 4


def test_a_step_that_is_not_finite_is_skipped_and_counted(
    toy: Any, tiny_config: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_step(monkeypatch, 2)
    run = train(tiny_config(), recorder)
    assert [progress.skipped for progress in recorder.progress[:3]] == [0, 1, 1]
    assert math.isnan(recorder.progress[1].loss) and math.isfinite(recorder.progress[2].loss)
    assert lines_of(run.folder, "steps")[1]["loss"] is None
    assert recorder.progress[-1].skipped == 1


def test_many_skips_in_a_row_stop_with_advice(
    toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(training={"skip_limit": 2, "epochs": 1})
    run = train(config, recorder)
    before, saved = checksum(last(run)), load_state(last(run)).step
    spoil_step(monkeypatch, 1)
    spoil_step(monkeypatch, 2)
    with pytest.raises(TrainingError) as caught:
        train(tiny_config(training={"skip_limit": 2}), recorder)
    message = str(caught.value)
    assert message.startswith(
        f"step {saved + 2}: expected a finite loss and gradient, received others 2 times in a row"
    )
    assert f"checkpoints/{saved:08d}" in message and "Lower training.learning_rate" in message
    assert (run.steps(), checksum(last(run))) == ([saved], before)


def test_a_validation_that_is_not_finite_is_never_the_best(toy: Any, tiny_config: Any, recorder: Any) -> None:
    toy.script = [(2.0, 10.0), (math.nan, 0.0)]
    with pytest.raises(TrainingError, match="expected a finite validation loss, received nan"):
        train(tiny_config(), recorder)
    run = RunFolder(Path("runs/tiny"))
    state = load_state(last(run))
    assert state.epoch == 1 and run.checkpoint("best") == run.checkpoint_at(state.best[0].step)
    spoilt = [path.name for path in run.checkpoints_folder.glob("damaged-*")]
    assert spoilt == [f"damaged-{recorder.progress[-1].step:08d}"]


def test_weights_that_are_not_finite_are_never_saved(
    toy: Any, tiny_config: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update may spoil the weights after a finite loss: the checkpoint before must stay."""

    def spoil_weights(model: Any, batches: list[Batch]) -> None:
        weight = model.trainable_variables[0]
        weight.assign(np.full(weight.shape, np.nan))

    at_step(monkeypatch, 4, spoil_weights)
    with pytest.raises(TrainingError, match="expected finite weights"):
        train(tiny_config(training={"save_every_steps": 2}), recorder)
    assert load_state(last(RunFolder(Path("runs/tiny")))).step == 2


@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.slow)])
def test_a_signal_saves_and_stops(
    toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = train(named(tiny_config(), "whole"), recorder)
    stopped = named(tiny_config(), "stopped")
    with monkeypatch.context() as patch:
        at_step(patch, 3, lambda model, batches: os.kill(os.getpid(), signal.Signals[name]))
        with pytest.raises(Interrupted, match=f"interrupted by {name}; step 3 is saved, run the same command again"):
            train(stopped, recorder)
    run = RunFolder(Path("runs/stopped"))
    assert run.steps() == [3] and not (run.folder / "training.lock").exists()
    train(stopped, recorder)
    assert (checksum(last(run)), state_of(run)) == (checksum(last(whole)), state_of(whole))


@pytest.mark.slow
def test_a_signal_within_a_validation_stops_it(
    toy: Any, tiny_config: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Signalled(ScriptedValidation):
        def run(self, *arguments: Any) -> ValidationFigures:
            os.kill(os.getpid(), signal.SIGTERM)
            return super().run(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(translation_task, "TranslationValidation", Signalled)
        with pytest.raises(Interrupted):
            train(tiny_config(), recorder)
    assert recorder.rounds == []
    run = train(tiny_config(), recorder)
    assert [result.epoch for result in recorder.rounds] == [1, 2] and state_of(run).epoch == 2


@pytest.mark.slow
def test_the_time_limit_saves_and_validates(toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum) -> None:
    """Each time at least one step; with the limit lifted, the same weights as without it."""
    plateau = {"schedule": "plateau", "plateau_rounds": 1, "epochs": 3}
    whole = train(named(tiny_config(training=plateau), "whole"), recorder)
    limited = named(tiny_config(training={"minutes": 1e-6, **plateau}), "limited")
    run = train(limited, recorder)
    assert run.steps() == [1] and recorder.rounds[-1].step == 1
    assert recorder.texts[-1].startswith("1e-06 minutes are over after 1 steps")
    rounds = len(recorder.rounds)
    train(limited, recorder)
    assert len(recorder.rounds) == rounds
    run = train(named(tiny_config(training=plateau), "limited"), recorder)
    assert checksum(last(run)) == checksum(last(whole))
    assert replace(state_of(run), best=()) == replace(state_of(whole), best=())


@pytest.mark.slow
def test_a_validation_that_the_time_limit_owes_is_made_up_for(
    toy: Any, tiny_config: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = tiny_config(training={"minutes": 1e-6})
    with monkeypatch.context() as patch:
        patch.setattr(ScriptedValidation, "run", lambda *arguments: die(None, []))
        with pytest.raises(Killed):
            train(limited, recorder)
    train(limited, recorder)
    assert [result.step for result in recorder.rounds] == [1]


def test_a_signal_between_the_decision_to_save_and_the_next_step_is_not_lost(
    toy: Any, tiny_config: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops after the next step, and what it says is saved is saved."""

    def signalling(training: loop.Training) -> bool:
        if training.state.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    monkeypatch.setattr(loop.Training, "_save_is_due", signalling)
    with pytest.raises(Interrupted, match="step 3 is saved"):
        train(tiny_config(), recorder)
    assert RunFolder(Path("runs/tiny")).steps() == [3]


def test_checkpoints_without_the_identity_of_their_run_are_refused(toy: Any, tiny_config: Any, recorder: Any) -> None:
    run = train(tiny_config(), recorder)
    (run.folder / "run.json").unlink()
    with pytest.raises(CorruptFileError, match=r"expected run\.json beside the checkpoints, found none"):
        train(tiny_config(training={"learning_rate": 0.5}), recorder)


def test_plateau_lowers_the_learning_rate(toy: Any, tiny_config: Any, recorder: Any) -> None:
    """Of four rounds the first is the best; after two more the rate is halved."""
    toy.script = [(1.0, 1.0), (2.0, 1.0)]
    settings = {"schedule": "plateau", "plateau_rounds": 2, "learning_rate": 0.5, "epochs": 4, "patience": 9}
    train(tiny_config(training=settings), recorder)
    rates = {progress.epoch: progress.learning_rate for progress in recorder.progress}
    assert rates == {1: 0.5, 2: 0.5, 3: 0.5, 4: 0.25}


@pytest.mark.slow
def test_checkpoints_beyond_those_kept_are_removed_at_the_start(toy: Any, tiny_config: Any, recorder: Any) -> None:
    """A kill may come between the last save and the removal of what it replaces."""
    run = train(tiny_config(training={"keep_last": 9, "save_every_steps": 2}), recorder)
    best = load_state(last(run)).best[0].step
    assert len(run.steps()) > 3
    newest = run.steps()[-1]
    train(tiny_config(training={"keep_last": 1, "save_every_steps": 2}), recorder)
    assert run.steps() == sorted({best, newest})


def test_a_damaged_newest_checkpoint_costs_only_its_steps(
    toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum
) -> None:
    config = tiny_config(training={"save_every_steps": 2})
    run = train(config, recorder)
    before, newest = checksum(last(run)), last(run)
    (newest / "model.safetensors").write_bytes(b"damaged")
    train(config, recorder)
    assert checksum(last(run)) == before
    assert "going on from step" in recorder.notes[-1] and (newest.parent / f"damaged-{newest.name}").is_dir()
    for step in run.steps():
        (run.checkpoint_at(step) / "state.json").write_bytes(b"{}")
    with pytest.raises(CorruptFileError, match="none of 4 checkpoints is whole"):
        train(config, recorder)


def test_a_second_training_of_the_folder_is_refused(toy: Any, tiny_config: Any, recorder: Any) -> None:
    with locked(Path("runs/tiny")), pytest.raises(TrainingError, match=f"process {os.getpid()} trains here"):
        train(tiny_config(), recorder)
    assert not Path("runs/tiny/run.json").exists()


def test_out_of_memory_names_the_batch_and_the_setting(
    toy: Any, tiny_config: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*arguments: Any) -> Any:
        raise MemoryError

    at_step(monkeypatch, 2, lambda model, batches: monkeypatch.setattr(model, "train_on_batch", exhausted))
    with pytest.raises(TrainingError, match=r"out of memory at a batch of .*training.batch_tokens from 160 to 80"):
        train(tiny_config(), recorder)


def test_the_average_translates_and_the_weights_train_on(toy: Any, tiny_config: Any, recorder: Any) -> None:
    run = train(tiny_config(training={"average_decay": 0.9}), recorder)
    model, average = (load_file(last(run) / f"{name}.safetensors") for name in ("model", "average"))
    trained = [key for key in model if "seed" not in key]
    assert all(not np.array_equal(model[key], average[key]) for key in trained)
    other = ToyModel(None, 0, model[next(key for key in trained if "embeddings" in key)].shape[0])
    load_weights(last(run), other)
    assert np.array_equal(ops.convert_to_numpy(other.embedding.embeddings), average["0000/toy/embedding/embeddings"])


def test_another_corpus_is_refused_with_both_fingerprints(
    toy: Any, tiny_config: Any, recorder: Any, corpus_folder: Path
) -> None:
    train(tiny_config(training={"epochs": 1}), recorder)
    manifest = json.loads((corpus_folder / "manifest.json").read_text())
    old = manifest["fingerprint"]
    (corpus_folder / "manifest.json").write_text(json.dumps(manifest | {"fingerprint": "0123456789abcdef"}))
    with pytest.raises(TrainingError, match=rf"{old[:12]}\.\.\..*0123456789ab\.\.\.; remove the run folder or choose"):
        train(tiny_config(), recorder)


def test_changed_settings_are_refused_by_name(toy: Any, tiny_config: Any, recorder: Any) -> None:
    train(tiny_config(training={"epochs": 1}), recorder)
    changed = tiny_config(model={"dropout": 0.3}, training={"clip_norm": 2.0, "epochs": 2})
    with pytest.raises(TrainingError) as caught:
        train(changed, recorder)
    assert "(model.dropout: 0.1 -> 0.3; training.clip_norm: 1.0 -> 2.0)" in str(caught.value)


@pytest.mark.slow
def test_free_settings_may_change(toy: Any, tiny_config: Any, recorder: Any) -> None:
    train(tiny_config(training={"epochs": 1}), recorder)
    run = train(tiny_config(training={"patience": 3}, decoding={"beam_size": 7}), recorder)
    assert run.config().decoding.beam_size == 7
    assert load_state(last(run)).epoch == 2


def test_a_corpus_of_other_settings_is_refused(toy: Any, tiny_config: Any, recorder: Any) -> None:
    with pytest.raises(TrainingError, match=r"\(subword\.vocabulary_size: 44 -> 50\); run nmt prepare again"):
        train(tiny_config(subword={"vocabulary_size": 50}), recorder)


def test_without_a_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_config: Any, recorder: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="run nmt prepare first"):
        train(tiny_config(), recorder)
    assert not Path("runs").exists()


def test_progress_is_reported(toy: Any, tiny_config: Any, recorder: Any) -> None:
    run = train(tiny_config(training={"learning_rate": 0.25}), recorder)
    steps = [progress.step for progress in recorder.progress]
    assert steps == list(range(1, recorder.progress[-1].total_steps + 1))
    assert {progress.learning_rate for progress in recorder.progress} == {0.25}
    assert recorder.progress[-1].seconds_left == 0
    assert [line["step"] for line in lines_of(run.folder, "steps")] == steps
