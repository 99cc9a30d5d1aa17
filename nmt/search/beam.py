"""Beam search with live and finished hypotheses, an exact stop, and groups for diversity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops, tree

from nmt.search.hypotheses import IMPOSSIBLE, MISSING, Hypotheses, Step, is_possible, write_token
from nmt.search.largest import largest
from nmt.search.narrowing import while_open
from nmt.search.picking import pick
from nmt.search.ranking import PLAIN, Ranking, coverage_of
from nmt.search.rules import History, Rule, unchanged, within
from nmt.tokenizer import END_ID, PAD_ID, START_ID

Narrow = Callable[[Any], tuple[Step, Rule]]


class Breadth(NamedTuple):
    """How many hypotheses beam search keeps.

    Attributes:
        beam_size: open ones.
        n_best: finished ones.
        groups: parts of the beam that shall differ (Vijayakumar et al. 2018); they divide `beam_size`.
        diversity: what a token loses for each open hypothesis of an earlier group that took it in the same step.
        lookahead: a group is done when no open hypothesis of it could win with at most so many further tokens; None:
            with as many as its row may have, which alone is sure.
    """

    beam_size: int
    n_best: int = 1
    groups: int = 1
    diversity: float = 0.0
    lookahead: int | None = None

    @property
    def width(self) -> int:
        """Open hypotheses of a group."""
        return self.beam_size // self.groups


class Beam(NamedTuple):
    """The search's state between two steps; `width` open hypotheses stand in each group of each row."""

    position: Any  # tokens so far, ()
    state: Any  # the model's, each tensor (batch * groups * width, ...)
    live_ids: Any  # (batch, groups, width, max_length)
    live_totals: Any  # log-probabilities as the rule makes them, which search compares; (batch, groups, width)
    live_log_probs: Any  # the model's own, (batch, groups, width)
    attention: Any  # summed over the target, (batch, groups, width, source_length); source_length 0: not asked
    finished: Hypotheses  # best first; (batch, groups, kept, ...)


class Candidates(NamedTuple):
    """The best continuations of a group's hypotheses, best first; each (batch, groups, 2 * width)."""

    origin: Any  # the hypothesis that is continued, from 0 to width - 1
    tokens: Any
    keys: Any  # totals without what diversity takes
    totals: Any
    log_probs: Any


def beam_search(
    step: Step,
    state: Any,
    limits: Any,
    max_length: int,
    breadth: Breadth,
    rule: Rule = unchanged,
    ranking: Ranking = PLAIN,
    source_mask: Any = None,
    narrow: Narrow | None = None,
) -> Hypotheses:
    """Keeps the likeliest open hypotheses and, by their scores, the best finished ones.

    A group is done when no open hypothesis of it can still beat its worst finished one (see `Ranking.bound` and
    `Breadth.lookahead`). The result of a row therefore does not depend on the other rows.

    Args:
        step: as described in `nmt.search`.
        state: the first state; each tensor (batch, ...).
        limits: tokens of each row at most, the end of sentence included; (batch,), each from 1 to max_length.
        max_length: width of the result.
        breadth: how many hypotheses are kept.
        rule: what may be chosen; `nmt.search.rules.within` stands around it.
        ranking: how finished hypotheses are compared.
        source_mask: where there are source tokens, for a ranking with a coverage penalty; (batch, source_length).
        narrow: makes step and rule of some rows of the batch, whose numbers it gets (rows,), which then stand instead
            of `step` and `rule`; with it, rows that are done are left out (see `nmt.search.narrowing`).
    """

    def loop_over(rows: Any) -> tuple[Callable[..., Any], Callable[..., Beam]]:
        own = (step, rule) if narrow is None else narrow(rows)
        return _loop(*own, _rows_of(limits, rows), max_length, breadth, ranking, _rows_of(source_mask, rows))

    batch = ops.shape(limits)[0]
    start = _start(state, batch, max_length, breadth, source_mask)
    if narrow is not None:
        return _together(while_open(loop_over, _rows_of_beam, start, batch), breadth)
    is_open, extend = loop_over(None)
    finished = Beam(*ops.while_loop(lambda *values: ops.any(is_open(*values)), extend, tuple(start))).finished
    return _together(finished, breadth)


