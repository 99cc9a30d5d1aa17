"""Scores of given translations against the search's own figures and the models' own calls."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import pytest
from small_translators import (
    Tokenizers,
    character_tokenizer,
    log_probs_of,
    make_scorer,
    make_translator,
    save_run,
)

from nmt.config import LanguageModelSizes
from nmt.language_model import LanguageModel
from nmt.seq2seq import Seq2Seq
from nmt.translation import fusion, scoring
from nmt.translation.scoring import PairScorer, Score

PAIRS = [
    (b"one two", b"eins zwei"),
    (b"nine", b"neun"),
    (b"", b""),
    (b"six five four", "sechs fünf vier".encode()),
    (b"one", b""),
    (b"", b"eins"),
]


@pytest.fixture(scope="module")
def scorer(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> PairScorer:
    """One for all tests that change nothing."""
    return make_scorer(make_translator(tiny_model, tokenizers, batch_size=2, max_source_bytes=30))


@pytest.fixture(scope="module")
def scores(scorer: PairScorer) -> list[Score]:
    """Of `PAIRS`, in batches of two."""
    return list(scorer.score(PAIRS))


def test_log_probabilities_are_the_models_own(scores: list[Score], tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """Of each piece and of the end of sentence; their sum is the translation's. No source at all can be one, too."""
    for (source, target), score in zip(PAIRS, scores, strict=True):
        if source or target:
            token_ids = tokenizers[1].encode(target.decode())
            expected = log_probs_of(tiny_model, tokenizers[0].encode(source.decode()), token_ids)
            assert score.log_probs == pytest.approx(expected.tolist(), abs=1e-4)
            assert score.log_prob == pytest.approx(expected.sum(), abs=1e-4)
            assert score.pieces == tuple(tokenizers[1].pieces(target.decode()))


def test_nothing_as_the_translation_of_nothing(scores: list[Score], scorer: PairScorer) -> None:
    """It has no tokens, as in search; nothing as the translation of something has the end of sentence."""
    assert scores[2] == Score(0.0, (), ())
    assert len(scores[4].log_probs) == 1 and scores[4].pieces == ()
    assert list(scorer.score([(b" \t", b"  ")])) == [Score(0.0, (), ())]
    assert list(scorer.score([])) == []


@pytest.mark.thorough
def test_batches_and_order_do_not_matter(scores: list[Score], scorer: PairScorer) -> None:
    reverse = list(scorer.score(PAIRS[::-1]))[::-1]
    for one, other, pair in zip(scores, reverse, PAIRS, strict=True):
        (alone,) = scorer.score([pair])
        assert one.pieces == other.pieces == alone.pieces
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)
        assert one.log_probs == pytest.approx(alone.log_probs, abs=1e-4)


def test_windows_and_progress(scores: list[Score], scorer: PairScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "LINES_AT_ONCE", 4)
    counts: list[int] = []
    read = iter(PAIRS)
    found = scorer.score(read, counts.append)
    first = next(found)
    assert next(read) == PAIRS[4]  # the window of four is read, and nothing more
    assert first.log_prob == pytest.approx(scores[0].log_prob, abs=1e-4)
    assert len(list(found)) == 4  # the one that this test took is missing
    assert counts == [1, 2, 1, 0, 1]


def test_what_is_too_long_is_cut_and_said_so(scorer: PairScorer) -> None:
    """30 bytes of each side count, 200 tokens of the source."""
    padded = b"one" + b" " * 28
    found = list(scorer.score([(b"one", b"eins"), (padded, b"eins"), (b"one", b"eins" + b" " * 27), (b" " * 31, b"")]))
    assert [one.cut for one in found] == [False, True, True, True]
    assert found[1].log_prob == pytest.approx(found[0].log_prob, abs=1e-4)
    assert found[2].log_prob == pytest.approx(found[0].log_prob, abs=1e-4)
    assert found[3] == Score(0.0, (), (), cut=True)


