"""Validation of a language model: loss and bits per character of its present weights. Knows nothing of the training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from nmt.checkpoints import copy_weights
from nmt.config import LanguageModelConfig
from nmt.language_model import LanguageModel
from nmt.losses import SmoothedCrossEntropy
from nmt.prepared_text import PreparedText
from nmt.segments import SegmentPlan
from nmt.training.graphs import make_loss
from nmt.training.steps import MemoryAdvice, mean_loss
from nmt.training.task import ValidationFigures


class LanguageModelValidation:
    """Scores the validation part, in float32, with a copy of the model that carries a state of its own.

    The state goes from segment to segment through the whole text, also for a model that was trained without it.

    Args:
        config: the whole configuration.
        text: the prepared text.
        memory_advice: what to change where the memory does not suffice.

    Raises:
        DataError: the validation part is empty.
    """

    def __init__(self, config: LanguageModelConfig, text: PreparedText, memory_advice: MemoryAdvice) -> None:
        training = config.training
        self.plan = SegmentPlan(text.stream("validation"), training.streams, training.segment_length)
        self.characters = text.characters("validation")
        self.memory_advice = memory_advice
        self.model = LanguageModel(config.model, text.tokenizer().size, training.streams, random_weights=False)
        self.model.compile(loss=SmoothedCrossEntropy())
        self.loss = make_loss(self.model, self.plan.one_shape)

    def run(self, model: Any, average: Mapping[str, Any] | None, check: Callable[[], None]) -> ValidationFigures:
        """Scores a model's weights.

        Args:
            model: the one in training; its state stays as it is.
            average: averaged weights to take instead, by path.
            check: called between segments; raises to give up.
        """
        copy_weights(model, self.model, average)
        loss, tokens = mean_loss(self.loss, self.plan.batches(0), self.memory_advice, check)
        return ValidationFigures(loss, bits_per_character=loss * tokens / (math.log(2.0) * self.characters))
