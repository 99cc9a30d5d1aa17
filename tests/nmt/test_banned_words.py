"""Banned words: the automaton against regular expressions over decoded text, and the rule over it in search."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keras import ops

from nmt.errors import DataError
from nmt.search.hypotheses import IMPOSSIBLE
from nmt.search.rules import History
from nmt.tokenizer import END_ID, UNKNOWN_TEXT
from nmt.translation.banned_words import Automaton, automaton, banned_words

SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]
LENGTH = 12
WALKS = 4  # of each vocabulary

letters = st.text("aab_-.é", min_size=1, max_size=4)
words = st.lists(letters, min_size=1, max_size=3).map(" ".join)  # also phrases
pieces = st.one_of(letters, letters.map("▁".__add__), st.just("▁"), st.just("▁a▁b"), words.map("▁".__add__))
cases = st.tuples(
    st.lists(words, min_size=1, max_size=4),
    st.lists(pieces, min_size=1, max_size=12, unique=True),
    st.integers(0, 2**32 - 1),
)


def vocabulary_of(pieces: Sequence[str]) -> list[str]:
    """All pieces, the special ones first, a few letters always among them."""
    return SPECIAL + list(dict.fromkeys([*(piece.replace(" ", "▁") for piece in pieces), "a", "b", "▁"]))


def text_of(token_ids: Sequence[int], vocabulary: Sequence[str]) -> str:
    """What tokens write; unlike SentencePiece this keeps a space at the beginning, which bans nothing."""
    texts = [UNKNOWN_TEXT if vocabulary[i] == "<unk>" else vocabulary[i].replace("▁", " ") for i in token_ids]
    return "".join(texts)


def pattern(word: str, end: str) -> str:
    """A word as a whole; what neither begins nor ends as words do may stand beside letters."""
    before = r"(?<!\w)" if re.match(r"\w", word[0]) else ""
    return before + re.escape(word) + (end if re.match(r"\w", word[-1]) else "")


def has_banned(text: str, banned: Sequence[str], end: str = r"(?!\w)") -> bool:
    """Whether a banned word stands in a text; more than one space within a phrase does not make it another."""
    return any(re.search(pattern(part, end), text) for word in banned for part in (word, *with_more_space(word)))


def with_more_space(phrase: str) -> list[str]:
    """What a phrase begins with up to each of its spaces, and one space more."""
    return [phrase[: i + 1] + " " for i in range(len(phrase)) if phrase[i] == " " != phrase[i + 1 : i + 2]]


def walk(table: Automaton, vocabulary: Sequence[str], banned: Sequence[str], seed: int) -> list[int]:
    """A random translation that takes what is allowed; at each of its steps, all permissions are compared."""
    generator, token_ids, state = np.random.default_rng(seed), [], 0
    for _ in range(LENGTH):
        text = text_of(token_ids, vocabulary)
        continuations = {1: UNKNOWN_TEXT, END_ID: " "} | {
            i: text_of([i], vocabulary) for i in range(len(SPECIAL), len(vocabulary))
        }
        # Complete is what has a boundary behind it: the text goes on, or the sentence ends.
        expected = {i: has_banned(text + more, banned, end=r"(?=\W)") for i, more in continuations.items()}
        assert {i: bool(table.forbidden[state, i]) for i in continuations} == expected
        allowed = [i for i in continuations if not expected[i] and i != END_ID]
        if not allowed:
            break
        token_ids.append(int(generator.choice(allowed)))
        state = table.next_state[state, token_ids[-1]]
    return token_ids


def remembered_state(table: Automaton, token_ids: Sequence[int]) -> int:
    """The state after the last tokens alone, as the rule reads them."""
    state = 1 if len(token_ids) >= table.memory else 0
    for token in token_ids[-table.memory :]:
        state = int(table.next_state[state, token])
    return state


def check(case: tuple[list[str], list[str], int]) -> None:
    """Some walks through one vocabulary."""
    banned, pieces, seed = case
    vocabulary = vocabulary_of(pieces)
    table = automaton(banned, vocabulary)
    for number in range(WALKS):
        token_ids = walk(table, vocabulary, banned, seed + number)
        state = 0
        for position, token in enumerate(token_ids, start=1):
            state = int(table.next_state[state, token])
            assert remembered_state(table, token_ids[:position]) == state
            if not table.forbidden[state, END_ID]:  # where the sentence may end
                assert not has_banned(text_of(token_ids[:position], vocabulary), banned)


@settings(max_examples=40, deadline=None, database=None)
@given(cases)
@example((["aa"], ["▁", "a", "aa", "▁aa"], 1))  # overlaps itself
@example((["a a", "a"], ["▁a", "a", "▁"], 2))  # one inside the other
@example((["-a", "a-"], ["-", "a", "▁a"], 3))  # begins or ends with what is no letter
@example((["aab", "ab"], ["a", "aa", "b", "▁"], 4))  # one begins inside the other, which fails
def test_a_token_is_forbidden_exactly_where_it_completes_a_banned_word(case: tuple[list[str], list[str], int]) -> None:
    check(case)


@pytest.mark.slow
@settings(max_examples=3_000, deadline=None, database=None)
@given(cases)
def test_a_token_is_forbidden_exactly_there_in_many_cases(case: tuple[list[str], list[str], int]) -> None:
    check(case)


VOCABULARY = [*SPECIAL, "▁new", "▁york", "▁", "n", "e", "w", "er", "▁York", "."]


def ids_of(*pieces: str) -> list[int]:
    return [VOCABULARY.index(piece) for piece in pieces]


def allowed_after(banned: Sequence[str], *pieces: str) -> set[str]:
    """What the rule leaves of the vocabulary, behind these pieces."""
    rule = banned_words(banned, VOCABULARY)
    assert rule is not None
    history = np.array([[ids_of(*pieces) + [0] * (LENGTH - len(pieces))]], np.int32)
    log_probs = np.full((1, 1, len(VOCABULARY)), -1.0, np.float32)
    (row,) = ops.convert_to_numpy(rule(log_probs, History(history, np.int32(len(pieces)))))[0]
    assert set(row.tolist()) <= {-1.0, np.float32(IMPOSSIBLE)}
    return {piece for piece, value in zip(VOCABULARY, row, strict=True) if value > IMPOSSIBLE}


def test_a_word_that_may_become_another_one_is_allowed_until_it_ends() -> None:
    """`new` is banned and `newer` is not."""
    everything = set(VOCABULARY)
    assert allowed_after(["new"]) == everything
    ends = {"</s>", "<unk>", ".", "▁", "▁new", "▁york", "▁York"}
    assert allowed_after(["new"], "▁new") == everything - ends
    assert allowed_after(["new"], "▁new", "er") == everything
    assert allowed_after(["new"], "▁", "n", "e") == everything  # `ne` may become `new`, which may become `newer`
    assert allowed_after(["new"], "▁", "n", "e", "w") == everything - ends


def test_a_word_inside_of_another_one_is_none() -> None:
    assert "</s>" in allowed_after(["new"], "▁york", "n", "e", "w")
    assert "</s>" in allowed_after(["new"], "e", "▁York", "n", "e", "w")


def test_a_phrase_is_banned_and_its_words_are_not() -> None:
    assert "</s>" in allowed_after(["new york"], "▁new")
    assert "</s>" in allowed_after(["new york"], "▁york")
    assert "</s>" not in allowed_after(["new york"], "▁new", "▁york")
    assert "</s>" in allowed_after(["new york"], "▁new", "▁York")  # upper and lower case differ


def test_what_is_no_letter_needs_nothing_behind_it() -> None:
    assert "." not in allowed_after(["new."], "▁new")
    assert "." not in allowed_after(["."], "▁york", "er")


def test_a_long_history_is_read_as_far_as_the_longest_word_reaches() -> None:
    assert "</s>" not in allowed_after(["new"], *["▁york"] * 8, "▁", "n", "e", "w")


def test_hypotheses_are_told_apart() -> None:
    rule = banned_words(["new"], VOCABULARY)
    assert rule is not None
    token_ids = np.array([[ids_of("▁new"), ids_of("▁york")], [ids_of("er"), ids_of("▁new")]], np.int32)
    ruled = rule(np.zeros((2, 2, len(VOCABULARY)), np.float32), History(token_ids, np.int32(1)))
    assert (ops.convert_to_numpy(ruled)[..., END_ID] < 0).tolist() == [[True, False], [False, True]]


def test_spaces_around_a_word_are_not_its_own() -> None:
    assert "</s>" not in allowed_after([" new "], "▁new")


def test_no_words_are_no_rule() -> None:
    assert banned_words([], VOCABULARY) is None


@pytest.mark.parametrize("word", ["", "  "])
def test_an_empty_word_is_refused(word: str) -> None:
    with pytest.raises(DataError, match=r"^decoding\.banned_words: expected words, received an empty one; leave it"):
        banned_words(["new", word], VOCABULARY)
