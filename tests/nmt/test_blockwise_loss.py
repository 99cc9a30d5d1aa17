"""The loss in blocks against the loss of all rows at once."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nmt import blockwise_loss as module
from nmt.blockwise_loss import ProjectingModel, Projection, blockwise_loss
from nmt.losses import SmoothedCrossEntropy

CLASSES = 7
LENGTHS = (5, 3, 4)  # of three rows; the rest is padding
WEIGHTS = np.array([[step < length for step in range(5)] for length in LENGTHS], np.float32) / sum(LENGTHS)


@pytest.fixture(
    params=[(1, 1), (2, 1), (5, 1), (11, 1), (12, 1), (100, 1), (5, 5), (100, 32)],
    ids=lambda param: "{}_rows_in_multiples_of_{}".format(*param),
)
def rows_a_block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Of twelve rows that count: one by one, in full blocks and a smaller one, all at once, and filled up."""
    most, multiple = request.param
    _cut_into(monkeypatch, most, multiple)
    return int(most)


def _cut_into(monkeypatch: pytest.MonkeyPatch, most: int, multiple: int) -> None:
    monkeypatch.setattr(module, "LOGITS", most * CLASSES)
    monkeypatch.setattr(module, "LEAST_ROWS", 1)
    monkeypatch.setattr(module, "EVEN", 1)
    monkeypatch.setattr(module, "MULTIPLE", multiple)


class Two:
    """A projection of two vectors, of which one has a bias, like a model with a lexical model."""

    def __init__(self, dtype: str = "float32") -> None:
        self.layers = [keras.layers.Dense(CLASSES, use_bias=bias, dtype=dtype) for bias in (False, True)]
        for layer, units in zip(self.layers, (4, 2), strict=True):
            layer.build((None, units))
        self.variables = [variable for layer in self.layers for variable in layer.variables]

    def project(self, hidden: Any, lexical: Any) -> Any:
        return self.layers[0](hidden) + self.layers[1](lexical)

    def as_projection(self) -> Projection:
        return Projection(self.project, self.variables, CLASSES)


def batch() -> tuple[list[tf.Tensor], np.ndarray]:
    """Vectors and labels."""
    random = np.random.default_rng(3)
    vectors = [tf.constant(random.standard_normal((3, 5, units)), tf.float32) for units in (4, 2)]
    return vectors, random.integers(0, CLASSES, (3, 5)).astype(np.int32)


