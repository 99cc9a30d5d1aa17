"""Is the sum of four batches' gradients the gradient of the one large batch?

    python benchmarks/faults/accumulation.py [--count 20] [--seed 1]

trains the same tiny model twice for 20 steps, in float32 and without dropout: with one batch of 32 rows a step, and
with the same rows in four batches of different shapes and numbers of tokens. Prints the largest difference of a weight
for every optimizer; exit status 1 above 1e-6.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import tiny_run

# isort: split
import keras
import numpy as np

from nmt.batches import Batch, pad
from nmt.checkpoints import copy_weights
from nmt.config import ModelConfig, TrainingConfig
from nmt.losses import SmoothedCrossEntropy
from nmt.optimizers import make_optimizer
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, START_ID
from nmt.training.graphs import make_update
from nmt.training.steps import take_step

TOLERANCE = 1e-6
BATCHES, ROWS = 4, 8
VOCABULARY = 44
LEARNING_RATE = 0.001
Rows = list[tuple[np.ndarray, np.ndarray]]


def main() -> int:
    """Trains, compares and reports."""
    parser = tiny_run.arguments_of(__doc__, 20, "steps")
    arguments = parser.parse_args()
    steps = arguments.count or 20
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # six models trace a step each, and it warns of that
    worst = 0.0
    for optimizer in ("sgd", "adam", "adamw"):
        difference = compare(optimizer, steps, arguments.seed)
        worst = max(worst, difference)
        print(f"{optimizer:6} {steps} steps: weights differ by at most {difference:.1e} (limit {TOLERANCE:.0e})")
    return int(not worst <= TOLERANCE)  # not a number fails too


def compare(optimizer: str, steps: int, seed: int) -> float:
    """The largest difference of a weight between one large batch a step and four small ones."""
    keras.utils.set_random_seed(seed)
    at_once, in_parts = (make_model(optimizer, batches) for batches in (1, BATCHES))
    copy_weights(at_once, in_parts)
    whole, part = (make_update(model, one_shape=False) for model in (at_once, in_parts))
    before = [keras.ops.convert_to_numpy(weight) for weight in at_once.trainable_variables]
    generator = np.random.default_rng(seed)
    for _ in range(steps):
        parts = [random_rows(generator, longest) for longest in (4, 6, 9, 12)]
        together = [row for rows in parts for row in rows]
        take_step(at_once.optimizer, whole, [make_batch(together)], LEARNING_RATE, no_advice)
        take_step(in_parts.optimizer, part, [make_batch(rows) for rows in parts], LEARNING_RATE, no_advice)
    if largest_difference(before, at_once.trainable_variables) < 1e-3:
        raise SystemExit(f"{optimizer}: nothing was learned, so nothing is compared")
    return largest_difference(at_once.trainable_variables, in_parts.trainable_variables)


def no_advice(error: BaseException, shape: tuple[int, ...]) -> None:
    """Batches this small always fit into memory."""


def make_model(optimizer: str, batches: int) -> Any:
    """A tiny model without dropout, compiled for steps of so many batches."""
    config = ModelConfig(
        embedding_size=8, encoder_layers=1, encoder_units=8, decoder_layers=1, decoder_units=8, dropout=0.0
    )
    model = Seq2Seq(config, VOCABULARY, VOCABULARY)
    training = TrainingConfig.model_validate({"optimizer": optimizer, "accumulate_batches": batches})
    guarded = make_optimizer(training)
    guarded.build(model.trainable_variables)
    model.compile(optimizer=guarded, loss=SmoothedCrossEntropy(0.1))
    return model


def random_rows(generator: np.random.Generator, longest: int) -> Rows:
    """Pairs of token ids of different lengths, without start and end."""
    lengths = generator.integers(1, longest + 1, (ROWS, 2))
    first = END_ID + 1
    return [
        (generator.integers(first, VOCABULARY, source), generator.integers(first, VOCABULARY, target))
        for source, target in lengths
    ]


def make_batch(rows: Rows) -> Batch:
    """Pads rows to the longest of them."""
    source_length, target_length = (max(len(ids) for ids in side) + 1 for side in zip(*rows, strict=True))
    labels = pad([np.append(target, END_ID) for _, target in rows], target_length)
    return Batch(
        source_ids=pad([np.append(source, END_ID) for source, _ in rows], source_length),
        target_ids=pad([np.concatenate([[START_ID], target]) for _, target in rows], target_length),
        labels=labels,
        weights=(labels != PAD_ID).astype(np.float32),
    )


def largest_difference(left: list[Any], right: list[Any]) -> float:
    """The largest absolute difference between two lists of arrays or variables."""
    pairs = zip(left, right, strict=True)
    return max(float(np.max(np.abs(np.asarray(one) - np.asarray(other)))) for one, other in pairs)


if __name__ == "__main__":
    sys.exit(main())
