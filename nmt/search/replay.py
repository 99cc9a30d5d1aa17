"""What a model says of tokens that are given: the step of a search, with nothing to choose."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from nmt.search.hypotheses import Step, write_token
from nmt.tokenizer import START_ID


class Replay(NamedTuple):
    """What the model said, token by token.

    Attributes:
        log_probs: of each token, natural logarithms; (batch, length).
        attention: to the source when it was chosen; (batch, length, source_length), or source_length 0.
    """

    log_probs: Any
    attention: Any


def replay(step: Step, state: Any, token_ids: Any, source_length: Any = 0) -> Replay:
    """Walks through given tokens.

    Args:
        step: as described in `nmt.search`.
        state: the first state; each tensor (batch, ...).
        token_ids: without start; (batch, length). What follows an end of sentence is walked through like the rest.
        source_length: of the attention to keep; 0 keeps none.
    """
    batch, length = ops.shape(token_ids)
    keeps_attention = not (isinstance(source_length, int) and source_length == 0)

    def unfinished(position: Any, _state: Any, _log_probs: Any, _attention: Any) -> Any:
        return position < length

    def advance(position: Any, state: Any, log_probs: Any, attention: Any) -> Any:
        last = ops.take(token_ids, ops.maximum(position - 1, 0), axis=1)  # (batch,)
        own, weights, state = step(ops.where(position == 0, START_ID, last), state)  # (batch, vocabulary)
        chosen = ops.take(token_ids, position, axis=1)
        own = ops.take_along_axis(own, chosen[:, None], axis=1)[:, 0]
        if keeps_attention:
            here = (ops.arange(length) == position)[None, :, None]
            attention = ops.where(here, ops.cast(weights, "float32")[:, None, :], attention)
        return position + 1, state, write_token(log_probs, position, own), attention

    start = (
        ops.convert_to_tensor(0, "int32"),
        state,
        ops.zeros((batch, length), "float32"),
        ops.zeros((batch, length, source_length), "float32"),
    )
    _, _, log_probs, attention = ops.while_loop(unfinished, advance, start)
    return Replay(log_probs, attention)
