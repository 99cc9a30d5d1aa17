"""What a training computes of a batch: as Keras' own step, and in one graph for every shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from nmt.config import ModelConfig, TrainingConfig
from nmt.losses import SmoothedCrossEntropy
from nmt.optimizers import make_optimizer
from nmt.seq2seq import Seq2Seq
from nmt.training.graphs import make_loss, make_update

VOCABULARY = 12
SHAPES = ((3, 4, 5), (2, 6, 3), (4, 2, 2))  # rows, source length, target length


def batches(shapes: tuple[tuple[int, int, int], ...] = SHAPES) -> Iterator[tuple[dict[str, Any], Any, Any]]:
    generator = np.random.default_rng(1)
    for rows, source_length, target_length in shapes:
        source_ids, target_ids, labels = (
            generator.integers(4, VOCABULARY, (rows, length), np.int32)
            for length in (source_length, target_length, target_length)
        )
        weights = generator.integers(0, 2, labels.shape).astype(np.float32)
        yield {"source_ids": source_ids, "target_ids": target_ids}, labels, weights


def make_model(**arguments: Any) -> Seq2Seq:
    keras.utils.set_random_seed(1)
    sizes = {"embedding_size": 4, "encoder_layers": 1, "encoder_units": 6, "decoder_layers": 1, "decoder_units": 6}
    model = Seq2Seq(ModelConfig.model_validate({**sizes, "dropout": 0.0}), VOCABULARY, VOCABULARY)
    optimizer = make_optimizer(TrainingConfig.model_validate({}))
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, SmoothedCrossEntropy(0.1), **arguments)
    return model


def counting(model: Seq2Seq, patch: pytest.MonkeyPatch) -> list[Any]:
    """Of every call of the model's loss in Python, which is once a graph, the shape of the labels."""
    calls, original = [], model.compute_loss

    def counted(x: Any, y: Any, *arguments: Any, **named: Any) -> Any:
        calls.append(tuple(y.shape))
        return original(x, y, *arguments, **named)

    patch.setattr(model, "compute_loss", counted)
    return calls


def test_updates_and_losses_are_those_of_keras_own_steps() -> None:
    ours, theirs = make_model(), make_model()
    update, loss = make_update(ours, one_shape=False), make_loss(ours, one_shape=False)
    for batch in batches():
        assert float(loss(*batch)) == pytest.approx(float(theirs.test_on_batch(*batch)), rel=1e-6)
        assert float(update(*batch)) == pytest.approx(float(theirs.train_on_batch(*batch)), rel=1e-6)
    for one, other in zip(ours.variables, theirs.variables, strict=True):
        assert np.allclose(one.numpy(), other.numpy(), rtol=0.0, atol=1e-6), one.path
    assert int(ours.optimizer.iterations) == len(SHAPES)


@pytest.mark.parametrize("make", [make_update, make_loss])
def test_batches_of_every_shape_have_one_graph(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    calls = counting(model, monkeypatch)
    function = make(model, one_shape=False)
    for batch in batches():
        function(*batch)
    assert calls == [(None, None)]


def test_where_all_batches_have_one_shape_the_graph_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    calls = counting(model, monkeypatch)
    function = make_update(model, one_shape=True)
    for batch in batches((SHAPES[0],) * 2):
        function(*batch)
    assert calls == [(3, 5)]
    function(*next(batches(SHAPES[1:])))
    assert calls == [(3, 5), (2, 3)]


def test_an_eager_model_has_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(run_eagerly=True)
    calls = counting(model, monkeypatch)
    update = make_update(model, one_shape=False)
    for batch in batches():
        update(*batch)
    assert calls == [(rows, length) for rows, _, length in SHAPES]