def gradients(loss_of: Any, vectors: list[tf.Tensor], two: Two) -> tuple[float, list[np.ndarray]]:
    """The loss and its gradients by all that goes in, from a graph, as training has one."""

    @tf.function
    def differentiate(*vectors: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            loss = loss_of(list(vectors))
        return loss, tape.gradient(loss, [*vectors, *(variable.value for variable in two.variables)])

    loss, found = differentiate(*vectors)
    return float(loss), [np.array(gradient) for gradient in found]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradients_are_those_of_all_rows_at_once(rows_a_block: int, smoothing: float) -> None:
    two, loss, (vectors, labels) = Two(), SmoothedCrossEntropy(smoothing), batch()
    projection = two.as_projection()
    found = gradients(lambda v: 3.0 * blockwise_loss(loss, projection, v, labels, WEIGHTS, True), vectors, two)
    expected = gradients(lambda v: 3.0 * loss(labels, two.project(*v), WEIGHTS), vectors, two)
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    assert len(found[1]) == len(expected[1]) == 5
    for ours, theirs in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_without_training_it_is_the_same_loss(rows_a_block: int) -> None:
    two, loss, (vectors, labels) = Two(), SmoothedCrossEntropy(), batch()
    found = blockwise_loss(loss, two.as_projection(), vectors, labels, WEIGHTS, False)
    assert float(found) == pytest.approx(float(loss(labels, two.project(*vectors), WEIGHTS)), rel=1e-6)


def test_without_weights_all_rows_count() -> None:
    two, loss, (vectors, labels) = Two(), SmoothedCrossEntropy(), batch()
    found = blockwise_loss(loss, two.as_projection(), vectors, labels, None, True)
    assert float(found) == pytest.approx(float(loss(labels, two.project(*vectors))), rel=1e-6)


def test_a_weight_for_each_sentence(rows_a_block: int) -> None:
    two, loss, (vectors, labels) = Two(), SmoothedCrossEntropy(), batch()
    weights = np.array([1.0, 2.0, 0.0], np.float32)
    found = blockwise_loss(loss, two.as_projection(), vectors, labels, weights, True)
    expected = loss(labels, two.project(*vectors), np.repeat(weights[:, None], 5, axis=1))
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


def test_padding_has_no_vote_whatever_it_holds(rows_a_block: int) -> None:
    """Not even by a number that is none."""
    two, loss, (vectors, labels) = Two(), SmoothedCrossEntropy(0.1), batch()
    spoiled = [tf.where(WEIGHTS[..., None] > 0, part, math.nan) for part in vectors]
    projection = two.as_projection()
    found = gradients(lambda v: blockwise_loss(loss, projection, v, labels, WEIGHTS, True), spoiled, two)
    expected = gradients(lambda v: loss(labels, two.project(*v), WEIGHTS), vectors, two)
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    for ours, theirs in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_one_row_that_is_not_finite_makes_every_gradient_nan(rows_a_block: int) -> None:
    two, loss, (vectors, labels) = Two(), SmoothedCrossEntropy(), batch()
    vectors[0] = tf.tensor_scatter_nd_update(vectors[0], [[1, 1, 0]], [math.inf])
    projection = two.as_projection()
    found = gradients(lambda v: blockwise_loss(loss, projection, v, labels, WEIGHTS, True), vectors, two)
    assert not math.isfinite(found[0])
    counted = WEIGHTS > 0
    assert all(np.isnan(gradient[counted]).all() for gradient in found[1][:2])
    assert all(np.isnan(gradient).all() for gradient in found[1][2:])


def test_a_batch_in_which_nothing_counts() -> None:
    two, (vectors, labels) = Two(), batch()
    projection, nothing = two.as_projection(), np.zeros_like(WEIGHTS)
    loss, found = gradients(
        lambda v: blockwise_loss(SmoothedCrossEntropy(), projection, v, labels, nothing, True), vectors, two
    )
    assert loss == 0.0
    assert not any(gradient.any() for gradient in found)


def test_in_bfloat16_the_loss_and_the_gradients_of_variables_stay_float32(rows_a_block: int) -> None:
    two, loss, (vectors, labels) = Two("mixed_bfloat16"), SmoothedCrossEntropy(0.1), batch()
    halved = [tf.cast(part, "bfloat16") for part in vectors]
    projection = two.as_projection()
    found = gradients(lambda v: blockwise_loss(loss, projection, v, labels, WEIGHTS, True), halved, two)
    exact = gradients(lambda v: loss(labels, two.project(*v), WEIGHTS), halved, two)
    assert [gradient.dtype for gradient in found[1]] == [tf.bfloat16.as_numpy_dtype] * 2 + [np.float32] * 3
    assert found[0] == pytest.approx(exact[0], rel=1e-2)
    for ours, theirs in zip(found[1], exact[1], strict=True):
        np.testing.assert_allclose(ours.astype(np.float32), theirs.astype(np.float32), atol=1e-2)


@pytest.mark.parametrize("dtype", ["float64", "int32", "bool"])
def test_weights_may_have_any_type(dtype: str) -> None:
    two, loss, (vectors, labels) = Two(), SmoothedCrossEntropy(0.1), batch()
    weights = (WEIGHTS > 0).astype(dtype)
    found = blockwise_loss(loss, two.as_projection(), vectors, labels, weights, True)
    assert float(found) == pytest.approx(float(loss(labels, two.project(*vectors), weights)), rel=1e-6)


def test_rows_are_picked_alike_on_every_device(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, counts = tf.reshape(tf.range(12.0), (6, 2)), tf.constant([True, False, True, True, False, False])
    picked = module._picked(rows, counts)
    np.testing.assert_array_equal(picked, rows.numpy()[[0, 2, 3]])
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    np.testing.assert_array_equal(module._picked(rows, counts), picked)


def test_a_weight_that_is_no_number_counts(rows_a_block: int) -> None:
    two, loss, (vectors, labels) = Two(), SmoothedCrossEntropy(), batch()
    weights = WEIGHTS.copy()
    weights[1, 1] = math.nan
    projection = two.as_projection()
    total, changes = gradients(lambda v: blockwise_loss(loss, projection, v, labels, weights, True), vectors, two)
    assert math.isnan(total) and all(np.isnan(gradient).all() for gradient in changes[2:])


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("training", [True, False])
def test_weights_that_differ(rows_a_block: int, training: bool, sign: float) -> None:
    two, loss, (vectors, labels) = Two(), SmoothedCrossEntropy(0.1), batch()
    weights = (WEIGHTS * np.array([[0.5], [3.0], [1.0]]) * sign).astype(np.float32)
    projection = two.as_projection()
    if not training:
        found = blockwise_loss(loss, projection, vectors, labels, weights, False)
        assert float(found) == pytest.approx(float(loss(labels, two.project(*vectors), weights)), rel=1e-6)
        return
    total, changes = gradients(lambda v: blockwise_loss(loss, projection, v, labels, weights, True), vectors, two)
    expected, theirs = gradients(lambda v: loss(labels, two.project(*v), weights), vectors, two)
    assert total == pytest.approx(expected, rel=1e-6)
    for ours, other in zip(changes, theirs, strict=True):
        np.testing.assert_allclose(ours, other, atol=1e-6)


@pytest.mark.parametrize(
    ("most", "multiple", "expected"),
    [
        (5, 1, [5, 5, 2]),
        (8, 4, [8, 4]),
        (8, 3, [8, 6]),
        (11, 8, [11, 8]),
        (11, 20, [11, 11]),
        (12, 5, [12]),
        (100, 32, [32]),
    ],
)
def test_blocks_are_as_large_as_their_logits_allow_but_for_the_last(
    monkeypatch: pytest.MonkeyPatch, most: int, multiple: int, expected: list[int]
) -> None:
    """Of 15 rows twelve count."""
    _cut_into(monkeypatch, most, multiple)
    two, (vectors, labels) = Two(), batch()
    rows, losses = [], []

    def project(*vectors: Any) -> Any:
        rows.append([len(part) for part in vectors])
        return two.project(*vectors)

    class Spy(SmoothedCrossEntropy):
        def value_and_gradient(self, labels: Any, logits: Any, weights: Any) -> Any:
            losses.append([len(part) for part in (labels, logits, weights)])
            return super().value_and_gradient(labels, logits, weights)

    blockwise_loss(Spy(), Projection(project, two.variables, CLASSES), vectors, labels, WEIGHTS, True)
    assert rows == [[n] * 2 for n in expected]
    assert losses == [[n] * 3 for n in expected]


@pytest.mark.parametrize("classes", [2, 8_000, 8_192, 10_000, 15_000, 16_384, 20_000, 1_000_000])
def test_a_block_of_any_vocabulary_has_some_rows_and_is_no_larger_than_it_may(classes: int) -> None:
    rows = module.most_rows(classes)
    assert rows >= module.LEAST_ROWS and rows % module.MULTIPLE == 0
    assert rows == module.LEAST_ROWS or 0.75 * module.LOGITS < rows * classes <= module.LOGITS


def test_a_block_for_eight_thousand_classes_fills_both_threads() -> None:
    assert module.most_rows(8_000) == 4 * module.EVEN


@pytest.mark.parametrize("classes", [300, 8_000])
def test_blocks_of_any_batch_have_few_sizes_and_are_hardly_filled_up(classes: int) -> None:
    """Up to three blocks of rows, the last of which takes what the others leave."""
    most = module.most_rows(classes)
    rows = np.unique(np.geomspace(1, 3 * most, 400).astype(int))
    cuts = {int(n): [int(x) for x in module._cut(tf.constant(int(n)), most)] for n in rows}
    lasts = {filled - (count - 1) * most for count, filled in cuts.values()}
    assert len(lasts) <= 120 and all(last % module.MULTIPLE == 0 for last in lasts)
    for n, (count, filled) in cuts.items():
        last = filled - (count - 1) * most
        assert (count - 1) * most < n <= filled <= count * most
        assert filled - n < max(module.MULTIPLE, last / module.PARTS)


class Model(ProjectingModel):
    """Its vectors are its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(CLASSES)

    def call(self, inputs: Any, training: bool = False) -> Any:
        return inputs

    def output_projection(self) -> Projection:
        return Projection(self.dense, self.dense.variables, CLASSES)


@pytest.mark.parametrize(
    "loss",
    [SmoothedCrossEntropy(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)],
    ids=["ours", "mean"],
)
def test_a_model_has_the_loss_and_the_metrics_of_its_logits(rows_a_block: int, loss: keras.losses.Loss) -> None:
    """Also a loss that is a mean over the batch, which blocks would spoil."""
    model, (vectors, labels) = Model(), batch()
    model.dense.build((None, 4))
    model.compile(loss=loss, metrics=["accuracy"], run_eagerly=True)
    found = model.test_on_batch(vectors[0], labels, WEIGHTS, return_dict=True)
    logits = model.dense(vectors[0])
    assert found["loss"] == pytest.approx(float(loss(labels, logits, WEIGHTS)), rel=1e-5)
    assert found["accuracy"] == pytest.approx(float((np.argmax(logits, axis=-1) == labels).mean()))


def test_blocks_wait_for_each_other_and_find_the_weights_cast(monkeypatch: pytest.MonkeyPatch) -> None:
    """In half precision: in the loop nothing becomes bfloat16 but the gradient by the logits, in a graph of its own."""
    _cut_into(monkeypatch, 5, 1)
    two, (vectors, labels) = Two("mixed_bfloat16"), batch()
    halves = [tf.cast(vector, tf.bfloat16) for vector in vectors]

    @tf.function
    def train() -> Any:
        return blockwise_loss(SmoothedCrossEntropy(0.1), two.as_projection(), halves, labels, WEIGHTS, training=True)

    graph = train.get_concrete_function().graph
    (loop,) = (one for one in graph.get_operations() if one.type in ("While", "StatelessWhile"))
    assert any(source.op.control_inputs for source in loop.inputs if source.op.type == "Const")
    bodies = {function.signature.name: function for function in graph.as_graph_def().library.function}
    casts = [node for node in bodies[loop.get_attr("body").name].node_def if node.op == "Cast"]
    kinds = {(node.attr["SrcT"].type, node.attr["DstT"].type) for node in casts}
    assert kinds and (tf.float32.as_datatype_enum, tf.bfloat16.as_datatype_enum) not in kinds
