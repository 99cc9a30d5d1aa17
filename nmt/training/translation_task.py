"""The training of a translation model: pairs of sentences, warm start, frozen parts. Knows nothing of the loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nmt.announcement import announcement
from nmt.batches import BatchPlan
from nmt.config import Config
from nmt.corpus import PreparedCorpus
from nmt.memory import out_of_memory_advice
from nmt.noise import make_noise
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import Tokenizer
from nmt.training.agreement import check_corpus, check_run
from nmt.training.task import Task
from nmt.training.translation_validation import TranslationValidation
from nmt.warm_start import check_origin, freeze, warm_start


class TranslationTask(Task):
    """Learns to translate a prepared corpus.

    Args:
        config: the whole configuration.

    Raises:
        TrainingError: the corpus was prepared with other settings.
        DataError: there is no prepared corpus.
        CorruptFileError: a file of it does not match its checksum.
    """

    config: Config
    plan: BatchPlan
    tokenizers: tuple[Tokenizer, Tokenizer]
    another_run = f"{Task.another_run}, with this run in training.start_from where it has learned something"

    def __init__(self, config: Config) -> None:
        training = config.training
        self.config = config
        self.corpus = PreparedCorpus(config.prepared_folder)
        check_corpus(config, self.corpus)
        self.corpus_fingerprint = self.corpus.fingerprint
        self.corpus_pairs = self.corpus.pairs
        self.tokenizers = self.corpus.tokenizers()
        self.plan = BatchPlan(
            self.corpus.tokens("train"),
            training.batch_tokens,
            training.seed,
            mixture=[(rows, training.weights.get(name, 1.0)) for name, rows in self.corpus.mixture.items()],
            batch_sentences=training.batch_sentences,
            noise=make_noise(config, self.tokenizers),
        )
        self.validates_start = training.start_from is not None

    def check(self, run: RunFolder) -> None:
        """Refuses a run folder of another corpus or configuration, and a run to start from that is none."""
        if run.exists:
            check_run(run, run.config(), self.config, self.corpus)
        elif self.config.training.start_from:
            check_origin(Path(self.config.training.start_from), run.folder)

    def make_model(self, is_new: bool, note: Callable[[str], None]) -> Seq2Seq:
        """The model; a new one may have the weights of another run, and parts of it may be frozen."""
        training = self.config.training
        source, target = self.tokenizers
        model = Seq2Seq(self.config.model, source.size, target.size, precision=training.precision)
        if training.start_from and is_new:
            note(str(warm_start(model, self.tokenizers, Path(training.start_from))))
        freeze(model, training.freeze)
        return model

    def make_validation(self) -> TranslationValidation:
        """Reads the validation part."""
        return TranslationValidation(self.config, self.corpus, self.memory_advice)

    def announcement(self, model: Seq2Seq, steps_per_epoch: int, step: int) -> str:
        """Eight lines."""
        return announcement(model, self.config, self.plan, steps_per_epoch, step)

    def memory_advice(self, error: BaseException, shape: tuple[int, ...]) -> str | None:
        """Names the batch, rows x source tokens x target tokens, and the setting to lower."""
        advice = out_of_memory_advice(error, shape, self.config.training)
        return advice and f"{advice}. {self.another_run}"
