"""The batch plan on made-up token ids: each row's first source id is its own number, so that rows can be counted."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np
import pytest

from nmt.batches import Batch, BatchPlan, Noise, make_batch, pad, token_lists
from nmt.buckets import MAX_SHAPES
from nmt.corpus import TokenLists, TokenPairs
from nmt.errors import DataError
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
    targets = [[23], [21, 22]]
    batch = make_batch([[12, 13], [11]], targets, targets, (3, 4, 3))
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


def test_a_batch_has_so_many_sentences_at_most() -> None:
    plan = BatchPlan(numbered_pairs([(3, 3)] * 10 + [(50, 50)] * 3), 100, 1, batch_sentences=4)
    assert plan.shapes == [(1, 51, 51), (4, 4, 4)]
    assert counted_rows(plan.batches(0)) == dict.fromkeys(range(13), 1)


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


def test_each_corpus_is_read_as_often_as_its_weight_says() -> None:
    """Four rows of weight 2, six of 0.5 and three of 1: 8 + 3 + 3 rows in batches of four."""
    plan = BatchPlan(numbered_pairs([(7, 7)] * 13), 32, 1, mixture=[(4, 2.0), (6, 0.5), (3, 1.0)])
    halves = set()
    for epoch in range(20):
        batches = list(plan.batches(epoch))
        rows = counted_rows(batches)
        assert [rows[row] for row in (0, 1, 2, 3, 10, 11, 12)] == [2, 2, 2, 2, 1, 1, 1]
        assert sorted(rows[row] for row in range(4, 10)) == [0, 0, 0, 1, 1, 1]
        assert [batch.target_tokens for batch in batches].count(4 * 8) == 3 and len(
            batches
        ) == plan.steps_per_epoch == 4
        halves.add(frozenset(row for row in range(4, 10) if rows[row]))
    assert len(halves) > 5 and frozenset.union(*halves) == set(range(4, 10))


def test_a_broken_weight_repeats_whole_and_adds_a_choice() -> None:
    rows = counted_rows(BatchPlan(numbered_pairs([(7, 7)] * 8), 32, 1, mixture=[(8, 2.25)]).batches(0))
    assert sorted(rows.values()) == [2, 2, 2, 2, 2, 2, 3, 3]


@pytest.mark.parametrize(("weight", "reads"), [(0.3, 60), (0.001, 0), (0.999, 200), (1.7, 340)])
def test_rounding_over_many_shapes_keeps_the_sum(weight: float, reads: int) -> None:
    plan = BatchPlan(many_pairs(250), 160, 1, mixture=[(200, weight), (50, 1.0)])
    for epoch in range(3):
        batches = list(plan.batches(epoch))
        rows = counted_rows(batches)
        assert sum(rows[row] for row in range(200)) == reads
        assert [rows[row] for row in range(200, 250)] == [1] * 50
        assert len(batches) == plan.steps_per_epoch


def test_a_mixture_of_weight_one_is_one_corpus() -> None:
    plain, mixed = (
        BatchPlan(many_pairs(), 160, 7, mixture=mixture) for mixture in ([], [(150, 1.0), (0, 3.0), (50, 1)])
    )
    assert all(same(a, b) for a, b in zip(plain.batches(1), mixed.batches(1), strict=True))


def test_padding_share_of_a_mixture() -> None:
    """Lengths with the end 2 (read three times) and 4 (once) in one batch of 4 x 4: ten tokens in 16 positions."""
    plan = BatchPlan(numbered_pairs([(1, 1), (1, 3)]), 16, mixture=[(1, 3.0), (1, 1.0)])
    positions = sum(batch.labels.size for batch in plan.batches(0))
    assert plan.padding_share == pytest.approx(1 - 10 / positions)


def test_a_mixture_of_other_rows_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"expected corpora of 200 pairs together.* received 199; run nmt prepare again"
    ):
        BatchPlan(many_pairs(), 160, 1, mixture=[(100, 1.0), (99, 1.0)])


def test_weights_too_small_for_a_single_row_are_refused() -> None:
    with pytest.raises(DataError, match=r"at least one pair, received none; raise training\.weights"):
        BatchPlan(many_pairs(), 160, 1, mixture=[(200, 0.001)])


def doubled(sources: list[np.ndarray], targets: list[np.ndarray], _: np.random.Generator) -> tuple:
    """Each source token twice, each token that the decoder reads 5, and labels without their first token."""
    return [np.repeat(ids, 2) for ids in sources], [ids * 0 + 5 for ids in targets], [ids[1:] for ids in targets]


def test_noise_by_hand() -> None:
    """Sources of 4 tokens become 8 and with the end 9, so 16 positions; targets keep the bucket's 4."""
    (batch,) = BatchPlan(numbered_pairs([(4, 3)]), 160, 1, noise=doubled).batches(0)
    assert batch.source_ids.tolist() == [[FIRST_ID] * 8 + [END_ID] + [PAD_ID] * 7]
    assert batch.target_ids.tolist() == [[START_ID, 5, 5, 5]]
    assert batch.labels.tolist() == [[FIRST_ID, FIRST_ID, END_ID, PAD_ID]]
    assert batch.weights.tolist() == [[1, 1, 1, 0]]


