"""A beam that drops nothing against all sentences one by one: random models of four words, sentences of five.

The end of sentence stands beside the four words, and the unknown token is not chosen: there are 1,365 sentences of zero
to five words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from keras import ops
from scripted_steps import WORDS, Script, random_script, rows_of

from nmt.search import Breadth, Hypotheses, Ranking, Rule, beam_search, greedy_search
from nmt.search.rules import at_least, compose, never, no_repeated_ngram, repetition_penalty
from nmt.tokenizer import END_ID, UNKNOWN_ID

LENGTH, BEAM, SOURCE_LENGTH = 5, 1_024, 4  # 4 ** 5 = 1,024 sentences of five words are open at most


@dataclass(frozen=True)
class Rules:
    """What a search may choose, written down twice: for search, and as a plain table of what may follow a history."""

    factor: float = 1.0
    ngram: int = 0
    least: int = 0

    @property
    def rule(self) -> Rule:
        rules = [never([UNKNOWN_ID]), at_least(self.least)]
        if self.factor > 1.0:
            rules.append(repetition_penalty(self.factor))
        if self.ngram:
            rules.append(no_repeated_ngram(self.ngram))
        return compose(rules)

    def factors(self, history: tuple[int, ...]) -> dict[int, float]:
        """What may follow, and the factor of its log-probability."""
        if len(history) == LENGTH:
            return {END_ID: 1.0}
        ngrams = {history[i : i + self.ngram] for i in range(len(history) - self.ngram + 1)} if self.ngram else set()
        last = history[len(history) - self.ngram + 1 :]
        words = {
            word: self.factor if word in history else 1.0
            for word in WORDS
            if len(history) + 1 < self.ngram or (*last, word) not in ngrams
        }
        return words if words and len(history) < self.least else {**words, END_ID: 1.0}


class Sentence(NamedTuple):
    """A sentence of every model at once: totals with the rules' penalties, the models' own, and coverage; (models,)."""

    tokens: tuple[int, ...]
    totals: np.ndarray
    log_probs: np.ndarray
    coverage: np.ndarray


def all_sentences(script: Script, mask: np.ndarray, rules: Rules) -> Iterator[Sentence]:
    assert script.attention is not None
    nothing = np.zeros(len(script.table))
    unattended = np.zeros((len(script.table), SOURCE_LENGTH))
    queue: list[tuple[tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]] = [((), nothing, nothing, unattended)]
    for history, totals, log_probs, attention in queue:
        node = script.node(history)
        attention = attention + script.attention[:, node]
        for token, factor in rules.factors(history).items():
            own = script.table[:, node, token]
            tokens, new_totals, new_log_probs = (*history, token), totals + factor * own, log_probs + own
            if token == END_ID:
                coverage = np.where(mask, np.log(np.minimum(attention, 1.0)), 0.0).sum(axis=1)
                yield Sentence(tokens, new_totals, new_log_probs, coverage)
            else:
                queue.append((tokens, new_totals, new_log_probs, attention))


Score = Callable[[np.ndarray, int, np.ndarray], np.ndarray]
RANKINGS: dict[str, tuple[Ranking, Score]] = {
    "none": (Ranking("none"), lambda totals, length, coverage: totals),
    "gnmt": (Ranking("gnmt", 0.6), lambda totals, length, coverage: totals / ((5 + length) / 6) ** 0.6),
    "average": (Ranking("average"), lambda totals, length, coverage: totals / length),
    "word reward": (Ranking("none", word_reward=0.7), lambda totals, length, coverage: totals + 0.7 * length),
    "coverage": (
        Ranking("gnmt", 1.0, coverage_penalty=0.4),
        lambda totals, length, coverage: totals / ((5 + length) / 6) + 0.4 * coverage,
    ),
    "reward and average": (
        Ranking("average", word_reward=-0.3, coverage_penalty=0.1),
        lambda totals, length, coverage: (totals - 0.3 * length) / length + 0.1 * coverage,
    ),
}
RULES = {
    "no rule": Rules(),
    "repetition": Rules(factor=1.5),
    "n-gram": Rules(ngram=2),
    "least": Rules(least=3),
    "all": Rules(factor=1.3, ngram=1, least=2),  # with n-grams of one, four words are all there is
}


def source_mask(models: int) -> np.ndarray:
    """Sources of one to four tokens."""
    return np.arange(SOURCE_LENGTH) <= np.arange(models)[:, None] % SOURCE_LENGTH


def search(script: Script, rules: Rules, ranking: Ranking, n_best: int, beam: int = BEAM) -> Hypotheses:
    models = len(script.table)
    state, limits = script.state(range(models)), np.full((models,), LENGTH + 1, np.int32)
    breadth = Breadth(beam, n_best)
    return beam_search(script, state, limits, LENGTH + 1, breadth, rules.rule, ranking, source_mask(models))


def assert_finds_the_best(script: Script, rules: Rules, ranking: Ranking, score: Score, n_best: int) -> None:
    """The same n best sentences of each model, with the same scores and log-probabilities, in the same order."""
    models = len(script.table)
    sentences = list(all_sentences(script, source_mask(models), rules))
    scores = np.array([score(one.totals, len(one.tokens), one.coverage) for one in sentences])  # (sentences, models)
    best = np.argsort(-scores, axis=0, kind="stable")[:n_best]
    log_probs = np.array([one.log_probs for one in sentences])
    found = rows_of(search(script, rules, ranking, n_best))
    for model in range(models):
        assert [tuple(one.tokens) for one in found[model]] == [sentences[i].tokens for i in best[:, model]]
        assert [one.score for one in found[model]] == pytest.approx(scores[best[:, model], model], abs=1e-4)
        assert [one.log_prob for one in found[model]] == pytest.approx(log_probs[best[:, model], model], abs=1e-4)


@pytest.fixture(scope="module")
def few() -> Script:
    return random_script(1, sentences=12, depth=LENGTH, source_length=SOURCE_LENGTH)


@pytest.fixture(scope="module")
def many() -> Script:
    return random_script(2, sentences=200, depth=LENGTH, source_length=SOURCE_LENGTH)


def test_there_are_so_many_sentences(few: Script) -> None:
    """One of no word, then 4, 16, 64, 256 and 1,024; without repeated words 1 + 4 + 12 + 24 + 24."""
    mask = source_mask(len(few.table))
    assert len(list(all_sentences(few, mask, Rules()))) == 1_365
    assert len(list(all_sentences(few, mask, Rules(ngram=1)))) == 65
    assert len(list(all_sentences(few, mask, Rules(least=5)))) == 1_024


def test_the_models_are_worth_a_search(many: Script) -> None:
    """The tests below would prove little if the likeliest token, or the shortest sentence, were always right."""
    limits = np.full((200,), LENGTH + 1, np.int32)
    greedy = greedy_search(many, many.state(range(200)), limits, LENGTH + 1, Rules().rule)
    narrow = search(many, Rules(), Ranking("none"), 1, beam=2)
    exact = search(many, Rules(), Ranking("none"), 1, beam=64)
    found = [ops.convert_to_numpy(one.token_ids)[:, 0] for one in (greedy, narrow, exact)]
    assert (found[0] != found[2]).any(axis=1).sum() >= 40
    assert (found[1] != found[2]).any(axis=1).sum() >= 10
    assert len({len(one.tokens) for (one, *_) in rows_of(exact)}) >= 4


@pytest.mark.thorough
@pytest.mark.parametrize("ranking", RANKINGS)
def test_few_models_with_each_ranking(few: Script, ranking: str) -> None:
    assert_finds_the_best(few, Rules(), *RANKINGS[ranking], n_best=6)


@pytest.mark.thorough
@pytest.mark.parametrize("rules", [rules for rules in RULES if rules != "no rule"])
def test_few_models_with_each_rule(few: Script, rules: str) -> None:
    assert_finds_the_best(few, RULES[rules], *RANKINGS["gnmt"], n_best=6)


@pytest.mark.slow
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("ranking", RANKINGS)
def test_two_hundred_models_with_each_ranking_and_rule(many: Script, ranking: str, rules: str) -> None:
    assert_finds_the_best(many, RULES[rules], *RANKINGS[ranking], n_best=10)
