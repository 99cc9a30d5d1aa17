"""The batch plan on made-up token ids: each row's first source id is its own number, so that rows can be counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest

from nmt.batches import MAX_SHAPES, Batch, BatchPlan, make_batch, pad, token_lists
from nmt.corpus import TokenPairs
from nmt.tokenizer import END_ID, PAD_ID, START_ID

FIRST_ID = 10


def numbered_pairs(lengths: Iterable[tuple[int, int]]) -> TokenPairs:
    """Pairs of (source, target) lengths of at least 1; every id of row `i` is FIRST_ID + i."""
    lengths = list(lengths)
    source = [[FIRST_ID + row] * length for row, (length, _) in enumerate(lengths)]
    target = [[FIRST_ID + row] * length for row, (_, length) in enumerate(lengths)]
    return TokenPairs(token_lists(source), token_lists(target))


def many_pairs(count: int = 200, seed: int = 0) -> TokenPairs:
    generator = np.random.default_rng(seed)
    return numbered_pairs((int(source), int(target)) for source, target in generator.integers(1, 40, (count, 2)))


def counted_rows(batches: Iterable[Batch]) -> Counter[int]:
    """How often each row counts: it counts where its first label has weight 1."""
    rows: Counter[int] = Counter()
    for batch in batches:
        rows.update(
            int(ids[0]) - FIRST_ID for ids, weights in zip(batch.source_ids, batch.weights, strict=True) if weights[0]
        )
    return rows


def same(first: Batch, second: Batch) -> bool:
    names = ("source_ids", "target_ids", "labels", "weights")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("count", [1, 2, 13, 200])
def test_every_row_counts_once_an_epoch(count: int, seed: int | None) -> None:
    plan = BatchPlan(many_pairs(count), 160, seed)
    for epoch in (0, 1):
        batches = list(plan.batches(epoch))
        assert counted_rows(batches) == dict.fromkeys(range(count), 1)
        assert len(batches) == plan.steps_per_epoch


def test_all_tokens_count_once_an_epoch() -> None:
    pairs = many_pairs()
    expected = int(pairs.target.lengths.sum()) + len(pairs)  # and an end of sentence each
    assert sum(batch.target_tokens for batch in BatchPlan(pairs, 160, 1).batches(0)) == expected


def test_batch_by_hand() -> None:
    """Two rows in a batch for three: labels are the targets shifted, what fills has weight 0."""
    pairs = TokenPairs(token_lists([[11], [12, 13]]), token_lists([[21, 22], [23]]))
    batch = make_batch(pairs, np.array([1, 0]), (3, 4, 3))
    assert batch.source_ids.tolist() == [
        [12, 13, END_ID, PAD_ID],
        [11, END_ID, PAD_ID, PAD_ID],
        [12, 13, END_ID, PAD_ID],
    ]
    assert batch.target_ids.tolist() == [[START_ID, 23, PAD_ID], [START_ID, 21, 22], [START_ID, 23, PAD_ID]]
    assert batch.labels.tolist() == [[23, END_ID, PAD_ID], [21, 22, END_ID], [23, END_ID, PAD_ID]]
    assert batch.weights.tolist() == [[1, 1, 0], [1, 1, 1], [0, 0, 0]]
    assert batch.target_tokens == 5
    assert [array.dtype for array in (batch.source_ids, batch.target_ids, batch.labels, batch.weights)] == [
        np.int32,
        np.int32,
        np.int32,
        np.float32,
    ]


def test_labels_are_the_targets_shifted() -> None:
    for batch in BatchPlan(many_pairs(), 160, 1).batches(0):
        for target, labels in zip(batch.target_ids, batch.labels, strict=True):
            length = int((labels != PAD_ID).sum())
            assert target[0] == START_ID and labels[length - 1] == END_ID
            assert target[1:length].tolist() == labels[: length - 1].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_at_most_twelve_shapes_within_the_token_budget(seed: int) -> None:
    plan = BatchPlan(many_pairs(500, seed), 160, 1)
    shapes = {(*batch.source_ids.shape, batch.labels.shape[1]) for batch in plan.batches(0)}
    assert 4 <= len(shapes) <= MAX_SHAPES == 12
    assert sorted(shapes) == plan.shapes
    assert all(size * max(source, target) <= 160 for size, source, target in shapes)


def test_a_row_longer_than_the_budget_is_a_batch_of_its_own() -> None:
    plan = BatchPlan(numbered_pairs([(3, 3), (50, 50), (50, 50), (3, 3)]), 20, 1)
    assert (1, 51, 51) in plan.shapes
    assert counted_rows(plan.batches(0)) == dict.fromkeys(range(4), 1)


def test_padding_share() -> None:
    """Lengths 1 and 2, with the end 2 and 3, in one batch of 2 x 3: one position of six is padding."""
    pairs = numbered_pairs([(1, 1), (1, 2)])
    plan = BatchPlan(pairs, 160)
    positions = sum(batch.labels.size for batch in plan.batches(0))
    assert plan.padding_share == pytest.approx(1 - 5 / positions)


def test_same_seed_same_batches() -> None:
    first, second = BatchPlan(many_pairs(), 160, 7), BatchPlan(many_pairs(), 160, 7)
    assert all(same(a, b) for a, b in zip(first.batches(3), second.batches(3), strict=True))


def test_other_epochs_and_seeds_differ() -> None:
    plan = BatchPlan(many_pairs(), 160, 7)
    others = [BatchPlan(many_pairs(), 160, 8).batches(0), plan.batches(1)]
    for other in others:
        assert not all(
            same(a, b) for a, b in zip(plan.batches(0), other, strict=True) if a.labels.shape == b.labels.shape
        )


def test_epochs_group_rows_anew() -> None:
    """Not only the order of batches changes: rows that share a bucket are mixed again."""
    plan = BatchPlan(many_pairs(), 160, 7)
    groups = [{frozenset(rows.tolist()) for _, rows in plan.epoch(number)} for number in (0, 1)]
    assert groups[0] != groups[1]


def test_without_seed_the_order_is_fixed() -> None:
    plan = BatchPlan(many_pairs(), 160)
    assert all(same(a, b) for a, b in zip(plan.batches(0), plan.batches(5), strict=True))


@pytest.mark.parametrize("first_step", [0, 1, 7])
def test_an_epoch_resumes_at_any_step(first_step: int) -> None:
    plan = BatchPlan(many_pairs(), 160, 7)
    whole, rest = list(plan.batches(2))[first_step:], list(plan.batches(2, first_step))
    assert len(rest) == plan.steps_per_epoch - first_step
    assert all(same(a, b) for a, b in zip(whole, rest, strict=True))


def test_one_row_corpus() -> None:
    plan = BatchPlan(numbered_pairs([(2, 4)]), 160, 1)
    assert plan.shapes == [(1, 3, 5)]
    assert plan.steps_per_epoch == 1


def test_all_lengths_equal() -> None:
    """One shape; 160 // 8 = 20 rows a batch, so 50 rows are 3 batches, the last with 10 that count."""
    plan = BatchPlan(numbered_pairs([(7, 7)] * 50), 160)
    assert plan.shapes == [(20, 8, 8)]
    assert [batch.target_tokens for batch in plan.batches(0)] == [160, 160, 80]


def test_empty_sides_have_their_end() -> None:
    pairs = TokenPairs(token_lists([[], [5]]), token_lists([[6], []]))
    rows = [row.tolist() for batch in BatchPlan(pairs, 160).batches(0) for row in batch.source_ids]
    assert all(END_ID in row for row in rows)


def test_no_rows() -> None:
    assert BatchPlan(numbered_pairs([]), 160, 1).steps_per_epoch == 0


def test_pad() -> None:
    assert pad([np.array([5, 6]), np.array([], np.int32)], 3).tolist() == [[5, 6, 0], [0, 0, 0]]
