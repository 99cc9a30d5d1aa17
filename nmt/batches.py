"""The batch plan: which rows stand together in which batch of which epoch, as data.

A plan is computed from lengths, a seed and the epoch's number alone, so a position in the training is two integers
(epoch, step) and a resumed run sees the batches of the uninterrupted one. A row costs eight bytes of memory: four for
its number in the plan, and four again in the running epoch. Knows token ids and nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nmt.buckets import Bucket, Share, make_buckets
from nmt.corpus import TokenLists, TokenPairs
from nmt.errors import DataError
from nmt.tokenizer import END_ID, PAD_ID, START_ID

NOISY_LENGTHS = 8  # what the noise makes longer than its bucket is padded to a multiple of this

TokenIds = Sequence[int] | np.ndarray
Noise = Callable[
    [list[np.ndarray], list[np.ndarray], np.random.Generator],
    tuple[Sequence[TokenIds], Sequence[TokenIds], Sequence[TokenIds]],
]


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
    def inputs(self) -> dict[str, np.ndarray]:
        """What the model takes."""
        return {"source_ids": self.source_ids, "target_ids": self.target_ids}

    @property
    def target_tokens(self) -> int:
        """Labels that count."""
        return int(self.weights.sum())

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, source length and target length."""
        return *self.source_ids.shape, self.target_ids.shape[1]


class BatchPlan:
    """All epochs' batches over one part of a corpus.

    Rows are grouped by target length and inside each group by source length, where that pads least. A batch holds as
    many rows as fit `batch_tokens` on its longer side, and at most `batch_sentences`.

    Args:
        pairs: the token ids.
        batch_tokens: padded tokens of a batch on its longer side, at most (a single longer row is a batch of its own).
        seed: seeds the shuffling of every epoch; None keeps one fixed order, for validation.
        max_tokens: rows with more tokens on a side are left out.
        mixture: the corpora that stand one after the other in `pairs`, each as (rows, weight). An epoch reads every row
            as often as its weight says; of a broken weight, the rest is another random choice in each epoch, of the
            same number of rows. Empty: one corpus of weight 1.
        batch_sentences: rows of a batch, at most; None for as many as its tokens allow.
        noise: changes the token ids of a batch. Called with its sources and targets (without start and end of
            sentence) and a generator seeded by (seed, epoch, step); returns the sources, what the decoder reads and
            what it should answer. Longer rows than before give their batch a length that is a multiple of 8.

    Raises:
        DataError: the mixture has not as many rows as `pairs`, or its weights are too small for a single one.
    """

    one_shape = False  # whether all batches have the same

    def __init__(
        self,
        pairs: TokenPairs,
        batch_tokens: int,
        seed: int | None = None,
        max_tokens: int | None = None,
        mixture: Sequence[tuple[int, float]] = (),
        batch_sentences: int | None = None,
        noise: Noise | None = None,
    ) -> None:
        self._pairs = pairs
        self._seed = seed
        self._noise = noise
        corpora = mixture or [(len(pairs), 1.0)]
        if (rows := sum(rows for rows, _ in corpora)) != len(pairs):
            raise DataError(
                f"expected corpora of {len(pairs):,} pairs together, as many as the training part has; received "
                f"{rows:,}; run nmt prepare again"
            )
        self.buckets = make_buckets(pairs, batch_tokens, max_tokens, corpora, batch_sentences)
        self.steps_per_epoch = sum(bucket.batches for bucket in self.buckets)
        if mixture and not self.steps_per_epoch:
            raise DataError("expected an epoch of at least one pair, received none; raise training.weights")

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Every shape that occurs without noise: (batch size, source length, target length)."""
        return sorted({bucket.shape for bucket in self.buckets})

    @property
    def padding_share(self) -> float:
        """Share of the target positions of an epoch that are padding; of a random choice, its mean."""
        positions = sum(bucket.batches * bucket.shape[0] * bucket.shape[2] for bucket in self.buckets)
        shares = [share for bucket in self.buckets for share in bucket.shares if share.reads]
        lengths = [1.0 + self._pairs.target.count(share.rows) / len(share.rows) for share in shares]
        tokens = sum(share.reads * length for share, length in zip(shares, lengths, strict=True))
        return 1.0 - tokens / positions

    def epoch(self, number: int, first_step: int = 0) -> Iterator[tuple[Bucket, np.ndarray]]:
        """The batches of an epoch in their order from a step on, each as (bucket, rows)."""
        shuffle = _leave if self._seed is None else np.random.default_rng((self._seed, number)).shuffle
        arranged = self._arrange(shuffle)
        order = np.arange(self.steps_per_epoch, dtype=np.uint32)
        shuffle(order)
        ends = np.cumsum([bucket.batches for bucket in self.buckets])
        for place in order[first_step:]:
            i = int(np.searchsorted(ends, place, side="right"))
            bucket = self.buckets[i]
            size = bucket.shape[0]
            start = (int(place) - int(ends[i]) + bucket.batches) * size
            yield bucket, arranged[i][start : start + size]

    def batches(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from a step on."""
        for step, (bucket, rows) in enumerate(self.epoch(epoch, first_step), start=first_step):
            sources, targets = ([lists[row] for row in rows] for lists in (self._pairs.source, self._pairs.target))
            if self._noise is None:
                yield make_batch(sources, targets, targets, bucket.shape)
            else:
                yield make_batch(*self._noise(sources, targets, self._noise_generator(epoch, step)), bucket.shape)

    def _arrange(self, shuffle: Callable[[np.ndarray], None]) -> list[np.ndarray]:
        """The rows that an epoch reads, shuffled inside each bucket; all are views of one array."""
        shares = [share for bucket in self.buckets for share in bucket.shares]
        spare = max((len(share.rows) - share.rest for share in shares if share.rest), default=0)
        rows = np.empty(sum(share.reads for share in shares) + spare, np.uint32)
        arranged = []
        for bucket in self.buckets:
            start = 0
            for share in bucket.shares:
                _write_reads(share, rows[start:], shuffle)
                start += share.reads
            shuffle(rows[:start])
            arranged.append(rows[:start])
            rows = rows[start:]
        return arranged

    def _noise_generator(self, epoch: int, step: int) -> np.random.Generator:
        # A spawn key, because the seeds (seed, epoch) and (seed, epoch, 0) give the same stream.
        return np.random.default_rng(np.random.SeedSequence((self._seed or 0, epoch), spawn_key=(step,)))


