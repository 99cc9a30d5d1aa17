"""Unknown tokens of a translation, replaced by what attention written by hand points at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nmt.tokenizer import END_ID, UNKNOWN_ID
from nmt.translation.copying import copy_unknown

KNOWN = END_ID + 1  # any token that is not special


def copied(attention: list[list[float]], source: Sequence[str], target: Sequence[str], unknown: str = "") -> list[str]:
    """The pieces of a translation; those named in `unknown` are unknown to the source's subword model.

    The attention of and to the end of sentence is added, and more than that to anything else.
    """
    weights = np.array([[*row, 0.9] for row in attention] + [[0.0] * len(source) + [1.0]])
    source_ids = [UNKNOWN_ID if piece in unknown.split() else KNOWN for piece in source]
    token_ids = [UNKNOWN_ID if piece == "<unk>" else KNOWN for piece in target]
    return list(copy_unknown(token_ids, target, weights, source_ids, source))


def test_an_unknown_piece_of_the_source_is_taken() -> None:
    assert copied([[0.7, 0.2], [0.3, 0.6]], ["▁", "日本"], ["▁in▁", "<unk>"], "日本") == ["▁in▁", "日本"]


def test_of_several_unknown_ones_the_one_with_the_most_attention() -> None:
    source, target = ["Żółć", "▁und▁", "Łódź"], ["<unk>", "▁or▁", "<unk>"]
    attention = [[0.1, 0.6, 0.3], [0.0, 1.0, 0.0], [0.3, 0.6, 0.1]]
    assert copied(attention, source, target, "Żółć Łódź") == ["Łódź", "▁or▁", "Żółć"]


def test_an_unknown_one_comes_before_a_known_one_with_more_attention() -> None:
    assert copied([[0.9, 0.0]], ["▁the▁", "日本"], ["<unk>"], "日本") == ["日本"]


def test_without_unknown_ones_it_is_the_whole_word_without_its_space() -> None:
    source = ["▁see", "▁Ber", "lin"]
    assert copied([[0.4, 0.1, 0.5]], source, ["<unk>"]) == ["Berlin"]


def test_the_pieces_of_a_word_count_together() -> None:
    """0.3 + 0.3 against 0.4."""
    assert copied([[0.4, 0.3, 0.3]], ["▁see", "▁Ber", "lin"], ["<unk>"]) == ["Berlin"]


def test_known_pieces_stay() -> None:
    assert copied([[1.0], [1.0]], ["日本"], ["▁in", "▁Japan"], "日本") == ["▁in", "▁Japan"]
    assert copied([], ["日本"], [], "日本") == []


def test_where_the_source_has_no_pieces_nothing_is_copied() -> None:
    """Such a line is translated where another model of an ensemble has pieces for it."""
    assert copied([[], []], [], ["▁a", "<unk>"]) == ["▁a", "<unk>"]
