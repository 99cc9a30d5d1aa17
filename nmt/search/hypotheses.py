"""What every search returns, and what searches share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

Step = Callable[[Any, Any], tuple[Any, Any, Any]]
IMPOSSIBLE = -1e9  # log-probability of what must not be chosen; finite, so that sums stay numbers
MISSING = -1e30  # score of a hypothesis that is not there; below every sum of impossible ones


class Hypotheses(NamedTuple):
    """The translations that were found for each row; what beam search found has the best one first.

    Attributes:
        token_ids: (batch, found, max_length), the end of sentence included, then padding.
        log_probs: natural logarithm of the probability that the model gives them, the end of sentence included;
            (batch, found).
        scores: what they were ranked by (see `nmt.search.ranking`), `MISSING` where a row has fewer; (batch, found).
    """

    token_ids: Any
    log_probs: Any
    scores: Any


def write_token(token_ids: Any, position: Any, tokens: Any) -> Any:
    """Histories (..., length) with `tokens` (...) at one position."""
    here = ops.arange(ops.shape(token_ids)[-1]) == position  # (length,)
    return ops.where(here, tokens[..., None], token_ids)


def is_possible(log_probs: Any) -> Any:
    """Whether sums of log-probabilities hold nothing `IMPOSSIBLE`."""
    return log_probs > IMPOSSIBLE / 2
