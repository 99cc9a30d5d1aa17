"""Translation of lines: clean, tokenize, batch, search, detokenize. Float32 whatever the training's precision.

Knows run folders only through `checkpoints`, and neither export nor training.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from nmt.batches import pad
from nmt.checkpoints import load_weights
from nmt.config import Config, DecodingConfig
from nmt.decoder import Memory
from nmt.fusion import fuse, fusion_partner
from nmt.language_model import LanguageModel
from nmt.run_folder import RunFolder
from nmt.search import Hypotheses, Step, search
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID, Tokenizer, clean_line

LINES_AT_ONCE = 8_192  # sorted by length together; what a stream holds in memory
LENGTH_STEP = 8  # source lengths are padded to multiples, so that few shapes occur
EXTRA_TOKENS = 10


class Searcher(keras.Model):
    """Source token ids to the best target token ids: model and search in one graph, which export wraps as it is.

    Args:
        model: the translation model; float32.
        config: how to search.
        language_model: has a vote of `config.language_model_weight`; over the same target vocabulary.
    """

    def __init__(self, model: Seq2Seq, config: DecodingConfig, language_model: LanguageModel | None = None) -> None:
        super().__init__(name="searcher")
        self.model = model
        self.decoding = config
        self.language_model = language_model

    def call(self, source_ids: Any) -> Hypotheses:
        """Translates rows of right-padded ids that end with the end of sentence; (batch, source_length)."""
        memory = self.model.remember(source_ids)
        lengths = ops.sum(ops.cast(ops.not_equal(source_ids, PAD_ID), "int32"), axis=1)  # (batch,)
        limits = ops.cast(ops.cast(lengths, "float32") * self.decoding.max_length_ratio, "int32") + EXTRA_TOKENS
        return search(
            *self._step_and_state(memory, ops.shape(source_ids)[0]),
            ops.minimum(limits, self.decoding.max_length),
            self.decoding.max_length,
            self.decoding.beam_size,
            self.decoding.length_penalty,
        )

    def _step_and_state(self, memory: Memory, rows: Any) -> tuple[Step, Any]:
        """What search asks for: one model's step and first state, or both models'."""

        def step(token_ids: Any, state: Any) -> tuple[Any, Any, Any]:
            return self.model.step(token_ids, state, memory)

        if self.language_model is None:
            return step, memory.state
        fused = fuse(step, self.language_model.step, self.decoding.language_model_weight)
        return fused, (memory.state, self.language_model.first_state(rows))


@dataclass(frozen=True)
class Translation:
    """One line's translation.

    Attributes:
        text: the translation; empty for a line without tokens.
        log_prob: natural logarithm of its probability, plus the weighted one of a language model where it is asked; 0
            for a line without tokens.
        cut: whether the line was too long and only its beginning was translated.
    """

    text: str
    log_prob: float
    cut: bool

    @property
    def line(self) -> str:
        """The text with a space for each line break, of whatever kind."""
        return " ".join(self.text.splitlines())


class LineTranslator(ABC):
    """What translates lines: a model in memory, or a SavedModel."""

    def translate(
        self, lines: Iterable[bytes], progress: Callable[[int], None] = lambda lines: None
    ) -> Iterator[Translation]:
        """Translates lines in their order.

        Args:
            lines: encoded lines without the newline; what is not UTF-8 is replaced by U+FFFD.
            progress: called with the number of lines after each batch.
        """
        remaining = iter(lines)
        while chunk := list(islice(remaining, LINES_AT_ONCE)):
            yield from self._translate_together(chunk, progress)

    def translate_texts(self, texts: Sequence[str]) -> list[str]:
        """Translations of strings."""
        return [translation.text for translation in self.translate(text.encode() for text in texts)]

    @abstractmethod
    def _translate_together(self, lines: list[bytes], progress: Callable[[int], None]) -> list[Translation]:
        """Sorts lines by length into batches, longest first, and puts the translations back in order."""


class Translator(LineTranslator):
    """Translates lines with a model in memory.

    Args:
        model: the translation model, float32.
        source_tokenizer: of the model's source side.
        target_tokenizer: of its target side.
        config: how to search; the language model that it names is loaded.

    Raises:
        DataError: that language model is missing or does not fit (see `nmt.fusion`).
        CorruptFileError: it does not match its checksums.
    """

    def __init__(
        self, model: Seq2Seq, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer, config: DecodingConfig
    ) -> None:
        self.model = model
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.config = config
        self.searcher = Searcher(model, config, fusion_partner(config, target_tokenizer))

    def search(self, sources: Sequence[Sequence[int]]) -> tuple[list[list[int]], np.ndarray]:
        """Translates one batch of token ids without start and end.

        Returns:
            The target's token ids of each row, without start and end, and the log-probabilities (batch,).
        """
        length = -(-(max(map(len, sources)) + 1) // LENGTH_STEP) * LENGTH_STEP
        source_ids = pad([np.array([*ids, END_ID], np.int32) for ids in sources], length)
        token_ids, log_probs = self.searcher.predict_on_batch(source_ids)
        return [row[: int(np.argmax(row == END_ID))].tolist() for row in token_ids], log_probs

    def _translate_together(self, lines: list[bytes], progress: Callable[[int], None]) -> list[Translation]:
        limit = self.config.max_source_tokens
        sources = self.source_tokenizer.encode_all([clean_line(line, self.config.max_source_bytes) for line in lines])
        cut = [
            len(ids) > limit or len(line) > self.config.max_source_bytes
            for ids, line in zip(sources, lines, strict=True)
        ]
        translations = [Translation("", 0.0, was_cut) for was_cut in cut]
        order = sorted((i for i, ids in enumerate(sources) if ids), key=lambda i: -len(sources[i]))
        progress(len(lines) - len(order))
        for start in range(0, len(order), self.config.batch_size):
            rows = order[start : start + self.config.batch_size]
            targets, log_probs = self.search([sources[i][:limit] for i in rows])
            for i, target, log_prob in zip(rows, targets, log_probs, strict=True):
                translations[i] = Translation(self.target_tokenizer.decode(target), float(log_prob), cut[i])
            progress(len(rows))
        return translations


def make_model(config: Config, source: Tokenizer, target: Tokenizer, use_cudnn: bool | str = "auto") -> Seq2Seq:
    """A float32 model for translation, with random weights.

    It has no recurrent dropout, because Keras' layers draw the mask even where they do not apply it.
    """
    sizes = config.model.model_copy(update={"recurrent_dropout": 0.0})
    return Seq2Seq(sizes, source.size, target.size, use_cudnn=use_cudnn)


def load_translator(
    folder: Path, checkpoint: str = "best", decoding: DecodingConfig | None = None, use_cudnn: bool | str = "auto"
) -> Translator:
    """A translator from a run folder.

    Args:
        folder: the run folder.
        checkpoint: `best` or `last`.
        decoding: instead of the run's own.
        use_cudnn: see `Seq2Seq`.

    Raises:
        DataError: the folder is no run folder or has no checkpoint yet, or its language model does not fit.
        CorruptFileError: the checkpoint does not match its checksums.
    """
    run = RunFolder(folder)
    config = run.config()
    source, target = run.tokenizers()
    model = make_model(config, source, target, use_cudnn)
    load_weights(run.checkpoint(checkpoint), model)
    return Translator(model, source, target, decoding or config.decoding)
