"""The best sentence with given words: by hand, and with a wide beam against all sentences one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from scripted_steps import (
    NEVER,
    VOCABULARY,
    WORDS,
    A,
    B,
    C,
    D,
    Script,
    constant_script,
    nodes_of,
    random_script,
    scripted,
)

from nmt.config import DecodingConfig
from nmt.errors import DataError
from nmt.search import Breadth, Ranking, Rule, beam_search
from nmt.search.forced_words import Finished, search_with_words
from nmt.search.ranking import PLAIN
from nmt.search.rules import compose, forced_prefix, never, no_repeated_ngram, unchanged
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, UNKNOWN_ID, Tokenizer
from nmt.translation.lines import Line
from nmt.translation.translator import Translator

CONTINUES = np.arange(VOCABULARY) == D  # D goes on with the word before it
Words = Sequence[tuple[int, ...]]


def run(
    script: Script,
    words: Words,
    limit: int = 6,
    beam: int = 8,
    rule: Rule = unchanged,
    ranking: Ranking = PLAIN,
) -> Finished:
    rule = compose([never([UNKNOWN_ID]), rule])
    return search_with_words(script, script.state(), limit, words, beam, CONTINUES, rule, ranking)


def has_all(tokens: tuple[int, ...], words: Words, start: int = 0) -> bool:
    """Whether the words stand somewhere from a place on, in some order, apart from one another and with no D behind."""
    if not words:
        return True
    for i in range(start, len(tokens)):
        for number, word in enumerate(words):
            end = i + len(word)
            is_whole = tokens[end : end + 1] != (D,)
            rest = [*words[:number], *words[number + 1 :]]
            if tokens[i:end] == word and is_whole and has_all(tokens, rest, end):
                return True
    return False


def best_of_all(script: Script, words: Words, limit: int, exponent: float) -> tuple[float, tuple[int, ...]]:
    sentences = ((*sentence, END_ID) for length in range(limit) for sentence in itertools.product(WORDS, repeat=length))
    return max(
        (script.log_prob(tokens) / ((5 + len(tokens)) / 6) ** exponent, tokens)
        for tokens in sentences
        if has_all(tokens, words)
    )


@pytest.mark.parametrize(
    ("tokens", "words", "expected"),
    [
        ((A, B, END_ID), [(A,), (B,)], True),
        ((A, B, END_ID), [(A, B), (B,)], False),  # B is there once
        ((A, B, B, END_ID), [(A, B), (B,)], True),
        ((A, A, B, END_ID), [(A,), (A, B)], True),
        ((A, D, END_ID), [(A,)], False),  # A D is another word
        ((A, D, A, END_ID), [(A,)], True),
    ],
)
def test_what_it_is_to_have_a_word(tokens: tuple[int, ...], words: Words, expected: bool) -> None:
    assert has_all(tokens, words) == expected


EXAMPLES: dict[str, Words] = {
    "one": [(C,)],
    "two": [(A,), (C,)],
    "twice": [(B,), (B,)],
    "a phrase": [(B, C)],
    "a phrase that repeats itself": [(A, A, B)],
    "a word and a phrase that begins with it": [(A,), (A, B)],
    "a word and a phrase that ends with it": [(B,), (A, B)],
    "a word of two pieces": [(A, D)],
    "a word and a longer one": [(A,), (A, D)],
}


@pytest.mark.thorough
@pytest.mark.parametrize("words", EXAMPLES.values(), ids=EXAMPLES)
def test_a_wide_beam_finds_the_best_of_all_sentences(words: Words) -> None:
    """There are 341 sentences of at most four words; each bank keeps more than there are."""
    for seed, exponent in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 1.0)):
        script = random_script(seed)
        found = run(script, words, limit=5, beam=400, ranking=Ranking("gnmt", exponent))
        score, tokens = best_of_all(script, words, 5, exponent)
        assert found.token_ids == tokens
        assert found.score == pytest.approx(score, abs=1e-4)
        assert found.log_prob == pytest.approx(script.log_prob(tokens), abs=1e-4)


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_a_narrow_beam_has_all_the_words(beam: int) -> None:
    for seed in range(6):
        words = list(EXAMPLES.values())[seed]
        found = run(random_script(seed), words, limit=7, beam=beam)
        assert has_all(found.token_ids, words) and found.token_ids.index(END_ID) == len(found.token_ids) - 1 <= 6


def test_without_words_it_is_beam_search() -> None:
    for seed in range(5):
        script = random_script(seed)
        found = run(script, [], limit=6, beam=3, ranking=Ranking("gnmt", 0.6))
        plain = beam_search(
            script, script.state(), np.array([6]), 6, Breadth(3), never([UNKNOWN_ID]), Ranking("gnmt", 0.6)
        )
        assert (*found.token_ids, *[0] * (6 - len(found.token_ids))) == tuple(np.array(plain.token_ids)[0, 0].tolist())
        assert found.score == pytest.approx(float(plain.scores[0, 0]), abs=1e-5)


def test_a_word_stands_where_it_fits_best() -> None:
    """A 0.9 and then B is likelier than B 0.1 first: 0.9 · 0.2 · 1 against 0.1 · 0.3 · 1."""
    script = scripted({(): {A: 0.9, B: 0.1}, (A,): {END_ID: 0.8, B: 0.2}, (B,): {A: 0.7, END_ID: 0.3}})
    script.table[0, script.node([A, B]), END_ID] = 0.0
    found = run(script, [(B,)], limit=4)
    assert found.token_ids == (A, B, END_ID)
    assert found.log_prob == pytest.approx(math.log(0.18), abs=1e-5)


def test_no_piece_goes_on_with_a_forced_word() -> None:
    """After A comes D by far the likeliest, which would make another word of it; A D A has the word."""
    script = constant_script({A: 0.1, B: 0.01, D: 0.85, END_ID: 0.04})
    assert run(script, [(A,)], limit=3).token_ids in {(A, A, END_ID), (A, END_ID)}
    for limit in range(2, 7):
        found = run(script, [(A,)], limit, ranking=Ranking("average"))
        assert has_all(found.token_ids, [(A,)])


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ((A, D, A), [(A,)]),  # the first A is the beginning of another word
        ((A, A, A, B), [(A, A, B)]),  # the phrase begins with the second A
        ((A, B, C, B), [(A, B, D), (B,)]),  # what was begun with A B does not come, or only later
        ((A, B, C, A, B, D), [(A, B, D), (B,)]),  # the first B is the second word
    ],
)
def test_a_sentence_that_has_the_words_is_found_as_it_is(sentence: tuple[int, ...], words: Words) -> None:
    """The model knows one sentence alone; one that has not the words is found with what they cost."""
    script = Script(np.full((1, nodes_of(6), VOCABULARY), NEVER))
    for i, token in enumerate((*sentence, END_ID)):
        script.table[0, script.node(sentence[:i]), token] = 0.0
    found = run(script, words, limit=8, beam=4)
    assert has_all(found.token_ids, words)
    assert (found.log_prob == 0.0) == has_all((*sentence, END_ID), words)
    assert (found.token_ids == (*sentence, END_ID)) == has_all((*sentence, END_ID), words)


def test_rules_have_their_say() -> None:
    """A prefix stays, and no pair of tokens comes twice, also among forced words."""
    script = random_script(1)
    prefix = forced_prefix(np.array([[C, C]], np.int32), unchanged)
    for words in ([(A,)], [(C,)], [(A, B)]):
        found = run(script, words, rule=prefix)
        assert found.token_ids[:2] == (C, C) and has_all(found.token_ids, words)
    with pytest.raises(DataError, match=r"found no sentence .* no_repeated_ngram"):
        run(script, [(A, B), (A, B)], rule=no_repeated_ngram(2))


def test_what_leaves_no_room_is_refused() -> None:
    script = random_script(1)
    assert run(script, [(A, B), (C,)], limit=4).token_ids in {(A, B, C, END_ID), (C, A, B, END_ID)}
    with pytest.raises(DataError, match="expected at most 2 tokens, as many as this translation can have, received 3"):
        run(script, [(A, B), (C,)], limit=3)
    assert script.calls == 4  # the second was refused before the model was asked


def test_words_of_unknown_characters_are_refused(tiny_model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer]) -> None:
    translator = Translator(tiny_model, *tokenizers, DecodingConfig(beam_size=2, max_length=8))
    known = translator.read_words(Line(b"one"), ["eins", "zwei drei"])
    assert known == [tokenizers[1].encode("eins"), tokenizers[1].encode("zwei drei")]
    for word in ("eins ☃", "", " "):
        with pytest.raises(DataError, match=rf"subword model knows, received {word!r}"):
            translator.read_words(Line(b"one"), ["eins", word])
