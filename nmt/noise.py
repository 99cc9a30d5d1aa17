"""Noise on the training text: other subwords in each epoch, words that are hidden.

Every random number comes from the generator that is passed in, so the same generator gives the same noise. Knows token
ids, and nothing of batches or models.
"""

from __future__ import annotations

import random

import numpy as np

from nmt.config import Config
from nmt.subword_sampling import SubwordSampler, make_sampler
from nmt.tokenizer import UNKNOWN_ID, Tokenizer

SEEDS = 2**32


class TokenNoise:
    """Cuts sentences into other subwords and hides tokens behind the unknown one, as configured.

    A sentence that would get more tokens than `corpus.filters.max_tokens` is not cut anew.

    Args:
        config: names the kinds of noise and how much of each.
        tokenizers: the source's and the target's.
    """

    def __init__(self, config: Config, tokenizers: tuple[Tokenizer, Tokenizer]) -> None:
        self._config = config.training
        self._max_tokens = config.corpus.filters.max_tokens
        strength = config.training.subword_sampling
        self._samplers = (
            [make_sampler(config.subword.model, tokenizer, strength) for tokenizer in tokenizers] if strength else []
        )

    def __call__(
        self, sources: list[np.ndarray], targets: list[np.ndarray], generator: np.random.Generator
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """Makes a batch noisy.

        Args:
            sources: token ids of each sentence, without start and end; each (tokens,), int32.
            targets: their translations, likewise.
            generator: moves on by what is drawn.

        Returns:
            The source ids, the target ids that the decoder reads, and the target ids that it should answer, all
            without start and end. The last two are cut alike; only the first two have hidden words.
        """
        if self._samplers:
            sources, targets = (
                self._cut_anew(sentences, sampler, generator)
                for sentences, sampler in zip((sources, targets), self._samplers, strict=True)
            )
        return (
            hide_words(sources, self._config.source_word_dropout, generator),
            hide_words(targets, self._config.target_word_dropout, generator),
            targets,
        )

    def _cut_anew(
        self, sentences: list[np.ndarray], sampler: SubwordSampler, generator: np.random.Generator
    ) -> list[np.ndarray]:
        draw = random.Random(int(generator.integers(SEEDS))).random  # one by one faster than NumPy's
        samples = [sampler(ids, draw) for ids in sentences]
        return [
            sample if len(sample) <= self._max_tokens else ids for ids, sample in zip(sentences, samples, strict=True)
        ]


def make_noise(config: Config, tokenizers: tuple[Tokenizer, Tokenizer]) -> TokenNoise | None:
    """The noise of a configuration; None where none is switched on."""
    training = config.training
    if training.subword_sampling is None and not training.source_word_dropout and not training.target_word_dropout:
        return None
    return TokenNoise(config, tokenizers)


def hide_words(sentences: list[np.ndarray], share: float, generator: np.random.Generator) -> list[np.ndarray]:
    """Replaces each token by the unknown one with probability `share` (Bowman et al. 2016, section 3.1)."""
    if not share:
        return sentences
    return [np.where(generator.random(len(ids)) < share, UNKNOWN_ID, ids) for ids in sentences]
