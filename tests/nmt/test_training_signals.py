"""Training: signals and the time limit, which save and stop; with the toy model."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_training import (
    Checksum,
    Killed,
    ScriptedValidation,
    at_step,
    die,
    last,
    named,
    state_of,
)

from nmt.errors import Interrupted
from nmt.run_folder import RunFolder
from nmt.training import loop, train, translation_task
from nmt.training.task import ValidationFigures


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.slow)])
def test_a_signal_saves_and_stops(
    toy: Any, tiny_config: Any, recorder: Any, checksum: Checksum, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = train(named(tiny_config(), "whole"), recorder)
    stopped = named(tiny_config(), "stopped")
    with monkeypatch.context() as patch:
        at_step(patch, 3, lambda optimizer, batches: os.kill(os.getpid(), signal.Signals[name]))
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
