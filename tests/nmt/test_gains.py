"""Ranks, patience and plateau after rounds that a person can follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nmt.checkpoints import Best, TrainingState
from nmt.config import TranslationTraining
from nmt.training.gains import after_round
from nmt.training.task import ValidationFigures


def after(rounds: list[tuple[float, float]], **settings: object) -> TrainingState:
    """The state after rounds of BLEU and loss, at steps 10, 20 and so on."""
    config, state = TranslationTraining.model_validate(settings), TrainingState()
    for i, (bleu, loss) in enumerate(rounds, start=1):
        state = after_round(replace(state, step=10 * i), ValidationFigures(loss, bleu, chrf=100.0 - bleu), config)
    return state


def steps(state: TrainingState) -> list[int]:
    return [best.step for best in state.best]


def test_the_first_round_is_a_gain_and_the_best() -> None:
    state = after([(0.0, 9.0)])
    assert state.best == (Best(10, [0.0, -9.0]),)
    assert state.gain_figures == [0.0, -9.0]
    assert state.rounds_without_gain == 0


@pytest.mark.parametrize(
    ("keep_best", "best", "figures"),
    [("bleu", 20, [30.0, -3.0]), ("chrf", 10, [80.0, -2.0]), ("loss", 30, [-1.0])],
)
def test_the_figure_that_is_asked_for_ranks(keep_best: str, best: int, figures: list[float]) -> None:
    state = after([(20.0, 2.0), (30.0, 3.0), (25.0, 1.0)], keep_best=keep_best)
    assert state.best == (Best(best, figures),)


def test_several_best_stand_in_their_order() -> None:
    rounds = [(20.0, 2.0), (30.0, 2.0), (10.0, 2.0), (25.0, 2.0)]
    assert steps(after(rounds, keep_best_checkpoints=3)) == [20, 40, 10]
    assert steps(after(rounds, keep_best_checkpoints=9)) == [20, 40, 10, 30]


def test_a_lower_loss_breaks_a_tie_and_is_a_gain() -> None:
    state = after([(0.0, 5.0), (0.0, 4.0)])
    assert steps(state) == [20]
    assert state.rounds_without_gain == 0


@pytest.mark.parametrize("keep_best", ["bleu", "loss"])
def test_of_equals_the_older_is_better_and_there_is_no_gain(keep_best: str) -> None:
    state = after([(7.0, 5.0), (7.0, 5.0)], keep_best=keep_best, keep_best_checkpoints=2)
    assert steps(state) == [10, 20]
    assert state.rounds_without_gain == 1


def test_rounds_without_a_gain_are_counted_up_to_the_next_gain() -> None:
    rounds = [(20.0, 1.0), (19.0, 1.0), (18.0, 1.0)]
    assert after(rounds).rounds_without_gain == 2
    assert after([*rounds, (21.0, 1.0)]).rounds_without_gain == 0


def test_small_gains_in_a_row_count_once_they_are_enough_together() -> None:
    """With 1.0 to gain over 20.0, 20.6 is none, and 21.2 is one."""
    state = after([(20.0, 1.0), (20.6, 1.0)], minimum_gain=1.0)
    assert (steps(state), state.gain_figures, state.rounds_without_gain) == ([20], [20.0, -1.0], 1)
    state = after([(20.0, 1.0), (20.6, 1.0), (21.2, 1.0)], minimum_gain=1.0)
    assert (steps(state), state.gain_figures, state.rounds_without_gain) == ([30], [21.2, -1.0], 0)


@pytest.mark.parametrize(("loss", "rounds_without_gain"), [(1.75, 1), (1.25, 0)])
def test_minimum_gain_of_the_loss(loss: float, rounds_without_gain: int) -> None:
    state = after([(0.0, 2.0), (0.0, loss)], keep_best="loss", minimum_gain=0.5)
    assert state.rounds_without_gain == rounds_without_gain


def test_a_plateau_lowers_the_rate_after_each_few_rounds_without_a_gain() -> None:
    rounds = [(20.0, 1.0)] + 5 * [(19.0, 1.0)]
    plateau = {"schedule": "plateau", "plateau_rounds": 2, "plateau_factor": 0.5}
    scales = [after(rounds[:count], **plateau).rate_scale for count in range(1, 7)]
    assert scales == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    last = after(rounds, **plateau)
    assert (last.rounds_at_rate, last.rounds_without_gain) == (1, 5)
    gain = after([*rounds, (21.0, 1.0)], **plateau)
    assert (gain.rounds_at_rate, gain.rounds_without_gain, gain.rate_scale) == (0, 0, 0.25)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "inverse_square_root"])
def test_other_schedules_keep_their_scale(schedule: str) -> None:
    assert after([(20.0, 1.0)] + 9 * [(19.0, 1.0)], schedule=schedule).rate_scale == 1.0


def test_a_step_that_is_validated_twice_stands_once_with_its_new_figures() -> None:
    config = TranslationTraining(keep_best_checkpoints=3)
    state = after([(20.0, 1.0), (30.0, 1.0)], keep_best_checkpoints=3)
    state = after_round(state, ValidationFigures(1.0, 10.0, 0.0), config)
    assert state.best == (Best(10, [20.0, -1.0]), Best(20, [10.0, -1.0]))
