"""Training: steps, weights, checkpoints and memory that go wrong; with the toy model."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_training import (
    Checksum,
    at_step,
    last,
    lines_of,
    spoil_step,
)

from nmt.batches import Batch
from nmt.checkpoints import load_state
from nmt.errors import CorruptFileError, TrainingError
from nmt.run_folder import RunFolder
from nmt.run_lock import locked
from nmt.training import steps, train


def test_a_step_that_is_not_finite_is_skipped_and_counted(
    toy: Any, tiny_config: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_step(monkeypatch, 2)
    run = train(tiny_config(), recorder)
    assert [progress.skipped for progress in recorder.progress[:3]] == [0, 1, 1]
    assert math.isnan(recorder.progress[1].loss) and math.isfinite(recorder.progress[2].loss)
    assert lines_of(run.folder, "steps")[1]["loss"] is None
    assert recorder.progress[-1].skipped == 1


@pytest.mark.thorough
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
        train(tiny_config(training={"batch_tokens": 640}), recorder)
    run = RunFolder(Path("runs/tiny"))
    state = load_state(last(run))
    assert state.epoch == 1 and run.checkpoint("best") == run.checkpoint_at(state.best[0].step)
    spoilt = [path.name for path in run.checkpoints_folder.glob("damaged-*")]
    assert spoilt == [f"damaged-{recorder.progress[-1].step:08d}"]


def test_weights_that_are_not_finite_are_never_saved(
    toy: Any, tiny_config: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update may spoil the weights after a finite loss: the checkpoint before must stay."""

    def spoil_weights(optimizer: Any, batches: list[Batch]) -> None:
        weight = optimizer._trainable_variables[0]
        weight.assign(np.full(weight.shape, np.nan))

    at_step(monkeypatch, 4, spoil_weights)
    with pytest.raises(TrainingError, match="expected finite weights"):
        train(tiny_config(training={"save_every_steps": 2}), recorder)
    assert load_state(last(RunFolder(Path("runs/tiny")))).step == 2


def test_checkpoints_without_the_identity_of_their_run_are_refused(toy: Any, tiny_config: Any, recorder: Any) -> None:
    run = train(tiny_config(training={"epochs": 1}), recorder)
    (run.folder / "run.json").unlink()
    with pytest.raises(CorruptFileError, match=r"expected run\.json beside the checkpoints, found none"):
        train(tiny_config(training={"learning_rate": 0.5}), recorder)


@pytest.mark.thorough
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

    at_step(monkeypatch, 2, lambda optimizer, batches: monkeypatch.setattr(steps, "arguments", exhausted))
    with pytest.raises(TrainingError, match=r"out of memory at a batch of .*training.batch_tokens from 160 to 80"):
        train(tiny_config(), recorder)
