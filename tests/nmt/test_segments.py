"""Segments of texts that a person can read."""

from __future__ import annotations

import numpy as np
import pytest

from nmt.errors import DataError
from nmt.segments import Segment, SegmentPlan
from nmt.tokenizer import END_ID, PAD_ID

SIGNS = {END_ID: "|", PAD_ID: "-"}


def encode(text: str) -> np.ndarray:
    """Characters as token ids, `|` as the end of sentence."""
    return np.array([END_ID if sign == "|" else ord(sign) for sign in text], np.int32)


def decode(rows: np.ndarray) -> list[str]:
    return ["".join(SIGNS.get(int(i)) or chr(i) for i in row) for row in rows]


def segments(text: str, streams: int, length: int, carry_state: bool = True) -> list[Segment]:
    return list(SegmentPlan(encode(text), streams, length, carry_state).batches(0))


def test_the_text_is_cut_into_streams_and_these_into_segments() -> None:
    found = segments("a_cat_sat|a_dog_ran|", streams=2, length=4)
    assert [decode(segment.token_ids) for segment in found] == [["|a_c", "|a_d"], ["at_s", "og_r"], ["at--", "an--"]]
    assert [decode(segment.labels) for segment in found] == [["a_ca", "a_do"], ["t_sa", "g_ra"], ["t|--", "n|--"]]
    assert [segment.weights.sum(axis=1).tolist() for segment in found] == [[4, 4], [4, 4], [2, 2]]
    assert [segment.target_tokens for segment in found] == [8, 8, 4]
    assert {segment.shape for segment in found} == {(2, 4)}


def test_a_text_that_does_not_divide_leaves_the_last_stream_short() -> None:
    found = segments("abcdefg|", streams=3, length=2)
    assert [decode(segment.token_ids) for segment in found] == [["|a", "cd", "fg"], ["b-", "e-", "--"]]
    assert [decode(segment.labels) for segment in found] == [["ab", "de", "g|"], ["c-", "f-", "--"]]


@pytest.mark.parametrize("tokens", [1, 2, 7, 30])
@pytest.mark.parametrize(("streams", "length"), [(1, 1), (1, 100), (3, 2), (9, 5)])
def test_every_token_is_the_label_of_one_position(tokens: int, streams: int, length: int) -> None:
    stream = np.arange(10, 10 + tokens, dtype=np.int32)
    found = list(SegmentPlan(stream, streams, length).batches(0))
    labels = np.concatenate([segment.labels for segment in found], axis=1)
    weights = np.concatenate([segment.weights for segment in found], axis=1)
    read = np.concatenate([segment.token_ids for segment in found], axis=1)
    assert labels[weights == 1].tolist() == stream.tolist()
    assert read[weights == 1].tolist() == [END_ID, *stream[:-1]]
    assert (labels[weights == 0] == PAD_ID).all() and (read[weights == 0] == PAD_ID).all()


def test_only_the_first_segment_of_an_epoch_starts_from_zero() -> None:
    carries = [segment.carry.tolist() for segment in segments("abcdef", streams=2, length=1)]
    assert carries == [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
    carries = [segment.carry.tolist() for segment in segments("abcdef", streams=2, length=1, carry_state=False)]
    assert carries == 3 * [[0.0, 0.0]]


def test_a_segment_that_begins_a_line_may_start_from_zero() -> None:
    plan = SegmentPlan(encode("ab|cdefgh|ij"), streams=2, segment_length=3, fresh_lines=True)
    found = list(plan.batches(0))
    assert [decode(segment.token_ids) for segment in found] == [["|ab", "efg"], ["|cd", "h|i"]]
    assert [segment.carry.tolist() for segment in found] == [[0.0, 0.0], [0.0, 1.0]]


def test_an_epoch_may_begin_at_any_step_and_is_like_every_other() -> None:
    plan = SegmentPlan(encode("a_cat_sat|a_dog_ran|"), 2, 4)
    assert plan.steps_per_epoch == 3
    whole, rest = list(plan.batches(0)), list(plan.batches(5, first_step=1))
    for expected, received in zip(whole[1:], rest, strict=True):
        for name in ("token_ids", "labels", "weights", "carry"):
            np.testing.assert_array_equal(getattr(expected, name), getattr(received, name))


def test_a_short_text_makes_a_short_segment() -> None:
    (segment,) = segments("abc", streams=1, length=64)
    assert segment.shape == (1, 3)


def test_what_the_model_takes() -> None:
    (segment,) = segments("abc", streams=1, length=64)
    assert {key: (value.dtype.name, value.shape) for key, value in segment.inputs.items()} == {
        "token_ids": ("int32", (1, 3)),
        "carry": ("float32", (1,)),
    }
    assert (segment.labels.dtype.name, segment.weights.dtype.name) == ("int32", "float32")


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(DataError, match="expected a text of at least one token, received none; run nmt prepare"):
        SegmentPlan(encode(""), 2, 4)
