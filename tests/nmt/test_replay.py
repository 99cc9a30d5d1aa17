"""What a model says of given tokens: against its table, and against what the searches report."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from scripted_steps import A, B, C, D, random_script, rows_of

from nmt.search import Breadth, beam_search, greedy_search, replay, sample
from nmt.search.hypotheses import Hypotheses
from nmt.search.rules import repetition_penalty
from nmt.tokenizer import END_ID, PAD_ID

SENTENCES, LENGTH = 6, 5
SCRIPT = random_script(4, SENTENCES, source_length=3)
LIMITS = np.full((SENTENCES,), LENGTH, np.int32)


def test_each_token_has_its_log_probability_and_its_attention() -> None:
    """What stands after an end of sentence is walked through like the rest."""
    tokens = np.array([[B, A, D, END_ID], [C, END_ID, PAD_ID, PAD_ID]], np.int32)
    found = replay(SCRIPT, SCRIPT.state([0, 3]), tokens, source_length=3)
    log_probs, attention = map(ops.convert_to_numpy, found)
    assert log_probs.shape == (2, 4) and attention.shape == (2, 4, 3)
    assert SCRIPT.attention is not None
    for row, (sentence, length) in enumerate([(0, 4), (3, 2)]):
        for i in range(length):
            node = SCRIPT.node(tokens[row, :i].tolist())
            assert log_probs[row, i] == SCRIPT.table[sentence, node, tokens[row, i]]
            assert np.array_equal(attention[row, i], SCRIPT.attention[sentence, node])


def test_attention_is_kept_where_it_is_asked_for_alone() -> None:
    tokens, without = np.array([[A, END_ID]], np.int32), random_script(4, SENTENCES)
    for script in (SCRIPT, without):  # the other has no attention that could be kept
        found = replay(script, script.state([0]), tokens)
        assert found.attention.shape == (1, 2, 0)
        assert ops.convert_to_numpy(found.log_probs)[0].sum() == pytest.approx(SCRIPT.log_prob([A, END_ID]), abs=1e-5)


def searches() -> dict[str, Hypotheses]:
    """Also with a rule, whose penalties a log-probability does not have."""
    state, uniforms = (
        SCRIPT.state(range(SENTENCES)),
        np.random.default_rng(1).random((SENTENCES, 4, LENGTH), np.float32),
    )
    rule = repetition_penalty(2.0)
    return {
        "greedy": greedy_search(SCRIPT, state, LIMITS, LENGTH, rule),
        "beam": beam_search(SCRIPT, state, LIMITS, LENGTH, Breadth(4, 4), rule),
        "groups": beam_search(SCRIPT, state, LIMITS, LENGTH, Breadth(4, 2, 2, 0.5), rule),
        "samples": sample(SCRIPT, state, LIMITS, LENGTH, uniforms, lambda log_probs: log_probs, rule),
    }


@pytest.mark.thorough
@pytest.mark.parametrize("search", ["greedy", "beam", "groups", "samples"])
def test_the_sum_is_what_a_search_reports(search: str) -> None:
    hypotheses = searches()[search]
    for found in range(hypotheses.token_ids.shape[1]):
        tokens = ops.convert_to_numpy(hypotheses.token_ids)[:, found]
        log_probs = ops.convert_to_numpy(replay(SCRIPT, SCRIPT.state(range(SENTENCES)), tokens).log_probs)
        sums = np.where(tokens == PAD_ID, 0.0, log_probs).sum(axis=1)
        for sentence, rows in enumerate(rows_of(hypotheses)):
            if found < len(rows):
                assert sums[sentence] == pytest.approx(rows[found].log_prob, abs=1e-5)