def _loop(
    step: Step, rule: Rule, limits: Any, max_length: int, breadth: Breadth, ranking: Ranking, source_mask: Any
) -> tuple[Callable[..., Any], Callable[..., Beam]]:
    """What the loop asks and does: of a beam's parts, which rows are open (rows,), and the beam one token later."""
    groups, width = breadth.groups, breadth.width
    rule = within(limits, rule)

    def is_open(*values: Any) -> Any:
        beam = Beam(*values)
        best = ops.max(beam.live_totals, axis=-1)  # (rows, groups)
        ahead = limits if breadth.lookahead is None else ops.minimum(limits, beam.position + breadth.lookahead)
        bound = ranking.bound(best, beam.position, ahead[:, None], max_length)
        can_win = ops.any(bound > beam.finished.scores[:, :, -1], axis=-1)
        return ops.logical_and(beam.position < max_length, can_win)

    def extend(*values: Any) -> Beam:
        beam = Beam(*values)
        rows = ops.shape(limits)[0]
        log_probs, attention, state = _step(step, beam)  # (rows, beam, vocabulary), (rows, groups, width, source)
        histories = ops.reshape(beam.live_ids, (rows, groups * width, max_length))
        ruled = rule(log_probs, History(histories, beam.position))
        found = _candidates(beam, log_probs, ruled, breadth.diversity)

        ids = write_token(pick(beam.live_ids, found.origin), beam.position, found.tokens)
        coverage = 0.0
        if source_mask is not None:
            summed = ops.reshape(attention, (rows, groups * width, -1))
            coverage = ops.reshape(coverage_of(summed, source_mask), (rows, groups, width))
            coverage = pick(coverage, found.origin)
        ends = found.tokens == END_ID
        scores = ranking.score(found.totals, beam.position + 1, coverage)
        scores = ops.where(ops.logical_and(ends, is_possible(found.totals)), scores, MISSING)
        finished = _best(beam.finished, Hypotheses(ids, found.log_probs, scores))

        _, kept = ops.top_k(ops.where(ends, MISSING, found.keys), width)  # (batch, groups, width)
        origin = pick(found.origin, kept)
        totals = ops.where(ends, MISSING, found.totals)
        return Beam(
            beam.position + 1,
            _reorder(state, origin),
            pick(ids, kept),
            pick(totals, kept),
            pick(found.log_probs, kept),
            attention if source_mask is None else pick(attention, origin),
            finished,
        )

    return is_open, extend


def _rows_of(values: Any, rows: Any) -> Any:
    """What belongs to some rows; all of it where no rows are given, and nothing of nothing."""
    return values if values is None or rows is None else ops.take(values, rows, axis=0)


def _rows_of_beam(beam: Beam, rows: Any) -> Beam:
    """The beam of some of its rows."""
    open_ones = ops.shape(beam.live_ids)[1] * ops.shape(beam.live_ids)[2]

    def of_state(values: Any) -> Any:
        by_row = ops.reshape(values, (-1, open_ones, *ops.shape(values)[1:]))
        return ops.reshape(ops.take(by_row, rows, axis=0), (-1, *ops.shape(values)[1:]))

    return beam._replace(
        state=tree.map_structure(of_state, beam.state),
        live_ids=ops.take(beam.live_ids, rows, axis=0),
        live_totals=ops.take(beam.live_totals, rows, axis=0),
        live_log_probs=ops.take(beam.live_log_probs, rows, axis=0),
        attention=ops.take(beam.attention, rows, axis=0),
        finished=Hypotheses(*(ops.take(part, rows, axis=0) for part in beam.finished)),
    )


