"""Shallow fusion: two scripted steps by hand, search over both, and a translator that asks a language model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from small_translators import make_scorer, make_translator

from nmt.batches import pad
from nmt.config import DecodingConfig, LanguageModelSizes
from nmt.errors import DataError
from nmt.export import HARD_LINES, write
from nmt.language_model import LanguageModel
from nmt.saved_model import ExportInfo, SavedModelTranslator
from nmt.saved_model.info import EXPORT_FORMAT
from nmt.search import Breadth, Hypotheses, Ranking, Step, beam_search, greedy_search
from nmt.search.steps import fuse
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, START_ID, Tokenizer
from nmt.translation import fusion
from nmt.translation.ensemble import Ensemble
from nmt.translation.fusion import fusion_partner
from nmt.translation.searcher import Searcher
from nmt.translation.translator import Sentence, Translator

A, B = 4, 5
VOCABULARY = 6
HISTORIES = VOCABULARY**4
SIZES = LanguageModelSizes(cell="gru", embedding_size=8, layers=1, units=8, dropout=0.0)


def step_over(table: np.ndarray, scale: int = 1) -> Step:
    """A step function whose state is the whole history as a number; (histories, vocabulary).

    Args:
        table: log-probabilities.
        scale: multiplies the state, so that two models' states cannot be taken for each other.
    """

    def step(token_ids: Any, state: Any) -> tuple[Any, Any, Any]:
        history = (state // scale * VOCABULARY + token_ids) % HISTORIES
        return ops.take(table, history, axis=0), None, history * scale

    return step


def random_table(seed: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(HISTORIES, VOCABULARY)) * 2.0
    table: np.ndarray = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return table.astype(np.float32)


def first_words(a: float, b: float) -> np.ndarray:
    """A table that begins with A or B, and then ends."""
    table = np.full((HISTORIES, VOCABULARY), -60.0, np.float32)
    table[:, END_ID] = 0.0
    table[START_ID] = np.log([1e-20] * 3 + [1.0 - a - b, a, b])
    return table


def find(step: Step, state: Any, beam: int) -> Hypotheses:
    """The best of one row, as arrays."""
    limits, ranking = np.array([4], np.int32), Ranking("gnmt", 0.6)
    if beam == 1:
        found = greedy_search(step, state, limits, 4, ranking=ranking)
    else:
        found = beam_search(step, state, limits, 4, Breadth(beam), ranking=ranking)
    return Hypotheses(*(ops.convert_to_numpy(part)[0, 0] for part in found))


def zero() -> Any:
    return ops.zeros((1,), "int32")


@pytest.mark.parametrize("beam", [1, 5])
@pytest.mark.parametrize(("weight", "word"), [(0.0, A), (0.1, A), (0.12, B), (1.0, B)])
def test_by_hand(weight: float, word: int, beam: int) -> None:
    """B wins once ln 0.4 + w ln 0.8 passes ln 0.5 + w ln 0.1: w is over ln 1.25 / ln 8 = 0.107."""
    step = fuse(step_over(first_words(0.5, 0.4)), step_over(first_words(0.1, 0.8)), weight)
    tokens, log_prob, score = find(step, (zero(), zero()), beam)
    assert tokens.tolist()[:2] == [word, END_ID]
    own, other = {A: (0.5, 0.1), B: (0.4, 0.8)}[word]
    assert log_prob == pytest.approx(math.log(own) + weight * math.log(other), abs=1e-5)
    assert score == pytest.approx(log_prob / (7 / 6) ** 0.6, abs=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("beam", [1, 2, 5])
def test_search_over_both_is_search_over_their_sum(beam: int) -> None:
    """The states go with their hypotheses, each model's with its own: the tables go by the whole history."""
    changed = 0
    for seed in range(4):
        own, other = random_table(seed), random_table(100 + seed)
        fused = find(fuse(step_over(own), step_over(other, scale=3), 1.5), (zero(), zero()), beam)
        alone = find(step_over(own + 1.5 * other), zero(), beam)
        assert fused.token_ids.tolist() == alone.token_ids.tolist()
        assert fused.log_probs == pytest.approx(alone.log_probs, abs=1e-4)
        changed += fused.token_ids.tolist() != find(step_over(own), zero(), beam).token_ids.tolist()
    assert changed  # else the language models would be of no matter


@pytest.mark.parametrize("beam", [1, pytest.param(5, marks=pytest.mark.thorough)])
def test_weight_zero_leaves_every_bit(beam: int) -> None:
    for seed in range(4):
        own = step_over(random_table(seed))
        fused = find(fuse(own, step_over(random_table(100 + seed)), 0.0), (zero(), zero()), beam)
        alone = find(own, zero(), beam)
        assert fused.token_ids.tolist() == alone.token_ids.tolist()
        assert fused.log_probs == alone.log_probs


# With models


@pytest.fixture
def language_model(tokenizers: tuple[Tokenizer, Tokenizer]) -> LanguageModel:
    """Random weights, strong opinions."""
    keras.utils.set_random_seed(4)
    model = LanguageModel(SIZES, tokenizers[1].size, streams=2)
    for variable in model.trainable_variables:
        variable.assign(variable * 3.0)
    return model


