"""Learning rates at steps worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from nmt.config import TrainingConfig
from nmt.schedules import WarmUp, make_schedule


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
        ("cosine", 0, 2.0),
        ("cosine", 3, 8.0),
        ("cosine", 5, 4.0 * (1 + math.cos(math.pi / 4))),
        ("cosine", 7, 4.0),  # half of the way down
        ("cosine", 11, 0.0),
        ("cosine", 20, 0.0),
    ],
)
def test_values(decay: str, step: int, expected: float) -> None:
    assert float(WarmUp(8.0, 4, decay, 12)(step)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("decay", ["constant", "inverse_square_root", "cosine"])
def test_without_warm_up_the_peak_comes_first(decay: str) -> None:
    assert float(WarmUp(8.0, 0, decay, 100)(0)) == pytest.approx(8.0)


@pytest.mark.parametrize("decay", ["constant", "inverse_square_root", "cosine"])
def test_no_step_is_above_the_peak_and_none_rises_after_it(decay: str) -> None:
    rates = [float(WarmUp(8.0, 4, decay, 12)(step)) for step in range(16)]
    assert max(rates) == rates[3] == pytest.approx(8.0)
    assert all(later <= earlier + 1e-6 for earlier, later in pairwise(rates[3:]))


@pytest.mark.parametrize("total_steps", [0, 4, 2])
def test_training_not_longer_than_its_warm_up(total_steps: int) -> None:
    assert all(math.isfinite(float(WarmUp(8.0, 4, "cosine", total_steps)(step))) for step in range(6))


def test_schedule_of_a_configuration() -> None:
    config = TrainingConfig(epochs=3, learning_rate=0.5, warmup_steps=2, schedule="cosine")
    expected = {"peak": 0.5, "warmup_steps": 2, "decay": "cosine", "total_steps": 30}
    assert make_schedule(config, steps_per_epoch=10).get_config() == expected
    assert WarmUp.from_config(expected).get_config() == expected
