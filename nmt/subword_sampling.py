"""Cuts a sentence into other subwords than the best ones: sampling for unigram models, dropout for BPE.

SentencePiece does this too, but salts its random numbers anew in every process (tried with 0.2.3), and a resumed
training could not repeat them. Here all chance comes from `draw`, a function that returns numbers in [0, 1). Pieces do
not reach over a space, so a sentence is cut word by word. Knows no files and no batches.
"""

from __future__ import annotations

import math
import re
from bisect import bisect
from collections.abc import Callable
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import sentencepiece

from nmt.tokenizer import UNKNOWN_ID, Tokenizer

CACHED_WORDS = 2**15
WORD = re.compile("▁[^▁]*|[^▁]+")


class Arcs(NamedTuple):
    """The pieces that end at one place of a word, by where they start.

    Attributes:
        starts: where each piece starts.
        token_ids: the pieces.
        cumulative: probability of each piece and all before it, given that one ends here.
    """

    starts: list[int]
    token_ids: list[int]
    cumulative: list[float]


class SubwordSampler:
    """Cuts sentences anew; subclasses define how a word is cut.

    Args:
        tokenizer: the subword model.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
        special = (processor.is_control, processor.is_unknown, processor.is_byte, processor.is_unused)
        ids = [i for i in range(tokenizer.size) if not any(is_special(i) for is_special in special)]
        self.spelling = {i: str(processor.id_to_piece(i)) for i in ids}
        self.pieces = {piece: (i, float(processor.get_score(i))) for i, piece in self.spelling.items()}

    def __call__(self, token_ids: np.ndarray, draw: Callable[[], float]) -> np.ndarray:
        """Other token ids that decode to the same text; (tokens,) to (other tokens,), int32.

        A sentence with an unknown token keeps its ids, since they do not say what is written there.
        """
        if not self.spelling.keys() >= set(ids := token_ids.tolist()):
            return token_ids
        text = "".join(self.spelling[i] for i in ids)
        sample = [i for word in WORD.findall(text) for i in self.cut(word, draw)]
        return token_ids if UNKNOWN_ID in sample else np.array(sample, np.int32)

    def cut(self, word: str, draw: Callable[[], float]) -> list[int]:
        """Token ids of a word; the unknown one where no pieces make it up."""
        raise NotImplementedError(f"{type(self).__name__} must define cut()")


class UnigramSampler(SubwordSampler):
    """Draws a segmentation x with probability proportional to P(x)^smoothing (Kudo 2018, section 3.3).

    Forward filtering, backward sampling: the sums over all ways to a place in the word are computed once, then pieces
    are drawn from the end.

    Args:
        tokenizer: a unigram model.
        smoothing: 0 draws all segmentations alike; the larger, the nearer to the best one.
    """

    def __init__(self, tokenizer: Tokenizer, smoothing: float) -> None:
        super().__init__(tokenizer)
        self._smoothing = smoothing
        self._arcs = lru_cache(CACHED_WORDS)(self._make_arcs)

    def cut(self, word: str, draw: Callable[[], float]) -> list[int]:
        """Token ids of a word, drawn."""
        arcs, end, token_ids = self._arcs(word), len(word), []
        if not arcs[end].starts:
            return [UNKNOWN_ID]
        while end:
            starts, ids, cumulative = arcs[end]
            chosen = min(bisect(cumulative, draw()), len(ids) - 1)  # the last sum may round to just below 1
            token_ids.append(ids[chosen])
            end = starts[chosen]
        return token_ids[::-1]

    @cached_property
    def _longest(self) -> int:
        """Characters of the longest piece."""
        return max(map(len, self.pieces), default=0)

    def _make_arcs(self, word: str) -> list[Arcs]:
        """The pieces that end after each number of characters."""
        log_sums = [0.0]  # over all ways to here, of P^smoothing
        arcs = [Arcs([], [], [])]
        for end in range(1, len(word) + 1):
            within_reach = range(max(0, end - self._longest), end)
            starts = [i for i in within_reach if word[i:end] in self.pieces and log_sums[i] > -math.inf]
            found = [self.pieces[word[start:end]] for start in starts]
            logs = [log_sums[i] + self._smoothing * score for i, (_, score) in zip(starts, found, strict=True)]
            log_sums.append(_log_sum(logs))
            probabilities = (math.exp(log - log_sums[end]) for log in logs)
            arcs.append(Arcs(starts, [i for i, _ in found], list(accumulate(probabilities))))
        return arcs


class BpeSampler(SubwordSampler):
    """Merges pieces from characters on, and leaves out merges at random (Provilkov et al. 2020, algorithm 1).

    Args:
        tokenizer: a BPE model.
        dropout: probability that a merge is left out, drawn anew at each step; 1 leaves characters.
    """

    def __init__(self, tokenizer: Tokenizer, dropout: float) -> None:
        super().__init__(tokenizer)
        self._dropout = dropout
        self._merges = lru_cache(CACHED_WORDS)(self._find_merges)

    def cut(self, word: str, draw: Callable[[], float]) -> list[int]:
        """Token ids of a word, merged as far as chance allows."""
        parts = tuple(word)
        # Of the merges that are left, the best one is made: those after it need not be drawn.
        while (first := next((i for i in self._merges(parts) if draw() >= self._dropout), None)) is not None:
            parts = (*parts[:first], parts[first] + parts[first + 1], *parts[first + 2 :])
        return [self.pieces[part][0] if part in self.pieces else UNKNOWN_ID for part in parts]

    def _find_merges(self, parts: tuple[str, ...]) -> list[int]:
        """Where two neighbours make a piece; the best score first, and of equal ones the leftmost."""
        merged = [left + right for left, right in pairwise(parts)]
        return sorted(
            (i for i, piece in enumerate(merged) if piece in self.pieces),
            key=lambda i: -self.pieces[merged[i]][1],
        )


def _log_sum(logs: list[float]) -> float:
    """Logarithm of the sum of the exponentials."""
    largest = max(logs, default=-math.inf)
    return largest + math.log(sum(math.exp(log - largest) for log in logs)) if logs else largest


def make_sampler(model: str, tokenizer: Tokenizer, strength: float) -> SubwordSampler:
    """The sampler of a kind of subword model (`subword.model`), with `training.subword_sampling` as its strength."""
    return {"unigram": UnigramSampler, "bpe": BpeSampler}[model](tokenizer, strength)
