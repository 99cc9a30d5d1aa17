"""Greedy search: the likeliest token at every step."""

from __future__ import annotations

from typing import Any

from keras import ops

from nmt.search.hypotheses import Hypotheses, Step, allowed, write_token
from nmt.tokenizer import END_ID, PAD_ID, START_ID


def greedy_search(step: Step, state: Any, limits: Any, max_length: int) -> Hypotheses:
    """Takes the likeliest token until the end of sentence or the row's limit.

    Args:
        step: as described in `nmt.search`.
        state: the first state; each tensor (batch, ...).
        limits: tokens of each row at most, the end of sentence included; (batch,), each from 1 to max_length.
        max_length: width of the result.
    """
    batch = ops.shape(limits)[0]

    def unfinished(position: Any, _state: Any, _last: Any, _ids: Any, _log_probs: Any, done: Any) -> Any:
        return ops.logical_and(position < max_length, ops.logical_not(ops.all(done)))

    def extend(position: Any, state: Any, last: Any, token_ids: Any, log_probs: Any, done: Any) -> Any:
        next_log_probs, _, state = step(last, state)  # (batch, vocabulary)
        next_log_probs = allowed(next_log_probs, position + 1 >= limits)
        best = ops.cast(ops.argmax(next_log_probs, axis=-1), "int32")  # (batch,)
        log_probs = log_probs + ops.where(done, 0.0, ops.max(next_log_probs, axis=-1))
        last = ops.where(done, PAD_ID, best)
        return position + 1, state, last, write_token(token_ids, position, last), log_probs, done | (last == END_ID)

    start = (
        ops.convert_to_tensor(0, "int32"),
        state,
        ops.full((batch,), START_ID, "int32"),
        ops.full((batch, max_length), PAD_ID, "int32"),
        ops.zeros((batch,), "float32"),
        ops.zeros((batch,), "bool"),
    )
    _, _, _, token_ids, log_probs, _ = ops.while_loop(unfinished, extend, start)
    return Hypotheses(token_ids, log_probs)
