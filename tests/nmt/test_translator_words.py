"""What a translation shall have, and what it tells: prefixes, forced words, copies, attention. Random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_translators import Tokenizers, log_probs_of, make_translator, unknown_ones

from nmt.errors import DataError
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import UNKNOWN_ID
from nmt.translation.lines import Hypothesis, Line, Translation

TEXTS = [b"one two", b"nine", b"six five four"]
NOTHING = Translation((Hypothesis("", 0.0, 0.0),))


def close(first: Translation, second: Translation) -> bool:
    return (first.text, first.cut) == (second.text, second.cut) and abs(first.log_prob - second.log_prob) < 1e-4


# Prefixes


@pytest.mark.parametrize(
    "decoding",
    [
        {"beam_size": 2, "n_best": 2},
        pytest.param({"beam_size": 1}, marks=pytest.mark.slow),
        pytest.param({"samples": 2}, marks=pytest.mark.slow),
    ],
)
def test_translations_begin_with_their_prefix(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, decoding: dict[str, Any]
) -> None:
    """Each with its own; a line without a prefix has what it has alone."""
    translator = make_translator(tiny_model, tokenizers, **decoding)
    prefixes = ["drei", "", "acht zwei"]
    without = list(translator.translate(TEXTS))
    assert not any(one.text.startswith(("drei", "acht zwei")) for of in without for one in of.hypotheses)
    found = list(translator.translate(TEXTS, prefixes=prefixes))
    assert all(one.text.startswith("drei") for one in found[0].hypotheses)
    assert all(one.text.startswith("acht zwei") for one in found[2].hypotheses)
    assert close(found[1], without[1])


def test_a_prefix_counts_in_the_log_probability(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    translator = make_translator(tiny_model, tokenizers)
    (sentence,) = translator.read([Line(b"one two", prefix="drei")])
    assert sentence.prefix == (translator.target_tokenizer.encode("drei")[0],)
    ((found,),) = translator.search([sentence])
    assert found.token_ids[0] == sentence.prefix[0]
    expected = log_probs_of(tiny_model, sentence.sources[0], found.token_ids).sum()
    assert found.log_prob == pytest.approx(expected, abs=1e-4)


def test_a_prefix_that_leaves_no_room(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """Four tokens and the end of sentence fill max_length 5; five do not go in."""
    translator = make_translator(tiny_model, tokenizers)
    (found,) = translator.translate([b"one"], prefixes=["zwei " * 4])
    assert found.text == " ".join(["zwei"] * 4)
    message = r"^line 3: expected a prefix of fewer tokens than decoding\.max_length \(5\), received 5; shorten it"
    with pytest.raises(DataError, match=message):
        list(translator.translate([b"one"] * 3, prefixes=["", "zwei", "zwei " * 5]))
    with pytest.raises(DataError, match=message):
        translator.check_prefix(2, "zwei " * 5)
    translator.check_prefix(2, "zwei " * 4)


@pytest.mark.slow
def test_a_prefix_adds_to_the_limit_of_a_short_source(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """One source token gives 10 tokens and the ratio's; eight tokens of prefix more."""
    translator = make_translator(tiny_model, tokenizers, max_length=40, max_length_ratio=0.1, min_length=40)
    lengths = [len(one.best.pieces) for one in translator.translate([b"one", b"one"], prefixes=["", "zwei " * 8])]
    assert lengths == [9, 17]  # without the end of sentence


# Unknown words


