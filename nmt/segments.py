"""The batch plan of running text: which tokens stand in which segment, as data.

The text is cut into `streams` parts of one length, which are read side by side, and those into segments, one a batch.
Two streams of the characters of `a cat sat|a dog ran|`, with `|` for the end of sentence, in segments of four:

    segment        0          1          2
    stream 0    | a _ c    a t _ s    a t - -       what the model reads; it answers with the character after each
    stream 1    | a _ d    o g _ r    a n - -       the last segment is padded with positions of weight 0

A segment goes on where the one before ended, in every stream, so a model can hand its state on. A plan is computed from
the text and two sizes alone, and a position in the training is two integers (epoch, step). Knows token ids and nothing
of models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nmt.errors import DataError
from nmt.tokenizer import END_ID, PAD_ID


@dataclass(frozen=True)
class Segment:
    """One batch: a segment of each stream.

    Attributes:
        token_ids: what the model reads; shape (streams, length), int32.
        labels: the token after each one; shape (streams, length), int32.
        weights: 1 for a label that counts, 0 for padding; shape (streams, length), float32.
        carry: 1 where the state of the segment before goes on, 0 where it starts from zero; shape (streams,), float32.
    """

    token_ids: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    carry: np.ndarray

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """What the model takes."""
        return {"token_ids": self.token_ids, "carry": self.carry}

    @property
    def target_tokens(self) -> int:
        """Labels that count."""
        return int(self.weights.sum())

    @property
    def shape(self) -> tuple[int, ...]:
        """Streams and length."""
        return self.token_ids.shape


class SegmentPlan:
    """All epochs' segments over one text.

    Each token of the text is the label of one position; before the first one stands an end of sentence. Every epoch
    reads the text in its order from the beginning.

    Args:
        stream: the token ids of all lines one after the other, each line with its end of sentence; shape (tokens,),
            int32. Only the places of a segment are read.
        streams: parts that are read side by side.
        segment_length: tokens of a segment; a shorter text has one shorter segment.
        carry_state: whether a segment goes on with the state of the one before; only an epoch's first one never does.
        fresh_lines: whether a segment that happens to begin with a line starts from zero all the same. A training needs
            some of them: who samples a line, or scores one by itself, begins so.

    Raises:
        DataError: the text is empty.
    """

    one_shape = True  # whether all batches have the same

    def __init__(
        self,
        stream: np.ndarray,
        streams: int,
        segment_length: int,
        carry_state: bool = True,
        fresh_lines: bool = False,
    ) -> None:
        if not len(stream):
            raise DataError("expected a text of at least one token, received none; run nmt prepare on another text")
        self.tokens = len(stream)
        self.streams = streams
        self.carry_state = carry_state
        self.fresh_lines = fresh_lines
        self.part_length = -(-self.tokens // streams)
        self.length = min(segment_length, self.part_length)
        self.steps_per_epoch = -(-self.part_length // self.length)
        self._stream = stream

    @property
    def shape(self) -> tuple[int, int]:
        """Of every segment: streams and length."""
        return self.streams, self.length

    def batches(self, epoch: int, first_step: int = 0) -> Iterator[Segment]:
        """The segments of an epoch from a step on; all epochs are alike."""
        return (self._segment(step) for step in range(first_step, self.steps_per_epoch))

    def _segment(self, step: int) -> Segment:
        offsets = np.arange(step * self.length, (step + 1) * self.length)  # in a stream; (length,)
        places = self.part_length * np.arange(self.streams)[:, None] + offsets  # in the text; (streams, length)
        counts = (offsets < self.part_length) & (places < self.tokens)
        places = np.minimum(places, self.tokens - 1)
        before = np.where(places > 0, self._stream[places - 1], np.int32(END_ID))
        is_fresh = (before[:, 0] == END_ID) if self.fresh_lines else np.zeros(self.streams, bool)
        return Segment(
            token_ids=np.where(counts, before, np.int32(PAD_ID)),
            labels=np.where(counts, self._stream[places], np.int32(PAD_ID)),
            weights=counts.astype(np.float32),
            carry=(self.carry_state and step > 0) * (1.0 - is_fresh).astype(np.float32),
        )
