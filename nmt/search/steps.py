"""One step function made of several: models that vote in every step of search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from nmt.search.hypotheses import Step


def ensemble(steps: Sequence[Step]) -> Step:
    """The mean of several models' probabilities (Sutskever et al. 2014, section 3.6); a state is the list of theirs.

    The attention is the first model's.
    """

    def voted(token_ids: Any, states: Any) -> tuple[Any, Any, Any]:
        votes = [step(token_ids, state) for step, state in zip(steps, states, strict=True)]
        log_probs = ops.stack([log_probs for log_probs, _, _ in votes])  # (models, rows, vocabulary)
        mean = ops.logsumexp(log_probs, axis=0) - math.log(len(steps))
        return mean, votes[0][1], [state for _, _, state in votes]

    return voted


def fuse(step: Step, language_model_step: Step, weight: float) -> Step:
    """One step of search for two models (Gulcehre et al. 2015, section 4.1).

    Log-probabilities become log p(translation model) + weight · log p(language model). They are no longer normalized,
    but with a weight of at least 0 a longer hypothesis still has less, which beam search relies on.

    Args:
        step: the translation model's.
        language_model_step: the language model's, over the same vocabulary.
        weight: of the language model, at least 0.

    Returns:
        A step whose state is the pair of both states.
    """

    def fused(token_ids: Any, states: Any) -> tuple[Any, Any, Any]:
        state, language_model_state = states
        log_probs, attention, state = step(token_ids, state)  # (rows, vocabulary)
        prior, _, language_model_state = language_model_step(token_ids, language_model_state)
        return log_probs + weight * prior, attention, (state, language_model_state)

    return fused
