"""The loop of every search that keeps one hypothesis a row: it asks for the next token, and writes it down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from nmt.search.hypotheses import Hypotheses, Step, allowed, write_token
from nmt.tokenizer import END_ID, PAD_ID, START_ID

Choose = Callable[[Any, Any], Any]


def extend_one_by_one(step: Step, state: Any, limits: Any, max_length: int, batch: Any, choose: Choose) -> Hypotheses:
    """Takes token after token until the end of sentence or the row's limit.

    Args:
        step: as described in `nmt.search`.
        state: the first state; each tensor (batch, ...).
        limits: tokens of each row at most, the end of sentence included; (batch,), each from 1 to max_length. None goes
            on over the ends of sentences, to `max_length` tokens in each row.
        max_length: width of the result.
        batch: rows.
        choose: gives the next tokens (batch,), int32, of log-probabilities (batch, vocabulary) and a position ().

    Returns:
        The tokens, and the log-probabilities that the model gives them.
    """
    goes_on = limits is None
    last_position = max_length if goes_on else limits - 1  # there, a row must end

    def unfinished(position: Any, _state: Any, _last: Any, _ids: Any, _log_probs: Any, done: Any) -> Any:
        return ops.logical_and(position < max_length, ops.logical_not(ops.all(done)))

    def extend(position: Any, state: Any, last: Any, token_ids: Any, log_probs: Any, done: Any) -> Any:
        next_log_probs, _, state = step(last, state)  # (batch, vocabulary)
        must_end = ops.broadcast_to(position >= last_position, (batch,))
        next_log_probs = allowed(next_log_probs, must_end)
        tokens = choose(next_log_probs, position)  # (batch,)
        own = ops.take_along_axis(next_log_probs, tokens[:, None], axis=1)[:, 0]
        log_probs = log_probs + ops.where(done, 0.0, own)
        last = ops.where(done, PAD_ID, tokens)
        ends = ops.logical_and(last == END_ID, not goes_on)
        return position + 1, state, last, write_token(token_ids, position, last), log_probs, done | ends

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
