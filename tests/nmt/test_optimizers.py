"""The optimizer against one update worked out by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from nmt.config import TrainingConfig
from nmt.optimizers import make_optimizer


def settings(clip_norm: float, **others: object) -> TrainingConfig:
    values = {"clip_norm": clip_norm, "learning_rate": 0.5, "warmup_steps": 0, "schedule": "constant", **others}
    return TrainingConfig.model_validate(values)


def updated(clip_norm: float, *gradients: list[float]) -> tuple[list[np.ndarray], keras.optimizers.Optimizer]:
    """Variables of zeros after one update for each of the gradients, and the optimizer."""
    variables = [keras.Variable(np.zeros(len(gradient), np.float32)) for gradient in gradients]
    optimizer = make_optimizer(settings(clip_norm), steps_per_epoch=10)
    optimizer.apply([np.array(gradient, np.float32) for gradient in gradients], variables)
    return [np.array(variable) for variable in variables], optimizer


def test_the_norm_of_all_gradients_together_is_clipped() -> None:
    """Gradients (3, 0) and (4): norms 3 and 4, together 5. Clipped to 1 they are (0.6, 0) and (0.8).

    Each alone would be clipped to 1; the first moments, 0.1 of the clipped gradients, show which it was.
    """
    _, optimizer = updated(1.0, [3.0, 0.0], [4.0])
    moments = {variable.path: np.array(variable) for variable in optimizer.variables if "momentum" in variable.path}
    assert sorted(value.tolist() for value in moments.values()) == [
        pytest.approx([0.06, 0.0], abs=1e-7),
        pytest.approx([0.08], abs=1e-7),
    ]


def test_small_gradients_are_not_clipped() -> None:
    _, optimizer = updated(10.0, [3.0, 0.0], [4.0])
    moments = [np.array(variable) for variable in optimizer.variables if "momentum" in variable.path]
    assert sorted(value.tolist() for value in moments) == [pytest.approx([0.3, 0.0]), pytest.approx([0.4])]


def test_two_updates_of_adam_by_hand() -> None:
    """beta 0.9 and 0.98, rate 0.5: the first step is -0.5 whatever the gradient's size, the second by the moments."""
    variable = keras.Variable(np.zeros(1, np.float32))
    optimizer = make_optimizer(settings(100.0), steps_per_epoch=10)
    optimizer.apply([np.array([2.0], np.float32)], [variable])
    assert np.array(variable) == pytest.approx([-0.5], abs=1e-6)
    optimizer.apply([np.array([-1.0], np.float32)], [variable])
    first = (0.9 * 0.1 * 2.0 + 0.1 * -1.0) / (1 - 0.9**2)
    second = (0.98 * 0.02 * 4.0 + 0.02 * 1.0) / (1 - 0.98**2)
    assert np.array(variable) == pytest.approx([-0.5 - 0.5 * first / second**0.5], abs=1e-5)


def test_the_learning_rate_follows_the_schedule() -> None:
    """Warm-up of 4 steps to 0.5: the first update moves by 0.125."""
    variable = keras.Variable(np.zeros(1, np.float32))
    optimizer = make_optimizer(settings(1.0, warmup_steps=4), steps_per_epoch=10)
    optimizer.apply([np.array([1.0], np.float32)], [variable])
    assert np.array(variable) == pytest.approx([-0.125], abs=1e-6)
