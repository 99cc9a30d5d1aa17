"""Text from a parrot: a model that knows one text by heart, and says nothing sensible once it has read another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops

from nmt.search.sampling import temperature, top_k, top_p
from nmt.text_generation import ROWS_AT_ONCE, Sampling, TextGenerator
from nmt.tokenizer import END_ID, UNKNOWN_ID, Tokenizer

LINES = ["eins zwei", "drei vier fünf", "sechs"]
GREEDY = Sampling(temperature=0.0)


class Parrot:
    """Predicts the next token of a text, and unknown tokens once something else was read.

    Args:
        text: token ids, an end before the first line and after each.
        vocabulary_size: of the tokenizer.
        certainty: logit of the predicted token beside 0 for all others.
    """

    def __init__(self, text: list[int], vocabulary_size: int, certainty: float = 20.0) -> None:
        self.text = np.array([*text, *[UNKNOWN_ID] * 50], np.int32)
        self.vocabulary_size = vocabulary_size
        self.certainty = certainty

    def first_state(self, rows: int) -> list[list[Any]]:
        return [[ops.zeros((rows, 1), "int32"), ops.ones((rows, 1), "int32")]]  # position, whether all was right

    def step(self, token_ids: Any, state: list[list[Any]]) -> tuple[Any, None, list[list[Any]]]:
        [[position, right]] = state
        here = ops.take(self.text, position[:, 0], axis=0)
        right = right * ops.cast(here == token_ids, "int32")[:, None]
        following = ops.where(right[:, 0] == 1, ops.take(self.text, position[:, 0] + 1, axis=0), UNKNOWN_ID)
        logits = ops.one_hot(following, self.vocabulary_size) * self.certainty
        return ops.log_softmax(logits), None, [[position + 1, right]]

    def read(self, token_ids: np.ndarray, state: list[list[Any]]) -> tuple[Any, list[list[Any]]]:
        for column in token_ids.T:
            _, _, state = self.step(column, state)
        return None, state


@pytest.fixture
def tokenizer(tokenizers: tuple[Tokenizer, Tokenizer]) -> Tokenizer:
    return tokenizers[1]


@pytest.fixture
def generator(tokenizer: Tokenizer) -> TextGenerator:
    """Knows the lines above, and always says the likeliest."""
    return make_generator(tokenizer, GREEDY)


def make_generator(tokenizer: Tokenizer, sampling: Sampling, certainty: float = 20.0) -> TextGenerator:
    text = [END_ID] + [token for line in LINES for token in (*tokenizer.encode(line), END_ID)]
    parrot: Any = Parrot(text, tokenizer.size, certainty)
    return TextGenerator(parrot, tokenizer, sampling)


def test_lines_end_where_they_end(generator: TextGenerator) -> None:
    assert list(generator.lines(3, max_tokens=40)) == [LINES[0]] * 3


@pytest.mark.thorough
@pytest.mark.parametrize(
    "prefix", ["eins", "eins zwei", "eins zwei\n", "eins zwei\ndrei", "eins zwei\ndrei vier fünf\n"]
)
def test_a_prefix_is_read_and_begins_each_line(generator: TextGenerator, prefix: str) -> None:
    """The parrot goes on only where it has read the right tokens in the right order."""
    expected = "\n".join(LINES[: prefix.count("\n") + 1])
    assert list(generator.lines(2, max_tokens=40, prefix=prefix)) == [expected] * 2


def test_a_prefix_that_the_model_does_not_know(generator: TextGenerator) -> None:
    (line,) = generator.lines(1, max_tokens=4, prefix="zwei")
    assert line.startswith("zwei") and "\u2047" in line  # what an unknown token is written as


def test_unknown_characters_of_a_prefix_are_named_and_stay_as_they_are(generator: TextGenerator) -> None:
    prefix = "eins ☃♥\n☃ zwei"
    assert generator.unknown(prefix) == ["☃", "♥"]
    assert generator.unknown("eins\nzwei") == []
    assert next(generator.lines(1, max_tokens=1, prefix=prefix)) == prefix  # the one token is the end
    text = generator.running_text(1, prefix)
    assert text == f"{prefix} \u2047 "  # the parrot's own unknown token


def test_a_line_has_so_many_tokens_at_most(generator: TextGenerator, tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(LINES[0])
    assert list(generator.lines(1, max_tokens=len(ids) + 1)) == [LINES[0]]
    assert list(generator.lines(1, max_tokens=len(ids))) == [tokenizer.decode(ids[:-1])]  # the last one is the end
    assert list(generator.lines(1, max_tokens=1)) == [""]


def test_running_text_goes_on_over_the_ends(generator: TextGenerator, tokenizer: Tokenizer) -> None:
    counts = [len(tokenizer.encode(line)) + 1 for line in LINES]
    assert generator.running_text(sum(counts)) == "\n".join(LINES) + "\n"
    assert generator.running_text(counts[0] + 1).startswith("eins zwei\n")
    assert generator.running_text(sum(counts[1:]) - 1, prefix="eins zwei\n") == "\n".join(LINES)


def wild(tokenizer: Tokenizer, seed: int) -> TextGenerator:
    """Draws nearly everything as likely as anything."""
    return make_generator(tokenizer, Sampling(seed=seed), certainty=1.0)


@pytest.mark.thorough
def test_same_seed_same_text(tokenizer: Tokenizer) -> None:
    first, again, other = (list(wild(tokenizer, seed).lines(4, max_tokens=12)) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 4
    texts = [wild(tokenizer, seed).running_text(30) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_more_lines_begin_with_the_same(tokenizer: Tokenizer) -> None:
    """Also where they do not fit one batch."""
    generator = wild(tokenizer, 1)
    many = list(generator.lines(ROWS_AT_ONCE + 3, max_tokens=6))
    assert len(many) == ROWS_AT_ONCE + 3
    assert list(generator.lines(5, max_tokens=6)) == many[:5]
    assert len(set(many[ROWS_AT_ONCE:]) - set(many[:3])) >= 2  # the second batch has numbers of its own


def test_temperature_comes_before_the_cuts() -> None:
    log_probs = np.log(np.array([[0.4, 0.3, 0.2, 0.1]], np.float32))
    found = Sampling(temperature=0.5, top_k=3, top_p=0.6).adjust(log_probs)
    expected = top_p(top_k(temperature(log_probs, 0.5), 3), 0.6)  # 16 and 9 of 29
    assert np.array_equal(ops.convert_to_numpy(found), ops.convert_to_numpy(expected))
    assert np.exp(ops.convert_to_numpy(found))[0] == pytest.approx([16 / 25, 9 / 25, 0, 0], abs=1e-6)


def test_the_models_own_distribution_unless_told() -> None:
    log_probs = np.log(np.array([[0.4, 0.3, 0.2, 0.1]], np.float32))
    assert np.array_equal(ops.convert_to_numpy(Sampling().adjust(log_probs)), log_probs)
    greedy = ops.convert_to_numpy(GREEDY.adjust(log_probs))
    assert np.exp(greedy)[0] == pytest.approx([1, 0, 0, 0], abs=1e-6)


@pytest.mark.parametrize("temperature", [1e-45, 9e-7, 1e-6])
def test_hardly_any_temperature_is_none(temperature: float) -> None:
    log_probs = np.log(np.array([[0.3, 0.4, 0.2, 0.1]], np.float32))
    found = ops.convert_to_numpy(Sampling(temperature).adjust(log_probs))
    assert np.exp(found)[0] == pytest.approx([0, 1, 0, 0], abs=1e-6)
