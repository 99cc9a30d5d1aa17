"""Beam search for the best sentence that has given words in it, wherever they fit.

A hypothesis stands in the bank of as many forced tokens as it has, and each bank is a beam of its own: grid beam search
(Hokamp & Liu 2017), in which a word that was begun and not finished counts for nothing again (Post & Vilar 2018). The
search walks through one sentence in plain Python, step by step: it is much slower than a compiled one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from keras import ops, tree

from nmt.errors import DataError
from nmt.search.hypotheses import Step, is_possible
from nmt.search.ranking import Ranking
from nmt.search.rules import History, Rule, within
from nmt.tokenizer import END_ID, PAD_ID, START_ID


@dataclass(frozen=True)
class Open:
    """An open hypothesis.

    Attributes:
        token_ids: so far.
        total: their log-probability as the rule makes it.
        log_prob: the model's own.
        missing: the forced words that it does not have yet.
        begun: the number among them of the word under way; None: there is none.
        progress: tokens of it.
        closed: whether its last token completed a forced word: no token goes on with that.
        goes_on: whether its last token could have completed one, but is not taken for that: a token must go on with it.
        row: its row in the model's state.
    """

    token_ids: tuple[int, ...]
    total: float
    log_prob: float
    missing: tuple[tuple[int, ...], ...]
    begun: int | None = None
    progress: int = 0
    closed: bool = False
    goes_on: bool = False
    row: int = 0

    @property
    def left(self) -> int:
        """Forced tokens that are still to come."""
        return sum(map(len, self.missing)) - self.progress


@dataclass(frozen=True)
class Finished:
    """The best sentence: its tokens with the end, the model's log-probability, and what it was ranked by."""

    token_ids: tuple[int, ...]
    log_prob: float
    score: float


def search_with_words(
    step: Step,
    state: Any,
    limit: int,
    words: Sequence[Sequence[int]],
    beam_size: int,
    continues_word: np.ndarray,
    rule: Rule,
    ranking: Ranking,
) -> Finished:
    """The best sentence with all the words, each as often as it is given.

    Args:
        step: as described in `nmt.search`.
        state: the first state of the sentence; each tensor (1, ...).
        limit: tokens at most, the end of sentence included.
        words: the tokens of each word.
        beam_size: hypotheses that each bank keeps open.
        continues_word: whether a token goes on with the word before it: none of them follows a forced word;
            (vocabulary,).
        rule: what may be chosen; it has its say on forced tokens, too.
        ranking: how finished hypotheses are compared, without coverage.

    Raises:
        DataError: the words need more tokens than the limit allows, or no sentence that was found has them all.
    """
    check_room(words, limit)
    first = Open((), 0.0, 0.0, tuple(tuple(word) for word in words))
    ruled_within = within(np.array([limit], np.int32), rule)
    live, best = [first], None
    for position in range(limit):
        log_probs, ruled, state = _next(step, state, live, ruled_within, limit)
        grown = [
            new
            for row, hypothesis in enumerate(live)
            for new in _grow(replace(hypothesis, row=row), ruled[row], log_probs[row], beam_size, continues_word)
            if position + 1 + new.left < limit or new.token_ids[-1] == END_ID
        ]
        for ended in (new for new in grown if new.token_ids[-1] == END_ID):
            score = float(ranking.score(np.float32(ended.total), np.float32(position + 1)))
            if best is None or score > best.score:
                best = Finished(ended.token_ids, ended.log_prob, score)
        live = _by_banks([new for new in grown if new.token_ids[-1] != END_ID], beam_size)
        if not live or (best is not None and not _can_beat(best, live, position + 1, limit, ranking)):
            break
        state = _rows(state, [hypothesis.row for hypothesis in live])
    if best is None:
        raise DataError(
            "forced words: found no sentence that has them all and breaks no rule; force fewer words, take a wider "
            "beam, or give up some of prefix, banned_words and no_repeated_ngram"
        )
    return best


def check_room(words: Sequence[Sequence[int]], limit: int) -> None:
    """Refuses words of more tokens than a sentence of `limit` tokens, the end included, has.

    Raises:
        DataError: they are too long.
    """
    needed = sum(map(len, words))
    if needed + 1 > limit:
        raise DataError(
            f"forced words: expected at most {limit - 1} tokens, as many as this translation can have, received "
            f"{needed}; force fewer words, or raise decoding.max_length and max_length_ratio"
        )


