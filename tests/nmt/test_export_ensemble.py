"""The SavedModel of an ensemble: two runs that read other subwords and write the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from random_runs import HARD_TEXTS, SENTENCES, save_run, train_subwords

from nmt.config import Config, parse_config
from nmt.errors import DataError
from nmt.export import export
from nmt.saved_model import SavedModelTranslator, load_saved_model
from nmt.saved_model.calls import Call, call_apart, texts
from nmt.translation.scoring import PairScorer
from nmt.translation.translator import Translator, load_translator

pytestmark = pytest.mark.thorough  # two models, their search and its graph

LINES = [*HARD_TEXTS[:20], *(sentence.encode() for sentence in SENTENCES[:20])]


def make_config(attention: str = "general", **decoding: Any) -> Config:
    sizes = {"embedding_size": 8, "encoder_layers": 1, "encoder_units": 4, "decoder_layers": 1, "decoder_units": 8}
    return parse_config(
        {
            "name": "tiny",
            "corpus": {"synthetic": {}},
            "subword": {"shared": False},
            "model": {**sizes, "cell": "gru", "attention": attention},
            "decoding": {"max_length": 12, "beam_size": 2, "max_source_tokens": 60, **decoding},
        }
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A run that names another one as its ensemble; the second one has no attention."""
    folder = tmp_path_factory.mktemp("runs")
    target = train_subwords("char")
    second = save_run(folder / "b", make_config("none"), train_subwords("char"), target, seed=2)
    config = make_config(ensemble=[str(second)])
    return [save_run(folder / "a", config, train_subwords("unigram"), target, seed=1), second]


@pytest.fixture(scope="module")
def translator(runs: list[Path]) -> Translator:
    """Both runs together."""
    return load_translator(runs[0], use_cudnn=False)


@pytest.fixture(scope="module")
def saved_model(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> SavedModelTranslator:
    """Their SavedModel, which the exporter has checked."""
    return load_saved_model(export(runs[0], tmp_path_factory.mktemp("saved_models")))


def test_the_models_read_different_subwords(translator: Translator) -> None:
    first, second = translator.source_tokenizers
    assert first.encode("the cat") != second.encode("the cat")


def test_translates_as_both_runs_together_do(saved_model: SavedModelTranslator, translator: Translator) -> None:
    received, expected = list(saved_model.translate(LINES)), list(translator.translate(LINES))
    assert [(row.text, row.cut) for row in received] == [(row.text, row.cut) for row in expected]
    for name in ("log_prob", "score"):
        figures = [[getattr(row, name) for row in rows] for rows in (received, expected)]
        assert figures[0] == pytest.approx(figures[1], abs=1e-3)


def test_a_line_is_cut_when_one_model_reads_a_part_of_it(
    saved_model: SavedModelTranslator, translator: Translator
) -> None:
    """Each word is a few pieces for the first one, and as many as it has characters for the second."""
    line = b"the cat dog sat runs on a mat fast good we go to school the cat dog"
    first, second = (len(tokenizer.encode(line.decode())) for tokenizer in translator.source_tokenizers)
    assert first <= 60 < second
    assert [next(model.translate([line])).cut for model in (saved_model, translator)] == [True, True]


def test_the_second_run_has_its_say(saved_model: SavedModelTranslator, runs: list[Path]) -> None:
    decoding = make_config().decoding
    alone = [one.text for one in load_translator(runs[0], decoding=decoding).translate(LINES)]
    assert [one.text for one in saved_model.translate(LINES)] != alone


def test_scores_pairs_as_both_runs_together_do(saved_model: SavedModelTranslator, translator: Translator) -> None:
    pairs = list(zip(LINES, reversed(LINES), strict=True))
    expected = [score.log_prob for score in PairScorer(translator).score(pairs)]
    assert [one.log_prob for one in saved_model.score(pairs)] == pytest.approx(expected, abs=1e-3, rel=1e-5)


def test_a_second_process_runs_it(saved_model: SavedModelTranslator, translator: Translator) -> None:
    (answer,) = call_apart(saved_model.folder, [Call("serving_default", {"text": texts(LINES[-3:])})])
    assert [text.decode() for text in answer["translation"]] == [one.text for one in translator.translate(LINES[-3:])]


def test_token_ids_of_both_subword_models_make_the_same_translation(saved_model: SavedModelTranslator) -> None:
    (tokens,) = call_apart(saved_model.folder, [Call("tokenize", {"text": texts(LINES)})])
    names = ("token_ids", "length", "token_ids_2", "length_2")
    (by_ids,) = call_apart(saved_model.folder, [Call("translate_ids", {name: tokens[name] for name in names})])
    expected = saved_model.translate_batch(LINES)
    assert by_ids["score"].tolist() == pytest.approx([one.score for one in expected], abs=1e-3)


def test_a_run_that_writes_other_subwords_is_refused(runs: list[Path], tmp_path: Path) -> None:
    other = train_subwords("unigram")
    stranger = save_run(tmp_path / "stranger", make_config(), other, other, seed=3)
    config = make_config(ensemble=[str(stranger)])
    run = save_run(tmp_path / "run", config, train_subwords("unigram"), train_subwords("char"), seed=1)
    with pytest.raises(DataError, match="expected runs with the same target subword model"):
        export(run, tmp_path / "saved_models")
    assert not (tmp_path / "saved_models").exists()
