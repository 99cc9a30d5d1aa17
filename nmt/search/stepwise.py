"""The loop of every search that decides token by token: it asks for the next token, and writes it down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops, tree

from nmt.search.hypotheses import Hypotheses, Step, write_token
from nmt.search.picking import pick
from nmt.search.ranking import PLAIN, Ranking
from nmt.search.rules import History, Rule, unchanged, within
from nmt.tokenizer import END_ID, PAD_ID, START_ID

Choose = Callable[[Any, Any], Any]


class Walk(NamedTuple):
    """What the loop carries.

    Attributes:
        position: how many tokens there are; ().
        last: the tokens that the next step reads; (batch, hypotheses).
        state: the step's.
        token_ids: the tokens so far; (batch, hypotheses, max_length).
        log_probs: the model's, of the tokens so far; (batch, hypotheses).
        totals: those that rules made of them, likewise; () where they made no others.
        done: whether the end of sentence was taken; (batch, hypotheses).
    """

    position: Any
    last: Any
    state: Any
    token_ids: Any
    log_probs: Any
    totals: Any
    done: Any


def extend_one_by_one(
    step: Step,
    state: Any,
    limits: Any,
    max_length: int,
    hypotheses: tuple[Any, Any],
    choose: Choose,
    rule: Rule = unchanged,
    ranking: Ranking = PLAIN,
) -> Hypotheses:
    """Takes token after token until the end of sentence or the row's limit.

    Args:
        step: as described in `nmt.search`.
        state: the first state; each tensor (batch, ...).
        limits: tokens of each row at most, the end of sentence included; (batch,), each from 1 to max_length. None goes
            on over the ends of sentences, to `max_length` tokens in each row.
        max_length: width of the result.
        hypotheses: rows, and how many hypotheses each of them has.
        choose: gives the next tokens (batch, hypotheses), int32, of log-probabilities (batch, hypotheses, vocabulary)
            and a position ().
        rule: what may be chosen; `nmt.search.rules.within` stands around it.
        ranking: gives the scores, without coverage.

    Returns:
        The tokens in the order of the hypotheses, and the log-probabilities that the model gives them.
    """
    batch, count = hypotheses
    is_alone = isinstance(batch, int) and batch * count == 1  # then the loop ends when it is done
    goes_on = limits is None
    keeps_values = rule is unchanged  # then totals are the log-probabilities
    rule = within(limits, rule)

    def unfinished(*walk: Any) -> Any:
        now = Walk(*walk)
        return ops.logical_and(now.position < max_length, ops.logical_not(ops.all(now.done)))

    def extend(*walk: Any) -> tuple[Any, ...]:
        position, last, state, token_ids, log_probs, totals, done = walk
        own, _, state = step(ops.reshape(last, (-1,)), state)  # (rows, vocabulary)
        own = ops.reshape(own, (batch, count, own.shape[-1]))
        ruled = rule(own, History(token_ids, position))
        tokens = choose(ruled, position)

        def unless_done(values: Any, otherwise: Any) -> Any:
            return values if is_alone else ops.where(done, otherwise, values)

        log_probs = log_probs + unless_done(_at(own, tokens), 0.0)
        if not keeps_values:
            totals = totals + unless_done(_at(ruled, tokens), 0.0)
        tokens = unless_done(tokens, PAD_ID)
        ends = ops.logical_and(tokens == END_ID, not goes_on)
        token_ids = write_token(token_ids, position, tokens)
        return position + 1, tokens, state, token_ids, log_probs, totals, done | ends

    start = Walk(
        position=ops.convert_to_tensor(0, "int32"),
        last=ops.full((batch, count), START_ID, "int32"),
        state=state if count == 1 else tree.map_structure(lambda x: ops.repeat(x, count, axis=0), state),
        token_ids=ops.full((batch, count, max_length), PAD_ID, "int32"),
        log_probs=ops.zeros((batch, count), "float32"),
        totals=() if keeps_values else ops.zeros((batch, count), "float32"),
        done=ops.zeros((batch, count), "bool"),
    )
    end = Walk(*ops.while_loop(unfinished, extend, tuple(start)))
    lengths = ops.sum(ops.cast(end.token_ids != PAD_ID, "int32"), axis=-1)
    totals = end.log_probs if keeps_values else end.totals
    return Hypotheses(end.token_ids, end.log_probs, ranking.score(totals, lengths))


def _at(log_probs: Any, tokens: Any) -> Any:
    """Log-probabilities (batch, hypotheses, vocabulary) of tokens (batch, hypotheses)."""
    return pick(log_probs, tokens[..., None])[..., 0]