def _start(state: Any, batch: Any, max_length: int, breadth: Breadth, source_mask: Any) -> Beam:
    """One open hypothesis in each group: the empty one."""
    groups, width, kept = breadth.groups, breadth.width, min(breadth.n_best, breadth.width)
    first = ops.where(ops.arange(width) == 0, 0.0, IMPOSSIBLE)
    totals = ops.broadcast_to(ops.cast(first, "float32"), (batch, groups, width))
    source_length = 0 if source_mask is None else ops.shape(source_mask)[1]
    return Beam(
        position=ops.convert_to_tensor(0, "int32"),
        state=tree.map_structure(lambda x: ops.repeat(x, groups * width, axis=0), state),
        live_ids=ops.full((batch, groups, width, max_length), PAD_ID, "int32"),
        live_totals=totals,
        live_log_probs=ops.zeros_like(totals),
        attention=ops.zeros((batch, groups, width, source_length), "float32"),
        finished=Hypotheses(
            ops.full((batch, groups, kept, max_length), PAD_ID, "int32"),
            ops.full((batch, groups, kept), MISSING, "float32"),
            ops.full((batch, groups, kept), MISSING, "float32"),
        ),
    )


def _step(step: Step, beam: Beam) -> tuple[Any, Any, Any]:
    """Log-probabilities of each open hypothesis' next token, the attention summed up, and the model's new state."""
    batch, groups, width, _ = ops.shape(beam.live_ids)
    last = ops.take(beam.live_ids, ops.maximum(beam.position - 1, 0), axis=3)  # (batch, groups, width)
    last = ops.where(beam.position == 0, START_ID, last)
    log_probs, attention, state = step(ops.reshape(last, (-1,)), beam.state)  # (rows, vocabulary), (rows, source)
    summed = beam.attention
    if summed.shape[-1] != 0:  # somebody asked
        summed = summed + ops.reshape(ops.cast(attention, "float32"), ops.shape(summed))
    return ops.reshape(log_probs, (batch, groups * width, log_probs.shape[-1])), summed, state


def _candidates(beam: Beam, log_probs: Any, ruled: Any, diversity: float) -> Candidates:
    """The continuations of all groups; log-probabilities (batch, beam, vocabulary), as the model and as the rule says.

    Twice the width of a group: even if every hypothesis ends, `width` stay open.
    """
    batch, groups, width, _ = ops.shape(beam.live_ids)
    vocabulary = log_probs.shape[-1]
    shape = batch, groups, width, vocabulary
    ruled, log_probs = ops.reshape(ruled, shape), ops.reshape(log_probs, shape)
    if groups == 1:
        return _likeliest_of_each(beam.live_totals, ruled, log_probs, beam.live_log_probs)
    totals = beam.live_totals[..., None] + ruled
    taken = ops.zeros((batch, 1, 1, vocabulary), "float32")  # by how many hypotheses of the groups before
    found = []
    for group in range(groups):
        here = slice(group, group + 1)
        own = totals[:, here]
        found.append(_likeliest(own - diversity * taken, own, log_probs[:, here], beam.live_log_probs[:, here]))
        _, kept = ops.top_k(ops.where(found[-1].tokens == END_ID, MISSING, found[-1].keys), width)
        tokens = pick(found[-1].tokens, kept)  # (batch, 1, width)
        taken = taken + ops.sum(ops.one_hot(tokens, vocabulary, dtype="float32"), axis=2, keepdims=True)
    return Candidates(*(ops.concatenate(parts, axis=1) for parts in zip(*found, strict=True)))


