"""Optimizers, as configured: Keras', with a guard between the gradients and the update.

The guard sums the gradients of the batches of a step, skips a step whose gradient is not finite, scales a long gradient
down, averages the weights and counts what it did. All it remembers are variables of the optimizer, so a checkpoint
holds them. Knows nothing of models and losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from nmt.config import TrainingConfig
from nmt.fused_adam import FusedAdam, global_norm


@dataclass(frozen=True)
class UpdateStatistics:
    """What the guard counted since it was last asked.

    Attributes:
        gradient_norm: mean global norm of the gradients before clipping.
        clipped_share: share of the updates whose gradient was scaled down.
        skipped: steps that were skipped since the beginning of the training.
    """

    gradient_norm: float
    clipped_share: float
    skipped: int


class UpdateGuard(keras.optimizers.Optimizer):
    """Mixed into a Keras optimizer: what happens to gradients before they become an update.

    Args:
        clip_norm: gradients are scaled down to this global norm (Pascanu et al. 2013, algorithm 1).
        accumulates: whether several batches make one step.
        average_decay: decay of the moving average of the weights; None keeps none. The first updates decay faster,
            (1 + updates) / (10 + updates), so that the average forgets the random beginning.
    """

    def __init__(
        self, *args: Any, clip_norm: float, accumulates: bool = False, average_decay: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.clip_norm = clip_norm
        self.accumulates = accumulates
        self.average_decay = average_decay
        self.gradient_sums: list[Any] = []
        self.averages: list[Any] = []
        self.counters: list[Any] = []

    def build(self, variables: Sequence[Any]) -> None:
        """Creates the variables of the optimizer and of the guard."""
        super().build(variables)
        if self.accumulates:
            self.gradient_sums = self.add_optimizer_variables(variables, "gradient_sum")
        if self.average_decay is not None:
            self.averages = self.add_optimizer_variables(variables, "average")
            for average, variable in zip(self.averages, variables, strict=True):
                average.assign(variable)
        self.completes_step = self._counter("completes_step", initializer="ones")
        self.skipped = self._counter("skipped")
        self.skipped_in_a_row = self._counter("skipped_in_a_row")
        self.updates = self._counter("updates")
        self.clipped = self._counter("clipped")
        self.norm_sum = self._counter("norm_sum", dtype="float32")

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Adds a batch's gradients to the step, and updates the variables where it is the step's last and finite."""
        variables = list(trainable_variables if trainable_variables is not None else self._trainable_variables)
        if not self.built:
            self.build(variables)
        gradients = [_dense(gradient, variable) for gradient, variable in zip(grads, variables, strict=True)]
        completes = ops.equal(self.completes_step, 1)
        if self.gradient_sums:
            gradients = self._summed(gradients, completes)
        norm = global_norm(gradients)
        update = ops.logical_and(completes, ops.isfinite(norm))
        self._count(norm, completes, update)
        self._where(update, gradients, norm, variables)

    def statistics(self) -> UpdateStatistics:
        """What was counted since the last call."""
        updates = int(self.updates)
        divisor = max(1, updates)
        result = UpdateStatistics(float(self.norm_sum) / divisor, int(self.clipped) / divisor, int(self.skipped))
        for counter in (self.updates, self.clipped, self.norm_sum):
            counter.assign(ops.zeros(counter.shape, counter.dtype))
        return result

    def averaged(self, variables: Sequence[Any]) -> dict[str, np.ndarray] | None:
        """The averages of the trained variables by path; None where none are kept."""
        if self.average_decay is None:
            return None
        return {
            variable.path: ops.convert_to_numpy(average)
            for variable, average in zip(variables, self.averages, strict=True)
        }

    def _where(self, update: Any, gradients: list[Any], norm: Any, variables: list[Any]) -> None:
        """Updates by the gradients of that norm, scaled down where it is long, if `update` holds; else nothing changes.

        On TensorFlow, whoever does not need it does not pay for it: most gradients are as short as they shall be.
        """
        scale = self.clip_norm / ops.maximum(norm, self.clip_norm)

        def scaled() -> list[Any]:
            return [gradient * scale for gradient in gradients]

        if keras.backend.backend() == "tensorflow":

            def clipped() -> list[Any]:
                return list(ops.cond(norm > self.clip_norm, scaled, lambda: gradients))

            ops.cond(update, lambda: self._update(clipped(), variables), lambda: None)
            return
        # Other backends assign outside of a conditional alone; XLA fuses both choices into the update.
        changing = [*variables, *self._own_variables()]
        before = [ops.copy(variable.value) for variable in changing]
        self._update(scaled(), variables)
        for variable, value in zip(changing, before, strict=True):
            variable.assign(ops.where(update, variable.value, value))

    def _update(self, gradients: list[Any], variables: list[Any]) -> None:
        super().apply(gradients, variables)
        if self.average_decay is None:
            return
        updates = ops.cast(self.iterations, "float32")
        decay = ops.minimum(self.average_decay, (1.0 + updates) / (10.0 + updates))
        for average, variable in zip(self.averages, variables, strict=True):
            average.assign(average + (1.0 - decay) * (variable - average))

    def _summed(self, gradients: list[Any], completes: Any) -> list[Any]:
        """The step's gradients so far; after its last batch the sums begin again at 0."""
        totals = [gradient + total for gradient, total in zip(gradients, self.gradient_sums, strict=True)]
        for variable, total in zip(self.gradient_sums, totals, strict=True):
            variable.assign(ops.where(completes, ops.zeros_like(total), total))
        return totals

    def _count(self, norm: Any, completes: Any, update: Any) -> None:
        skip = ops.logical_and(completes, ops.logical_not(update))
        self.skipped.assign_add(ops.cast(skip, "int32"))
        in_a_row = ops.where(update, 0, self.skipped_in_a_row + ops.cast(skip, "int32"))
        self.skipped_in_a_row.assign(ops.cast(in_a_row, "int32"))
        self.updates.assign_add(ops.cast(update, "int32"))
        self.clipped.assign_add(ops.cast(ops.logical_and(update, norm > self.clip_norm), "int32"))
        self.norm_sum.assign_add(ops.where(update, norm, 0.0))

    def _own_variables(self) -> list[Any]:
        """The optimizer's variables without the guard's counts and sums."""
        mine = {id(variable) for variable in (*self.counters, *self.gradient_sums)}
        return [variable for variable in self.variables if id(variable) not in mine]

    def _counter(self, name: str, initializer: str = "zeros", dtype: str = "int32") -> Any:
        counter = self.add_variable((), initializer=initializer, dtype=dtype, name=name)
        self.counters.append(counter)
        return counter


