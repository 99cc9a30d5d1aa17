"""Rules: what search may choose next, given what it chose before.

A rule makes log-probabilities of the next token into others, so rules compose. It gets all hypotheses of a batch at
once, and what belongs to one of its rows, such as a limit or a prefix, it brings along. What a rule forbids becomes
`IMPOSSIBLE` or less; no rule makes a token likelier than the model does. Knows no search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from nmt.search.hypotheses import IMPOSSIBLE
from nmt.search.picking import take_rows
from nmt.tokenizer import END_ID, PAD_ID, START_ID


class History(NamedTuple):
    """What was chosen so far.

    Attributes:
        token_ids: then padding; (batch, hypotheses, max_length).
        position: how many tokens there are; ().
        limits: tokens of each row at most, the end of sentence included; (batch,). None: there are none.
    """

    token_ids: Any
    position: Any
    limits: Any = None


Rule = Callable[[Any, History], Any]  # log-probabilities are (batch, hypotheses, vocabulary)


def unchanged(log_probs: Any, history: History) -> Any:
    """The rule that forbids nothing."""
    return log_probs


def compose(rules: Sequence[Rule]) -> Rule:
    """One rule after the other."""
    if not rules:
        return unchanged
    return lambda log_probs, history: reduce(lambda ruled, rule: rule(ruled, history), rules, log_probs)


def within(limits: Any, rule: Rule) -> Rule:
    """What holds for every search, around a rule of the user's.

    Padding and start of sentence are never chosen. A hypothesis ends, with the end's own log-probability, where it
    reaches its row's limit and where nothing else is left.

    Args:
        limits: tokens of each row at most, the end of sentence included; (batch,). None: there are none.
        rule: for the tokens before.
    """

    def ruled(log_probs: Any, history: History) -> Any:
        token_ids = np.arange(log_probs.shape[-1])
        is_end, never = token_ids == END_ID, np.isin(token_ids, (PAD_ID, START_ID))  # (vocabulary,)
        at_limit = np.zeros((1,), bool) if limits is None else history.position + 1 >= limits  # (batch,)
        if rule is unchanged:  # then the end is left, and one sum over all tokens is enough
            taken = ops.convert_to_tensor(IMPOSSIBLE * np.stack([never, ~is_end]), "float32")  # before it, and at it
            return log_probs + take_rows(taken, ops.cast(at_limit, "int32"))[:, None]
        at_limit = ops.reshape(at_limit, (-1, 1, 1))
        allowed = ops.where(never, IMPOSSIBLE, rule(log_probs, history._replace(limits=limits)))
        nothing_left = ops.max(allowed, axis=-1, keepdims=True) <= IMPOSSIBLE  # (batch, hypotheses, 1)
        return ops.where(ops.logical_or(nothing_left, at_limit), _only(is_end, log_probs), allowed)

    return ruled


def at_least(lengths: Any) -> Rule:
    """No end before a row has so many tokens, the end not counted; lengths are (batch,), or one for all."""

    def ruled(log_probs: Any, history: History) -> Any:
        too_short = ops.reshape(history.position < lengths, (-1, 1, 1))
        is_end = ops.arange(log_probs.shape[-1]) == END_ID
        return ops.where(ops.logical_and(too_short, is_end), IMPOSSIBLE, log_probs)

    return ruled


def never(token_ids: Sequence[int]) -> Rule:
    """These tokens are not chosen, such as the unknown one."""

    def ruled(log_probs: Any, history: History) -> Any:
        return ops.where(np.isin(np.arange(log_probs.shape[-1]), token_ids), IMPOSSIBLE, log_probs)

    return ruled


def no_repeated_ngram(size: int) -> Rule:
    """No sequence of `size` tokens occurs twice (Paulus et al. 2018, section 2.5, for size 3)."""

    def ruled(log_probs: Any, history: History) -> Any:
        token_ids, position, _ = history
        starts = token_ids.shape[-1] - size + 1  # windows of `size` tokens in a history
        if starts < 1:
            return log_probs
        same = ops.arange(starts) + size <= position  # (windows,): those that are full
        for i in range(size - 1):
            last = ops.take(token_ids, ops.maximum(position - size + 1 + i, 0), axis=-1)  # (batch, hypotheses)
            same = ops.logical_and(same, token_ids[..., i : i + starts] == last[..., None])
        same = ops.broadcast_to(same, ops.shape(token_ids[..., :starts]))
        repeated = _occurs(token_ids[..., size - 1 :], same, log_probs.shape[-1])
        return ops.where(repeated, IMPOSSIBLE, log_probs)

    return ruled


def repetition_penalty(factor: float) -> Rule:
    """Log-probabilities of tokens that occurred already, times a factor of at least 1.

    Keskar et al. (2019, section 4.1) divide the scores before the softmax, whose sign no model promises; a
    log-probability is never positive, so that the product is always a penalty.
    """

    def ruled(log_probs: Any, history: History) -> Any:
        token_ids, position, _ = history
        chosen = ops.broadcast_to(ops.arange(token_ids.shape[-1]) < position, ops.shape(token_ids))
        occurred = _occurs(token_ids, chosen, log_probs.shape[-1])
        return ops.where(occurred, factor * log_probs, log_probs)

    return ruled


def forced_prefix(prefix_ids: Any, rule: Rule) -> Rule:
    """Every hypothesis begins with its row's prefix; a rule for what follows has no say there.

    Args:
        prefix_ids: right-padded, without start; (batch, prefix_length).
        rule: for the tokens after the prefix.
    """
    length = ops.shape(prefix_ids)[-1]
    lengths = ops.sum(ops.cast(prefix_ids != PAD_ID, "int32"), axis=-1)  # (batch,)

    def ruled(log_probs: Any, history: History) -> Any:
        position = history.position
        wanted = ops.take(prefix_ids, ops.minimum(position, length - 1), axis=-1)  # (batch,)
        is_wanted = ops.arange(log_probs.shape[-1]) == wanted[:, None, None]
        in_prefix = ops.reshape(position < lengths, (-1, 1, 1))
        return ops.where(in_prefix, _only(is_wanted, log_probs), rule(log_probs, history))

    return ruled


def _only(chosen: Any, log_probs: Any) -> Any:
    return ops.where(chosen, log_probs, IMPOSSIBLE)


def _occurs(token_ids: Any, counts: Any, vocabulary: int) -> Any:
    """Which tokens of the vocabulary occur, of those that count.

    Args:
        token_ids: (batch, hypotheses, length).
        counts: which of them count; (batch, hypotheses, length).
        vocabulary: its size.

    Returns:
        (batch, hypotheses, vocabulary); padding, for what does not count, may be among them.
    """
    batch, hypotheses, length = ops.shape(token_ids)
    rows = batch * hypotheses
    counted = ops.reshape(ops.where(counts, token_ids, PAD_ID), (rows, length))
    places = ops.reshape(counted + vocabulary * ops.arange(rows, dtype="int32")[:, None], (-1, 1))
    found = ops.scatter(places, ops.ones_like(places[:, 0], dtype="float32"), (rows * vocabulary,))
    return ops.reshape(found, (batch, hypotheses, vocabulary)) > 0.0
