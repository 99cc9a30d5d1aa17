"""Beam search with live and finished hypotheses and an exact stop."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops, tree

from nmt.search.hypotheses import IMPOSSIBLE, Hypotheses, Step, allowed, write_token
from nmt.tokenizer import END_ID, PAD_ID, START_ID


class Beam(NamedTuple):
    """The search's state between two steps; batch rows hold `beam` hypotheses each."""

    position: Any  # tokens so far, ()
    state: Any  # the model's, each tensor (batch * beam, ...)
    live_ids: Any  # (batch, beam, max_length)
    live_log_probs: Any  # (batch, beam), best first
    best_ids: Any  # the best finished hypothesis, (batch, max_length)
    best_log_prob: Any  # (batch,)
    best_score: Any  # its log-probability over the length penalty, (batch,)


def length_penalty(length: Any, exponent: float) -> Any:
    """((5 + length) / 6) ** exponent (Wu et al. 2016, eq. 14); lengths count the end of sentence."""
    return ((5.0 + ops.cast(length, "float32")) / 6.0) ** exponent


def beam_search(
    step: Step, state: Any, limits: Any, max_length: int, beam_size: int, penalty_exponent: float
) -> Hypotheses:
    """Keeps the `beam_size` likeliest open hypotheses and the best finished one, by score.

    A row is done when no open hypothesis can still beat its finished one: log-probabilities only fall and the penalty
    only grows up to the row's limit, so `log_prob / penalty(limit)` is the most that an open hypothesis can reach. The
    result of a row therefore does not depend on the other rows.

    Args:
        step: as described in `nmt.search`.
        state: the first state; each tensor (batch, ...).
        limits: tokens of each row at most, the end of sentence included; (batch,), each from 1 to max_length.
        max_length: width of the result.
        beam_size: hypotheses kept open.
        penalty_exponent: exponent of the length penalty, at least 0.
    """
    batch = ops.shape(limits)[0]
    limit_penalty = length_penalty(limits, penalty_exponent)  # (batch,)

    def unfinished(*values: Any) -> Any:
        beam = Beam(*values)
        bound = beam.live_log_probs[:, 0] / limit_penalty  # (batch,)
        return ops.logical_and(beam.position < max_length, ops.any(bound > beam.best_score))

    def extend(*values: Any) -> Beam:
        beam = Beam(*values)
        log_probs, state = _next_log_probs(step, beam, limits)  # (batch, beam, vocabulary)
        vocabulary = log_probs.shape[-1]
        totals = ops.reshape(beam.live_log_probs[:, :, None] + log_probs, (-1, beam_size * vocabulary))
        # Twice the beam: even if every hypothesis ends, `beam_size` stay open.
        top_log_probs, top = ops.top_k(totals, 2 * beam_size)  # (batch, 2 * beam)
        origin, tokens = ops.cast(top // vocabulary, "int32"), ops.cast(top % vocabulary, "int32")
        ids = write_token(_gather(beam.live_ids, origin), beam.position, tokens)
        ends = tokens == END_ID
        best = _best_finished(beam, ids, ops.where(ends, top_log_probs, IMPOSSIBLE), penalty_exponent)

        live_log_probs, kept = ops.top_k(ops.where(ends, IMPOSSIBLE, top_log_probs), beam_size)
        origin = ops.take_along_axis(origin, kept, axis=1)  # (batch, beam)
        rows = ops.reshape(origin + beam_size * ops.arange(batch, dtype="int32")[:, None], (-1,))
        state = tree.map_structure(lambda x: ops.take(x, rows, axis=0), state)
        return Beam(beam.position + 1, state, _gather(ids, kept), live_log_probs, *best)

    first = ops.where(ops.arange(beam_size) == 0, 0.0, IMPOSSIBLE)  # one open hypothesis: the empty one
    start = Beam(
        position=ops.convert_to_tensor(0, "int32"),
        state=tree.map_structure(lambda x: ops.repeat(x, beam_size, axis=0), state),
        live_ids=ops.full((batch, beam_size, max_length), PAD_ID, "int32"),
        live_log_probs=ops.broadcast_to(ops.cast(first, "float32"), (batch, beam_size)),
        best_ids=ops.full((batch, max_length), PAD_ID, "int32"),
        best_log_prob=ops.full((batch,), IMPOSSIBLE, "float32"),
        best_score=ops.full((batch,), 2.0 * IMPOSSIBLE, "float32"),
    )
    final = Beam(*ops.while_loop(unfinished, extend, tuple(start)))
    return Hypotheses(final.best_ids, final.best_log_prob)


def _next_log_probs(step: Step, beam: Beam, limits: Any) -> tuple[Any, Any]:
    """Log-probabilities of each open hypothesis' next token (batch, beam, vocabulary), and the new state."""
    batch, beam_size, _ = ops.shape(beam.live_ids)
    last = ops.take(beam.live_ids, ops.maximum(beam.position - 1, 0), axis=2)  # (batch, beam)
    last = ops.where(beam.position == 0, START_ID, last)
    log_probs, _, state = step(ops.reshape(last, (-1,)), beam.state)  # (batch * beam, vocabulary)
    log_probs = ops.reshape(log_probs, (batch, beam_size, log_probs.shape[-1]))
    return allowed(log_probs, (beam.position + 1 >= limits)[:, None]), state


def _best_finished(beam: Beam, ids: Any, log_probs: Any, penalty_exponent: float) -> tuple[Any, Any, Any]:
    """The best of the finished hypothesis so far and those that end now; (ids, log-probability, score)."""
    scores = log_probs / length_penalty(beam.position + 1, penalty_exponent)  # (batch, candidates)
    scores = ops.concatenate([beam.best_score[:, None], scores], axis=1)
    log_probs = ops.concatenate([beam.best_log_prob[:, None], log_probs], axis=1)
    ids = ops.concatenate([beam.best_ids[:, None], ids], axis=1)
    best = ops.cast(ops.argmax(scores, axis=1), "int32")[:, None]  # the first of equals: the older one
    return (
        _gather(ids, best)[:, 0],
        ops.take_along_axis(log_probs, best, axis=1)[:, 0],
        ops.take_along_axis(scores, best, axis=1)[:, 0],
    )


def _gather(ids: Any, index: Any) -> Any:
    """Picks hypotheses of each row: (batch, from, length) and (batch, to) to (batch, to, length)."""
    return ops.take_along_axis(ids, index[:, :, None], axis=1)
