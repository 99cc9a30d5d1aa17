"""The buckets of a batch plan: which rows are padded to which shape.

Rows are counted by their two lengths, the counts are cut where that pads least, and each row's number is kept once, as
a uint32. Lengths are read chunk by chunk, so that twenty million rows need no more memory than their numbers. Knows
nothing of epochs, seeds or token ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nmt.corpus import TokenPairs

MAX_SHAPES = 12
TARGET_GROUPS = (3, 4, 6)  # divisors of MAX_SHAPES to try
CHUNK = 2**16  # rows whose lengths are in memory together


@dataclass(frozen=True)
class Share:
    """The rows of one corpus in one bucket, and how often an epoch reads them.

    Attributes:
        rows: numbers of the rows, in corpus order; uint32.
        repeats: how often an epoch reads all of them.
        rest: how many of them it reads once more, others in each epoch.
    """

    rows: np.ndarray
    repeats: int = 1
    rest: int = 0

    @property
    def reads(self) -> int:
        """Rows that an epoch reads, repeats included."""
        return self.repeats * len(self.rows) + self.rest


@dataclass(frozen=True)
class Bucket:
    """Rows that are padded to one shape.

    Attributes:
        shares: the rows, corpus by corpus.
        shape: batch size, source length and target length, the end of sentence included.
    """

    shares: tuple[Share, ...]
    shape: tuple[int, int, int]

    @property
    def reads(self) -> int:
        """Rows that an epoch reads, repeats included."""
        return sum(share.reads for share in self.shares)

    @property
    def batches(self) -> int:
        """Batches in an epoch, the short last one included."""
        return -(-self.reads // self.shape[0])


def make_buckets(
    pairs: TokenPairs,
    batch_tokens: int,
    max_tokens: int | None,
    mixture: Sequence[tuple[int, float]],
    batch_sentences: int | None = None,
) -> list[Bucket]:
    """The cut into target and source groups that pads least, of those with at most `MAX_SHAPES` buckets.

    A target position counts double: the output projection makes it the more expensive one.
    """
    counts = _count_lengths(pairs, max_tokens)
    plans = [_cut_twice(counts, groups) for groups in TARGET_GROUPS]
    plan = min(
        plans,
        key=lambda parts: sum(int(counts.rows[cells].sum()) * (source + 2 * target) for cells, source, target in parts),
    )
    groups = _group_rows(pairs, max_tokens, counts, [cells for cells, _, _ in plan])
    buckets = []
    for shares, (_, source, target) in zip(_divide(groups, mixture), plan, strict=True):
        if reads := sum(share.reads for share in shares):
            size = min(reads, batch_sentences or reads, max(1, batch_tokens // max(source, target)))
            buckets.append(Bucket(shares, (size, source, target)))
    return buckets


@dataclass(frozen=True)
class _LengthCounts:
    """How many rows have which lengths: a histogram in two dimensions, of the cells that are not empty.

    Attributes:
        keys: one number for both lengths of a cell, ascending; shape (cells,), int64.
        rows: rows in a cell; shape (cells,), int64.
    """

    keys: np.ndarray
    rows: np.ndarray

    @property
    def source(self) -> np.ndarray:
        """Source lengths, end of sentence included."""
        return self.keys >> 32

    @property
    def target(self) -> np.ndarray:
        """Target lengths, end of sentence included."""
        return self.keys & (2**32 - 1)


def _lengths(pairs: TokenPairs, max_tokens: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Chunks of the rows with at most `max_tokens` on a side: their numbers, and the keys of their lengths."""
    for start in range(0, len(pairs), CHUNK):
        offsets = (lists.offsets[start : start + CHUNK + 1] for lists in (pairs.source, pairs.target))
        source, target = (np.diff(ends).astype(np.int64) for ends in offsets)
        short = np.flatnonzero(np.maximum(source, target) <= (max_tokens or np.inf))
        yield (short + start).astype(np.uint32), (((source + 1) << 32) + target + 1)[short]