def test_a_translation_counts_as_far_as_search_itself_may_write(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    """Six tokens, not the three of a source."""
    scorer = make_scorer(make_translator(tiny_model, tokenizers, max_source_tokens=3, max_length=6))
    piece = tokenizers[1].pieces("eins")[0]
    pairs = [(b"one", " ".join([piece] * count).encode()) for count in (5, 6, 7)]
    five, six, seven = scorer.score(pairs, as_pieces=True)
    assert [five.cut, six.cut, seven.cut] == [False, False, True]
    assert [len(one.pieces) for one in (five, six, seven)] == [5, 6, 6]
    assert seven.log_prob == pytest.approx(six.log_prob, abs=1e-4)


@pytest.fixture(scope="module")
def voters(
    tiny_model: Seq2Seq, tiny_config: Any, tokenizers: Tokenizers, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Settings that name a second translation model and a language model."""
    keras.utils.set_random_seed(6)
    folder = tmp_path_factory.mktemp("runs")
    config = tiny_config(model={"attention": "general"})
    model = Seq2Seq(config.model, tokenizers[0].size, tokenizers[1].size)
    run = save_run(folder / "second", model, config, tokenizers)
    return {"ensemble": [str(run)], "language_model": str(folder), "language_model_weight": 0.3}


@pytest.mark.parametrize(
    ("names", "decoding"),
    [
        (("ensemble", "language_model"), {"beam_size": 2, "n_best": 2}),
        pytest.param((), {"beam_size": 4, "n_best": 4}, marks=pytest.mark.thorough),
        pytest.param((), {"samples": 3}, marks=pytest.mark.thorough),
        pytest.param((), {"beam_size": 1, "repetition_penalty": 2.0}, marks=pytest.mark.thorough),
        pytest.param((), {"beam_size": 2, "min_length": 3, "no_repeated_ngram": 2}, marks=pytest.mark.thorough),
        pytest.param(("ensemble",), {"beam_size": 2}, marks=pytest.mark.thorough),
        pytest.param(("language_model", "language_model_weight"), {"beam_size": 2}, marks=pytest.mark.thorough),
    ],
)
def test_what_search_reported(
    tiny_model: Seq2Seq,
    tokenizers: Tokenizers,
    voters: dict[str, Any],
    names: tuple[str, ...],
    decoding: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pieces that search put together have the log-probability that it said, whatever it was ranked by."""
    keras.utils.set_random_seed(4)
    sizes = LanguageModelSizes(cell="gru", embedding_size=8, layers=1, units=8, dropout=0.0)
    language_model = LanguageModel(sizes, tokenizers[1].size, streams=2)
    monkeypatch.setattr(fusion, "load_language_model", lambda *_, **__: (language_model, tokenizers[1], None))
    settings = {name: voters[name] for name in names}
    translator = make_translator(tiny_model, tokenizers, **decoding, **settings)
    lines = [b"one two", b"nine", b"", b"six five four"]
    found = list(translator.translate(lines))
    flat = [(line, one) for line, of in zip(lines, found, strict=True) for one in of.hypotheses]
    pairs = [(line, " ".join(one.pieces).encode()) for line, one in flat]
    for (_, one), score in zip(flat, make_scorer(translator).score(pairs, as_pieces=True), strict=True):
        assert score.pieces == one.pieces
        assert score.log_prob == pytest.approx(one.log_prob, abs=1e-4)


def test_pieces_and_text(scorer: PairScorer, tokenizers: Tokenizers) -> None:
    """Text is cut as the subword model cuts it, pieces stay as they are. An unknown piece is the unknown token."""
    (text, pieces, other, unknown) = [
        *scorer.score([(b"one", b"eins")]),
        *scorer.score(
            [(b"one", "▁eins".encode()), (b"one", "▁ e i n s".encode()), (b"one", "☃ <unk>".encode())], as_pieces=True
        ),
    ]
    assert text.pieces == pieces.pieces == ("▁eins",)
    assert text.log_prob == pytest.approx(pieces.log_prob, abs=1e-4)
    assert other.pieces == ("▁", "e", "i", "n", "s") and len(other.log_probs) == 6
    assert unknown.pieces == ("<unk>", "<unk>") and unknown.log_probs[0] != unknown.log_probs[1]
    assert tokenizers[1].decode_pieces(other.pieces) == "eins"


def test_a_piece_may_have_white_space_of_another_kind(tiny_config: Any, tokenizers: Tokenizers) -> None:
    """A no-break space is a character like others where the subword model does not normalize it."""
    target = character_tokenizer(["a\u00a0b c"], normalization="identity")
    assert "\u00a0" in target.vocabulary
    model = Seq2Seq(tiny_config(model={"attention": "general"}).model, tokenizers[0].size, target.size)
    scorer = make_scorer(make_translator(model, (tokenizers[0], target)))
    (found,) = scorer.score([(b"one", "▁ a \u00a0 b".encode())], as_pieces=True)
    assert found.pieces == ("▁", "a", "\u00a0", "b")


@pytest.mark.thorough
def test_a_translation_with_a_prefix_is_scored_as_search_did(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    translator = make_translator(tiny_model, tokenizers)
    (found,) = translator.translate([b"one two"], prefixes=["eins"])
    pairs = [(b"one two", " ".join(found.best.pieces).encode())]
    (score,) = make_scorer(translator).score(pairs, as_pieces=True)
    assert score.log_prob == pytest.approx(found.log_prob, abs=1e-4)


def test_the_language_model_counts(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, scores: list[Score], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose every probability is 1/44 takes the weight times ln 44 from each token."""
    sizes = LanguageModelSizes(cell="gru", embedding_size=8, layers=1, units=8, dropout=0.0)
    language_model = LanguageModel(sizes, 44, streams=2)
    for variable in language_model.trainable_variables:
        variable.assign(variable * 0.0)
    monkeypatch.setattr(fusion, "load_language_model", lambda *_, **__: (language_model, tokenizers[1], None))
    settings: dict[str, Any] = {"language_model": str(tmp_path), "language_model_weight": 0.5}
    fused = list(make_scorer(make_translator(tiny_model, tokenizers, **settings)).score(PAIRS[:1]))
    assert fused[0].log_prob == pytest.approx(scores[0].log_prob - 3 * 0.5 * math.log(44), abs=1e-4)