def _likeliest_of_each(totals: Any, ruled: Any, log_probs: Any, before: Any) -> Candidates:
    """The continuations with the highest totals, of the likeliest ones of each hypothesis.

    Args:
        totals: of the hypotheses without the token; (batch, groups, width).
        ruled: of the token alone, as the rule says; (batch, groups, width, vocabulary).
        log_probs: as the model says; likewise.
        before: of the hypotheses without it; (batch, groups, width).
    """
    batch, groups, width, vocabulary = ops.shape(ruled)
    own, tokens = largest(ruled, min(2 * width, vocabulary))  # (batch, groups, width, each)
    each = own.shape[-1]
    flat = batch, groups, width * each
    totals, top = ops.top_k(ops.reshape(totals[..., None] + own, flat), 2 * width)  # (batch, groups, 2 * width)
    top = ops.cast(top, "int32")
    origin = top // each
    log_probs = ops.reshape(pick(log_probs, tokens), flat)
    return Candidates(
        origin,
        pick(ops.reshape(tokens, flat), top),
        totals,
        totals,
        pick(before, origin) + pick(log_probs, top),
    )


def _likeliest(keys: Any, totals: Any, log_probs: Any, before: Any) -> Candidates:
    """The continuations with the highest keys.

    Args:
        keys: what is compared; (batch, groups, width, vocabulary).
        totals: of the hypotheses with the token; likewise.
        log_probs: of the token alone; likewise.
        before: of the hypotheses without it; (batch, groups, width).
    """
    batch, groups, width, vocabulary = ops.shape(keys)
    flat = batch, groups, width * vocabulary
    keys, top = largest(ops.reshape(keys, flat), 2 * width)  # (batch, groups, 2 * width)
    origin, tokens = top // vocabulary, top % vocabulary
    own = pick(ops.reshape(log_probs, flat), top)
    return Candidates(
        origin,
        tokens,
        keys,
        pick(ops.reshape(totals, flat), top),
        pick(before, origin) + own,
    )


def _best(finished: Hypotheses, new: Hypotheses) -> Hypotheses:
    """As many of both as there were; of equal scores the older one."""
    both = (ops.concatenate(parts, axis=2) for parts in zip(finished, new, strict=True))
    return _largest(Hypotheses(*both), finished.scores.shape[2])


def _together(finished: Hypotheses, breadth: Breadth) -> Hypotheses:
    """The best of all groups; what several of them found counts once."""
    batch, groups, kept, max_length = ops.shape(finished.token_ids)
    shape = batch, 1, groups * kept
    token_ids, log_probs, scores = finished
    together = Hypotheses(
        ops.reshape(token_ids, (*shape, max_length)), ops.reshape(log_probs, shape), ops.reshape(scores, shape)
    )
    if groups > 1:
        token_ids = together.token_ids[:, 0]  # (batch, found, max_length)
        same = ops.all(token_ids[:, :, None] == token_ids[:, None, :], axis=-1)  # (batch, found, found)
        again = ops.any(ops.logical_and(same, np.tri(groups * kept, k=-1, dtype=bool)), axis=-1)
        together = together._replace(scores=ops.where(again[:, None], MISSING, together.scores))
    return Hypotheses(*(part[:, 0] for part in _largest(together, breadth.n_best)))


def _largest(hypotheses: Hypotheses, count: int) -> Hypotheses:
    """Those with the highest scores, best first; (batch, groups, from, ...) to (batch, groups, count, ...)."""
    scores, kept = ops.top_k(hypotheses.scores, count)
    kept = ops.cast(kept, "int32")
    return Hypotheses(pick(hypotheses.token_ids, kept), pick(hypotheses.log_probs, kept), scores)


def _reorder(state: Any, origin: Any) -> Any:
    """The model's state of the hypotheses that were continued; origin is (batch, groups, width)."""
    batch, groups, width = ops.shape(origin)
    first = width * ops.reshape(ops.arange(batch * groups, dtype="int32"), (batch, groups, 1))
    rows = ops.reshape(first + ops.cast(origin, "int32"), (-1,))
    return tree.map_structure(lambda x: ops.take(x, rows, axis=0), state)
