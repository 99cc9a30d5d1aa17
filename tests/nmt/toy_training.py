"""A training that is fast: a toy model and scripted validations.

The toy model sees only the target, has dropout, and is fast; what is tested with it (order of batches, resume,
checkpoints, patience) does not depend on the model.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest
from keras import ops

from nmt.batches import Batch
from nmt.checkpoints import TrainingState, load_state
from nmt.config import Config
from nmt.run_folder import RunFolder
from nmt.training import loop, steps
from nmt.training.task import ValidationFigures

Checksum = Callable[[Path], str]


class ToyModel(keras.Model):
    """Answers from the token before alone; takes Seq2Seq's arguments."""

    def __init__(self, config: Any, source_size: int, target_size: int, precision: str = "float32") -> None:
        super().__init__(name="toy")
        self.embedding = keras.layers.Embedding(target_size, 4, name="embedding")
        self.dropout = keras.layers.Dropout(0.2, name="dropout")
        self.dense = keras.layers.Dense(target_size, name="dense")
        ids = ops.ones((1, 2), "int32")
        self({"source_ids": ids, "target_ids": ids})

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        return self.dense(self.dropout(self.embedding(inputs["target_ids"]), training=training))


class ScriptedValidation:
    """Gives the figures of `script`, one (loss, BLEU) a round; the last ones for ever."""

    script: ClassVar[list[tuple[float, float]]] = []

    def __init__(self, *arguments: Any) -> None:
        self.rounds = 0

    def run(self, model: Any, average: Any, check: Callable[[], None]) -> ValidationFigures:
        check()
        loss, score = self.script[min(self.rounds, len(self.script) - 1)]
        self.rounds += 1
        return ValidationFigures(loss, score, score)


class Killed(Exception):
    """Stands for a kill."""


def at_step(patch: pytest.MonkeyPatch, number: int, action: Callable[[Any, list[Batch]], None]) -> None:
    """Does something to the optimizer or the batches before a step, counted from 1 in this process."""
    original, numbers = loop.take_step, iter(range(1, 1_000_000))

    def acting(optimizer: Any, update: Any, batches: list[Batch], *arguments: Any) -> float:
        if next(numbers) == number:
            action(optimizer, batches)
        return original(optimizer, update, batches, *arguments)

    patch.setattr(loop, "take_step", acting)


def die(optimizer: Any, batches: list[Batch]) -> None:
    raise Killed


def spoil_step(patch: pytest.MonkeyPatch, number: int) -> None:
    """Makes the gradient of a step NaN."""
    original, armed = steps.arguments, []

    def poisoned(batch: Batch, weights: np.ndarray) -> Any:
        return original(batch, weights * (armed.pop() if armed else 1.0))

    patch.setattr(steps, "arguments", poisoned)
    at_step(patch, number, lambda optimizer, batches: armed.append(np.float32(math.nan)))


def last(run: RunFolder) -> Path:
    return run.checkpoint("last")


def lines_of(folder: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def state_of(run: RunFolder) -> TrainingState:
    """The last state without the clock."""
    return replace(load_state(last(run)), seconds=0.0)


def named(config: Config, name: str) -> Config:
    """The same configuration under another name, with the corpus of the first."""
    if not Path("prepared", name).exists():
        os.symlink(Path("prepared", "tiny").resolve(), Path("prepared", name))
    return config.model_copy(update={"name": name})
