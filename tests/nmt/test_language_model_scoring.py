"""Scores of lines against a plain loop over a table: whatever the segments, the batches and the order of lengths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from keras import ops

from nmt import language_model_scoring
from nmt.language_model_scoring import LineScore, LineScorer, TextScore
from nmt.tokenizer import END_ID, Tokenizer

TEXT = ["eins zwei", "", "drei vier fünf sechs sieben acht neun", "null", "zwei drei", "eins eins eins eins", "neun"]


class TwoTables:
    """Log-probabilities by the last token and by whether an even or an odd number of tokens was read before it."""

    def __init__(self, vocabulary_size: int, scale: float = 1.0) -> None:
        logits = np.random.default_rng(1).normal(size=(2, vocabulary_size, vocabulary_size)) * scale
        self.logits = logits.astype(np.float32)
        self.log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    def first_state(self, rows: int) -> list[list[Any]]:
        return [[ops.zeros((rows, 1), "int32")]]

    def read(self, token_ids: Any, state: list[list[Any]]) -> tuple[Any, list[list[Any]]]:
        [[read]] = state
        size, length = self.logits.shape[1], ops.shape(token_ids)[1]
        parity = (read + ops.arange(length, dtype="int32")) % 2  # (rows, length)
        return ops.take(self.logits.reshape(-1, size), parity * size + token_ids, axis=0), [[read + length]]

    def log_prob(self, tokens: list[int], read: int = 0, last: int = END_ID) -> float:
        """Of tokens after another one, by a plain loop."""
        total = 0.0
        for token in tokens:
            total += float(self.log_probs[read % 2, last, token])
            read, last = read + 1, token
        return total


@pytest.fixture
def tokenizer(tokenizers: tuple[Tokenizer, Tokenizer]) -> Tokenizer:
    return tokenizers[1]


@pytest.fixture
def model(tokenizer: Tokenizer) -> Any:
    return TwoTables(tokenizer.size)


@pytest.fixture(params=[(128, 1_024, 32, 8), (5, 3, 2, 4), (1, 1, 1, 1), (8, 4, 3, 8)], ids=str)
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments, windows and batches of several sizes; none may change a score."""
    names = "SEGMENT_LENGTH", "LINES_AT_ONCE", "ROWS", "LENGTH_STEP"
    for name, size in zip(names, request.param, strict=True):
        monkeypatch.setattr(language_model_scoring, name, size)


def score(model: Any, tokenizer: Tokenizer, independent: bool = False, text: list[str] = TEXT) -> list[LineScore]:
    return list(LineScorer(model, tokenizer, independent).score(line.encode() for line in text))


def expected(model: Any, tokenizer: Tokenizer, independent: bool) -> list[float]:
    """Line by line; the state goes on, or begins anew."""
    found, read = [], 0
    for line in TEXT:
        tokens = [*tokenizer.encode(line), END_ID]
        found.append(model.log_prob(tokens, 0 if independent else read))
        read += len(tokens)
    return found


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("independent", [False, True])
def test_log_probabilities_are_those_of_a_plain_loop(model: Any, tokenizer: Tokenizer, independent: bool) -> None:
    lines = score(model, tokenizer, independent)
    assert [line.log_prob for line in lines] == pytest.approx(expected(model, tokenizer, independent), abs=1e-4)


def test_the_two_ways_differ(model: Any, tokenizer: Tokenizer) -> None:
    """The tests above would prove little if the state were of no matter."""
    carried, alone = (expected(model, tokenizer, independent) for independent in (False, True))
    assert carried[0] == alone[0]
    assert sum(abs(a - b) > 0.01 for a, b in zip(carried, alone, strict=True)) >= 2


def test_what_a_line_has(model: Any, tokenizer: Tokenizer) -> None:
    """The end of the line is a token and a character; an empty line has nothing else."""
    lines = score(model, tokenizer, text=["", "eins", "eins ☃"])
    assert [(line.tokens, line.unknown, line.characters) for line in lines] == [
        (1, 0, 1),
        (len(tokenizer.encode("eins")) + 1, 0, 5),
        (len(tokenizer.encode("eins ☃")) + 1, 1, 7),
    ]


@pytest.mark.parametrize("independent", [False, True])
def test_an_even_model_is_as_perplexed_as_its_vocabulary_is_large(tokenizer: Tokenizer, independent: bool) -> None:
    even: Any = TwoTables(tokenizer.size, scale=0.0)
    total = TextScore()
    for line in score(even, tokenizer, independent):
        total = total.plus(line)
    assert total.perplexity == pytest.approx(tokenizer.size, rel=1e-5)
    assert total.lines == len(TEXT)
    assert total.characters == sum(len(line) + 1 for line in TEXT)
    assert total.bits_per_character == pytest.approx(
        total.tokens * math.log2(tokenizer.size) / total.characters, rel=1e-5
    )


def test_sums_by_hand() -> None:
    """Two lines of probability 1/8 each: 6 bits over 4 tokens and 12 characters."""
    total = TextScore().plus(LineScore(-math.log(8), 1, 0, 5)).plus(LineScore(-math.log(8), 3, 1, 7))
    assert (total.lines, total.tokens, total.unknown, total.characters) == (2, 4, 1, 12)
    assert total.perplexity == pytest.approx(2 ** (6 / 4))
    assert total.bits_per_character == pytest.approx(0.5)
    assert str(total) == "2 lines, 4 tokens (1 unknown), 12 characters: perplexity 2.83, 0.500 bits per character"


@pytest.mark.parametrize("independent", [False, True])
def test_a_text_without_lines(model: Any, tokenizer: Tokenizer, independent: bool) -> None:
    assert score(model, tokenizer, independent, text=[]) == []
    assert str(TextScore()) == "0 lines, 0 tokens, 0 characters: perplexity nan, nan bits per character"


def test_bytes_that_are_no_utf8(model: Any, tokenizer: Tokenizer) -> None:
    scorer = LineScorer(model, tokenizer)
    assert list(scorer.score([b"eins \xff"])) == list(scorer.score(["eins \ufffd".encode()]))


@pytest.mark.parametrize("independent", [False, True])
def test_progress_counts_every_line(model: Any, tokenizer: Tokenizer, independent: bool) -> None:
    counts: list[int] = []
    list(LineScorer(model, tokenizer, independent).score([line.encode() for line in TEXT], counts.append))
    assert sum(counts) == len(TEXT)
