"""A task: what is trained. The loop knows this alone, and each kind of model has its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from nmt.config import Config, LanguageModelConfig, LanguageModelTraining, TranslationTraining
from nmt.run_folder import RunFolder
from nmt.tokenizer import Tokenizer


class TrainingBatch(Protocol):
    """What is asked of a batch (see `nmt.batches.Batch` and `nmt.segments.Segment`)."""

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """What the model takes."""

    @property
    def labels(self) -> np.ndarray:
        """What it should answer; (rows, length)."""

    @property
    def weights(self) -> np.ndarray:
        """1 for a label that counts, 0 for padding; (rows, length)."""

    @property
    def target_tokens(self) -> int:
        """Labels that count."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the inputs, as an error names them."""


class Plan(Protocol):
    """The batches of every epoch; a position in a training is (epoch, step)."""

    steps_per_epoch: int
    one_shape: bool  # whether all batches have the same

    def batches(self, epoch: int, first_step: int = 0) -> Iterator[TrainingBatch]:
        """The batches of an epoch from a step on."""


@dataclass(frozen=True)
class ValidationFigures:
    """What a validation measured; None where a kind of model has no such figure.

    Attributes:
        loss: cross-entropy a target token, natural logarithm, without smoothing.
        bleu: of greedy translations, in percent.
        chrf: likewise.
        bits_per_character: cross-entropy a character of the text, logarithm to the base 2.
    """

    loss: float
    bleu: float | None = None
    chrf: float | None = None
    bits_per_character: float | None = None


class Validation(Protocol):
    """Scores a model's present weights on the validation part."""

    def run(self, model: Any, average: Mapping[str, Any] | None, check: Callable[[], None]) -> ValidationFigures:
        """Scores, and leaves the model as it is.

        Args:
            model: the one in training.
            average: averaged weights to take instead, by path.
            check: called between batches; raises to give up.
        """


class Task(ABC):
    """Everything in which the training of one kind of model differs from that of another.

    Attributes:
        config: the whole configuration.
        corpus_fingerprint: of what the model learns from.
        corpus_pairs: pairs of each part of it, where it has pairs.
        tokenizers: of the subword models that the run folder carries.
        plan: the batches of the training part.
        validates_start: whether the model has learned something before its first step, so that it is worth measuring.
        another_run: what to do where the settings of this run do not work.
    """

    config: Config | LanguageModelConfig
    corpus_fingerprint: str
    corpus_pairs: Mapping[str, int] = MappingProxyType({})
    tokenizers: Sequence[Tokenizer]
    plan: Plan
    validates_start: bool = False
    another_run: str = "A run keeps its settings: remove its folder, or take another name"

    @property
    def settings(self) -> TranslationTraining | LanguageModelTraining:
        """The section `training`."""
        return self.config.training

    @abstractmethod
    def check(self, run: RunFolder) -> None:
        """Refuses a run folder in which this training can neither begin nor go on, before anything is written.

        Raises:
            TrainingError: it belongs to another corpus or configuration.
            DataError: it belongs to another kind of model.
        """

    @abstractmethod
    def make_model(self, is_new: bool, note: Callable[[str], None]) -> Any:
        """The model at its start, not yet compiled.

        Args:
            is_new: whether no checkpoint will replace its weights.
            note: is told what the weights come from, if not from chance.
        """

    @abstractmethod
    def make_validation(self) -> Validation:
        """Reads the validation part and makes a model of its own to score it."""

    @abstractmethod
    def announcement(self, model: Any, steps_per_epoch: int, step: int) -> str:
        """What the training is about to do, in a few lines.

        Args:
            model: as it will be trained.
            steps_per_epoch: updates of an epoch.
            step: updates that are done.
        """

    @abstractmethod
    def memory_advice(self, error: BaseException, shape: tuple[int, ...]) -> str | None:
        """What to change after a batch of a shape ran out of memory; None where the error is another one."""
