"""Subword sampling against probabilities worked out by hand, and against SentencePiece where chance is switched off."""

from __future__ import annotations

import io
import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece

from nmt.subword_sampling import BpeSampler, SubwordSampler, UnigramSampler, make_sampler
from nmt.tokenizer import END_ID, PAD_ID, START_ID, UNKNOWN_ID, Tokenizer

ROOT = Path(__file__).resolve().parents[2]
DRAWS = 4_000
ROOM = 4 * math.sqrt(0.25 / DRAWS)  # four standard deviations of a share


def random_texts(count: int, seed: int = 1) -> list[str]:
    generator = random.Random(seed)
    words = ["".join(generator.choices("abcde", k=generator.randint(1, 8))) for _ in range(200)]
    return [" ".join(generator.choices(words, k=generator.randint(1, 12))) for _ in range(count)]


def train_tokenizer(kind: str) -> Tokenizer:
    model = io.BytesIO()
    special = {"pad_id": PAD_ID, "unk_id": UNKNOWN_ID, "bos_id": START_ID, "eos_id": END_ID}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(random_texts(300)),
        model_writer=model,
        model_type=kind,
        vocab_size=120,
        minloglevel=2,
        num_threads=1,
        **special,
    )
    return Tokenizer(model.getvalue())


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tokenizer(kind: str) -> Tokenizer:
    return train_tokenizer(kind)


@pytest.fixture
def draw() -> Callable[[], float]:
    return random.Random(1).random


def with_pieces(kind: type[Any], strength: float, scores: dict[str, float]) -> Any:
    """A sampler with the given pieces, numbered from 4, instead of a trained model's."""
    sampler = kind(train_tokenizer("char"), strength)
    sampler.pieces = {piece: (4 + i, score) for i, (piece, score) in enumerate(scores.items())}
    sampler.spelling = {i: piece for piece, (i, _) in sampler.pieces.items()}
    return sampler


def shares(sampler: SubwordSampler, word: str) -> dict[str, float]:
    """How often each segmentation is drawn, as `{"a b": share}`."""
    draw = random.Random(1).random
    counts = Counter(" ".join(sampler.spelling[i] for i in sampler.cut(word, draw)) for _ in range(DRAWS))
    return {segmentation: count / DRAWS for segmentation, count in counts.items()}


@pytest.mark.parametrize("smoothing", [0.5, 1.0])
def test_unigram_shares_are_the_smoothed_probabilities(smoothing: float) -> None:
    """`ab` is one piece of probability 0.2 or two of 0.5 and 0.1: 0.2 against 0.05, each to the power of smoothing."""
    scores = {"ab": math.log(0.2), "a": math.log(0.5), "b": math.log(0.1)}
    one, two = 0.2**smoothing, 0.05**smoothing
    found = shares(with_pieces(UnigramSampler, smoothing, scores), "ab")
    assert found == pytest.approx({"ab": one / (one + two), "a b": two / (one + two)}, abs=ROOM)


def test_unigram_without_preference_draws_all_segmentations_alike() -> None:
    """Three letters have four segmentations, if every substring is a piece."""
    scores = dict.fromkeys(("a", "b", "c", "ab", "bc", "abc"), 0.0)
    found = shares(with_pieces(UnigramSampler, 1.0, scores), "abc")
    assert found == pytest.approx(dict.fromkeys(("a b c", "ab c", "a bc", "abc"), 0.25), abs=ROOM)


def test_bpe_shares() -> None:
    """Of `abc`, `ab` is merged before `bc`: it comes with 1 - p, else `bc` with p (1 - p), else letters are left."""
    scores = {"ab": 0.0, "bc": -1.0, "a": -2.0, "b": -3.0, "c": -4.0}
    found = shares(with_pieces(BpeSampler, 0.3, scores), "abc")
    assert found == pytest.approx({"ab c": 0.7, "a bc": 0.21, "a b c": 0.09}, abs=ROOM)


@pytest.mark.parametrize(("sampler", "strength"), [(UnigramSampler, 0.5), (BpeSampler, 0.1)])
def test_a_word_that_no_pieces_make_up_is_unknown(sampler: type[Any], strength: float) -> None:
    assert UNKNOWN_ID in with_pieces(sampler, strength, {"a": 0.0}).cut("ab", lambda: 0.5)


def test_without_chance_it_is_the_best_segmentation(kind: str, tokenizer: Tokenizer) -> None:
    """No merge dropped, or so much weight on the best segmentation that nothing else is drawn: SentencePiece's own."""
    sampler = make_sampler(kind, tokenizer, {"unigram": 1e4, "bpe": 0.0}[kind])
    for ids in tokenizer.encode_all(random_texts(100)):
        assert sampler(np.array(ids, np.int32), lambda: 0.5).tolist() == ids


def test_all_merges_dropped_leaves_characters(draw: Callable[[], float]) -> None:
    tokenizer = train_tokenizer("bpe")
    sample = BpeSampler(tokenizer, 1.0)(np.array(tokenizer.encode("abc de"), np.int32), draw)
    assert [tokenizer.decode([i]) for i in sample.tolist()] == ["", "a", "b", "c", "", "d", "e"]


def test_a_sample_is_another_cut_of_the_same_text(kind: str, tokenizer: Tokenizer, draw: Callable[[], float]) -> None:
    sampler = make_sampler(kind, tokenizer, 0.2)
    texts = random_texts(50)
    before = [np.array(ids, np.int32) for ids in tokenizer.encode_all(texts)]
    samples = [sampler(ids, draw) for ids in before]
    assert [tokenizer.decode(sample.tolist()) for sample in samples] == texts
    assert sum(not np.array_equal(ids, sample) for ids, sample in zip(before, samples, strict=True)) > 25
    assert {sample.dtype for sample in samples} == {np.dtype(np.int32)}


def test_a_sentence_with_an_unknown_token_keeps_its_ids(
    kind: str, tokenizer: Tokenizer, draw: Callable[[], float]
) -> None:
    ids = np.array(tokenizer.encode("abc xyz abc"), np.int32)
    assert UNKNOWN_ID in ids
    sampler = make_sampler(kind, tokenizer, 0.9)
    assert all(sampler(ids, draw) is ids for _ in range(20))


def test_the_empty_sentence(kind: str, tokenizer: Tokenizer, draw: Callable[[], float]) -> None:
    assert make_sampler(kind, tokenizer, 0.2)(np.array([], np.int32), draw).tolist() == []


SCRIPT = """
import random, sys
import numpy as np
from nmt.subword_sampling import make_sampler
from nmt.tokenizer import Tokenizer
sampler = make_sampler(sys.argv[1], Tokenizer(open(sys.argv[2], "rb").read()), 0.2)
draw = random.Random(7).random
print([sampler(np.array(eval(line)), draw).tolist() for line in sys.stdin])
"""


def test_another_process_draws_the_same(kind: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """What SentencePiece's own sampling does not."""
    (tmp_path / "a.model").write_bytes(tokenizer.model)
    ids = tokenizer.encode_all(random_texts(20))
    sampler, draw = make_sampler(kind, tokenizer, 0.2), random.Random(7).random
    here = [sampler(np.array(sentence), draw).tolist() for sentence in ids]
    command = [sys.executable, "-c", SCRIPT, kind, str(tmp_path / "a.model")]
    text = "".join(f"{sentence}\n" for sentence in ids)
    there = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=True).stdout
    assert there == f"{here}\n"