def test_unknown_words_are_copied_from_the_source(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """The prefix makes the unknown token certain; the source's unknown word takes its place."""
    settings: dict[str, Any] = {"beam_size": 1, "ban_unknown": True}  # none but the prefix's
    plain = unknown_ones(make_translator(tiny_model, tokenizers, **settings), "one ❄ two", "drei ☃")
    copied = unknown_ones(make_translator(tiny_model, tokenizers, copy_unknown=True, **settings), "one ❄ two", "drei ☃")
    assert "⁇" in plain.text and plain.pieces[:3] == ("▁drei", "▁", "<unk>")
    assert copied.pieces == (*plain.pieces[:2], "❄", *plain.pieces[3:])
    assert copied.text.startswith("drei ❄") and "⁇" not in copied.text
    assert (copied.log_prob, copied.score) == (plain.log_prob, plain.score)
    assert copied.attention is None  # nobody asked


@pytest.mark.slow
def test_a_known_word_is_copied_where_the_attention_points(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """Of two source words of one piece each, the one with the larger weight in the unknown token's row."""
    translator = make_translator(tiny_model, tokenizers, with_attention=True, copy_unknown=True, ban_unknown=True)
    found = unknown_ones(translator, "nine four", "☃")
    assert found.attention is not None and found.source_pieces == ("▁nine", "▁four")
    words = ["nine", "four"]
    place = tokenizers[1].encode("☃").index(UNKNOWN_ID)
    assert found.pieces[place] == words[int(found.attention[place, :2].argmax())]


@pytest.mark.slow
def test_a_banned_unknown_token_is_never_found(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """42 of 42 tokens may come first; without the unknown one there are 41."""
    settings: dict[str, Any] = {"beam_size": 42, "n_best": 42, "max_length": 2}
    for banned, firsts in ((False, 42), (True, 41)):
        translator = make_translator(tiny_model, tokenizers, ban_unknown=banned, **settings)
        ((*found,),) = translator.search(translator.read([Line(b"one")]))
        assert len({tuple(one.token_ids) for one in found}) == firsts
        assert any(UNKNOWN_ID in one.token_ids for one in found) is not banned


# Attention


@pytest.mark.parametrize(
    "decoding",
    [
        {"beam_size": 2, "n_best": 2},
        pytest.param({"beam_size": 1}, marks=pytest.mark.slow),
        pytest.param({"samples": 2}, marks=pytest.mark.slow),
    ],
)
def test_attention_of_every_hypothesis(tiny_model: Seq2Seq, tokenizers: Tokenizers, decoding: dict[str, Any]) -> None:
    translator = make_translator(tiny_model, tokenizers, with_attention=True, **decoding)
    for line, found in zip(TEXTS, translator.translate(TEXTS), strict=True):
        for one in found.hypotheses:
            assert one.attention is not None
            assert one.source_pieces == tuple(tokenizers[0].pieces(line.decode()))
            assert one.attention.shape == (len(one.pieces) + 1, len(one.source_pieces) + 1)
            assert one.attention.sum(axis=1) == pytest.approx(np.ones(len(one.pieces) + 1), abs=1e-5)


@pytest.mark.slow
def test_attention_does_not_depend_on_neighbours(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    translator = make_translator(tiny_model, tokenizers, with_attention=True)
    (single,) = translator.translate([b"nine"])
    first, _ = translator.translate([b"nine", b"one two three four five six seven eight nine"])
    assert single.best.attention == pytest.approx(first.best.attention, abs=1e-5)


@pytest.mark.slow
def test_attention_of_a_line_that_was_cut(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    translator = make_translator(tiny_model, tokenizers, with_attention=True, max_source_tokens=2)
    (found,) = translator.translate([b"one two three"])
    assert found.cut and found.best.source_pieces == ("▁one", "▁two")
    assert found.best.attention is not None and found.best.attention.shape[1] == 3


@pytest.mark.parametrize(
    ("settings", "wish"),
    [
        ({"coverage_penalty": 0.2}, r"decoding\.coverage_penalty"),
        ({"copy_unknown": True}, r"decoding\.copy_unknown"),
        ({"with_attention": True}, "an alignment"),
    ],
)
def test_what_needs_attention_is_refused_without(
    tiny_config: Any, tokenizers: Tokenizers, settings: dict[str, Any], wish: str
) -> None:
    model = Seq2Seq(tiny_config(model={"attention": "none"}).model, tokenizers[0].size, tokenizers[1].size)
    assert next(make_translator(model, tokenizers).translate([b"one"])).best.attention is None
    with pytest.raises(DataError, match=f"^{wish} needs a model with attention, received .*attention: none; leave"):
        make_translator(model, tokenizers, **settings)


# Forced words


def test_forced_words_stand_in_the_translation(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    translator = make_translator(tiny_model, tokenizers)
    words = translator.read_words(Line(b"one two"), ["acht", "drei"])
    assert not {"acht", "drei"} & set(next(translator.translate([b"one two"])).text.split())
    found = translator.translate_with_words(Line(b"one two"), words)
    assert {"acht", "drei"} <= set(found.text.split())
    token_ids = tokenizers[1].ids_of(list(found.best.pieces))
    source = tokenizers[0].encode("one two")
    assert found.log_prob == pytest.approx(log_probs_of(tiny_model, source, token_ids).sum(), abs=1e-4)


@pytest.mark.slow
def test_no_forced_words_find_what_beam_search_finds(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    translator = make_translator(tiny_model, tokenizers, beam_size=3)
    for number, expected in enumerate(translator.translate(TEXTS)):
        assert close(translator.translate_with_words(Line(TEXTS[number]), []), expected)


def test_forced_words_in_a_line_without_tokens(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    assert make_translator(tiny_model, tokenizers).translate_with_words(Line(b" "), [[6]]) == NOTHING


def test_a_prefix_that_nobody_knows(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    with pytest.raises(DataError, match=r"line 3: expected a prefix of characters that .* received 'drei ☃'; leave it"):
        make_translator(tiny_model, tokenizers).check_prefix(2, "drei ☃")


def test_forced_words_without_a_text(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    with pytest.raises(DataError, match="line 1: forced words: expected a text to translate, received b' '; leave"):
        make_translator(tiny_model, tokenizers).read_words(Line(b" "), ["acht"])


@pytest.mark.parametrize("word", ["☃", "", "acht☃"])
def test_forced_words_that_nobody_knows(tiny_model: Seq2Seq, tokenizers: Tokenizers, word: str) -> None:
    with pytest.raises(DataError, match=f"forced words: expected words of characters .* received {word!r}; leave it"):
        make_translator(tiny_model, tokenizers).read_words(Line(b"one"), ["acht", word])


def test_forced_words_that_leave_no_room(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """max_length 5 has room for four tokens and the end of sentence."""
    translator = make_translator(tiny_model, tokenizers)
    four = translator.read_words(Line(b"one"), ["zwei"] * 4)
    assert translator.translate_with_words(Line(b"one"), four).text == " ".join(["zwei"] * 4)
    with pytest.raises(DataError, match=r"forced words: expected at most 4 tokens, .* received 5; force fewer"):
        translator.read_words(Line(b"one"), ["zwei"] * 5)


@pytest.mark.parametrize("decoding", [{"samples": 2}, {"beam_size": 2, "n_best": 2}, {"coverage_penalty": 0.1}])
def test_forced_words_in_a_search_that_knows_none(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, decoding: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match="forced words: expected a search for the best translation, received samples"):
        make_translator(tiny_model, tokenizers, **decoding).read_words(Line(b"one"), ["acht"])


def test_forced_words_behind_a_prefix(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    translator = make_translator(tiny_model, tokenizers)
    line = Line(b"one two", prefix="null fünf")
    found = translator.translate_with_words(line, translator.read_words(line, ["acht"]))
    assert found.text.startswith("null fünf") and "acht" in found.text.split()
