"""What graphs make of lines: what `call` makes of them step by step, for a line alone and for several together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import tree

from nmt.config import DecodingConfig
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, PAD_ID
from nmt.translation.ensemble import Ensemble
from nmt.translation.searcher import Replayer, Searcher

LENGTH = 6


def ids(rows: int, length: int) -> np.ndarray:
    """Right-padded rows of different lengths, each with its end."""
    generator = np.random.default_rng(rows + length)
    found = generator.integers(END_ID + 1, END_ID + 8, (rows, length), np.int32)
    for row, ending in enumerate(generator.integers(0, length, rows)):
        found[row, ending], found[row, ending + 1 :] = END_ID, PAD_ID
    return found


def assert_same(model: Any, inputs: dict[str, Any]) -> None:
    found, expected = model.predict_on_batch(inputs), tree.map_structure(np.asarray, model(inputs))
    assert type(found) is type(expected)
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, np.ndarray)
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("decoding", [{"beam_size": 1}, {"beam_size": 2}, {"samples": 3}], ids=str)
def test_searches(tiny_model: Seq2Seq, decoding: dict[str, int]) -> None:
    searcher = Searcher(Ensemble([tiny_model]), DecodingConfig(**{"max_length": LENGTH, **decoding}))
    for rows, length in ((1, 3), (1, 5), (3, 4), (2, 6)):
        inputs: dict[str, Any] = {"source_ids": [ids(rows, length)]}
        if "samples" in decoding:
            inputs["uniforms"] = np.random.default_rng(rows).random((rows, decoding["samples"], LENGTH), np.float32)
        assert_same(searcher, inputs)


@pytest.mark.thorough
def test_prefixes(tiny_model: Seq2Seq) -> None:
    searcher = Searcher(Ensemble([tiny_model]), DecodingConfig(beam_size=1, max_length=LENGTH))
    for rows in (1, 3):
        sources, prefixes = ids(rows, 4), np.full((rows, 2), END_ID + 2, np.int32)
        assert_same(searcher, {"source_ids": [sources]})
        assert_same(searcher, {"source_ids": [sources], "prefix_ids": prefixes})
        found = searcher.predict_on_batch({"source_ids": [sources], "prefix_ids": prefixes}).token_ids
        assert (found[:, 0, :2] == END_ID + 2).all()


@pytest.mark.thorough
@pytest.mark.parametrize("with_attention", [False, True])
def test_replays(tiny_model: Seq2Seq, with_attention: bool) -> None:
    replayer = Replayer(Ensemble([tiny_model]), with_attention)
    for rows, length in ((1, 3), (3, 4), (1, 6)):
        assert_same(replayer, {"source_ids": [ids(rows, length)], "target_ids": ids(rows, LENGTH)})
