"""Training: the loop, with the toy model and scripted validations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import ops
from safetensors.numpy import load_file
from toy_training import (
    Checksum,
    Killed,
    ToyModel,
    at_step,
    die,
    last,
    lines_of,
    named,
    state_of,
)

from nmt.checkpoints import load_state, load_weights
from nmt.run_folder import RunFolder
from nmt.training import train


@pytest.mark.thorough
def test_same_seed_same_weights(toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum) -> None:
    config, other = tiny_config(), tiny_config(training={"seed": 2})
    runs = [train(named(one, name), recorder) for one, name in ((config, "a"), (config, "b"), (other, "c"))]
    sums = [checksum(last(run)) for run in runs]
    assert sums[0] == sums[1] != sums[2]


@pytest.mark.thorough
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


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("dies_at", "settings"),
    [(2, {}), (6, {}), (5, EVERYTHING)],
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


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("keep_best", "script"),
    [
        ("loss", [(3.0, 9.0), (2.0, 8.0), (2.5, 7.0), (2.1, 9.9), (1.0, 99.0)]),
        ("bleu", [(1.0, 5.0), (2.0, 7.0), (0.5, 6.0), (2.0, 7.0), (0.1, 99.0)]),
        ("bleu", [(3.0, 0.0), (2.0, 0.0), (2.5, 0.0), (2.1, 0.0), (0.1, 99.0)]),
    ],
)
def test_patience_stops_and_the_best_is_kept(
    toy: Any, tiny_config: Any, recorder: Any, keep_best: str, script: list[tuple[float, float]]
) -> None:
    """The second round is the best; two without a gain follow. Loss breaks ties of BLEU, and a tie of both is none."""
    toy.script = script
    settings = {"epochs": 9, "patience": 2, "keep_best": keep_best, "keep_last": 1, "batch_tokens": 640}
    config = tiny_config(training=settings)
    run = train(config, recorder)
    assert [result.is_best for result in recorder.rounds] == [True, True, False, False]
    best = recorder.rounds[1].step
    assert run.checkpoint("best") == run.checkpoint_at(best)
    assert run.steps() == [best, recorder.rounds[3].step]
    assert "no gain in 2 rounds" in recorder.texts[-1]
    train(config, recorder)
    assert len(recorder.rounds) == 4


def test_plateau_lowers_the_learning_rate(toy: Any, tiny_config: Any, recorder: Any) -> None:
    """Of four rounds the first is the best; after two more the rate is halved."""
    toy.script = [(1.0, 1.0), (2.0, 1.0)]
    settings = {"schedule": "plateau", "plateau_rounds": 2, "learning_rate": 0.5, "epochs": 4, "patience": 9}
    train(tiny_config(training={**settings, "batch_tokens": 640}), recorder)
    rates = {progress.epoch: progress.learning_rate for progress in recorder.progress}
    assert rates == {1: 0.5, 2: 0.5, 3: 0.5, 4: 0.25}


@pytest.mark.thorough
def test_checkpoints_beyond_those_kept_are_removed_at_the_start(toy: Any, tiny_config: Any, recorder: Any) -> None:
    """A kill may come between the last save and the removal of what it replaces."""
    run = train(tiny_config(training={"keep_last": 9, "save_every_steps": 2}), recorder)
    best = load_state(last(run)).best[0].step
    assert len(run.steps()) > 3
    newest = run.steps()[-1]
    train(tiny_config(training={"keep_last": 1, "save_every_steps": 2}), recorder)
    assert run.steps() == sorted({best, newest})


def test_the_average_translates_and_the_weights_train_on(toy: Any, tiny_config: Any, recorder: Any) -> None:
    run = train(tiny_config(training={"average_decay": 0.9, "epochs": 1}), recorder)
    model, average = (load_file(last(run) / f"{name}.safetensors") for name in ("model", "average"))
    trained = [key for key in model if "seed" not in key]
    assert all(not np.array_equal(model[key], average[key]) for key in trained)
    other = ToyModel(None, 0, model[next(key for key in trained if "embeddings" in key)].shape[0])
    load_weights(last(run), other)
    assert np.array_equal(ops.convert_to_numpy(other.embedding.embeddings), average["0000/toy/embedding/embeddings"])


def test_progress_is_reported(toy: Any, tiny_config: Any, recorder: Any) -> None:
    run = train(tiny_config(training={"learning_rate": 0.25}), recorder)
    steps = [progress.step for progress in recorder.progress]
    assert steps == list(range(1, recorder.progress[-1].total_steps + 1))
    assert {progress.learning_rate for progress in recorder.progress} == {0.25}
    assert recorder.progress[-1].seconds_left == 0
    assert [line["step"] for line in lines_of(run.folder, "steps")] == steps
