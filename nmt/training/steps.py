"""One step of a training: its batches, weighted by their tokens, and one update.

Knows batches and an optimizer, and nothing of models, epochs or checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from nmt.errors import TrainingError
from nmt.training.graphs import OfBatch
from nmt.training.task import TrainingBatch

MemoryAdvice = Callable[[BaseException, tuple[int, ...]], str | None]


def steps_of(batches: Iterable[TrainingBatch], size: int) -> Iterator[list[TrainingBatch]]:
    """The batches of each step, made while the step before runs; an epoch's last step may have fewer than `size`."""
    iterator = iter(batches)

    def make() -> list[TrainingBatch]:
        return list(islice(iterator, size))

    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(make)
        while step := coming.result():
            coming = maker.submit(make)
            yield step


def take_step(
    optimizer: Any, update: OfBatch, batches: Sequence[TrainingBatch], learning_rate: float, advice: MemoryAdvice
) -> float:
    """One update from the gradient of the mean loss over all target tokens of the batches.

    Args:
        optimizer: of `nmt.optimizers`.
        update: hands it the gradient of a batch's loss, a weighted sum (see `make_update`).
        batches: of the step.
        learning_rate: of the step.
        advice: what to change where the memory does not suffice (see `Task.memory_advice`).

    Returns:
        The mean loss a target token; where it is not finite, the step was skipped.

    Raises:
        TrainingError: the memory does not suffice for a batch.
    """
    tokens = sum(batch.target_tokens for batch in batches)
    optimizer.learning_rate = learning_rate
    loss = 0.0
    for i, batch in enumerate(batches, start=1):
        if len(batches) > 1 or optimizer.accumulates:
            optimizer.completes_step.assign(int(i == len(batches)))
        with memory_for(batch, advice):
            loss += float(update(*arguments(batch, batch.weights / np.float32(max(1, tokens)))))
    return loss


def mean_loss(
    loss: OfBatch, batches: Iterable[TrainingBatch], advice: MemoryAdvice, check: Callable[[], None]
) -> tuple[float, int]:
    """The mean loss a target token of a model in its present state, without an update.

    Args:
        loss: of a batch, a weighted sum (see `make_loss`).
        batches: in the order in which the model sees them.
        advice: as in `take_step`.
        check: called before each batch; raises to give up.

    Returns:
        The mean loss, and the number of target tokens.
    """
    total, tokens = 0.0, 0
    for batch in batches:
        check()
        with memory_for(batch, advice):
            total += float(loss(*arguments(batch, batch.weights)))
        tokens += batch.target_tokens
    return total / max(1, tokens), tokens


@contextmanager
def memory_for(batch: TrainingBatch, advice: MemoryAdvice) -> Iterator[None]:
    """Says of an error inside, if it is one of memory, which batch it was and what to lower."""
    try:
        yield
    except Exception as error:
        text = advice(error, batch.shape)
        if text is None:
            raise
        raise TrainingError(text) from error


def arguments(batch: TrainingBatch, weights: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """What a function of `nmt.training.graphs` takes; weights are (rows, length)."""
    return batch.inputs, batch.labels, weights
