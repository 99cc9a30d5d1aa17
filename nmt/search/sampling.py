"""Sampling: each next token is drawn from the model's distribution, which may be sharpened or cut before.

The random numbers come from outside, so the loop has no random state and the same numbers give the same tokens. What
changes a distribution takes and returns log-probabilities whose probabilities sum to one, and so they compose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from nmt.search.hypotheses import IMPOSSIBLE, Hypotheses, Step
from nmt.search.ranking import PLAIN, Ranking
from nmt.search.rules import Rule, unchanged
from nmt.search.stepwise import extend_one_by_one

Adjust = Callable[[Any], Any]
GREEDY_BELOW = 1e-6  # divided by much less, log-probabilities leave the range of float32


def sample(
    step: Step,
    state: Any,
    limits: Any,
    max_length: int,
    uniforms: Any,
    adjust: Adjust,
    rule: Rule = unchanged,
    ranking: Ranking = PLAIN,
) -> Hypotheses:
    """Draws tokens until the end of the line or the row's limit.

    Args:
        step: as described in `nmt.search`.
        state: the first state; each tensor (batch, ...).
        limits: tokens of each row at most, the end of the line included; (batch,), each from 1 to max_length. None
            draws running text: each row goes on over the ends of its lines and has `max_length` tokens.
        max_length: width of the result.
        uniforms: random numbers in [0, 1), one a token; (batch, samples, max_length), float32.
        adjust: makes log-probabilities (batch, samples, vocabulary), normalized, to those that the token is drawn from.
        rule: what may be drawn; `nmt.search.rules.within` stands around it.
        ranking: gives the scores, without coverage.

    Returns:
        The samples in the order of the random numbers, and the log-probabilities that the model itself gives them,
        before `adjust`.
    """

    def choose(log_probs: Any, position: Any) -> Any:
        return draw(adjust(ops.log_softmax(log_probs)), ops.take(uniforms, position, axis=2))

    rows = ops.shape(uniforms)[0], uniforms.shape[1]
    return extend_one_by_one(step, state, limits, max_length, rows, choose, rule, ranking)


def draw(log_probs: Any, uniforms: Any) -> Any:
    """The tokens at which the cumulative distribution passes the random numbers.

    Args:
        log_probs: (..., vocabulary).
        uniforms: numbers in [0, 1); (...).

    Returns:
        Tokens (...), int32; never one whose probability is 0.
    """
    probs = ops.exp(log_probs)
    cumulative = ops.where(probs > 0.0, ops.cumsum(probs, axis=-1), 0.0)  # (..., vocabulary)
    threshold = uniforms * ops.max(cumulative, axis=-1)  # the sum is 1 only up to rounding
    vocabulary = log_probs.shape[-1]
    beyond = ops.where(cumulative > threshold[..., None], ops.arange(vocabulary), vocabulary)
    return ops.cast(ops.min(beyond, axis=-1), "int32")


def adjustment(degree: float = 1.0, count: int | None = None, mass: float = 1.0) -> Adjust:
    """Temperature first, then both cuts: `temperature(degree)`, `top_k(count)`, `top_p(mass)`.

    A temperature of 0, or below `GREEDY_BELOW`, always takes the likeliest token.
    """

    def adjust(log_probs: Any) -> Any:
        if degree < GREEDY_BELOW:
            return top_k(log_probs, 1)
        if degree != 1.0:
            log_probs = temperature(log_probs, degree)
        if count is not None:
            log_probs = top_k(log_probs, count)
        return top_p(log_probs, mass)

    return adjust


def temperature(log_probs: Any, degree: float) -> Any:
    """The softmax at a temperature: below 1 the likely tokens gain, above 1 the unlikely ones.

    Args:
        log_probs: normalized; (..., vocabulary).
        degree: above 0; 1 changes nothing, and towards 0 the likeliest token takes all.
    """
    return ops.log_softmax(log_probs / degree, axis=-1)


def top_k(log_probs: Any, count: int) -> Any:
    """The `count` likeliest tokens alone (Fan et al. 2018, section 5.4); of equals the lower id.

    Args:
        log_probs: normalized; (..., vocabulary).
        count: at least 1; as many as the vocabulary has, or more, change nothing.
    """
    _, ranks = _order(log_probs)
    return _renormalized(log_probs, ranks < count)


def top_p(log_probs: Any, mass: float) -> Any:
    """The nucleus: the fewest likeliest tokens whose probabilities reach `mass` (Holtzman et al. 2020, section 3.1).

    Args:
        log_probs: normalized; (..., vocabulary).
        mass: a probability; 1 changes nothing, and the likeliest token always stays.
    """
    if mass >= 1.0:  # the sum of float32 may reach 1 before the last token
        return log_probs
    order, ranks = _order(log_probs)
    probs = ops.exp(ops.take_along_axis(log_probs, order, axis=-1))  # (..., vocabulary), falling
    likelier = ops.cumsum(probs, axis=-1) - probs  # probability of all tokens before
    inside = ops.take_along_axis(likelier < mass, ranks, axis=-1)
    return _renormalized(log_probs, ops.logical_or(inside, ranks == 0))


def _order(log_probs: Any) -> tuple[Any, Any]:
    """The tokens, likeliest first, and the place of each token in that order; both (..., vocabulary)."""
    order = ops.argsort(-log_probs, axis=-1)
    return order, ops.argsort(order, axis=-1)


def _renormalized(log_probs: Any, kept: Any) -> Any:
    return ops.log_softmax(ops.where(kept, log_probs, IMPOSSIBLE), axis=-1)
