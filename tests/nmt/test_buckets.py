"""The cut against all cuts that there are, and rows counted in chunks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nmt import buckets
from nmt.batches import token_lists
from nmt.buckets import MAX_SHAPES, Bucket, make_buckets
from nmt.corpus import TokenPairs


def pairs_of(lengths: np.ndarray) -> TokenPairs:
    """Pairs with the given (source, target) lengths; shape (pairs, 2)."""
    return TokenPairs(*(token_lists([[7] * int(length) for length in side]) for side in lengths.T))


def rows_of(bucket: Bucket) -> list[int]:
    return [int(row) for share in bucket.shares for row in share.rows]


def padded(lengths: list[int], starts: tuple[int, ...]) -> int:
    """Positions of sorted lengths in groups that begin at `starts`."""
    ends = [*starts[1:], len(lengths)]
    return sum((end - start) * lengths[end - 1] for start, end in zip(starts, ends, strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_no_cut_pads_less(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lengths, rows = np.arange(2, 9), generator.integers(1, 9, 7)
    parts = buckets._cut(np.arange(7), lengths, rows, 3)
    every = np.repeat(lengths, rows).tolist()
    all_cuts = [(0, *starts) for count in (0, 1, 2) for starts in combinations(range(1, len(every)), count)]
    assert np.concatenate(parts).tolist() == list(range(7)) and len(parts) == 3
    assert sum(rows[cells].sum() * lengths[cells].max() for cells in parts) == min(
        padded(every, cut) for cut in all_cuts
    )


def test_buckets_by_hand() -> None:
    """Three lengths a side that need no padding: nine buckets; a batch of twelve tokens holds what fits."""
    lengths = np.array([(source, target) for source in (1, 3, 5) for target in (1, 3, 5)] * 2)
    found = {bucket.shape: rows_of(bucket) for bucket in make_buckets(pairs_of(lengths), 12, None, [(18, 1.0)])}
    assert found == {
        (2, 2, 2): [0, 9],
        (2, 2, 4): [1, 10],
        (2, 2, 6): [2, 11],
        (2, 4, 2): [3, 12],
        (2, 4, 4): [4, 13],
        (2, 4, 6): [5, 14],
        (2, 6, 2): [6, 15],
        (2, 6, 4): [7, 16],
        (2, 6, 6): [8, 17],
    }


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    lengths = np.random.default_rng(1).integers(0, 30, (100, 2))
    whole = make_buckets(pairs_of(lengths), 90, 25, [(60, 1.5), (40, 0.5)])
    monkeypatch.setattr(buckets, "CHUNK", chunk)
    parts = make_buckets(pairs_of(lengths), 90, 25, [(60, 1.5), (40, 0.5)])
    assert [bucket.shape for bucket in parts] == [bucket.shape for bucket in whole] and len(whole) <= MAX_SHAPES
    assert [rows_of(bucket) for bucket in parts] == [rows_of(bucket) for bucket in whole]
    assert (
        sorted(row for bucket in parts for row in rows_of(bucket)) == np.flatnonzero(lengths.max(axis=1) <= 25).tolist()
    )
    assert all(share.rows.dtype == np.uint32 for bucket in parts for share in bucket.shares)


def test_shares_are_the_corpora() -> None:
    """Half of three rows is two, half of the next three one more: three of six."""
    lengths = np.array([(1, 1), (5, 5)] * 3 + [(1, 1)] * 2)
    first, second = make_buckets(pairs_of(lengths), 100, None, [(6, 0.5), (2, 3.0)])
    assert [(share.rows.tolist(), share.repeats, share.rest) for share in first.shares] == [
        ([0, 2, 4], 0, 2),
        ([6, 7], 3, 0),
    ]
    assert [(share.rows.tolist(), share.repeats, share.rest) for share in second.shares] == [
        ([1, 3, 5], 0, 1),
        ([], 3, 0),
    ]
    assert (first.reads, second.reads) == (8, 1)