def _count_lengths(pairs: TokenPairs, max_tokens: int | None) -> _LengthCounts:
    """Counts the rows of each pair of lengths, chunk by chunk."""
    keys, rows = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for _, found in _lengths(pairs, max_tokens):
        found_keys, found_rows = np.unique(found, return_counts=True)
        keys, cells = np.unique(np.concatenate([keys, found_keys]), return_inverse=True)
        rows = np.bincount(cells, np.concatenate([rows, found_rows]), len(keys)).astype(np.int64)
    return _LengthCounts(keys, rows)


def _group_rows(
    pairs: TokenPairs, max_tokens: int | None, counts: _LengthCounts, parts: list[np.ndarray]
) -> list[np.ndarray]:
    """The rows whose lengths are in each part's cells, in corpus order; uint32."""
    part_of = np.zeros(len(counts.keys), np.uint8)
    for number, cells in enumerate(parts):
        part_of[cells] = number
    groups = [np.empty(int(counts.rows[cells].sum()), np.uint32) for cells in parts]
    filled = [0] * len(parts)
    for rows, keys in _lengths(pairs, max_tokens):
        numbers = part_of[np.searchsorted(counts.keys, keys)]
        for number, group in enumerate(groups):
            chosen = rows[numbers == number]
            group[filled[number] : filled[number] + len(chosen)] = chosen
            filled[number] += len(chosen)
    return groups


def _divide(groups: list[np.ndarray], mixture: Sequence[tuple[int, float]]) -> list[tuple[Share, ...]]:
    """Divides each group of rows by corpus.

    The rest of a broken weight is a fixed number of rows in each group; rounded as sums from the first group on, these
    numbers together are right within half a row.
    """
    ends = np.cumsum([rows for rows, _ in mixture])[:-1].astype(np.uint32)
    divided = [np.split(rows, np.searchsorted(rows, ends)) for rows in groups]
    shares: list[tuple[Share, ...]] = [()] * len(groups)
    for corpus, (_, weight) in enumerate(mixture):
        seen = taken = 0
        for number, parts in enumerate(divided):
            seen += len(parts[corpus])
            rest = int(seen * (weight % 1.0) + 0.5) - taken
            taken += rest
            shares[number] += (Share(parts[corpus], int(weight), rest),)
    return shares


def _cut_twice(counts: _LengthCounts, target_groups: int) -> list[tuple[np.ndarray, int, int]]:
    """Groups of target length, in each of them groups of source length: (cells, source length, target length)."""
    parts = []
    for group in _cut(np.arange(len(counts.keys)), counts.target, counts.rows, target_groups):
        for cells in _cut(group, counts.source, counts.rows, MAX_SHAPES // target_groups):
            parts.append((cells, int(counts.source[cells].max()), int(counts.target[cells].max())))
    return parts


def _cut(cells: np.ndarray, lengths: np.ndarray, rows: np.ndarray, groups: int) -> list[np.ndarray]:
    """Cuts cells into at most `groups` by length so that padding each row to its group's longest costs least.

    Dynamic programming over the distinct lengths: best[e] is the least cost of the e shortest ones in the groups so
    far.
    """
    distinct, places = np.unique(lengths[cells], return_inverse=True)
    rows_below = np.concatenate([[0], np.cumsum(np.bincount(places, rows[cells], len(distinct)))])
    best = np.where(np.arange(len(distinct) + 1) == 0, 0.0, np.inf)
    starts = []
    for _ in range(min(groups, len(distinct))):
        costs = [best[:end] + (rows_below[end] - rows_below[:end]) * distinct[end - 1] for end in range(1, len(best))]
        starts.append([0, *(int(cost.argmin()) for cost in costs)])
        best = np.array([np.inf, *(cost.min() for cost in costs)])
    parts, end = [], len(distinct)
    for start in reversed(starts):
        parts.append(cells[(places >= start[end]) & (places < end)])
        end = start[end]
    return parts[::-1]
