"""What search may choose next: each rule by hand, and all of them together in thousands of random searches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keras import ops
from scripted_steps import A, B, C, D, constant_script, random_script, rows_of

from nmt.search import Breadth, History, Hypotheses, Ranking, Rule, beam_search, greedy_search, sample
from nmt.search.hypotheses import IMPOSSIBLE, is_possible
from nmt.search.rules import (
    at_least,
    compose,
    forced_prefix,
    never,
    no_repeated_ngram,
    repetition_penalty,
    unchanged,
    within,
)
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID
from nmt.translation.banned_words import banned_words

LENGTH = 8
TOKENS = {UNKNOWN_ID, END_ID, A, B, C, D}


def ruled(rule: Rule, *histories: Sequence[int]) -> np.ndarray:
    """What a rule makes of log-probabilities of -0.5 after histories of one length, a row each; (rows, vocabulary)."""
    token_ids = np.full((len(histories), 1, LENGTH), PAD_ID, np.int32)
    token_ids[:, 0, : len(histories[0])] = histories
    log_probs = np.full((len(histories), 1, 8), -0.5, np.float32)
    found: np.ndarray = ops.convert_to_numpy(rule(log_probs, History(token_ids, np.int32(len(histories[0])))))
    return found[:, 0]


def allowed(rule: Rule, *histories: Sequence[int]) -> list[set[int]]:
    """The tokens that a rule leaves as they are; what it changes otherwise is impossible."""
    found = ruled(rule, *histories)
    assert set(np.unique(found)) <= {np.float32(-0.5), np.float32(IMPOSSIBLE)}
    return [set(np.flatnonzero(is_possible(row)).tolist()) for row in found]


def test_every_search_ends_at_the_limit_and_chooses_no_padding() -> None:
    rule = within(np.array([3, 2], np.int32), unchanged)
    assert allowed(rule, [A], [A]) == [TOKENS, {END_ID}]
    assert allowed(rule, [A, B], [A, B]) == [{END_ID}, {END_ID}]
    assert allowed(within(None, unchanged), [A] * 7) == [TOKENS]


def test_a_hypothesis_ends_where_nothing_else_is_left() -> None:
    """Also where the end itself was forbidden, and then with its own log-probability."""
    nothing = never([UNKNOWN_ID, END_ID, A, B, C, D])
    assert allowed(within(np.array([9], np.int32), compose([nothing, repetition_penalty(3.0)])), [A]) == [{END_ID}]


def test_no_end_before_so_many_tokens() -> None:
    everything = TOKENS | {PAD_ID, START_ID}
    assert allowed(at_least(2), [A]) == [everything - {END_ID}]
    assert allowed(at_least(2), [A, B]) == [everything]
    rows = at_least(np.array([0, 1, 2], np.int32))
    assert allowed(rows, [A], [A], [A]) == [everything, everything, everything - {END_ID}]
    assert allowed(within(np.array([2], np.int32), at_least(5)), [A]) == [{END_ID}]  # the limit goes before


def test_what_is_never_chosen() -> None:
    assert allowed(within(None, never([UNKNOWN_ID, C])), [A]) == [TOKENS - {UNKNOWN_ID, C}]


@pytest.mark.parametrize(
    ("size", "history", "blocked"),
    [
        (1, [], set()),
        (1, [A, C, A], {A, C}),
        (2, [A, B], set()),
        (2, [A, B, A], {B}),
        (2, [A, B, A, C, A], {B, C}),
        (2, [A, A], {A}),
        (3, [A, B, C, A, B], {C}),
        (3, [A, B, C, D, B], set()),
        (3, [A, A], set()),
        (3, [A, A, A], {A}),
        (8, [A, B, C, D, A, B, C], set()),  # eight tokens, of which seven are there
        (9, [A], set()),  # more than a history can have
    ],
)
def test_no_ngram_twice(size: int, history: list[int], blocked: set[int]) -> None:
    assert allowed(within(None, no_repeated_ngram(size)), history) == [TOKENS - blocked]


def test_each_hypothesis_has_its_own_ngrams() -> None:
    histories = np.array([[[A, B, A], [B, A, B]], [[C, C, C], [A, B, C]]], np.int32)
    log_probs = np.full((2, 2, 8), -0.5, np.float32)
    found = is_possible(ops.convert_to_numpy(no_repeated_ngram(2)(log_probs, History(histories, np.int32(3)))))
    assert [set(np.flatnonzero(~row).tolist()) - {PAD_ID} for row in found.reshape(4, 8)] == [{B}, {A}, {C}, set()]


def test_repetition_costs_a_factor() -> None:
    """A log-probability of -0.5 becomes -0.75 for what occurred, however often."""
    found = ruled(repetition_penalty(1.5), [A, A, C], [B, B, B])
    assert found[:, [A, B, C, D, END_ID]].tolist() == [
        [-0.75, -0.5, -0.75, -0.5, -0.5],
        [-0.5, -0.75, -0.5, -0.5, -0.5],
    ]
    assert set(ruled(repetition_penalty(1.5), [])[0, UNKNOWN_ID:].tolist()) == {-0.5}


def test_a_prefix_comes_first_and_then_the_rule() -> None:
    """Rows of two, one and no tokens; inside the prefix the rule has no say."""
    rule = forced_prefix(np.array([[A, B], [C, PAD_ID], [PAD_ID, PAD_ID]], np.int32), never([A, B, C]))
    rest = TOKENS | {PAD_ID, START_ID}
    rest -= {A, B, C}
    assert allowed(rule, [], [], []) == [{A}, {C}, rest]
    assert allowed(rule, [A], [C], [D]) == [{B}, rest, rest]
    assert allowed(rule, [A, B], [C, D], [D, D]) == [rest, rest, rest]


def test_rules_compose() -> None:
    rule = within(None, compose([never([UNKNOWN_ID]), no_repeated_ngram(1), at_least(2)]))
    assert allowed(rule, [A]) == [{B, C, D}]
    assert allowed(rule, [A, B]) == [{C, D, END_ID}]
    assert compose([])(1.0, History(None, None)) == 1.0


def test_a_search_goes_round_what_is_blocked() -> None:
    """A 0.6 and B 0.3 for ever: without a pair twice A A B A, then B A is taken and A A, A B are too."""
    script = constant_script({A: 0.6, B: 0.3, C: 0.09, END_ID: 0.01})
    found = greedy_search(script, script.state(), np.array([6], np.int32), 6, no_repeated_ngram(2))
    assert rows_of(found)[0][0].tokens == [A, A, B, A, C, END_ID]


# Random searches

PIECES = ["<pad>", "<unk>", "<s>", "</s>", "▁a", "▁b", "a", "b", "▁ab", "c", "▁", "▁ba"]
BANNED = ["ab", "a", "b", "ba", "a b", "cab"]
ROWS = 100


class Case(NamedTuple):
    """One random batch of searches."""

    seed: int
    search: str
    max_length: int
    least: int
    ngram: int
    factor: float
    with_prefix: bool
    ban_unknown: bool
    banned: list[str]

    def limits(self) -> np.ndarray:
        return np.random.default_rng(self.seed).integers(1, self.max_length + 1, size=ROWS).astype(np.int32)

    def prefixes(self) -> np.ndarray:
        """Each of up to three words, and shorter than the row's limit."""
        generator = np.random.default_rng(self.seed + 1)
        lengths = generator.integers(0, np.minimum(self.limits(), 4)) * self.with_prefix
        words = generator.integers(A, len(PIECES), size=(ROWS, 3))
        return np.where(np.arange(3) < lengths[:, None], words, PAD_ID).astype(np.int32)

    def rule(self) -> Rule:
        rules = [at_least(self.least)]
        if self.factor > 1.0:
            rules.append(repetition_penalty(self.factor))
        if self.ngram:
            rules.append(no_repeated_ngram(self.ngram))
        if self.ban_unknown:
            rules.append(never([UNKNOWN_ID]))
        if (no_banned_word := banned_words(self.banned, PIECES)) is not None:
            rules.append(no_banned_word)
        return forced_prefix(self.prefixes(), compose(rules))

    def run(self) -> Hypotheses:
        script = random_script(self.seed, ROWS, depth=2, vocabulary=len(PIECES))
        state, limits, length, rule = script.state(range(ROWS)), self.limits(), self.max_length, self.rule()
        if self.search == "greedy":
            return greedy_search(script, state, limits, length, rule)
        if self.search == "sample":
            uniforms = np.random.default_rng(self.seed).random((ROWS, 3, length), np.float32)
            return sample(script, state, limits, length, uniforms, lambda log_probs: log_probs, rule)
        breadth = Breadth(4, 3, 2, 0.5) if self.search == "groups" else Breadth(3, 2)
        return beam_search(script, state, limits, length, breadth, rule, Ranking("gnmt", 0.6))