def make_batch(
    sources: Sequence[TokenIds], targets: Sequence[TokenIds], labels: Sequence[TokenIds], shape: tuple[int, int, int]
) -> Batch:
    """Pads rows to a shape; a batch with too few rows is filled with repeated rows of weight 0.

    Args:
        sources: source ids of each row, without start and end of sentence, like the two others.
        targets: what the decoder reads.
        labels: what it should answer.
        shape: batch size, source length and target length; a length that a row exceeds becomes a multiple of 8.
    """
    size, source_length, target_length = shape
    filled = [row % len(sources) for row in range(size)]
    source_ids = [np.append(sources[row], END_ID) for row in filled]
    target_ids = [np.concatenate([[START_ID], targets[row]]) for row in filled]
    label_ids = [np.append(labels[row], END_ID) for row in filled]
    source_length = _sufficient(source_length, source_ids)
    target_length = _sufficient(target_length, [*target_ids, *label_ids])
    padded_labels = pad(label_ids, target_length)
    weights = (padded_labels != PAD_ID).astype(np.float32)
    weights[len(sources) :] = 0.0
    return Batch(pad(source_ids, source_length), pad(target_ids, target_length), padded_labels, weights)


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


def _sufficient(length: int, lists: list[np.ndarray]) -> int:
    """The length, or the next multiple of `NOISY_LENGTHS` where a list is longer."""
    longest = max(len(ids) for ids in lists)
    return length if longest <= length else -(-longest // NOISY_LENGTHS) * NOISY_LENGTHS


def _leave(rows: np.ndarray) -> None:
    """The shuffle of a plan without a seed."""


def _write_reads(share: Share, rows: np.ndarray, shuffle: Callable[[np.ndarray], None]) -> None:
    """Writes the rows that an epoch reads of a share to the front of `rows`; what stands behind is written over."""
    count = len(share.rows)
    for i in range(share.repeats):
        rows[i * count : (i + 1) * count] = share.rows
    if share.rest:
        once_more = rows[share.repeats * count : (share.repeats + 1) * count]
        once_more[:] = share.rows
        shuffle(once_more)
