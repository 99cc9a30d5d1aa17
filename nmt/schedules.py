"""Learning rates over the steps of a training, as plain numbers: the training sets each before its step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nmt.config import TrainingConfig


@dataclass(frozen=True)
class Schedule:
    """A linear rise to the peak, then one of several ways on.

    Attributes:
        peak: learning rate at the end of the warm-up.
        warmup_steps: steps of the rise; 0 starts at the peak.
        decay: `constant`; `inverse_square_root` (Vaswani et al. 2017, section 5.3), peak · sqrt(warm-up / step);
            `cosine` (Loshchilov & Hutter 2017, eq. 5), which reaches 0 at `total_steps`; or `plateau`, constant but for
            the scale that the training lowers after rounds without a gain.
        total_steps: steps of the whole training.
    """

    peak: float
    warmup_steps: int
    decay: str
    total_steps: int

    def __call__(self, step: int, scale: float = 1.0) -> float:
        """Learning rate of a step, counted from 0, times `scale`."""
        warmup = max(1, self.warmup_steps)
        rate = scale * self.peak * min(1.0, (step + 1) / warmup)
        if self.decay == "inverse_square_root":
            return rate / math.sqrt(max(1.0, (step + 1) / warmup))
        if self.decay == "cosine":
            progress = (step + 1 - warmup) / max(1, self.total_steps - warmup)
            return rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, max(0.0, progress))))
        return rate


def make_schedule(config: TrainingConfig, steps_per_epoch: int) -> Schedule:
    """The schedule of a configuration."""
    return Schedule(config.learning_rate, config.warmup_steps, config.schedule, config.epochs * steps_per_epoch)
