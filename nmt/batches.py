"""The batch plan: which rows stand together in which batch of which epoch, as data.

A plan is computed from lengths, a seed and the epoch's number alone, so a position in the training is two integers
(epoch, step) and a resumed run sees the batches of the uninterrupted one. Rows of similar lengths share a batch, and
every batch has one of at most `MAX_SHAPES` shapes. Knows token ids and nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nmt.corpus import TokenLists, TokenPairs
from nmt.tokenizer import END_ID, PAD_ID, START_ID

MAX_SHAPES = 12
TARGET_GROUPS = (3, 4, 6)  # divisors of MAX_SHAPES to try


@dataclass(frozen=True)
class Batch:
    """Padded arrays of one batch.

    Attributes:
        source_ids: source tokens, end of sentence included; shape (batch, source_length), int32.
        target_ids: what the decoder reads: start of sentence, then the target; shape (batch, target_length), int32.
        labels: what it should answer: the target, then end of sentence; shape (batch, target_length), int32.
        weights: 1 for a label that counts, 0 for padding; shape (batch, target_length), float32.
    """

    source_ids: np.ndarray
    target_ids: np.ndarray
    labels: np.ndarray
    weights: np.ndarray

    @property
    def target_tokens(self) -> int:
        """Labels that count."""
        return int(self.weights.sum())


@dataclass(frozen=True)
class Bucket:
    """Rows that are padded to one shape.

    Attributes:
        rows: the corpus rows, in corpus order.
        shape: batch size, source length and target length, the end of sentence included.
    """

    rows: np.ndarray
    shape: tuple[int, int, int]

    @property
    def batches(self) -> int:
        """Batches in an epoch, the short last one included."""
        return -(-len(self.rows) // self.shape[0])


class BatchPlan:
    """All epochs' batches over one part of a corpus.

    Rows are grouped by target length and inside each group by source length, where that pads least. A batch holds as
    many rows as fit `batch_tokens` on its longer side.

    Args:
        pairs: the token ids.
        batch_tokens: padded tokens of a batch on its longer side, at most (a single longer row is a batch of its own).
        seed: seeds the shuffling of every epoch; None keeps one fixed order, for validation.
        max_tokens: rows with more tokens on a side are left out.
    """

    def __init__(
        self, pairs: TokenPairs, batch_tokens: int, seed: int | None = None, max_tokens: int | None = None
    ) -> None:
        self._pairs = pairs
        self._seed = seed
        longest = np.maximum(pairs.source.lengths, pairs.target.lengths)
        rows = np.flatnonzero(longest <= max_tokens) if max_tokens else np.arange(len(pairs))
        self.buckets = _make_buckets(rows, pairs.source.lengths + 1, pairs.target.lengths + 1, batch_tokens)
        self.steps_per_epoch = sum(bucket.batches for bucket in self.buckets)

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Every shape that occurs: (batch size, source length, target length)."""
        return sorted({bucket.shape for bucket in self.buckets})

    @property
    def padding_share(self) -> float:
        """Share of the target positions of an epoch that are padding."""
        positions = sum(bucket.batches * bucket.shape[0] * bucket.shape[2] for bucket in self.buckets)
        tokens = sum(int(self._pairs.target.lengths[bucket.rows].sum()) + len(bucket.rows) for bucket in self.buckets)
        return 1.0 - tokens / positions

    def epoch(self, number: int) -> list[tuple[Bucket, np.ndarray]]:
        """The batches of an epoch in their order, each as (bucket, rows)."""
        generator = np.random.default_rng((self._seed, number)) if self._seed is not None else None
        plan = []
        for bucket in self.buckets:
            rows = bucket.rows if generator is None else generator.permutation(bucket.rows)
            plan += [(bucket, rows[start : start + bucket.shape[0]]) for start in range(0, len(rows), bucket.shape[0])]
        order = range(len(plan)) if generator is None else generator.permutation(len(plan))
        return [plan[i] for i in order]

    def batches(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from a step on."""
        for bucket, rows in self.epoch(epoch)[first_step:]:
            yield make_batch(self._pairs, rows, bucket.shape)


def make_batch(pairs: TokenPairs, rows: np.ndarray, shape: tuple[int, int, int]) -> Batch:
    """Pads the rows to a shape; a batch with too few rows is filled with repeated rows of weight 0."""
    size, source_length, target_length = shape
    filled = np.resize(rows, size)
    source = [np.append(pairs.source[row], END_ID) for row in filled]
    target = [pairs.target[row] for row in filled]
    labels = pad([np.append(ids, END_ID) for ids in target], target_length)
    weights = (labels != PAD_ID).astype(np.float32)
    weights[len(rows) :] = 0.0
    return Batch(
        source_ids=pad(source, source_length),
        target_ids=pad([np.concatenate([[START_ID], ids]) for ids in target], target_length),
        labels=labels,
        weights=weights,
    )


def pad(lists: list[np.ndarray], length: int) -> np.ndarray:
    """Right-pads lists of ids to an array of shape (lists, length), int32."""
    padded = np.full((len(lists), length), PAD_ID, np.int32)
    for row, ids in zip(padded, lists, strict=True):
        row[: len(ids)] = ids
    return padded


def token_lists(lists: list[list[int]]) -> TokenLists:
    """Python lists of ids as flat arrays."""
    offsets = np.cumsum([0, *(len(ids) for ids in lists)])
    return TokenLists(np.array([i for ids in lists for i in ids], np.int32), offsets)


def _make_buckets(
    rows: np.ndarray, source_lengths: np.ndarray, target_lengths: np.ndarray, batch_tokens: int
) -> list[Bucket]:
    """The cut into target and source groups that pads least, of those with at most `MAX_SHAPES` buckets."""
    plans = [_cut_twice(rows, source_lengths, target_lengths, groups) for groups in TARGET_GROUPS]
    plan = min(plans, key=lambda buckets: sum(len(rows) * (source + target) for rows, source, target in buckets))
    return [
        Bucket(rows, (min(len(rows), max(1, batch_tokens // max(source, target))), source, target))
        for rows, source, target in plan
    ]


def _cut_twice(
    rows: np.ndarray, source_lengths: np.ndarray, target_lengths: np.ndarray, target_groups: int
) -> list[tuple[np.ndarray, int, int]]:
    """Groups of target length, and in each of them groups of source length, as (rows, source length, target length)."""
    buckets = []
    for group in _cut(rows, target_lengths, target_groups):
        for part in _cut(group, source_lengths, MAX_SHAPES // target_groups):
            buckets.append((part, int(source_lengths[part].max()), int(target_lengths[part].max())))
    return buckets


def _cut(rows: np.ndarray, lengths: np.ndarray, groups: int) -> list[np.ndarray]:
    """Cuts rows into at most `groups` by length so that padding each to its group's longest costs least.

    Dynamic programming over the distinct lengths: best[e] is the least cost of the e shortest ones in the groups so
    far.
    """
    distinct, counts = np.unique(lengths[rows], return_counts=True)
    rows_below = np.concatenate([[0], np.cumsum(counts)])
    best = np.where(np.arange(len(distinct) + 1) == 0, 0.0, np.inf)
    starts = []
    for _ in range(min(groups, len(distinct))):
        costs = [best[:end] + (rows_below[end] - rows_below[:end]) * distinct[end - 1] for end in range(1, len(best))]
        starts.append([0, *(int(cost.argmin()) for cost in costs)])
        best = np.array([np.inf, *(cost.min() for cost in costs)])
    parts, end = [], len(distinct)
    for start in reversed(starts):
        first, end = distinct[start[end]], start[end]
        parts.append(rows[lengths[rows] >= first])
        rows = rows[lengths[rows] < first]
    return parts[::-1]
