"""Tokenization inside the SavedModel's graph: the same tokens and the same text as SentencePiece's own library."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from random_runs import HARD_TEXTS, SENTENCES, train_subwords

from nmt.config import DecodingConfig
from nmt.export import StringTranslator
from nmt.search import Hypotheses
from nmt.tokenizer import END_ID, PAD_ID, UNKNOWN_ID, Tokenizer, clean_line


@pytest.fixture(scope="module", params=["unigram", "bpe", "char", "identity"])
def subwords(request: pytest.FixtureRequest) -> Tokenizer:
    """One subword model of each kind."""
    if request.param == "identity":
        return train_subwords("unigram", normalization="identity")
    return train_subwords(request.param)


class SearchResult:
    """A searcher whose answer is known."""

    def __init__(self, token_ids: np.ndarray) -> None:
        self.variables: list[Any] = []
        self.token_ids = token_ids

    def __call__(self, _inputs: Any) -> Hypotheses:
        figures = tf.zeros((len(self.token_ids), 1))
        return Hypotheses(tf.constant(self.token_ids)[:, None], figures, figures)


def encode(subwords: Tokenizer, lines: list[bytes], decoding: DecodingConfig) -> tuple[list[list[int]], list[bool]]:
    """What the graph makes of lines: ids with the end of sentence, without padding, and whether each was cut."""
    search: Any = SearchResult(np.zeros((0, 1)))
    module = StringTranslator(search, search, [subwords.model], subwords.model, decoding)
    (source_ids,), _, cut = module._read(tf.constant(lines))
    return [[int(i) for i in row if i != PAD_ID] for row in source_ids.numpy()], cut.numpy().tolist()


def random_lines() -> list[bytes]:
    """Short lines of bytes that are likely to break UTF-8, and of characters that are likely to be normalized."""
    generator = random.Random(11)
    lead_bytes = [0x20, 0x41, 0x7F, 0x80, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF]
    broken = [bytes(generator.choices(lead_bytes, k=generator.randrange(1, 9))) for _ in range(2_000)]
    characters = " \u2581\u3000ab가\u1100\u1161é\u0301\ufffd\u200d😀\n\t\x00ﬁ"
    normalized = ["".join(generator.choices(characters, k=generator.randrange(12))).encode() for _ in range(2_000)]
    return broken + normalized


def test_graph_and_library_make_the_same_tokens_of_hard_lines(subwords: Tokenizer) -> None:
    decoding = DecodingConfig(max_source_tokens=10_000)
    lines = HARD_TEXTS + random_lines()
    token_ids, cut = encode(subwords, lines, decoding)
    expected = [[*subwords.encode(clean_line(line, decoding.max_source_bytes)), END_ID] for line in lines]
    assert token_ids == expected
    assert cut == [len(line) > decoding.max_source_bytes for line in lines]


def test_graph_cuts_after_bytes_and_after_tokens(subwords: Tokenizer) -> None:
    line = " ".join(SENTENCES[:5]).encode()
    ids = subwords.encode(line.decode())
    assert encode(subwords, [line], DecodingConfig(max_source_tokens=len(ids))) == ([[*ids, END_ID]], [False])
    assert encode(subwords, [line], DecodingConfig(max_source_tokens=3)) == ([[*ids[:3], END_ID]], [True])
    assert encode(subwords, [line], DecodingConfig(max_source_bytes=len(line)))[1] == [False]
    assert encode(subwords, [line], DecodingConfig(max_source_bytes=len(line) - 1))[1] == [True]


def test_graph_and_library_make_the_same_text_of_any_tokens(subwords: Tokenizer) -> None:
    generator = np.random.default_rng(2)
    token_ids = generator.integers(END_ID + 1, subwords.size, size=(500, 9)).astype(np.int32)
    token_ids[generator.random(token_ids.shape) < 0.2] = UNKNOWN_ID
    token_ids[np.arange(500), generator.integers(0, 9, size=500)] = END_ID
    after_end = np.cumsum(token_ids == END_ID, axis=1) - (token_ids == END_ID) > 0
    token_ids[after_end] = PAD_ID
    search: Any = SearchResult(token_ids)
    module = StringTranslator(search, search, [subwords.model], subwords.model, DecodingConfig())
    texts = module.translate(tf.constant([b"the cat"] * 500))["translation"].numpy()
    assert [text.decode() for text in texts] == [subwords.decode(row.tolist()) for row in token_ids]
