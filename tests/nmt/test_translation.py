"""From lines to translations: order, odd lines, batches, and the probabilities beside them. The weights are random."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from keras import ops

from nmt import translation
from nmt.checkpoints import copy_weights
from nmt.config import DecodingConfig, ModelConfig, parse_config
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, START_ID, Tokenizer
from nmt.translation import Searcher, Translation, Translator, make_model

LINES = [b"one", b"one two three", b"", b"nine eight", b"   ", b"six five four", b"two", b"seven zero", b"one"]
CONFIG = DecodingConfig(
    beam_size=2, max_length=8, max_length_ratio=0.1, batch_size=3, max_source_tokens=12, max_source_bytes=40
)


@pytest.fixture(scope="module")
def traced() -> Iterator[list[int]]:
    """A list that gets an entry whenever a search is traced."""
    traces: list[int] = []
    original = Searcher.call

    @functools.wraps(original)
    def counted(self: Searcher, source_ids: Any) -> Any:
        traces.append(1)
        return original(self, source_ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Searcher, "call", counted)
        yield traces


@pytest.fixture(scope="module")
def translator(traced: list[int], tiny_model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer]) -> Translator:
    """One compiled search for all tests of this module."""
    return Translator(tiny_model, *tokenizers, CONFIG)


@pytest.fixture
def alone(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> dict[bytes, Translation]:
    """Each line translated in a batch of its own."""
    with monkeypatch.context() as patch:
        patch.setattr(translator, "config", CONFIG.model_copy(update={"batch_size": 1}))
        return {line: next(translator.translate([line])) for line in set(LINES)}


def close(first: Translation, second: Translation) -> bool:
    return (first.text, first.cut) == (second.text, second.cut) and abs(first.log_prob - second.log_prob) < 1e-5


def test_order_and_neighbours_do_not_matter(translator: Translator, alone: dict[bytes, Translation]) -> None:
    """Batches of three, sorted by length, give each line what it gets alone, in the lines' order."""
    assert len({alone[line].log_prob for line in LINES}) >= 6  # the lines can be told apart
    together = list(translator.translate(LINES))
    assert all(close(found, alone[line]) for line, found in zip(LINES, together, strict=True))


def test_windows_keep_the_order(
    translator: Translator, alone: dict[bytes, Translation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translation, "LINES_AT_ONCE", 4)
    for count in (3, 4, 5, 8, 9):
        found = list(translator.translate(iter(LINES[:count])))
        assert len(found) == count
        assert all(close(one, alone[line]) for line, one in zip(LINES, found, strict=False))


def test_lines_are_read_a_window_at_a_time(translator: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "LINES_AT_ONCE", 4)
    read = iter(LINES)
    next(translator.translate(read))
    assert len(list(read)) == len(LINES) - 4


def test_lines_without_tokens(translator: Translator) -> None:
    assert list(translator.translate([b"", b"  \t "])) == [Translation("", 0.0, False)] * 2
    assert list(translator.translate([])) == []


def test_progress_counts_every_line(translator: Translator) -> None:
    counts: list[int] = []
    list(translator.translate(LINES, counts.append))
    assert sum(counts) == len(LINES)
    assert counts == [2, 3, 3, 1]  # two without tokens, seven in batches of three


def test_long_lines_are_cut(translator: Translator) -> None:
    """By tokens, 12 at most, or by bytes, 40 at most; the rest of the line does not count."""
    by_tokens, by_bytes = b"x" * 30, b"one two" + b" " * 60 + b"three"
    found = list(translator.translate([by_tokens, by_bytes, b"one two", b"one two" + b" " * 33]))
    assert [one.cut for one in found[1:]] == [True, False, False]
    assert close(found[3], found[2])
    assert found[1].text == found[2].text and found[1].log_prob == pytest.approx(found[2].log_prob, abs=1e-5)
    many = b"0" + b"7z" * 19
    assert len(translator.source_tokenizer.encode(many.decode())) > 12
    assert next(translator.translate([many])).cut


def test_bytes_that_are_no_utf8(translator: Translator) -> None:
    found = list(translator.translate([b"one \xff", "one \ufffd".encode()]))
    assert close(found[0], found[1])


def test_log_probability_is_the_models_own(translator: Translator, tiny_model: Seq2Seq) -> None:
    """The search's log-probability equals that of its own answer, read at once."""
    sources = [translator.source_tokenizer.encode(line.decode()) for line in (b"one two", b"nine", b"six five")]
    targets, log_probs = translator.search(sources)
    for source, target, log_prob in zip(sources, targets, log_probs, strict=True):
        inputs = {"source_ids": np.array([[*source, END_ID]]), "target_ids": np.array([[START_ID, *target]])}
        table = ops.convert_to_numpy(ops.log_softmax(tiny_model(inputs), axis=-1))[0]
        expected = sum(table[position, token] for position, token in enumerate([*target, END_ID]))
        assert log_prob == pytest.approx(expected, abs=1e-4)


def test_limits_follow_the_source_and_the_maximum(translator: Translator) -> None:
    """The untrained model hardly ends by itself: max_length 8 cuts all, the end of sentence included."""
    targets, _ = translator.search([translator.source_tokenizer.encode("one two three")])
    assert len(targets[0]) <= 7


def test_texts(translator: Translator, alone: dict[bytes, Translation]) -> None:
    assert translator.translate_texts(["one", "", "two"]) == [alone[b"one"].text, "", alone[b"two"].text]


def test_many_lengths_and_batch_sizes_trace_the_search_a_few_times(translator: Translator, traced: list[int]) -> None:
    """A new length must not cost a new graph."""
    for length in range(1, 40, 3):
        translator.search([[5] * length] * (1 + length % 4))
    assert len(traced) <= 4


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "layer_norm_lstm"])
def test_a_model_in_use_draws_no_random_numbers(cell: str, tokenizers: tuple[Tokenizer, Tokenizer]) -> None:
    """It takes the weights of a training with recurrent dropout, and leaves its own seeds alone."""
    sizes = {"cell": cell, "embedding_size": 4, "encoder_units": 4, "decoder_units": 8, "recurrent_dropout": 0.5}
    config = parse_config({"name": "a", "corpus": {"synthetic": {}}, "model": {**sizes, "dropout": 0.5}})
    trained = Seq2Seq(ModelConfig.model_validate(config.model.model_dump()), *(one.size for one in tokenizers))
    model = make_model(config, *tokenizers)
    copy_weights(trained, model)
    inputs = {"source_ids": np.array([[5, END_ID]], np.int32), "target_ids": np.array([[START_ID, 6]], np.int32)}
    seeds = [ops.convert_to_numpy(variable) for variable in model.variables if "seed" in variable.path]
    np.testing.assert_allclose(model(inputs), trained(inputs), atol=1e-5)
    after = [ops.convert_to_numpy(variable) for variable in model.variables if "seed" in variable.path]
    np.testing.assert_array_equal(seeds, after)
