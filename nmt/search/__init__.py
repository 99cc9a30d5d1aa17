"""Search for the best target sentence, and sampling.

Every search takes `step(token_ids, state) -> (log_probs, attention, state)` and knows no model: `token_ids` are the
last tokens (rows,), `state` is any nest of tensors with a first axis of rows, `log_probs` are (rows, vocabulary). All
of it is `keras.ops`, so the same code runs in validation, in translation and inside the SavedModel.
"""

from __future__ import annotations

from typing import Any

from nmt.search.beam import beam_search
from nmt.search.greedy import greedy_search
from nmt.search.hypotheses import Hypotheses, Step
from nmt.search.sampling import sample

__all__ = ["Hypotheses", "Step", "beam_search", "greedy_search", "sample", "search"]


def search(step: Step, state: Any, limits: Any, max_length: int, beam_size: int, penalty_exponent: float) -> Hypotheses:
    """Greedy search for a beam of one, beam search for a larger one; arguments as there."""
    if beam_size == 1:
        return greedy_search(step, state, limits, max_length)
    return beam_search(step, state, limits, max_length, beam_size, penalty_exponent)
