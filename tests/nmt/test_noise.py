"""Noise on the tiny corpus' number words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nmt.config import Config
from nmt.noise import TokenNoise, hide_words, make_noise
from nmt.tokenizer import UNKNOWN_ID, Tokenizer

Tokenizers = tuple[Tokenizer, Tokenizer]
MakeNoise = Callable[..., TokenNoise]
SOURCES = ["one two three", "seven", "nine eight zero"] * 20
TARGETS = ["eins zwei drei", "sieben", "neun acht null"] * 20


@pytest.fixture
def noise(tiny_config: Callable[..., Config], tokenizers: Tokenizers) -> MakeNoise:
    """Makes noise with the given settings of `training`."""

    def make(max_tokens: int = 200, **training: Any) -> TokenNoise:
        filters = {"filters": {"max_tokens": max_tokens}}
        made = make_noise(tiny_config(training=training, corpus=filters), tokenizers)
        assert made is not None
        return made

    return make


@pytest.fixture
def batch(tokenizers: Tokenizers) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The token ids of SOURCES and TARGETS."""
    source, target = (
        [np.array(ids, np.int32) for ids in tokenizer.encode_all(texts)]
        for tokenizer, texts in zip(tokenizers, (SOURCES, TARGETS), strict=True)
    )
    return source, target


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def lists(arrays: list[np.ndarray]) -> list[list[int]]:
    return [ids.tolist() for ids in arrays]


@pytest.mark.parametrize("name", ["subword_sampling", "source_word_dropout", "target_word_dropout"])
def test_there_is_noise_only_where_some_is_switched_on(
    tiny_config: Callable[..., Config], tokenizers: Tokenizers, name: str
) -> None:
    assert make_noise(tiny_config(), tokenizers) is None
    assert make_noise(tiny_config(training={name: 0.1}), tokenizers) is not None


def test_same_generator_same_noise(noise: MakeNoise, batch: Any) -> None:
    settings = {"subword_sampling": 0.2, "source_word_dropout": 0.2, "target_word_dropout": 0.2}
    first, again, other = (noise(**settings)(*batch, generator(seed)) for seed in (1, 1, 2))
    for side in range(3):
        assert lists(first[side]) == lists(again[side])
        assert lists(first[side]) != lists(other[side])


def test_what_came_before_does_not_count(noise: MakeNoise, batch: Any) -> None:
    """A resumed training meets its first batch with an empty cache."""
    made = noise(subword_sampling=0.2)
    made(*batch, generator(3))
    fresh = noise(subword_sampling=0.2)
    for now, expected in zip(made(*batch, generator()), fresh(*batch, generator()), strict=True):
        assert lists(now) == lists(expected)


def test_sampling_cuts_both_sides_anew_and_keeps_the_text(noise: MakeNoise, batch: Any, tokenizers: Tokenizers) -> None:
    sources, inputs, labels = noise(subword_sampling=0.2)(*batch, generator())
    assert lists(sources) != lists(batch[0]) and lists(labels) != lists(batch[1])
    assert [tokenizers[0].decode(ids) for ids in lists(sources)] == SOURCES
    assert [tokenizers[1].decode(ids) for ids in lists(labels)] == TARGETS
    assert lists(inputs) == lists(labels)


def test_a_sample_that_is_too_long_is_not_taken(noise: MakeNoise, batch: Any) -> None:
    limit = max(len(ids) for ids in batch[0])
    free, _, _ = noise(subword_sampling=0.2)(*batch, generator())
    limited, _, _ = noise(subword_sampling=0.2, max_tokens=limit)(*batch, generator())
    assert any(len(ids) > limit for ids in free)
    assert lists(limited) == [
        sample if len(sample) <= limit else ids for sample, ids in zip(lists(free), lists(batch[0]), strict=True)
    ]


def test_source_words_are_hidden(noise: MakeNoise, batch: Any) -> None:
    sources, inputs, labels = noise(source_word_dropout=0.5)(*batch, generator())
    assert share_hidden(sources, batch[0]) == pytest.approx(0.5, abs=0.15)
    assert lists(inputs) == lists(labels) == lists(batch[1])


def test_target_words_are_hidden_from_the_decoder_alone(noise: MakeNoise, batch: Any) -> None:
    sources, inputs, labels = noise(target_word_dropout=0.3)(*batch, generator())
    assert share_hidden(inputs, batch[1]) == pytest.approx(0.3, abs=0.15)
    assert lists(sources) == lists(batch[0])
    assert lists(labels) == lists(batch[1])


def test_hidden_words_of_a_sample(noise: MakeNoise, batch: Any) -> None:
    """Both noises together: the decoder reads the labels' cut with holes."""
    _, inputs, labels = noise(subword_sampling=0.2, target_word_dropout=0.5)(*batch, generator())
    assert 0.35 < share_hidden(inputs, labels) < 0.65


def test_hiding_draws_one_number_a_token() -> None:
    first, second = np.random.default_rng(1).random(2)
    ids = [np.array([5, 6], np.int32)]
    between = (first + second) / 2
    expected = [UNKNOWN_ID if first < between else 5, UNKNOWN_ID if second < between else 6]
    hidden = hide_words(ids, between, generator())
    assert lists(hidden) == [expected] and hidden[0].dtype == np.int32
    assert lists(ids) == [[5, 6]]


def share_hidden(after: list[np.ndarray], before: list[np.ndarray]) -> float:
    """Share of the tokens that became unknown; the others must be as before."""
    old, new = np.concatenate(before), np.concatenate(after)
    assert np.array_equal(new[new != UNKNOWN_ID], old[new != UNKNOWN_ID])
    return float((new == UNKNOWN_ID).mean())
