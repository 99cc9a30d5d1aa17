"""The SavedModel against the run folder that it was made from: the same strings, scores and alignments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from random_runs import HARD_TEXTS, SENTENCES, TINY_EXPORT

from nmt.config import Config, DecodingConfig, parse_config
from nmt.export import export
from nmt.export import exporter as exporter_module
from nmt.saved_model import SavedModelTranslator, load_saved_model
from nmt.saved_model.check import check
from nmt.saved_model.info import INFO_FILE
from nmt.saved_model.signatures import signatures_of
from nmt.search import MISSING
from nmt.tokenizer import END_ID
from nmt.translation.lines import Hypothesis, Translation
from nmt.translation.scoring import PairScorer
from nmt.translation.translator import Translator, load_translator

pytestmark = pytest.mark.thorough  # a real export

LINES = [*HARD_TEXTS, *(sentence.encode() for sentence in SENTENCES[:40])]


@pytest.fixture(scope="module")
def config() -> Config:
    """A tiny model, with a beam in the export that differs from the run's."""
    return parse_config(TINY_EXPORT)


@pytest.fixture(scope="module")
def translator(random_run: Path, config: Config) -> Translator:
    """The run folder's own translator, searching as the export does."""
    decoding = config.decoding.model_copy(update={"beam_size": 2, "length_penalty": 0.5, "n_best": 2})
    return load_translator(random_run, decoding=decoding, use_cudnn=False, with_attention=True)


