from __future__ import annotations

import itertools
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "speed"))

from systems.keras_nmt import _tokens_of_steps

from nmt.batches import BatchPlan, token_lists
from nmt.corpus import TokenPairs

SOURCES = [[5] * length for length in (1, 1, 2, 9, 9)]
TARGETS = [[6] * length for length in (2, 3, 3, 8, 9)]


def plan() -> BatchPlan:
    return BatchPlan(TokenPairs(token_lists(SOURCES), token_lists(TARGETS)), 100, seed=1, batch_sentences=2)


def test_tokens_of_a_step_are_its_targets_and_their_ends() -> None:
    made = plan()
    steps = list(itertools.islice(_tokens_of_steps(made, token_lists(TARGETS)), 2 * made.steps_per_epoch))
    assert sum(steps) == 2 * (25 + 5)
    assert steps == [batch.target_tokens for epoch in (0, 1) for batch in made.batches(epoch)]
