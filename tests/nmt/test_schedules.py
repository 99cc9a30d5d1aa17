"""Learning rates at steps worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from nmt.config import TrainingConfig
from nmt.schedules import Schedule, make_schedule

DECAYS = ("constant", "inverse_square_root", "cosine", "plateau")


@pytest.mark.parametrize(
    ("decay", "step", "expected"),
    [
        # Steps count from 0; the warm-up takes 4 steps, the training 12, the peak is 8.
        ("constant", 0, 2.0),
        ("constant", 2, 6.0),
        ("constant", 3, 8.0),
        ("constant", 500, 8.0),
        ("inverse_square_root", 1, 4.0),
        ("inverse_square_root", 3, 8.0),
        ("inverse_square_root", 15, 4.0),  # 8 · sqrt(4 / 16)
        ("inverse_square_root", 63, 2.0),
        ("plateau", 1, 4.0),
        ("plateau", 500, 8.0),
        ("cosine", 0, 2.0),
        ("cosine", 3, 8.0),
        ("cosine", 5, 4.0 * (1 + math.cos(math.pi / 4))),
        ("cosine", 7, 4.0),  # half of the way down
        ("cosine", 11, 0.0),
        ("cosine", 20, 0.0),
    ],
)
def test_values(decay: str, step: int, expected: float) -> None:
    assert Schedule(8.0, 4, decay, 12)(step) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("decay", DECAYS)
def test_without_warm_up_the_peak_comes_first(decay: str) -> None:
    assert Schedule(8.0, 0, decay, 100)(0) == pytest.approx(8.0)


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("step", [0, 3, 7])
def test_the_scale_multiplies_every_rate(decay: str, step: int) -> None:
    schedule = Schedule(8.0, 4, decay, 12)
    assert schedule(step, 0.25) == pytest.approx(schedule(step) / 4)
    assert schedule(step, 1.0) == schedule(step)


@pytest.mark.parametrize("decay", DECAYS)
def test_no_step_is_above_the_peak_and_none_rises_after_it(decay: str) -> None:
    rates = [Schedule(8.0, 4, decay, 12)(step) for step in range(16)]
    assert max(rates) == rates[3] == pytest.approx(8.0)
    assert all(later <= earlier + 1e-6 for earlier, later in pairwise(rates[3:]))


@pytest.mark.parametrize("total_steps", [0, 4, 2])
def test_training_not_longer_than_its_warm_up(total_steps: int) -> None:
    assert all(math.isfinite(Schedule(8.0, 4, "cosine", total_steps)(step)) for step in range(6))


def test_schedule_of_a_configuration() -> None:
    config = TrainingConfig(epochs=3, learning_rate=0.5, warmup_steps=2, schedule="cosine")
    assert make_schedule(config, steps_per_epoch=10) == Schedule(0.5, 2, "cosine", 30)
