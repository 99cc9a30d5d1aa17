"""Scores of text under a language model: log-probability of each line, perplexity and bits per character of all.

Lines are read one after the other with the state carried on, as the model was trained, or each by itself. Knows no run
folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, tee
from typing import Any

import keras
import numpy as np
from keras import ops

from nmt.batches import pad
from nmt.language_model import LanguageModel
from nmt.tokenizer import END_ID, UNKNOWN_ID, Tokenizer

LINES_AT_ONCE = 1_024  # tokenized together; of lines by themselves, sorted by length too
ROWS = 32
SEGMENT_LENGTH = 128  # tokens that are read in one call of the model
LENGTH_STEP = 8  # lengths are padded to multiples, so that few shapes occur


@dataclass(frozen=True)
class LineScore:
    """One line under a language model.

    Attributes:
        log_prob: natural logarithm of the line's probability, its end included.
        tokens: tokens of the line, its end included.
        unknown: those of them that the subword model does not know.
        characters: characters of the line, its newline included.
    """

    log_prob: float
    tokens: int
    unknown: int
    characters: int


@dataclass(frozen=True)
class TextScore:
    """A whole text under a language model: the sums over its lines (see `LineScore`)."""

    lines: int = 0
    log_prob: float = 0.0
    tokens: int = 0
    unknown: int = 0
    characters: int = 0

    def plus(self, line: LineScore) -> TextScore:
        """The score with one more line."""
        return TextScore(
            self.lines + 1,
            self.log_prob + line.log_prob,
            self.tokens + line.tokens,
            self.unknown + line.unknown,
            self.characters + line.characters,
        )

    @property
    def perplexity(self) -> float:
        """The exponential of the cross-entropy a token; not a number for a text without lines."""
        return math.exp(-self.log_prob / self.tokens) if self.tokens else math.nan

    @property
    def bits_per_character(self) -> float:
        """Cross-entropy a character, in bits, to be compared between subword models; without lines not a number."""
        return max(0.0, -self.log_prob) / math.log(2.0) / self.characters if self.characters else math.nan

    def __str__(self) -> str:
        unknown = f" ({self.unknown:,} unknown)" if self.unknown else ""
        return (
            f"{self.lines:,} lines, {self.tokens:,} tokens{unknown}, {self.characters:,} characters: perplexity "
            f"{self.perplexity:,.2f}, {self.bits_per_character:.3f} bits per character"
        )


class Reader(keras.Model):
    """Tokens and the state before them to the log-probabilities of the tokens that follow, in one graph.

    Args:
        model: the language model.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__(name="reader")
        self.model = model

    def call(self, inputs: dict[str, Any]) -> tuple[Any, Any]:
        """Log-probabilities of `labels` (rows, length) after `token_ids` (rows, length), and the state after them."""
        logits, state = self.model.read(inputs["token_ids"], inputs["state"])  # (rows, length, vocabulary)
        logits = ops.cast(logits, "float32")
        chosen = ops.take_along_axis(logits, inputs["labels"][:, :, None], axis=-1)[:, :, 0]
        return chosen - ops.logsumexp(logits, axis=-1), state


class LineScorer:
    """Scores lines with a language model.

    Args:
        model: the language model, float32.
        tokenizer: its own.
        independent: read each line by itself, from a zero state; else the state goes on from line to line.
    """

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, independent: bool = False) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.independent = independent
        self.reader = Reader(model)

    def score(
        self, lines: Iterable[bytes], progress: Callable[[int], None] = lambda lines: None
    ) -> Iterator[LineScore]:
        """Scores lines in their order.

        Args:
            lines: encoded lines without the newline; what is not UTF-8 is replaced by U+FFFD.
            progress: called with numbers of lines that are done.
        """
        ahead, behind = tee(self._encoded(lines))
        log_probs = (self._apart if self.independent else self._carried)(ids for _, ids in ahead)
        for (text, ids), log_prob in zip(behind, log_probs, strict=True):
            progress(1)
            yield LineScore(log_prob, len(ids) + 1, ids.count(UNKNOWN_ID), len(text) + 1)

    def _encoded(self, lines: Iterable[bytes]) -> Iterator[tuple[str, list[int]]]:
        """Each line's text and token ids without the end."""
        remaining = iter(lines)
        while window := list(islice(remaining, LINES_AT_ONCE)):
            texts = [line.decode("utf-8", errors="replace") for line in window]
            yield from zip(texts, self.tokenizer.encode_all(texts), strict=True)

    def _carried(self, lines: Iterable[list[int]]) -> Iterator[float]:
        """Log-probability of each line, one after the other."""
        ahead, behind = tee(lines)
        log_probs = self._log_probs_of_stream((*ids, END_ID) for ids in ahead)
        for ids in behind:
            yield sum(islice(log_probs, len(ids) + 1))

    def _log_probs_of_stream(self, lines: Iterable[tuple[int, ...]]) -> Iterator[float]:
        """Log-probability of each token of lines that are read as one."""
        tokens = chain.from_iterable(lines)
        state, last = self.model.first_state(1), END_ID  # the first line, too, comes after an end
        while labels := list(islice(tokens, SEGMENT_LENGTH)):
            segment = pad([np.array(labels, np.int32)], SEGMENT_LENGTH)  # only the last one is padded
            log_probs, state = self._read(segment, np.array([last], np.int32), state)
            yield from log_probs[0, : len(labels)].tolist()
            last = labels[-1]

    def _apart(self, lines: Iterable[list[int]]) -> Iterator[float]:
        """Log-probability of each line by itself: sorted by length into batches, and put back in order."""
        remaining = iter(lines)
        while window := list(islice(remaining, LINES_AT_ONCE)):
            order = sorted(range(len(window)), key=lambda i: len(window[i]))
            found: dict[int, float] = {}
            for start in range(0, len(order), ROWS):
                rows = order[start : start + ROWS]
                found |= zip(rows, self._batch([window[i] for i in rows]), strict=True)
            yield from (found[i] for i in range(len(window)))

    def _batch(self, lines: list[list[int]]) -> list[float]:
        """Log-probability of each line of a batch, segment by segment: a long line must not fill the memory."""
        lengths = np.array([len(ids) + 1 for ids in lines])
        length = -(-int(lengths.max()) // LENGTH_STEP) * LENGTH_STEP
        labels = pad([np.array([*ids, END_ID], np.int32) for ids in lines], length)  # (rows, length)
        state, last = self.model.first_state(len(lines)), np.full((len(lines),), END_ID, np.int32)
        totals = np.zeros(len(lines))
        for start in range(0, length, SEGMENT_LENGTH):
            segment = labels[:, start : start + SEGMENT_LENGTH]
            log_probs, state = self._read(segment, last, state)
            counts = start + np.arange(segment.shape[1]) < lengths[:, None]  # (rows, length of the segment)
            totals += np.where(counts, log_probs, 0.0).sum(axis=1)
            last = segment[:, -1]
        return [float(total) for total in totals]

    def _read(self, labels: np.ndarray, last: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        """Log-probabilities of labels (rows, length) after the last tokens (rows,) and a state; the new state."""
        token_ids = np.concatenate([last[:, None], labels[:, :-1]], axis=1)
        log_probs, state = self.reader.predict_on_batch({"token_ids": token_ids, "labels": labels, "state": state})
        return log_probs, state