@pytest.fixture(scope="module")
def version_folder(random_run: Path, translator: Translator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real export; a slow test checks it in its second process.

    It is made with the translator of the tests, so that one search is compiled for both.
    """

    def load(folder: Path, checkpoint: str, decoding: DecodingConfig, **options: bool) -> Translator:
        assert (folder, checkpoint, decoding) == (random_run, "best", translator.config)
        assert options == {"use_cudnn": False, "with_attention": True}
        return translator

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter_module, "load_translator", load)
        patch.setattr(exporter_module, "check", lambda *_: None)
        return export(random_run, tmp_path_factory.mktemp("saved_models") / "tiny")


@pytest.fixture(scope="module")
def saved_model(version_folder: Path) -> SavedModelTranslator:
    """That export, loaded."""
    return load_saved_model(version_folder.parent)


def call(saved_model: SavedModelTranslator, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
    """The outputs of a signature."""
    outputs = saved_model._model.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: output.numpy() for name, output in outputs.items()}


# Translations


def test_translates_as_the_run_folder_does(saved_model: SavedModelTranslator, translator: Translator) -> None:
    received, expected = list(saved_model.translate(LINES)), list(translator.translate(LINES))
    assert [(row.text, row.cut) for row in received] == [(row.text, row.cut) for row in expected]
    assert [row.log_prob for row in received] == pytest.approx([row.log_prob for row in expected], abs=1e-3)
    assert [row.score for row in received] == pytest.approx([row.score for row in expected], abs=1e-3)
    assert len({row.text for row in received}) > 20  # the lines are told apart


def test_a_line_alone_translates_as_among_others(saved_model: SavedModelTranslator) -> None:
    lines = HARD_TEXTS[3:20] + [sentence.encode() for sentence in SENTENCES[:10]]
    together = saved_model.translate_batch(lines)
    alone = [saved_model.translate_batch([line])[0] for line in lines]
    assert [row.text for row in together] == [row.text for row in alone]


def test_a_line_without_tokens_is_empty_and_certain(saved_model: SavedModelTranslator) -> None:
    assert saved_model.translate_batch([b"", b"the cat", b"   "])[::2] == [Translation((Hypothesis("", 0.0, 0.0),))] * 2


@pytest.mark.slow
def test_scores_pairs_as_the_run_folder_does(saved_model: SavedModelTranslator, translator: Translator) -> None:
    sources = [*HARD_TEXTS, *(sentence.encode() for sentence in SENTENCES[:20])]
    targets = [*reversed(sources[:30]), b"", *sources[31:]]
    pairs = list(zip(sources, targets, strict=True))
    expected, received = list(PairScorer(translator).score(pairs)), saved_model.score(pairs)
    log_probs = [one.log_prob for one in expected]
    assert [one.log_prob for one in received] == pytest.approx(log_probs, abs=1e-3, rel=1e-5)
    assert [one.cut for one in received] == [one.cut for one in expected]
    assert len(set(log_probs)) > 30


def test_a_long_translation_is_scored_up_to_the_limit(saved_model: SavedModelTranslator) -> None:
    received = call(saved_model, "score_pairs", text=[b"the cat"] * 3, translation=[b"cat" * n for n in (15, 30, 900)])
    assert received["cut"].tolist() == [False, True, True]
    assert received["log_prob"][1] == pytest.approx(received["log_prob"][2], rel=1e-5)


def test_nothing_as_the_translation_of_nothing_is_certain(saved_model: SavedModelTranslator) -> None:
    nothing, something, other = saved_model.score([(b" ", b""), (b"the cat", b""), (b"", b"the cat")])
    assert nothing.log_prob == 0.0 > max(something.log_prob, other.log_prob)


@pytest.mark.slow
def test_the_score_of_a_translation_that_was_found(saved_model: SavedModelTranslator, translator: Translator) -> None:
    """Where the text is cut into the very tokens that search put together."""
    lines = [sentence.encode() for sentence in SENTENCES[:40]]
    pieces = translator.target_tokenizer.pieces
    found = [
        (line, one)
        for line, one in zip(lines, translator.translate(lines), strict=True)
        if tuple(pieces(one.text)) == one.best.pieces
    ]
    scores = saved_model.score([(line, one.text.encode()) for line, one in found])
    assert [one.log_prob for one in scores] == pytest.approx([one.log_prob for _, one in found], abs=1e-3)
    assert len(found) > 3


# Signatures


SIGNATURES = signatures_of(with_text=True)


@pytest.mark.parametrize("name", SIGNATURES)
def test_an_empty_batch_has_empty_outputs(saved_model: SavedModelTranslator, name: str) -> None:
    empty = {key: tf.zeros([0] * rank, kind) for key, (kind, rank) in SIGNATURES[name].inputs.items()}
    received = saved_model._model.signatures[name](**empty)
    assert {key: (output.dtype.name, output.shape.rank) for key, output in received.items()} == SIGNATURES[name].outputs
    assert all(output.shape[0] == 0 for output in received.values())


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("score_pairs", {"text": [b"a", b"b"], "translation": [b"a"]}),
        ("score_pairs", {"text": [b"a"], "translation": [b"a", b"b"]}),
        ("translate_ids", {"token_ids": [[9], [9]], "length": [1]}),
    ],
)
def test_inputs_of_different_numbers_of_rows_are_an_error(
    saved_model: SavedModelTranslator, signature: str, inputs: dict[str, Any]
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected inputs of as many rows as"):
        call(saved_model, signature, **inputs)


def test_the_n_best_are_those_of_the_run_folder(saved_model: SavedModelTranslator, translator: Translator) -> None:
    received = call(saved_model, "nbest", text=LINES)
    for row, translation in enumerate(translator.translate(LINES)):
        found = translation.hypotheses
        assert [text.decode() for text in received["translations"][row, : len(found)]] == [one.text for one in found]
        for name in ("log_prob", "score"):
            figures = received[f"{name}s"][row]
            assert figures[: len(found)] == pytest.approx([getattr(one, name) for one in found], abs=1e-3)
            assert (figures[len(found) :] == np.float32(MISSING)).all()
        assert not received["translations"][row, len(found) :].any()
        aligned = [text.decode() for text in received["alignments"][row, : len(found)]]
        assert aligned == [str(one.alignment) for one in found]
    assert len(set(received["alignments"].ravel().tolist())) > 8


def test_tokens_are_those_of_the_run_folder(saved_model: SavedModelTranslator, translator: Translator) -> None:
    received = call(saved_model, "tokenize", text=LINES)
    tokenizer = translator.source_tokenizer
    for row, line in enumerate(LINES):
        ids = tokenizer.encode(line[:4096].decode(errors="replace"))
        length = received["length"][row]
        assert received["token_ids"][row, :length].tolist() == ids[:60]
        assert [piece.decode() for piece in received["pieces"][row, :length]] == [
            tokenizer.vocabulary[i] for i in ids[:60]
        ]
        assert not received["token_ids"][row, length:].any() and not received["pieces"][row, length:].any()
        assert received["cut"][row] == (len(ids) > 60 or len(line) > 4096)


def test_token_ids_translate_as_strings_do(saved_model: SavedModelTranslator, translator: Translator) -> None:
    tokens = call(saved_model, "tokenize", text=LINES)
    received = call(saved_model, "translate_ids", token_ids=tokens["token_ids"], length=tokens["length"])
    expected = saved_model.translate_batch(LINES)
    assert received["score"].tolist() == pytest.approx([one.score for one in expected], abs=1e-3)
    texts = [
        translator.target_tokenizer.decode(ids[:length].tolist())
        for ids, length in zip(received["token_ids"], received["length"], strict=True)
    ]
    assert texts == [one.text for one in expected]


def test_no_token_ids_make_an_error(saved_model: SavedModelTranslator) -> None:
    """Ids that are no pieces, lengths that are none, and a padding that is not 0, as a server may choose it."""
    token_ids = np.array([[9, 10, 11], [-5, 10**6, 2], [9, 10, 99]], np.int32)
    received = call(saved_model, "translate_ids", token_ids=token_ids, length=np.array([2, -1, 2], np.int32))
    assert received["score"][1] == 0.0 and received["length"][1] == 0
    assert received["score"][0] == pytest.approx(received["score"][2], abs=1e-5)
    assert not (received["token_ids"] == END_ID).any()
    assert np.isfinite(
        call(saved_model, "translate_ids", token_ids=token_ids, length=np.full(3, 9, np.int32))["score"]
    ).all()


# What stands beside the graph


def test_says_what_it_was_made_from(version_folder: Path) -> None:
    info = json.loads((version_folder / INFO_FILE).read_text())
    assert (info["format"], info["name"], info["checkpoint"], info["checkpoint_step"]) == (4, "tiny", "best", 7)
    assert (info["decoding"]["beam_size"], info["decoding"]["length_penalty"], info["decoding"]["n_best"]) == (
        2,
        0.5,
        2,
    )
    assert info["corpus_fingerprint"] == "f" * 64
    assert info["versions"]["tensorflow"] == tf.__version__


def test_holds_the_resolved_configuration(version_folder: Path, config: Config) -> None:
    resolved = json.loads((version_folder / "assets.extra" / "config.json").read_text())
    assert resolved["model"] == config.model.model_dump(mode="json")
    assert resolved["decoding"]["beam_size"] == 2


@pytest.mark.slow
def test_passes_the_check_in_a_second_process(version_folder: Path) -> None:
    checked = check(version_folder.parent)
    assert checked.folder == version_folder
    assert set(checked.signatures) == set(SIGNATURES)
    assert (checked.samples, checked.requests) == (16, 12)
