"""Validation of a translation model: loss, BLEU and chrF of its present weights. Knows nothing of the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nmt.batches import BatchPlan
from nmt.checkpoints import copy_weights
from nmt.config import Config, DecodingConfig
from nmt.config.decoding import Limits
from nmt.corpus import PreparedCorpus
from nmt.errors import TrainingError
from nmt.losses import SmoothedCrossEntropy
from nmt.memory import is_out_of_memory
from nmt.metrics import bleu, chrf
from nmt.seq2seq_run import make_seq2seq
from nmt.training.graphs import make_loss
from nmt.training.steps import MemoryAdvice, mean_loss
from nmt.training.task import ValidationFigures
from nmt.translation.translator import Translator


class TranslationValidation:
    """Scores the validation part, in float32, with a copy of the model.

    Rows with a side of more than `corpus.filters.max_tokens` count for BLEU and chrF, where search cuts them, and not
    for the loss.

    Args:
        config: the whole configuration.
        corpus: the prepared corpus.
        memory_advice: what to change where the memory does not suffice.
    """

    def __init__(self, config: Config, corpus: PreparedCorpus, memory_advice: MemoryAdvice) -> None:
        tokens = corpus.tokens("validation")
        limit = config.corpus.filters.max_tokens  # of longer rows, which training has none of, no batch could be held
        training = config.training
        self.plan = BatchPlan(tokens, training.batch_tokens, max_tokens=limit, batch_sentences=training.batch_sentences)
        self.memory_advice = memory_advice
        self.sources, self.references = corpus.text("validation")
        source, target = corpus.tokenizers()
        self.model = make_seq2seq(config, source, target)
        self.model.compile(loss=SmoothedCrossEntropy())
        self.loss = make_loss(self.model, self.plan.one_shape)
        # No other model has a vote here: it may be changed while a training goes on, and BLEU chooses checkpoints.
        limits = config.decoding.model_dump(include=set(Limits.model_fields))
        greedy = DecodingConfig(beam_size=1, **limits)
        self.translator = Translator(self.model, source, target, greedy)

    def run(self, model: Any, average: Mapping[str, Any] | None, check: Callable[[], None]) -> ValidationFigures:
        """Scores a model's weights.

        Args:
            model: the one in training.
            average: averaged weights to take instead, by path.
            check: called between batches; raises to give up.
        """
        copy_weights(model, self.model, average)
        loss, _ = mean_loss(self.loss, self.plan.batches(0), self.memory_advice, check)
        hypotheses = self._translate(check)
        scores = bleu(hypotheses, self.references).score, chrf(hypotheses, self.references).score
        return ValidationFigures(loss, *scores)

    def _translate(self, check: Callable[[], None]) -> list[str]:
        lines = (text.encode() for text in self.sources)
        try:
            return [translation.text for translation in self.translator.translate(lines, lambda count: check())]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"out of memory while translating the validation part {self.translator.config.batch_size} lines at a "
                f"time; lower decoding.batch_size and run the same command again"
            ) from error
