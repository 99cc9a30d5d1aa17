"""From attention over pieces to an alignment of words, as Pharaoh format writes it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from nmt.tokenizer import UNKNOWN_PIECE, UNKNOWN_TEXT

SPACE = "\u2581"  # SentencePiece's sign for a space: a piece that begins with it begins a word


class Alignment(NamedTuple):
    """Pairs (word of the source, word of the translation), from 0, in the order of the translation's words."""

    pairs: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        """Pharaoh format: `0-0 2-1`."""
        return " ".join(f"{source}-{target}" for source, target in self.pairs)


def align(attention: np.ndarray, source_pieces: Sequence[str], target_pieces: Sequence[str]) -> Alignment:
    """Gives each word of the translation the source word that its pieces attend to most.

    Args:
        attention: of target pieces to source pieces, each with an end of sentence that belongs to no word;
            (target_pieces + 1, source_pieces + 1).
        source_pieces: the source's tokens.
        target_pieces: the translation's.
    """
    if not source_pieces or not target_pieces:
        return Alignment(())
    weights = attention[: len(target_pieces), : len(source_pieces)]
    by_words = _membership(target_pieces).T @ weights @ _membership(source_pieces)  # (target words, source words)
    return Alignment(tuple((int(source), target) for target, source in enumerate(by_words.argmax(axis=1))))


def word_numbers(pieces: Sequence[str]) -> list[int]:
    """The number of the word that each piece belongs to, from 0.

    Words are what white space divides the text into. A space by itself belongs to the word behind it, and an unknown
    token is a word, since it is written as one.
    """
    texts = [UNKNOWN_TEXT if piece == UNKNOWN_PIECE else piece.replace(SPACE, " ") for piece in pieces]
    words = [len(text.split()) for text in accumulate(texts)]  # up to each piece
    numbers = [count - 1 if text.strip() else count for count, text in zip(words, texts, strict=True)]
    return [min(number, max(words[-1] - 1, 0)) for number in numbers]


def _membership(pieces: Sequence[str]) -> np.ndarray:
    """1 where a piece belongs to a word; (pieces, words)."""
    numbers = np.array(word_numbers(pieces))
    belongs: np.ndarray = numbers[:, None] == np.arange(numbers[-1] + 1)
    return belongs.astype(np.float32)
