"""Alignments made inside the graph: those of `nmt.translation.alignment`, which makes them of words."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from nmt.export.alignment import alignments, word_table, words_of
from nmt.tokenizer import PAD_ID, UNKNOWN_ID, UNKNOWN_PIECE, UNKNOWN_TEXT
from nmt.translation.alignment import align, word_numbers

PIECES = ["<pad>", UNKNOWN_PIECE, "<s>", "</s>", "▁", "▁a", "b", "▁c▁d", "e▁", "▁f▁", "."]


def random_rows(rows: int, length: int, seed: int) -> np.ndarray:
    """Token ids, each row of another length and padded."""
    generator = np.random.default_rng(seed)
    token_ids = generator.integers(4, len(PIECES), size=(rows, length)).astype(np.int32)
    token_ids[generator.random(token_ids.shape) < 0.1] = UNKNOWN_ID
    token_ids[np.arange(length) >= generator.integers(0, length + 1, size=rows)[:, None]] = PAD_ID
    return token_ids


def pieces_of(row: np.ndarray) -> list[str]:
    return [PIECES[i] for i in row if i != PAD_ID]


def test_counts_words_as_the_text_has_them() -> None:
    token_ids = random_rows(400, 9, seed=1)
    numbers, counts = words_of(tf.constant(token_ids), token_ids != PAD_ID, word_table(PIECES, UNKNOWN_TEXT))
    for row, found, count in zip(token_ids, numbers.numpy(), counts.numpy(), strict=True):
        pieces = pieces_of(row)
        expected = word_numbers(pieces) if pieces else []
        assert found[: len(pieces)].tolist() == expected
        assert (found[len(pieces) :] == -1).all()
        assert count == (max(expected) + 1 if pieces else 0)


def test_an_unknown_character_of_a_source_belongs_to_its_word() -> None:
    token_ids = tf.constant([[PIECES.index("▁a"), UNKNOWN_ID, PIECES.index("b"), PIECES.index("▁a")]])
    numbers, counts = words_of(token_ids, token_ids > 0, word_table(PIECES, "x"))
    assert (numbers.numpy().tolist(), counts.numpy().tolist()) == ([[0, 0, 0, 1]], [2])


def test_aligns_as_python_does() -> None:
    sources, targets = random_rows(200, 7, seed=2), random_rows(200, 6, seed=3)
    attention = np.random.default_rng(4).random((200, 6, 7)).astype(np.float32)
    table = word_table(PIECES, UNKNOWN_TEXT)
    of_sources, of_targets = (words_of(tf.constant(ids), ids != PAD_ID, table) for ids in (sources, targets))
    found = alignments(tf.constant(attention), of_sources, of_targets).numpy()
    expected = [
        str(align(weights, pieces_of(source), pieces_of(target)))
        for weights, source, target in zip(attention, sources, targets, strict=True)
    ]
    assert [text.decode() for text in found] == expected
    assert len(set(expected)) > 50 and "" in expected


def test_no_rows_have_no_alignments() -> None:
    nothing = tf.zeros((0, 3), tf.int32)
    words = words_of(nothing, nothing > 0, word_table(PIECES, UNKNOWN_TEXT))
    assert alignments(tf.zeros((0, 3, 3)), words, words).shape == (0,)
