"""The table: what expectation maximization finds in a corpus that was made word by word, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from nmt import translation_table
from nmt.corpus import TokenLists, TokenPairs
from nmt.errors import CorruptFileError, DataError
from nmt.tokenizer import END_ID
from nmt.translation_table import KEPT, learn_translation_table, read_translation_table, rows_for

WORDS, COMMA = 20, 4  # source words are 5 to 24, target words 25 to 44, in another order
VOCABULARY = 45


def translation(word: int) -> int:
    return 25 + (7 * (word - 5)) % WORDS


def lists(sentences: list[list[int]]) -> TokenLists:
    offsets = np.cumsum([0, *map(len, sentences)])
    return TokenLists(np.array([token for of in sentences for token in of], np.int32), offsets)


def word_by_word(sentences: int, seed: int = 1) -> TokenPairs:
    """Each word has one translation; the target is in disorder, and often has a comma that nothing stands for."""
    generator = np.random.default_rng(seed)
    sources, targets = [], []
    for _ in range(sentences):
        source = generator.choice(np.arange(5, 5 + WORDS), generator.integers(2, 6), replace=False).tolist()
        target = [translation(word) for word in source] + [COMMA] * int(generator.integers(0, 2))
        sources.append(source)
        targets.append(generator.permutation(target).tolist())
    return TokenPairs(lists(sources), lists(targets))


def test_each_word_finds_its_translation() -> None:
    table = learn_translation_table(word_by_word(400), VOCABULARY, VOCABULARY, "f" * 64)
    words = np.arange(5, 5 + WORDS)
    assert table.token_ids.shape == table.probabilities.shape == (VOCABULARY, KEPT)
    np.testing.assert_array_equal(table.token_ids[words, 0], [translation(word) for word in words])
    assert (table.probabilities[words, 0] > 0.7).all()
    assert (np.diff(table.probabilities, axis=1) <= 0).all()
    assert (table.probabilities.sum(axis=1) <= 1.0 + 1e-6).all()


def test_the_end_of_sentence_is_the_empty_word() -> None:
    """What stands for no word stands for the end, which every sentence has."""
    table = learn_translation_table(word_by_word(400), VOCABULARY, VOCABULARY)
    assert table.token_ids[END_ID, 0] == COMMA


def test_frequencies_are_shares() -> None:
    pairs = word_by_word(50)
    table = learn_translation_table(pairs, VOCABULARY, VOCABULARY)
    counts = np.bincount(pairs.target.values, minlength=VOCABULARY)
    np.testing.assert_allclose(table.frequencies, counts / counts.sum(), rtol=1e-6)


def test_one_pair_by_hand() -> None:
    """Two words and the end are alike for one target token: each has all of it, whatever the iterations."""
    table = learn_translation_table(TokenPairs(lists([[5, 6]]), lists([[7]])), 8, 9)
    np.testing.assert_array_equal(table.token_ids[[5, 6, END_ID], 0], 7)
    np.testing.assert_allclose(table.probabilities[[5, 6, END_ID], 0], 1.0)
    assert table.probabilities[4].sum() == 0.0  # of a token that no sentence has, nothing is known


def test_a_large_corpus_is_not_looked_at_as_a_whole() -> None:
    pairs = word_by_word(400)
    links = (pairs.source.lengths + 1) * pairs.target.lengths
    rows = rows_for(pairs, 2_000)
    assert 1_800 < links[rows].sum() <= 2_000 < links.sum()
    assert rows.max() > 350  # not the first ones alone
    part, whole = (learn_translation_table(pairs, VOCABULARY, VOCABULARY, max_links=n) for n in (2_000, 10**6))
    assert not np.array_equal(part.probabilities, whole.probabilities)
    words = np.arange(5, 5 + WORDS)
    np.testing.assert_array_equal(part.token_ids[words, 0], whole.token_ids[words, 0])
    np.testing.assert_array_equal(part.frequencies, whole.frequencies)  # of all tokens


def test_at_least_one_pair_is_looked_at() -> None:
    pairs = TokenPairs(lists([[5], [5, 6]]), lists([[], [7, 8]]))
    assert rows_for(pairs, 1).tolist() == [1]


def test_parts_of_a_corpus_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = word_by_word(100)
    whole = learn_translation_table(pairs, VOCABULARY, VOCABULARY)
    monkeypatch.setattr(translation_table, "LINKS_AT_ONCE", 150)
    parts = learn_translation_table(pairs, VOCABULARY, VOCABULARY)
    np.testing.assert_array_equal(parts.token_ids[:, 0], whole.token_ids[:, 0])
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=1e-6)


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(DataError, match="expected pairs of sentences"):
        learn_translation_table(TokenPairs(lists([]), lists([])), 8, 8)


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    table = learn_translation_table(word_by_word(20), VOCABULARY, VOCABULARY, "f" * 64)
    assert table.write(tmp_path) == tmp_path / "translation_table.safetensors"
    again = read_translation_table(tmp_path)
    for name in ("token_ids", "probabilities", "frequencies"):
        before, after = getattr(table, name), getattr(again, name)
        np.testing.assert_array_equal(before, after)
        assert before.dtype == after.dtype
    assert again.fingerprint == "f" * 64


def test_a_missing_file_says_which_command_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"run nmt shortlist {tmp_path}"):
        read_translation_table(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "text", "other", "empty"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = learn_translation_table(word_by_word(20), VOCABULARY, VOCABULARY).write(tmp_path)
    data = path.read_bytes()
    other = save({"token_ids": np.zeros(3)})
    path.write_bytes({"cut": data[: len(data) // 2], "text": b"a table", "other": other, "empty": b""}[damage])
    with pytest.raises(CorruptFileError, match="run nmt shortlist"):
        read_translation_table(tmp_path)


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path) -> None:
    path = learn_translation_table(word_by_word(20), VOCABULARY, VOCABULARY, "f" * 64).write(tmp_path)
    data = path.read_bytes()
    header = int.from_bytes(data[:8], "little")
    for place in [*range(8 + header), *range(8 + header, len(data), 97)]:
        for bit in (0, 3, 5, 7):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
            with pytest.raises(CorruptFileError):
                read_translation_table(tmp_path)
