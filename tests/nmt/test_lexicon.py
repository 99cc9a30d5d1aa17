"""The lexicon: what expectation maximization finds in a corpus that was made word by word, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nmt.corpus import TokenLists, TokenPairs
from nmt.errors import CorruptFileError, DataError
from nmt.lexicon import KEPT, learn_lexicon, read_lexicon
from nmt.tokenizer import END_ID

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
    lexicon = learn_lexicon(word_by_word(400), VOCABULARY, VOCABULARY, "f" * 64)
    words = np.arange(5, 5 + WORDS)
    assert lexicon.token_ids.shape == lexicon.probabilities.shape == (VOCABULARY, KEPT)
    np.testing.assert_array_equal(lexicon.token_ids[words, 0], [translation(word) for word in words])
    assert (lexicon.probabilities[words, 0] > 0.7).all()
    assert (np.diff(lexicon.probabilities, axis=1) <= 0).all()
    assert (lexicon.probabilities.sum(axis=1) <= 1.0 + 1e-6).all()


def test_the_end_of_sentence_is_the_empty_word() -> None:
    """What stands for no word stands for the end, which every sentence has."""
    lexicon = learn_lexicon(word_by_word(400), VOCABULARY, VOCABULARY)
    assert lexicon.token_ids[END_ID, 0] == COMMA


def test_frequencies_are_shares() -> None:
    pairs = word_by_word(50)
    lexicon = learn_lexicon(pairs, VOCABULARY, VOCABULARY)
    counts = np.bincount(pairs.target.values, minlength=VOCABULARY)
    np.testing.assert_allclose(lexicon.frequencies, counts / counts.sum(), rtol=1e-6)


def test_one_pair_by_hand() -> None:
    """Two words and the end are alike for one target token: each has all of it, whatever the iterations."""
    lexicon = learn_lexicon(TokenPairs(lists([[5, 6]]), lists([[7]])), 8, 9)
    np.testing.assert_array_equal(lexicon.token_ids[[5, 6, END_ID], 0], 7)
    np.testing.assert_allclose(lexicon.probabilities[[5, 6, END_ID], 0], 1.0)
    assert lexicon.probabilities[4].sum() == 0.0  # of a token that no sentence has, nothing is known


def test_a_large_corpus_is_not_looked_at_as_a_whole() -> None:
    pairs = word_by_word(400)
    part = learn_lexicon(pairs, VOCABULARY, VOCABULARY, max_links=2_000)  # of some 6,000
    whole = learn_lexicon(pairs, VOCABULARY, VOCABULARY)
    assert not np.array_equal(part.probabilities, whole.probabilities)
    words = np.arange(5, 5 + WORDS)
    np.testing.assert_array_equal(part.token_ids[words, 0], whole.token_ids[words, 0])


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(DataError, match="expected pairs of sentences"):
        learn_lexicon(TokenPairs(lists([]), lists([])), 8, 8)


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    lexicon = learn_lexicon(word_by_word(20), VOCABULARY, VOCABULARY, "f" * 64)
    assert lexicon.write(tmp_path) == tmp_path / "lexicon.npz"
    again = read_lexicon(tmp_path)
    for name in ("token_ids", "probabilities", "frequencies"):
        before, after = getattr(lexicon, name), getattr(again, name)
        np.testing.assert_array_equal(before, after)
        assert before.dtype == after.dtype
    assert again.fingerprint == "f" * 64


def test_a_missing_file_says_which_command_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"run nmt lexicon {tmp_path}"):
        read_lexicon(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "other"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = learn_lexicon(word_by_word(20), VOCABULARY, VOCABULARY).write(tmp_path)
    data = path.read_bytes()
    if damage == "other":
        np.savez(path, token_ids=np.zeros(3))
    else:
        middle = len(data) // 4
        changed = data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 20]) + data[middle + 20 :]
        path.write_bytes({"cut": data[: len(data) // 2], "flipped": changed, "text": b"lexicon"}[damage])
    with pytest.raises(CorruptFileError, match=r"run nmt lexicon .* again"):
        read_lexicon(tmp_path)