def cases() -> st.SearchStrategy[Case]:
    return st.builds(
        Case,
        seed=st.integers(0, 10**6),
        search=st.sampled_from(["greedy", "beam", "groups", "sample"]),
        max_length=st.integers(2, 10),
        least=st.integers(0, 6),
        ngram=st.sampled_from([0, 2, 3, 4]),
        factor=st.sampled_from([1.0, 1.5]),
        with_prefix=st.booleans(),
        ban_unknown=st.booleans(),
        banned=st.lists(st.sampled_from(BANNED), max_size=3, unique=True),
    )


def assert_keeps_the_rules(case: Case, tokens: list[int], limit: int, prefix: list[int]) -> None:
    words = tokens[:-1]
    assert tokens[-1] == END_ID and not {PAD_ID, START_ID, END_ID} & set(words)
    assert words[: len(prefix)] == prefix
    assert len(tokens) <= limit
    if not case.banned:  # else nothing but the end may be left earlier
        assert len(words) >= min(case.least, limit - 1)
    if case.ban_unknown:
        assert UNKNOWN_ID not in words[len(prefix) :]
    if case.ngram:
        ngrams = [tuple(words[i : i + case.ngram]) for i in range(len(words) - case.ngram + 1)]
        chosen = ngrams[max(0, len(prefix) - case.ngram + 1) :]  # those that do not lie in the prefix
        assert len(set(chosen)) == len(chosen) and not set(chosen) & set(ngrams[: len(ngrams) - len(chosen)])
    if not prefix:
        text = "".join(PIECES[word] for word in words).replace("<unk>", "?").replace("▁", " ")
        for word in case.banned:
            assert not re.search(rf"(?<!\w){word}(?!\w)", text), (text, word)


def assert_all_keep_the_rules(case: Case) -> None:
    for found, limit, prefix in zip(rows_of(case.run()), case.limits().tolist(), case.prefixes().tolist(), strict=True):
        assert found
        for hypothesis in found:
            assert_keeps_the_rules(case, hypothesis.tokens, limit, [token for token in prefix if token != PAD_ID])


quick = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # a case is small anyway, and its search slow
    suppress_health_check=list(HealthCheck),
)
thorough = settings(quick, max_examples=100)


@pytest.mark.thorough
@quick
@given(cases())
def test_random_searches_keep_the_rules(case: Case) -> None:
    assert_all_keep_the_rules(case)


@pytest.mark.slow
@thorough
@given(cases())
def test_ten_thousand_searches_keep_the_rules(case: Case) -> None:
    """A hundred examples of a hundred rows."""
    assert_all_keep_the_rules(case)
