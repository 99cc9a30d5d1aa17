"""The optimizers and the guard before them, against updates worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt.config import TrainingConfig
from nmt.optimizers import make_optimizer

PLAIN = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.0, "clip_norm": 100.0}
KINDS = ("adam", "adamw", "sgd")


def prepared(sizes: Sequence[int], **settings: object) -> tuple[Any, list[keras.Variable]]:
    """An optimizer and variables of ones."""
    variables = [keras.Variable(np.ones(size, np.float32), name=f"v{i}") for i, size in enumerate(sizes)]
    optimizer = make_optimizer(TrainingConfig.model_validate({**PLAIN, **settings}))
    optimizer.build(variables)
    return optimizer, variables


def apply(optimizer: Any, variables: list[keras.Variable], *gradients: list[float]) -> None:
    """One batch's gradients, in a graph as Keras does it."""

    @tf.function
    def step(values: list[tf.Tensor]) -> None:
        optimizer.apply(values, variables)

    step([tf.constant(gradient, tf.float32) for gradient in gradients])


def values(variables: Sequence[Any]) -> list[list[float]]:
    return [keras.ops.convert_to_numpy(variable).tolist() for variable in variables]


def everything(optimizer: Any, variables: list[keras.Variable]) -> dict[str, np.ndarray]:
    counts = ("completes_step", "skipped", "updates", "clipped", "norm_sum", "gradient_sum")
    kept = [variable for variable in optimizer.variables if not any(name in variable.path for name in counts)]
    return {
        f"{i}{variable.path}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate([*variables, *kept])
    }


def test_the_norm_of_all_gradients_together_is_clipped() -> None:
    """Gradients (3, 0) and (4): norms 3 and 4, together 5. Scaled down to 1 they are (0.6, 0) and (0.8)."""
    optimizer, variables = prepared([2, 1], clip_norm=1.0)
    apply(optimizer, variables, [3.0, 0.0], [4.0])
    assert values(variables) == [pytest.approx([0.4, 1.0]), pytest.approx([0.2])]


def test_small_gradients_are_not_clipped() -> None:
    optimizer, variables = prepared([2, 1], clip_norm=10.0)
    apply(optimizer, variables, [3.0, 0.0], [4.0])
    assert values(variables) == [pytest.approx([-2.0, 1.0]), pytest.approx([-3.0])]


def test_two_updates_of_adam_by_hand() -> None:
    """beta 0.9 and 0.98, rate 0.5: the first step is -0.5 whatever the gradient's size, the second by the moments."""
    optimizer, variables = prepared([1], optimizer="adam", learning_rate=0.5)
    apply(optimizer, variables, [2.0])
    assert values(variables) == [pytest.approx([0.5], abs=1e-6)]
    apply(optimizer, variables, [-1.0])
    first = (0.9 * 0.1 * 2.0 + 0.1 * -1.0) / (1 - 0.9**2)
    second = (0.98 * 0.02 * 4.0 + 0.02 * 1.0) / (1 - 0.98**2)
    assert values(variables) == [pytest.approx([0.5 - 0.5 * first / second**0.5], abs=1e-5)]


def test_weight_decay_of_adamw() -> None:
    """The weight 1 shrinks by rate · decay = 0.5 · 0.1 before Adam's step of -0.5."""
    optimizer, variables = prepared([1], optimizer="adamw", learning_rate=0.5, weight_decay=0.1)
    apply(optimizer, variables, [2.0])
    assert values(variables) == [pytest.approx([1.0 - 0.05 - 0.5], abs=1e-6)]


def test_momentum_of_sgd() -> None:
    """Velocity -1, then 0.5 · -1 - 1 = -1.5."""
    optimizer, variables = prepared([1], momentum=0.5)
    apply(optimizer, variables, [1.0])
    apply(optimizer, variables, [1.0])
    assert values(variables) == [[-1.5]]


def test_the_learning_rate_is_set_from_outside() -> None:
    optimizer, variables = prepared([1])
    optimizer.learning_rate = 0.25
    apply(optimizer, variables, [2.0])
    assert values(variables) == [[0.5]]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_changes_nothing_but_the_count(kind: str, bad: float) -> None:
    optimizer, variables = prepared([2, 1], optimizer=kind, average_decay=0.9)
    apply(optimizer, variables, [1.0, 2.0], [3.0])
    before = everything(optimizer, variables)
    apply(optimizer, variables, [1.0, bad], [3.0])
    after = everything(optimizer, variables)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert (int(optimizer.skipped), int(optimizer.skipped_in_a_row), int(optimizer.iterations)) == (1, 1, 1)


def test_skips_are_counted_in_all_and_in_a_row() -> None:
    optimizer, variables = prepared([1])
    counts = []
    for gradient in (math.nan, math.nan, 1.0, math.nan):
        apply(optimizer, variables, [gradient])
        counts.append((int(optimizer.skipped), int(optimizer.skipped_in_a_row)))
    assert counts == [(1, 1), (2, 2), (2, 0), (3, 1)]


def test_statistics_count_from_one_reading_to_the_next() -> None:
    """Norms 5, 1 and one skipped; 5 is above 2. Then nothing."""
    optimizer, variables = prepared([2], clip_norm=2.0)
    for gradient in ([3.0, 4.0], [1.0, 0.0], [math.nan, 0.0]):
        apply(optimizer, variables, gradient)
    statistics = optimizer.statistics()
    assert (statistics.gradient_norm, statistics.clipped_share, statistics.skipped) == (3.0, 0.5, 1)
    statistics = optimizer.statistics()
    assert (statistics.gradient_norm, statistics.clipped_share, statistics.skipped) == (0.0, 0.0, 1)


