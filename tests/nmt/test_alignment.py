"""Alignments of words, from attention over pieces that was written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.tokenizer import UNKNOWN_TEXT
from nmt.translation.alignment import Alignment, align, word_numbers


def test_pharaoh_format_counts_from_zero() -> None:
    assert str(Alignment(((0, 0), (2, 1)))) == "0-0 2-1"
    assert str(Alignment(())) == ""


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], []),
        (["▁the", "▁dog"], [0, 1]),
        (["▁un", "like", "ly", "▁so"], [0, 0, 0, 1]),
        (["t", "h", "e", "▁", "d", "o", "g"], [0, 0, 0, 1, 1, 1, 1]),  # of characters; the space opens its word
        (["▁", "the", "▁dog"], [0, 0, 1]),
        (["▁the", "▁", "▁dog"], [0, 1, 1]),  # two spaces divide two words, not three
        (["▁the", "▁"], [0, 0]),
        (["▁", "▁"], [0, 0]),
        (["▁of▁course", "▁not"], [1, 2]),  # a piece of two words counts for the second
        (["▁the", "<unk>", "▁dog"], [0, 1, 2]),  # "the ⁇  dog"
        (["▁the", "▁", "<unk>", "."], [0, 1, 1, 2]),
    ],
)
def test_word_numbers(pieces: list[str], expected: list[int]) -> None:
    assert word_numbers(pieces) == expected


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.sampled_from(["▁", "▁a", "a", "bc", "▁d▁e", "<unk>", "."]), max_size=8))
def test_words_are_those_of_the_text(pieces: list[str]) -> None:
    """The last piece of each word has the number of that word in the text."""
    text = "".join(pieces).replace("<unk>", UNKNOWN_TEXT).replace("▁", " ")
    numbers = word_numbers(pieces)
    assert len(numbers) == len(pieces)
    assert numbers == sorted(numbers)
    assert max(numbers, default=0) == max(len(text.split()) - 1, 0)


def test_the_words_that_are_attended_to_most() -> None:
    """Two source words and an end, three target words and an end; the largest of each row by hand."""
    attention = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
    alignment = align(attention, ["▁small", "▁dog"], ["▁chien", "▁petit", "▁ici"])
    assert alignment.pairs == ((1, 0), (0, 1), (1, 2))
    assert str(alignment) == "1-0 0-1 1-2"


def test_pieces_of_a_word_count_together() -> None:
    """Source words 0.2 + 0.25 = 0.45 and 0.4: the largest single piece loses."""
    attention = np.array([[0.2, 0.25, 0.4, 0.15], [0.0, 0.0, 0.0, 1.0]])
    assert align(attention, ["▁un", "like", "▁so"], ["▁x"]).pairs == ((0, 0),)


def test_pieces_of_a_translated_word_count_together() -> None:
    """0.6 + 0.1 for the first source word, 0.3 + 0.9 for the second."""
    attention = np.array([[0.6, 0.3, 0.1], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0]])
    assert align(attention, ["▁a", "▁b"], ["▁x", "y"]).pairs == ((1, 0),)


def test_the_end_of_sentence_is_no_word() -> None:
    """What a word attends to outside of the words does not count, however much it is."""
    attention = np.array([[0.05, 0.15, 0.8], [0.0, 0.0, 1.0]])
    assert align(attention, ["▁a", "▁b"], ["▁x"]).pairs == ((1, 0),)


def test_of_equals_the_first() -> None:
    attention = np.array([[0.4, 0.4, 0.2], [0.0, 0.0, 1.0]])
    assert align(attention, ["▁a", "▁b"], ["▁x"]).pairs == ((0, 0),)


@pytest.mark.parametrize(("source", "target"), [([], ["▁x"]), (["▁a"], []), ([], [])])
def test_nothing_aligns_with_nothing(source: list[str], target: list[str]) -> None:
    assert align(np.ones((len(target) + 1, len(source) + 1)), source, target) == Alignment(())
