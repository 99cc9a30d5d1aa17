"""Validation: loss, BLEU and chrF of a model's present weights. Knows nothing of the training around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nmt.batches import BatchPlan
from nmt.checkpoints import copy_weights
from nmt.config import Config
from nmt.corpus import PreparedCorpus
from nmt.errors import TrainingError
from nmt.losses import SmoothedCrossEntropy
from nmt.memory import is_out_of_memory
from nmt.metrics import bleu, chrf
from nmt.seq2seq import Seq2Seq
from nmt.training.steps import arguments, memory_for
from nmt.translation import Translator, make_model


@dataclass(frozen=True)
class ValidationFigures:
    """What a validation measured.

    Attributes:
        loss: cross-entropy a target token, natural logarithm, without smoothing.
        bleu: of greedy translations, in percent.
        chrf: likewise.
    """

    loss: float
    bleu: float
    chrf: float


class Validation:
    """Scores the validation part, in float32, with a copy of the model.

    Rows with a side of more than `corpus.filters.max_tokens` count for BLEU and chrF, where search cuts them, and not
    for the loss.
    """

    def __init__(self, config: Config, corpus: PreparedCorpus) -> None:
        tokens = corpus.tokens("validation")
        limit = config.corpus.filters.max_tokens  # of longer rows, which training has none of, no batch could be held
        self.batch_tokens = config.training.batch_tokens
        self.plan = BatchPlan(tokens, self.batch_tokens, max_tokens=limit)
        self.sources, self.references = corpus.text("validation")
        source, target = corpus.tokenizers()
        self.model = make_model(config, source, target)
        self.model.compile(loss=SmoothedCrossEntropy())
        greedy = config.decoding.model_copy(update={"beam_size": 1})
        self.translator = Translator(self.model, source, target, greedy)

    def run(self, model: Seq2Seq, average: Mapping[str, Any] | None, check: Callable[[], None]) -> ValidationFigures:
        """Scores a model's weights.

        Args:
            model: the one in training.
            average: averaged weights to take instead, by path.
            check: called between batches; raises to give up.
        """
        copy_weights(model, self.model, average)
        total = tokens = 0.0
        for batch in self.plan.batches(0):
            check()
            with memory_for(batch, self.batch_tokens):
                self.model.reset_metrics()
                total += float(self.model.test_on_batch(*arguments(batch, batch.weights)))
            tokens += batch.target_tokens
        hypotheses = self._translate(check)
        scores = bleu(hypotheses, self.references).score, chrf(hypotheses, self.references).score
        return ValidationFigures(total / max(1.0, tokens), *scores)

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