def test_the_gradients_of_a_step_are_summed() -> None:
    """1 + 2 + 4 = 7 in one update, and the next step begins at 0. The sum is what is clipped."""
    optimizer, variables = prepared([1], accumulate_batches=3, clip_norm=7.0)
    for gradient, completes in ((1.0, 0), (2.0, 0), (4.0, 1)):
        assert values(variables) == [[1.0]]
        optimizer.completes_step.assign(completes)
        apply(optimizer, variables, [gradient])
    assert values(variables) == [pytest.approx([-6.0])]
    apply(optimizer, variables, [5.0])
    assert values(variables) == [pytest.approx([-11.0])]
    assert int(optimizer.iterations) == 2


def test_one_batch_that_is_not_finite_skips_its_step_alone() -> None:
    optimizer, variables = prepared([1], accumulate_batches=2)
    for gradient, completes in ((math.nan, 0), (2.0, 1), (1.0, 0), (1.0, 1)):
        optimizer.completes_step.assign(completes)
        apply(optimizer, variables, [gradient])
    assert values(variables) == [[-1.0]]
    assert (int(optimizer.skipped), int(optimizer.skipped_in_a_row)) == (1, 0)


def test_the_average_by_hand() -> None:
    """Weights 1, then 0, -1, -2 after three updates. The average starts at 1 and decays by 2/11, 3/12 and 4/13."""
    optimizer, variables = prepared([1], average_decay=0.9)
    averages = []
    for _ in range(3):
        apply(optimizer, variables, [1.0])
        averages += values(optimizer.averages)
    first = 1.0 + (1 - 2 / 11) * (0.0 - 1.0)
    second = first + (1 - 3 / 12) * (-1.0 - first)
    third = second + (1 - 4 / 13) * (-2.0 - second)
    assert averages == [pytest.approx([first]), pytest.approx([second]), pytest.approx([third])]


@pytest.mark.thorough
def test_the_average_reaches_the_decay_that_was_asked_for() -> None:
    """With decay 0.5, from the 8th update on: (1 + 8) / (10 + 8)."""
    optimizer, variables = prepared([1], average_decay=0.5)
    for _ in range(19):
        apply(optimizer, variables, [1.0])
    before = values(optimizer.averages)[0][0]
    apply(optimizer, variables, [1.0])
    assert values(optimizer.averages) == [pytest.approx([0.5 * before + 0.5 * -19.0])]


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_the_fused_update_is_keras_own(kind: str) -> None:
    """Over twenty compiled steps whose gradients and learning rates differ; none of them is clipped."""
    optimizer, variables = prepared([3, 2], optimizer=kind, clip_norm=100.0)
    own = {"adam": keras.optimizers.Adam, "adamw": partial(keras.optimizers.AdamW, weight_decay=optimizer.weight_decay)}
    expected = own[kind](beta_2=optimizer.beta_2, epsilon=optimizer.epsilon)
    theirs = [keras.Variable(variable) for variable in variables]
    compiled = tf.function(lambda gradients: optimizer.apply(gradients, variables))
    generator = np.random.default_rng(1)
    for rate in np.linspace(0.1, 0.001, 20):
        gradients = [tf.constant(generator.normal(size=variable.shape).astype(np.float32)) for variable in variables]
        optimizer.learning_rate = expected.learning_rate = rate
        compiled(gradients)
        expected.apply(gradients, theirs)
    for mine, other in zip(values(variables), values(theirs), strict=True):
        assert mine == pytest.approx(other, abs=1e-5)


def test_gradients_of_embeddings_are_rows() -> None:
    table = keras.Variable(np.ones((3, 2), np.float32))
    optimizer = make_optimizer(TrainingConfig.model_validate(PLAIN))
    optimizer.build([table])
    optimizer.apply([tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 1]), tf.constant([3, 2]))], [table])
    assert values([table]) == [[[1.0, 1.0], [-1.0, -1.0], [1.0, 1.0]]]


def test_the_norm_is_that_of_the_sum_where_a_row_occurs_twice() -> None:
    """Twice (1.5, 2) is (3, 4), whose norm is 5: clipped at 2.5, half of it is subtracted."""
    table = keras.Variable(np.zeros((3, 2), np.float32))
    optimizer = make_optimizer(TrainingConfig.model_validate({**PLAIN, "clip_norm": 2.5}))
    optimizer.build([table])
    rows = tf.constant([[1.5, 2.0], [1.5, 2.0]])
    optimizer.apply([tf.IndexedSlices(rows, tf.constant([1, 1]), tf.constant([3, 2]))], [table])
    assert optimizer.statistics().gradient_norm == pytest.approx(5.0)
    assert values([table]) == [[[0.0, 0.0], [-1.5, -2.0], [0.0, 0.0]]]


def test_an_unused_variable_stays() -> None:
    optimizer, variables = prepared([1, 1])
    optimizer.apply([None, tf.constant([1.0])], variables)
    assert values(variables) == [[1.0], [0.0]]


@pytest.mark.parametrize("kind", KINDS)
def test_other_backends_choose_after_the_update(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where assignments cannot stand in a conditional, the values before are put back: the same results."""
    results = []
    for backend in ("tensorflow", "jax"):
        optimizer, variables = prepared([2], optimizer=kind, average_decay=0.9, accumulate_batches=2)
        with monkeypatch.context() as patch:
            patch.setattr("nmt.optimizers.keras.backend.backend", lambda name=backend: name)
            for gradient, completes in (([1.0, 2.0], 0), ([1.0, 0.0], 1), ([math.nan, 0.0], 1), ([0.5, 0.5], 1)):
                optimizer.completes_step.assign(completes)
                optimizer.apply([tf.constant(gradient)], variables)
        results.append(values([*variables, *optimizer.variables]))
    assert all(np.allclose(a, b, atol=1e-7) for a, b in zip(*results, strict=True))