class Adam(UpdateGuard, FusedAdam):
    """Adam (Kingma & Ba 2015)."""


class AdamW(UpdateGuard, FusedAdam, keras.optimizers.AdamW):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""


class SGD(UpdateGuard, keras.optimizers.SGD):
    """Stochastic gradient descent with momentum (Sutskever et al. 2013, eqs. 1 and 2)."""


def make_optimizer(config: TrainingConfig) -> Any:
    """The optimizer of a configuration; the training sets its learning rate before each step."""
    guard: dict[str, Any] = {
        "clip_norm": config.clip_norm,
        "accumulates": config.accumulate_batches > 1,
        "average_decay": config.average_decay,
    }
    if config.optimizer == "sgd":
        return SGD(config.learning_rate, momentum=config.momentum, **guard)
    adam: dict[str, Any] = {"beta_2": 0.98, "epsilon": 1e-9, **guard}
    if config.optimizer == "adamw":
        return AdamW(config.learning_rate, weight_decay=config.weight_decay, **adam)
    return Adam(config.learning_rate, **adam)


def _dense(gradient: Any, variable: Any) -> Any:
    """A gradient as one tensor; that of an unused variable is None, that of an embedding may be rows and their numbers.

    Of a row that occurs several times the sum counts, for the norm too: Keras' own operations on such rows (3.15) would
    add the squares of the parts.
    """
    if gradient is None:
        return ops.zeros(variable.shape, variable.dtype)
    if hasattr(gradient, "indices"):  # TensorFlow's IndexedSlices
        return ops.segment_sum(gradient.values, gradient.indices, num_segments=variable.shape[0])
    return gradient