def test_noise_keeps_the_shape_where_it_fits_and_padding_rows_without_weight() -> None:
    """Ten rows in batches of four: the last one is filled with two."""

    def shortened(sources: list[np.ndarray], targets: list[np.ndarray], _: np.random.Generator) -> tuple:
        assert len(sources) == len(targets) in (2, 4)
        return [ids[:1] for ids in sources], targets, targets

    batches = list(BatchPlan(numbered_pairs([(7, 7)] * 10), 32, 1, noise=shortened).batches(0))
    assert {batch.source_ids.shape for batch in batches} == {(4, 8)}
    assert sorted(int(batch.weights[:, 0].sum()) for batch in batches) == [2, 4, 4]
    assert counted_rows(batches) == dict.fromkeys(range(10), 1)


def test_noise_is_seeded_by_seed_epoch_and_step() -> None:
    drawn: list[int] = []

    def draw(sources: list[np.ndarray], targets: list[np.ndarray], generator: np.random.Generator) -> tuple:
        drawn.append(int(generator.integers(2**62)))
        return sources, targets, targets

    def draws(seed: int, epoch: int, first_step: int = 0) -> list[int]:
        drawn.clear()
        for _ in BatchPlan(many_pairs(), 160, seed, noise=draw).batches(epoch, first_step):
            pass
        return drawn.copy()

    first = draws(1, 0)
    assert draws(1, 0) == first and draws(1, 0, 5) == first[5:]
    shuffling = int(np.random.default_rng((1, 0)).integers(2**62))
    assert len({*first, *draws(1, 1), *draws(2, 0), shuffling}) == 3 * len(first) + 1


@pytest.mark.parametrize("first_step", [1, 7])
def test_a_mixture_with_noise_resumes_at_any_step(first_step: int) -> None:
    def shuffled(sources: list[np.ndarray], targets: list[np.ndarray], generator: np.random.Generator) -> tuple:
        return [generator.permutation(np.append(ids, 4)) for ids in sources], targets, targets

    def plan() -> BatchPlan:
        noise: Noise = shuffled
        return BatchPlan(many_pairs(), 160, 7, mixture=[(80, 1.5), (120, 0.25)], noise=noise)

    whole = list(plan().batches(2))[first_step:]
    assert all(same(a, b) for a, b in zip(whole, plan().batches(2, first_step), strict=True))


def peak_memory(count: int, use: Callable[[TokenPairs], None]) -> int:
    """Bytes that are allocated at most while a corpus of `count` pairs is used; its own arrays do not count."""
    generator = np.random.default_rng(1)
    offsets = [np.append(0, np.cumsum(generator.integers(1, 60, count))).astype(np.int32) for _ in range(2)]
    values = np.zeros(max(ends[-1] for ends in offsets), np.int32)
    pairs = TokenPairs(*(TokenLists(values, ends) for ends in offsets))
    tracemalloc.start()
    use(pairs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.5, 1.0), (0.25, 0.9)])
def test_a_pair_needs_at_most_twelve_bytes(weights: tuple[float, float]) -> None:
    """The plan, the beginnings of two epochs and the share of padding."""

    def use(pairs: TokenPairs) -> None:
        half = len(pairs) // 2
        plan = BatchPlan(pairs, 1_600, 1, 50, [(half, weights[0]), (len(pairs) - half, weights[1])])
        for epoch in (0, 1):
            assert len(list(islice(plan.batches(epoch), 3))) == 3
        assert 0.0 < plan.padding_share < 1.0

    small, large = peak_memory(100_000, use), peak_memory(400_000, use)
    assert (large - small) / 300_000 <= 12


def test_pad() -> None:
    assert pad([np.array([5, 6]), np.array([], np.int32)], 3).tolist() == [[5, 6, 0], [0, 0, 0]]
