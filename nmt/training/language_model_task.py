"""The training of a language model: running text in segments, the state carried along. Knows nothing of the loop."""

from __future__ import annotations

from collections.abc import Callable

from nmt.announcement import language_model_announcement
from nmt.config import LanguageModelConfig
from nmt.language_model import LanguageModel
from nmt.memory import segment_out_of_memory_advice
from nmt.prepared_text import open_text
from nmt.run_folder import RunFolder
from nmt.segments import SegmentPlan
from nmt.training.agreement import check_run, check_text
from nmt.training.language_model_validation import LanguageModelValidation
from nmt.training.task import Task


class LanguageModelTask(Task):
    """Learns to go on with a prepared text.

    Args:
        config: the whole configuration.

    Raises:
        TrainingError: the text was prepared with other settings.
        DataError: there is no prepared text, or its training part is empty.
        CorruptFileError: a file of it does not match its checksum.
    """

    config: LanguageModelConfig
    plan: SegmentPlan

    def __init__(self, config: LanguageModelConfig) -> None:
        training = config.training
        self.config = config
        self.text = open_text(config)
        check_text(config, self.text)
        self.corpus_fingerprint = self.text.fingerprint
        self.tokenizers = (self.text.tokenizer(),)
        self.plan = SegmentPlan(
            self.text.stream("train"),
            training.streams,
            training.segment_length,
            training.carry_state,
            fresh_lines=True,
        )

    def check(self, run: RunFolder) -> None:
        """Refuses a run folder of another text or configuration."""
        if run.exists:
            check_run(run, run.language_model_config(), self.config, self.text)

    def make_model(self, is_new: bool, note: Callable[[str], None]) -> LanguageModel:
        """The model, with random weights."""
        training = self.config.training
        return LanguageModel(self.config.model, self.tokenizers[0].size, training.streams, training.precision)

    def make_validation(self) -> LanguageModelValidation:
        """Reads the validation part."""
        return LanguageModelValidation(self.config, self.text, self.memory_advice)

    def announcement(self, model: LanguageModel, steps_per_epoch: int, step: int) -> str:
        """Eight lines."""
        return language_model_announcement(model, self.config, self.plan, steps_per_epoch, step)

    def memory_advice(self, error: BaseException, shape: tuple[int, ...]) -> str | None:
        """Names the segment, streams x tokens, and the setting to lower."""
        advice = segment_out_of_memory_advice(error, shape)
        return advice and f"{advice}. {self.another_run}"
