"""Optimizers, as configured."""

from __future__ import annotations

import keras

from nmt.config import TrainingConfig
from nmt.schedules import make_schedule


def make_optimizer(config: TrainingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Adam (Kingma & Ba 2015) with warm-up and decay, clipped by the gradients' global norm (Pascanu et al. 2013)."""
    return keras.optimizers.Adam(
        make_schedule(config, steps_per_epoch), beta_2=0.98, epsilon=1e-9, global_clipnorm=config.clip_norm
    )
