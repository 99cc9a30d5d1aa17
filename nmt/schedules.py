"""Learning rates over the steps of a training."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from nmt.config import TrainingConfig


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise to the peak, then one of three ways on.

    Args:
        peak: learning rate at the end of the warm-up.
        warmup_steps: steps of the rise; 0 starts at the peak.
        decay: `constant`; `inverse_square_root` (Vaswani et al. 2017, section 5.3), peak · sqrt(warm-up / step); or
            `cosine` (Loshchilov & Hutter 2017, eq. 5), which reaches 0 at `total_steps`.
        total_steps: steps of the whole training.
    """

    def __init__(self, peak: float, warmup_steps: int, decay: str, total_steps: int) -> None:
        self.peak, self.warmup_steps, self.decay, self.total_steps = peak, warmup_steps, decay, total_steps

    def __call__(self, step: Any) -> Any:
        """Learning rate of a step, counted from 0."""
        step = ops.cast(step, "float32") + 1.0
        warmup = float(max(1, self.warmup_steps))
        rise = ops.minimum(1.0, step / warmup)
        if self.decay == "inverse_square_root":
            return self.peak * rise * ops.rsqrt(ops.maximum(1.0, step / warmup))
        if self.decay == "cosine":
            progress = (step - warmup) / max(1.0, self.total_steps - warmup)
            return self.peak * rise * 0.5 * (1.0 + ops.cos(math.pi * ops.clip(progress, 0.0, 1.0)))
        return self.peak * rise

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        names = ("peak", "warmup_steps", "decay", "total_steps")
        return {name: getattr(self, name) for name in names}


def make_schedule(config: TrainingConfig, steps_per_epoch: int) -> WarmUp:
    """The schedule of a configuration."""
    return WarmUp(config.learning_rate, config.warmup_steps, config.schedule, config.epochs * steps_per_epoch)
