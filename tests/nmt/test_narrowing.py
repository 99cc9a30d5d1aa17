"""Beam search that leaves out rows which are done, against the same search that carries them to the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops
from scripted_steps import NEVER, VOCABULARY, Script, random_script, rows_of

from nmt.search import Breadth, Hypotheses, Ranking, Rule, Step, beam_search
from nmt.search.rules import forced_prefix, unchanged
from nmt.tokenizer import END_ID

SENTENCES, LENGTH, SOURCE_LENGTH = 40, 12, 3
LIMITS = np.random.default_rng(1).integers(1, LENGTH + 1, SENTENCES).astype(np.int32)
PREFIXES = np.random.default_rng(2).integers(4, 8, (SENTENCES, 2)).astype(np.int32)
PREFIXES[::3, 1] = PREFIXES[::5] = 0  # some of one token, some of none
MASK = np.arange(SOURCE_LENGTH) <= np.arange(SENTENCES)[:, None] % SOURCE_LENGTH  # sources of one to three tokens


class Counted:
    """A step that counts the rows it is asked for."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.rows: list[int] = []

    def __call__(self, token_ids: Any, state: Any) -> tuple[Any, Any, Any]:
        self.rows.append(int(token_ids.shape[0]))
        return self.script(token_ids, state)


def search(step: Step, script: Script, breadth: Breadth, ranking: Ranking, narrows: bool) -> Hypotheses:
    def rule_of(rows: Any = slice(None)) -> Rule:
        return forced_prefix(PREFIXES[ops.convert_to_numpy(rows) if narrows else rows], unchanged)

    mask = MASK if ranking.coverage_penalty else None
    return beam_search(
        step,
        script.state(range(SENTENCES)),
        LIMITS,
        LENGTH,
        breadth,
        unchanged if narrows else rule_of(),
        ranking,
        mask,
        narrow=(lambda rows: (step, rule_of(rows))) if narrows else None,
    )


@pytest.mark.parametrize(
    ("breadth", "ranking"),
    [
        (Breadth(4), Ranking("gnmt", 0.6)),
        (Breadth(3, n_best=3), Ranking("average", coverage_penalty=0.4)),
        (Breadth(4, n_best=2, groups=2, diversity=0.5), Ranking("none", word_reward=0.2)),
    ],
)
def test_each_row_gets_what_it_gets_with_all_others_beside_it(breadth: Breadth, ranking: Ranking) -> None:
    script = random_script(3, sentences=SENTENCES, source_length=SOURCE_LENGTH)
    all_rows, narrowing = Counted(script), Counted(script)
    expected = rows_of(search(all_rows, script, breadth, ranking, narrows=False))
    assert rows_of(search(narrowing, script, breadth, ranking, narrows=True)) == expected
    assert set(all_rows.rows) == {SENTENCES * breadth.beam_size}
    assert len(narrowing.rows) == len(all_rows.rows)
    assert narrowing.rows == sorted(narrowing.rows, reverse=True) and narrowing.rows[-1] < narrowing.rows[0]


def test_rows_go_on_in_multiples_of_eight() -> None:
    """Limits 1 to 40: one row is done after each step, and the next shape comes when a quarter can be left out."""
    script = Counted(Script(np.zeros((40, 1, VOCABULARY))))
    limits = np.arange(1, 41, dtype=np.int32)
    never_ends = np.arange(VOCABULARY) != END_ID  # but at the limit

    def rule(log_probs: Any, history: Any) -> Any:
        return ops.where(never_ends, log_probs, NEVER)

    beam_search(
        script, script.script.state(range(40)), limits, 40, Breadth(1), rule, narrow=lambda rows: (script, rule)
    )
    assert {rows: script.rows.count(rows) for rows in script.rows} == {40: 16, 24: 8, 16: 8, 8: 8}


def test_lookahead_needs_fewer_steps() -> None:
    """As many tokens ahead as there may be are the exact stop; with fewer, what is found is as good or worse."""
    script, ranking = random_script(7, SENTENCES), Ranking("gnmt", 1.0)
    scores, rows = {}, {}
    for lookahead in (None, LENGTH, 2, 1):
        step = Counted(script)
        found = search(step, script, Breadth(3, lookahead=lookahead), ranking, narrows=True)
        scores[lookahead], rows[lookahead] = ops.convert_to_numpy(found.scores)[:, 0], sum(step.rows)
    np.testing.assert_array_equal(scores[LENGTH], scores[None])
    assert rows[LENGTH] == rows[None] > rows[2] >= rows[1]
    assert (scores[1] <= scores[2]).all()
    assert (scores[2] <= scores[None]).all()


@pytest.mark.parametrize(("lookahead", "best"), [(1, [END_ID]), (2, [4, 4, END_ID]), (None, [4, 4, END_ID])])
def test_lookahead_trusts_so_many_tokens(lookahead: int | None, best: list[int]) -> None:
    """An end of probability 0.5 scores -0.69; a word of 0.2 could reach -0.8 with one token more, -0.54 with two."""
    words = Script(np.zeros((1, 64, VOCABULARY)))
    table = np.full_like(words.table, NEVER)
    table[0, 0, [END_ID, 4]] = np.log([0.5, 0.2])
    table[0, words.node([4]), 4] = table[0, words.node([4, 4]), END_ID] = 0.0
    script, limits = Script(table), np.array([LENGTH], np.int32)
    breadth, ranking = Breadth(2, lookahead=lookahead), Ranking("average")
    found = beam_search(script, script.state(), limits, LENGTH, breadth, ranking=ranking)
    assert [token for token in ops.convert_to_numpy(found.token_ids)[0, 0].tolist() if token] == best