def _next(step: Step, state: Any, live: list[Open], rule: Rule, limit: int) -> tuple[np.ndarray, np.ndarray, Any]:
    """Log-probabilities of each open hypothesis' next token (rows, vocabulary), as the model and as the rule says."""
    position = len(live[0].token_ids)
    histories = np.full((1, len(live), limit), PAD_ID, np.int32)
    histories[0, :, :position] = [hypothesis.token_ids for hypothesis in live]
    last = histories[0, :, position - 1] if position else np.full((len(live),), START_ID, np.int32)
    log_probs, _, state = step(ops.convert_to_tensor(last), state)
    ruled = rule(log_probs[None], History(ops.convert_to_tensor(histories), position))[0]
    return ops.convert_to_numpy(log_probs), ops.convert_to_numpy(ruled), state


def _grow(
    hypothesis: Open, ruled: np.ndarray, log_probs: np.ndarray, beam_size: int, continues_word: np.ndarray
) -> Iterator[Open]:
    """The likeliest continuations of a hypothesis, and those that a forced word asks for."""
    if hypothesis.missing:
        ruled = np.where(np.arange(len(ruled)) == END_ID, -np.inf, ruled)
    if hypothesis.closed or hypothesis.goes_on:
        ruled = np.where(continues_word == hypothesis.goes_on, ruled, -np.inf)
    asked = {word[0] for word in hypothesis.missing}
    if hypothesis.begun is not None:
        asked = {hypothesis.missing[hypothesis.begun][hypothesis.progress]}
    likeliest = np.argsort(-ruled, kind="stable")[: 2 * beam_size]
    for token in dict.fromkeys([*asked, *likeliest.tolist()]):
        if is_possible(ruled[token]):
            yield from _with_token(hypothesis, token, float(ruled[token]), float(log_probs[token]))


def _with_token(hypothesis: Open, token: int, total: float, log_prob: float) -> Iterator[Open]:
    """The hypothesis with one more token; several times where the token may belong to several forced words."""
    longer = replace(
        hypothesis,
        token_ids=(*hypothesis.token_ids, token),
        total=hypothesis.total + total,
        log_prob=hypothesis.log_prob + log_prob,
        begun=None,
        progress=0,
        closed=False,
        goes_on=False,
    )
    places = {(word, 0): i for i, word in enumerate(hypothesis.missing)}  # equal words stand for one another
    if hypothesis.begun is not None:
        places[hypothesis.missing[hypothesis.begun], hypothesis.progress] = hypothesis.begun
    fits = [(i, progress + 1) for (word, progress), i in places.items() if word[progress] == token]
    for i, progress in fits:
        yield from _advanced(longer, i, progress)
    if not fits:
        yield longer


def _advanced(hypothesis: Open, word: int, progress: int) -> Iterator[Open]:
    """With so many tokens of a forced word; a whole one is no longer missing, unless it is the beginning of another."""
    if progress < len(hypothesis.missing[word]):
        yield replace(hypothesis, begun=word, progress=progress)
        return
    rest = hypothesis.missing[:word] + hypothesis.missing[word + 1 :]
    yield replace(hypothesis, missing=rest, closed=True)
    yield replace(hypothesis, goes_on=True)


def _by_banks(grown: list[Open], beam_size: int) -> list[Open]:
    """The likeliest hypotheses of each bank; of those with the same tokens and the same words missing, one."""
    banks: dict[int, list[Open]] = {}
    seen = set()
    for hypothesis in sorted(grown, key=lambda one: -one.total):
        same = hypothesis.token_ids, hypothesis.missing, hypothesis.begun, hypothesis.progress, hypothesis.goes_on
        bank = banks.setdefault(hypothesis.left, [])
        if same not in seen and len(bank) < beam_size:
            bank.append(hypothesis)
            seen.add(same)
    return [hypothesis for bank in banks.values() for hypothesis in bank]


def _can_beat(best: Finished, live: list[Open], position: int, limit: int, ranking: Ranking) -> bool:
    """Whether an open hypothesis may still reach a better score than the best finished one."""
    totals = np.array([hypothesis.total for hypothesis in live], np.float32)
    bounds = ranking.bound(totals, position, np.array([limit], np.int32), limit)
    return bool(ops.convert_to_numpy(bounds).max() > best.score)


def _rows(state: Any, rows: list[int]) -> Any:
    """The model's state of these rows."""
    return tree.map_structure(lambda x: ops.take(x, np.array(rows, np.int32), axis=0), state)
