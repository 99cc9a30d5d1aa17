"""From attention over pieces to an alignment of words, inside the graph.

The same alignment as `nmt.translation.alignment`, in operations instead of Python, for the signature `nbest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from nmt.tokenizer import UNKNOWN_ID
from nmt.translation.alignment import SPACE


class WordTable(NamedTuple):
    """What each piece of a vocabulary does to the words of a text; each (vocabulary,), int32.

    Attributes:
        words: words in the piece's own text.
        begins: 1 where its text begins within a word.
        ends: 1 where its text ends within a word.
    """

    words: np.ndarray
    begins: np.ndarray
    ends: np.ndarray


def word_table(pieces: Sequence[str], unknown_text: str) -> WordTable:
    """The table of a vocabulary.

    Args:
        pieces: by their ids.
        unknown_text: what the unknown token stands for: a word by itself in a translation (" ⁇ "), a character of its
            word in a source.
    """
    texts = [piece.replace(SPACE, " ") for piece in pieces]
    texts[UNKNOWN_ID] = unknown_text
    return WordTable(
        *(
            np.array(column, np.int32)
            for column in (
                [len(text.split()) for text in texts],
                [text[:1].strip() != "" for text in texts],
                [text[-1:].strip() != "" for text in texts],
            )
        )
    )


def alignments(attention: Any, source: tuple[Any, Any], target: tuple[Any, Any]) -> Any:
    """Gives each word of a translation the source word that its pieces attend to most.

    Args:
        attention: of target pieces to source pieces; (rows, target_length, source_length).
        source: the word of each piece, from 0, and -1 where there is none (rows, source_length); words of each row
            (rows,).
        target: the same of the translation.

    Returns:
        Alignments in Pharaoh format, `0-0 2-1`; (rows,).
    """
    (source_words, source_counts), (target_words, target_counts) = source, target
    weights = tf.matmul(_membership(target_words), tf.matmul(attention, _membership(source_words)), transpose_a=True)
    is_word = tf.range(tf.shape(weights)[2]) < source_counts[:, tf.newaxis]  # (rows, source words)
    best = tf.argmax(tf.where(is_word[:, tf.newaxis], weights, -1.0), axis=2, output_type=tf.int32)
    places = tf.broadcast_to(tf.range(tf.shape(best)[1]), tf.shape(best))  # (rows, target words)
    pairs = tf.strings.join([tf.strings.as_string(best), tf.strings.as_string(places)], "-")
    is_aligned = tf.logical_and(places < target_counts[:, tf.newaxis], source_counts[:, tf.newaxis] > 0)
    return tf.strings.strip(tf.strings.reduce_join(tf.where(is_aligned, pairs, ""), axis=1, separator=" "))


def words_of(token_ids: Any, is_piece: Any, table: WordTable) -> tuple[Any, Any]:
    """The word that each piece belongs to, as `nmt.translation.alignment.word_numbers` counts them.

    Args:
        token_ids: (rows, length).
        is_piece: where there is one, from the left on; (rows, length).
        table: of the vocabulary.

    Returns:
        Each piece's word, from 0, and -1 where there is no piece (rows, length); words of each row (rows,).
    """
    kept = tf.cast(is_piece, tf.int32)
    words, begins, ends = (tf.gather(tf.constant(column), token_ids) * kept for column in table)
    ends_before = tf.pad(ends[:, :-1], [[0, 0], [1, 0]])
    counts = tf.cumsum(words - begins * ends_before, axis=1)  # words up to each piece
    totals = tf.reduce_max(counts, axis=1, keepdims=True)
    numbers = tf.minimum(tf.where(words > 0, counts - 1, counts), tf.maximum(totals - 1, 0))
    has_pieces = tf.reduce_max(kept, axis=1)
    return tf.where(is_piece, numbers, -1), tf.maximum(totals[:, 0], 1) * has_pieces


def _membership(words: Any) -> Any:
    """1 where a piece belongs to a word; (rows, length, words)."""
    return tf.one_hot(words, tf.reduce_max(tf.pad(words, [[0, 1], [0, 0]])) + 1)  # without rows: one word