@pytest.fixture
def run(
    language_model: LanguageModel,
    tokenizers: tuple[Tokenizer, Tokenizer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A run folder that holds that model, on the target's subwords."""
    monkeypatch.setattr(fusion, "load_language_model", lambda *_, **__: (language_model, tokenizers[1], None))
    return tmp_path


def translator(
    model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer], run: Path, weight: float, beam: int = 2
) -> Translator:
    return make_translator(model, tokenizers, beam_size=beam, language_model=str(run), language_model_weight=weight)


def texts(translator: Translator) -> list[str]:
    return translator.translate_texts(["one two", "nine", "three four five", ""])


def log_prob_of(logits: Any, tokens: list[int]) -> float:
    """Of one row's tokens under logits (1, length, vocabulary)."""
    table = ops.convert_to_numpy(ops.log_softmax(logits, axis=-1))[0]
    return float(sum(table[position, token] for position, token in enumerate(tokens)))


@pytest.mark.thorough
@pytest.mark.parametrize("beam", [1, 3])
def test_log_probability_is_the_weighted_sum_of_both(
    tiny_model: Seq2Seq,
    tokenizers: tuple[Tokenizer, Tokenizer],
    language_model: LanguageModel,
    run: Path,
    beam: int,
) -> None:
    """The search's figure equals that of its own answer, read at once by both models."""
    sources = [tokenizers[0].encode(text) for text in ("one two", "nine", "three four five")]
    searched = translator(tiny_model, tokenizers, run, 0.5, beam).search([Sentence("", (ids,)) for ids in sources])
    for source, ((target, log_prob, _),) in zip(sources, searched, strict=True):
        labels = [*target, END_ID]
        inputs = {"source_ids": np.array([[*source, END_ID]]), "target_ids": np.array([[START_ID, *target]])}
        logits, _ = language_model.read(np.array([[END_ID, *target]]), language_model.first_state(1))
        expected = log_prob_of(tiny_model.logits(inputs), labels) + 0.5 * log_prob_of(logits, labels)
        assert log_prob == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("beam", [1, pytest.param(5, marks=pytest.mark.thorough)])
def test_a_searcher_with_a_vote_of_weight_zero(
    tiny_model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer], language_model: LanguageModel, beam: int
) -> None:
    """The language model runs along, and changes neither a token nor a figure."""
    decoding = DecodingConfig(beam_size=beam, max_length=5, language_model_weight=0.0)
    rows = [np.array([*tokenizers[0].encode(text), END_ID], np.int32) for text in ("one two", "six", "nine zero five")]
    inputs = {"source_ids": [pad(rows, 16)]}
    fused, alone = (
        Hypotheses(*map(ops.convert_to_numpy, Searcher(ensemble, decoding)(inputs)))
        for ensemble in (Ensemble([tiny_model], language_model), Ensemble([tiny_model]))
    )
    assert np.array_equal(fused.token_ids, alone.token_ids)
    assert fused.log_probs == pytest.approx(alone.log_probs, abs=1e-6)


@pytest.mark.thorough
def test_the_language_model_changes_translations(
    tiny_model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer], run: Path
) -> None:
    """It is part of the searcher, so that an export takes its weights along; with weight 0 nobody loads it."""
    fused, alone = (translator(tiny_model, tokenizers, run, weight, beam=1) for weight in (0.5, 0.0))
    assert texts(fused)[:3] != texts(alone)[:3]
    assert texts(fused)[3] == ""
    assert len(fused.searcher.variables) > len(alone.searcher.variables) == len(tiny_model.variables)
    plain = make_translator(tiny_model, tokenizers, beam_size=1)
    assert texts(plain) == texts(alone)


def test_a_language_model_that_is_not_there(tokenizers: tuple[Tokenizer, Tokenizer], tmp_path: Path) -> None:
    missing = tmp_path / "none"
    decoding = DecodingConfig(language_model=str(missing))
    with pytest.raises(DataError, match=r"decoding\.language_model: expected a language model's run folder, found non"):
        fusion_partner(decoding, tokenizers[1])
    assert fusion_partner(decoding.model_copy(update={"language_model_weight": 0.0}), tokenizers[1]) is None


def test_a_language_model_of_other_subwords(tokenizers: tuple[Tokenizer, Tokenizer], run: Path) -> None:
    class Other:
        model = tokenizers[1].model + b"\n"
        size = tokenizers[1].size

    other: Any = Other()
    with pytest.raises(DataError, match=r"received another .* text\.prepared"):
        fusion_partner(DecodingConfig(language_model=str(run)), other)
    assert fusion_partner(DecodingConfig(language_model=str(run)), tokenizers[1]) is not None


@pytest.mark.thorough
def test_a_saved_model_holds_both_models(
    tiny_model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer], run: Path
) -> None:
    fused, alone = (translator(tiny_model, tokenizers, run, weight) for weight in (0.5, 0.0))
    info = ExportInfo(
        format=EXPORT_FORMAT,
        name="fused",
        checkpoint="best",
        checkpoint_step=1,
        corpus_fingerprint="f" * 64,
        decoding=fused.config,
        versions={},
    )
    write(fused, run / "1", info)
    exported = SavedModelTranslator(run / "1", info)
    lines = [*HARD_LINES, b"one two", b"nine", b"three four five", b"seven seven"]
    received, expected = list(exported.translate(lines)), list(fused.translate(lines))
    assert [(row.text, row.cut) for row in received] == [(row.text, row.cut) for row in expected]
    assert [row.log_prob for row in received] == pytest.approx([row.log_prob for row in expected], abs=1e-3)
    assert [row.text for row in received] != [row.text for row in alone.translate(lines)]
    pairs = [(b"one two", b"eins zwei"), (b"", b""), (b"nine", b"")]
    received, expected = exported.score(pairs), make_scorer(fused).score(pairs)
    assert [one.log_prob for one in received] == pytest.approx([one.log_prob for one in expected], abs=1e-3)
