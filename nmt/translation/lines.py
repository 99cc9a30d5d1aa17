"""Translations of lines, and what makes them, whatever it is: a model in memory or a SavedModel. Knows no model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, islice, zip_longest
from typing import Any, NamedTuple

import numpy as np

from nmt.errors import DataError
from nmt.translation.alignment import Alignment, align

LINES_AT_ONCE = 2_048  # sorted by length together; what a stream holds in memory


@dataclass(frozen=True)
class Hypothesis:
    """One translation of a line.

    Attributes:
        text: the translation; empty for a line without tokens.
        log_prob: natural logarithm of its probability (with a shortlist, among its tokens), plus the weighted one of a
            language model where it is asked; 0 for a line without tokens.
        score: what search ranks by: `log_prob`, with the rules' penalties, over the length penalty.
        pieces: its tokens, for reading; a SavedModel does not tell them.
        attention: of each piece and the end of sentence (rows) to each source piece and its end (columns), where it was
            asked for; each row sums to 1.
        source_pieces: the source's tokens, where the attention was asked for.
    """

    text: str
    log_prob: float
    score: float
    pieces: tuple[str, ...] = ()
    attention: np.ndarray | None = field(default=None, compare=False)  # arrays are not equal or unequal as a whole
    source_pieces: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The text with a space for each line break, of whatever kind."""
        return " ".join(self.text.splitlines())

    @cached_property
    def alignment(self) -> Alignment:
        """Which word of the source each word of the translation attends to most (see `nmt.translation.alignment`)."""
        if self.attention is None:
            return Alignment(())
        return align(self.attention, self.source_pieces, self.pieces)


@dataclass(frozen=True)
class Translation:
    """One line's translation.

    Attributes:
        hypotheses: the best one first, one at least; of sampling without minimum Bayes risk as they were drawn.
        cut: whether the line was too long and only its beginning was translated.
    """

    hypotheses: tuple[Hypothesis, ...]
    cut: bool = False

    @property
    def best(self) -> Hypothesis:
        """The chosen one."""
        return self.hypotheses[0]

    @property
    def text(self) -> str:
        """The chosen one's text."""
        return self.best.text

    @property
    def log_prob(self) -> float:
        """The chosen one's log-probability."""
        return self.best.log_prob

    @property
    def score(self) -> float:
        """The chosen one's score."""
        return self.best.score

    @property
    def line(self) -> str:
        """The chosen one's text in one line."""
        return self.best.line


class Line(NamedTuple):
    """A line to translate.

    Attributes:
        text: encoded, without the newline; what is not UTF-8 is replaced by U+FFFD.
        number: its place in the whole text, from 0: with the seed it says which random numbers it gets.
        prefix: what its translation shall begin with.
    """

    text: bytes
    number: int = 0
    prefix: str = ""


class LineTranslator(ABC):
    """What translates lines: a model in memory, or a SavedModel.

    Attributes:
        max_source_bytes: of a longer line, only so much is read.
    """

    max_source_bytes = 2**20

    def translate(
        self,
        lines: Iterable[bytes],
        progress: Callable[[int], None] = lambda lines: None,
        prefixes: Iterable[str] | None = None,
        first_line: int = 0,
    ) -> Iterator[Translation]:
        """Translates lines in their order.

        Args:
            lines: encoded lines without the newline; what is not UTF-8 is replaced by U+FFFD.
            progress: called with the number of lines after each batch.
            prefixes: what the translation of each line begins with; empty for none.
            first_line: number of the first line in the whole text.

        Raises:
            DataError: a prefix leaves no room for a translation, or there are not as many as lines.
        """
        remaining = _numbered(lines, prefixes, first_line)
        while chunk := list(islice(remaining, LINES_AT_ONCE)):
            yield from self._translate_together(chunk, progress)

    def translate_texts(self, texts: Sequence[str]) -> list[str]:
        """Translations of strings."""
        return [translation.text for translation in self.translate(text.encode() for text in texts)]

    @property
    def description(self) -> dict[str, Any]:
        """What translations depend on, as JSON values."""
        return {}

    @abstractmethod
    def check_prefix(self, number: int, prefix: str) -> None:
        """Refuses what the translation of line `number`, from 0, cannot begin with.

        Raises:
            DataError: it leaves no room for a translation, or the model takes none.
        """

    @abstractmethod
    def _translate_together(self, lines: list[Line], progress: Callable[[int], None]) -> list[Translation]:
        """Sorts lines by length into batches, longest first, and puts the translations back in order."""


def _numbered(lines: Iterable[bytes], prefixes: Iterable[str] | None, first_line: int) -> Iterator[Line]:
    if prefixes is None:
        yield from map(Line, lines, count(first_line))
        return
    for number, (text, prefix) in enumerate(zip_longest(lines, prefixes), first_line):
        if text is None or prefix is None:
            missing = "prefix" if prefix is None else "line"
            raise DataError(
                f"prefixes: expected one for each line, received no {missing} number {number + 1}; an empty prefix is "
                f"none"
            )
        yield Line(text, number, prefix)
