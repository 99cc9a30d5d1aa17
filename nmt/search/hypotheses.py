"""What every search returns, and what searches share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from nmt.tokenizer import END_ID, PAD_ID, START_ID

Step = Callable[[Any, Any], tuple[Any, Any, Any]]
IMPOSSIBLE = -1e9  # log-probability of what must not be chosen; finite, so that sums stay numbers


class Hypotheses(NamedTuple):
    """The best translation of each row.

    Attributes:
        token_ids: (batch, max_length), the end of sentence included, then padding.
        log_probs: natural logarithm of the probability, the end of sentence included; (batch,).
    """

    token_ids: Any
    log_probs: Any


def allowed(log_probs: Any, must_end: Any) -> Any:
    """Log-probabilities without the tokens that search may not choose.

    Padding and start of sentence are never chosen, and a row that must end can only end.

    Args:
        log_probs: (..., vocabulary).
        must_end: True where the next token is the last that the row's limit allows; (...), or broadcast to it.
    """
    ids = ops.arange(log_probs.shape[-1])
    never = ops.logical_or(ids == PAD_ID, ids == START_ID)  # (vocabulary,)
    forbidden = ops.logical_or(never, ops.logical_and(must_end[..., None], ids != END_ID))
    return ops.where(forbidden, IMPOSSIBLE, log_probs)


def write_token(token_ids: Any, position: Any, tokens: Any) -> Any:
    """Histories (..., length) with `tokens` (...) at one position."""
    here = ops.arange(token_ids.shape[-1]) == position  # (length,)
    return ops.where(here, tokens[..., None], token_ids)
