"""Greedy search: the likeliest token at every step."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from nmt.search.hypotheses import Hypotheses, Step
from nmt.search.ranking import PLAIN, Ranking
from nmt.search.rules import Rule, unchanged
from nmt.search.stepwise import extend_one_by_one


def greedy_search(
    step: Step,
    state: Any,
    limits: Any,
    max_length: int,
    rule: Rule = unchanged,
    ranking: Ranking = PLAIN,
) -> Hypotheses:
    """Takes the likeliest token until the end of sentence or the row's limit.

    Args:
        step: as described in `nmt.search`.
        state: the first state; each tensor (batch, ...).
        limits: tokens of each row at most, the end of sentence included; (batch,), each from 1 to max_length.
        max_length: width of the result.
        rule: what may be chosen; `nmt.search.rules.within` stands around it.
        ranking: gives the scores, without coverage.

    Returns:
        One hypothesis for each row.
    """
    rows = ops.shape(limits)[0], 1
    return extend_one_by_one(step, state, limits, max_length, rows, _likeliest, rule, ranking)


def _likeliest(log_probs: Any, position: Any) -> Any:
    if keras.backend.backend() != "tensorflow":
        return ops.cast(ops.argmax(log_probs, axis=-1), "int32")
    _, places = ops.top_k(log_probs, 1)  # of equals the first, too; there `ops.argmax` first looks for negative zeros
    return ops.cast(places[..., 0], "int32")
