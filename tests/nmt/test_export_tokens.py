"""Tokenization inside the SavedModel's graph: the same tokens and the same text as SentencePiece's own library."""

from __future__ import annotations

import random

import numpy as np
import pytest
import tensorflow as tf
from random_runs import HARD_TEXTS, SENTENCES, train_subwords

from nmt.config import DecodingConfig
from nmt.export.text import TextTokenizers
from nmt.export.token_rows import ended
from nmt.tokenizer import END_ID, PAD_ID, UNKNOWN_ID, Tokenizer, clean_line


@pytest.fixture(scope="module", params=["unigram", "bpe", "char", "identity"])
def subwords(request: pytest.FixtureRequest) -> Tokenizer:
    """One subword model of each kind."""
    if request.param == "identity":
        return train_subwords("unigram", normalization="identity")
    return train_subwords(request.param)


def tokenizers(subwords: Tokenizer, decoding: DecodingConfig) -> TextTokenizers:
    """The graph's tokenizers, with one subword model on both sides."""
    return TextTokenizers([subwords.model], subwords.model, decoding)


def encode(subwords: Tokenizer, lines: list[bytes], decoding: DecodingConfig) -> tuple[list[list[int]], list[bool]]:
    """What the graph makes of lines: ids with the end of sentence, without padding, and whether each was cut."""
    read = tokenizers(subwords, decoding).read(tf.constant(lines))
    rows = [[int(i) for i in row if i != PAD_ID] for row in read.token_ids[0].numpy()]
    assert [len(row) - 1 for row in rows] == read.lengths[0].numpy().tolist()
    return rows, read.cut.numpy().tolist()


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
    is_there = np.arange(500) != 7
    texts = tokenizers(subwords, DecodingConfig()).write(tf.constant(token_ids), tf.constant(is_there)).numpy()
    expected = [subwords.decode(row.tolist()) if there else "" for row, there in zip(token_ids, is_there, strict=True)]
    assert [text.decode() for text in texts] == expected


def test_what_stands_behind_the_length_of_a_row_is_not_read() -> None:
    token_ids = tf.constant([[7, 8, 9], [7, 8, 9], [7, 8, 9]])
    rows = ended(token_ids, tf.constant([0, 2, 3])).numpy()
    assert rows[:, :4].tolist() == [[END_ID, 0, 0, 0], [7, 8, END_ID, 0], [7, 8, 9, END_ID]]
    assert rows.shape == (3, 8) and not rows[:, 4:].any()


def test_lengths_of_rows_are_multiples_of_eight() -> None:
    assert ended(tf.zeros((0, 0), tf.int32), tf.zeros(0, tf.int32)).shape == (0, 8)
    assert ended(tf.fill((1, 7), 5), tf.constant([7])).shape == (1, 8)
    assert ended(tf.fill((1, 30), 5), tf.constant([8])).shape == (1, 16)
