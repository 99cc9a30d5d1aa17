"""One step of a training: the batches of a step through Keras, weighted by their tokens, and one update.

Knows models and batches, and nothing of epochs or checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import keras
import numpy as np

from nmt.batches import Batch
from nmt.errors import TrainingError
from nmt.memory import out_of_memory_advice
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID

ANOTHER_RUN = (
    "A run keeps its settings: remove its folder, or take another name, with this run in training.start_from where it "
    "has learned something"
)


def steps_of(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """The batches of each step; an epoch's last step may have fewer than `size`."""
    iterator = iter(batches)
    while step := list(islice(iterator, size)):
        yield step


def take_step(model: Seq2Seq, batches: Sequence[Batch], learning_rate: float, batch_tokens: int) -> float:
    """One update from the gradient of the mean loss over all target tokens of the batches.

    Args:
        model: compiled with an optimizer of `nmt.optimizers` and a loss that is a weighted sum.
        batches: of the step.
        learning_rate: of the step.
        batch_tokens: the setting, named in the advice of an error.

    Returns:
        The mean loss a target token; where it is not finite, the step was skipped.

    Raises:
        TrainingError: the memory does not suffice for a batch.
    """
    tokens = sum(batch.target_tokens for batch in batches)
    model.optimizer.learning_rate = learning_rate
    loss = 0.0
    for i, batch in enumerate(batches, start=1):
        if len(batches) > 1 or model.optimizer.accumulates:
            model.optimizer.completes_step.assign(int(i == len(batches)))
        with memory_for(batch, batch_tokens):
            model.reset_metrics()
            loss += float(model.train_on_batch(*arguments(batch, batch.weights / np.float32(max(1, tokens)))))
    return loss


@contextmanager
def memory_for(batch: Batch, batch_tokens: int) -> Iterator[None]:
    """Says of an error inside, if it is one of memory, which batch it was and what to lower."""
    try:
        yield
    except Exception as error:
        shape = (*batch.source_ids.shape, batch.target_ids.shape[1])
        advice = out_of_memory_advice(error, shape, batch_tokens)
        if advice is None:
            raise
        raise TrainingError(f"{advice}. {ANOTHER_RUN}") from error


def trace_all_shapes(model: Seq2Seq) -> None:
    """Makes the training step's graph for every shape before the first step; the model is left as it was.

    TensorFlow makes the first graph for the first batch's shape alone, and its results differ in the last bit from
    those of the general graph, which comes with the second shape. A resumed training would meet its first graph at
    another step than the uninterrupted one.
    """
    variables = [*model.variables, *model.optimizer.variables]
    values = [keras.ops.convert_to_numpy(variable) for variable in variables]
    for size in (1, 2):  # batch, source and target length all differ, among each other too
        shapes = (size, size + 2), (size, size + 4)
        source_ids, target_ids = (np.full(shape, END_ID, np.int32) for shape in shapes)
        weights = np.ones(shapes[1], np.float32)
        model.train_on_batch(*arguments(Batch(source_ids, target_ids, target_ids, weights), weights))
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    model.reset_metrics()


def arguments(batch: Batch, weights: np.ndarray) -> tuple[dict[str, Any], Any, Any]:
    """What Keras' `train_on_batch` and `test_on_batch` take; weights are (batch, target_length)."""
    return {"source_ids": batch.source_ids, "target_ids": batch.target_ids}, batch.labels, weights
