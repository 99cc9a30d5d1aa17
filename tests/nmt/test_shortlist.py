"""Candidates: which tokens they are, and that a search among them is the model's own, over these tokens alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from small_translators import Tokenizers, make_translator, save_run
from typer.testing import CliRunner

from nmt.checkpoints import TrainingState
from nmt.cli import app
from nmt.config import DecodingConfig, LanguageModelSizes
from nmt.corpus import PreparedCorpus, TokenLists, TokenPairs
from nmt.errors import DataError
from nmt.language_model import LanguageModel
from nmt.run_folder import RunFolder
from nmt.seq2seq import ChosenProjection, Seq2Seq
from nmt.tokenizer import END_ID
from nmt.trained_model import load_trained_model
from nmt.translation.ensemble import Choice, Ensemble
from nmt.translation.lines import Line
from nmt.translation.shortlist import coverage, shortlist_of, table_for
from nmt.translation.translator import Translator, load_translator
from nmt.translation_table import KEPT, TranslationTable, learn_translation_table, read_translation_table

TEXTS = ["one two", "nine", "six five four"]
SOURCE_VOCABULARY, TARGET_VOCABULARY = 8, 12


def table_of(entries: dict[int, dict[int, float]], frequencies: dict[int, float] | None = None) -> TranslationTable:
    """A table by hand: of a source token, its target tokens and their probabilities."""
    token_ids = np.zeros((SOURCE_VOCABULARY, KEPT), np.int32)
    probabilities = np.zeros((SOURCE_VOCABULARY, KEPT), np.float32)
    for source, of in entries.items():
        token_ids[source, : len(of)] = list(of)
        probabilities[source, : len(of)] = list(of.values())
    shares = np.zeros(TARGET_VOCABULARY, np.float32)
    for token, share in (frequencies or {}).items():
        shares[token] = share
    return TranslationTable(token_ids, probabilities, shares)


def chosen(table: TranslationTable, source_ids: list[list[int]], count: int) -> list[int]:
    found: list[int] = ops.convert_to_numpy(shortlist_of(table, np.array(source_ids, np.int32), count)).tolist()
    return found


# Which tokens


def test_what_is_expected_most_often_beside_the_special_tokens() -> None:
    table = table_of({4: {6: 0.7, 7: 0.3}, 5: {8: 0.6, 7: 0.35, 9: 0.05}})
    assert chosen(table, [[4]], 5) == [0, 1, 2, 3, 6]
    assert chosen(table, [[4, 5]], 5) == [0, 1, 2, 3, 6]  # 0.7 against 0.65 for token 7 and 0.6 for 8
    assert chosen(table, [[4, 5], [5, 0]], 6) == [0, 1, 2, 3, 7, 8]  # 1.0 and 1.2 against 0.7


def test_padding_expects_nothing() -> None:
    table = table_of({0: {9: 1.0}, 4: {6: 0.1}})
    assert chosen(table, [[4, 0, 0, 0]], 5) == [0, 1, 2, 3, 6]


def test_frequent_tokens_are_expected_without_a_word_for_them() -> None:
    table = table_of({4: {6: 0.7}}, {10: 0.5, 11: 0.1})
    assert chosen(table, [[4]], 6) == [0, 1, 2, 3, 6, 10]
    assert chosen(table, [[4, 5]], 5) == [0, 1, 2, 3, 10]  # twice the half


def test_coverage_counts_tokens() -> None:
    table = table_of({4: {6: 1.0}, 5: {7: 1.0}})
    sources = TokenLists(np.array([4, 5, 5], np.int32), np.array([0, 2, 3]))
    targets = TokenLists(np.array([6, 7, 8, 7], np.int32), np.array([0, 3, 4]))
    assert coverage(table, TokenPairs(sources, targets), 1, [5, 6]) == [0.5, 0.75]
    assert coverage(table, TokenPairs(sources, targets), 2, [5]) == [0.5]  # 7 is expected twice


# Their search


MODELS: list[dict[str, Any]] = [
    {},
    {"tie_embeddings": "none", "readout_units": 6, "lexical_model": True},
    {"cell": "lstm", "attention_query": "top", "lexical_model": True, "input_feeding": True},
]


@pytest.mark.parametrize("settings", MODELS, ids=["tied", "untied", "fed"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_says_what_the_model_says_of_these_tokens(
    tiny_config: Any, tokenizers: Tokenizers, settings: dict[str, Any], precision: str
) -> None:
    keras.utils.set_random_seed(3)
    source, target = tokenizers
    model = Seq2Seq(tiny_config(model=settings).model, source.size, target.size, precision)
    token_ids = np.array([0, 1, 2, 3, 7, 11, 20], np.int32)
    memory = model.remember(np.array([[5, 6, END_ID], [9, END_ID, 0]]))
    last = np.array([4, 6], np.int32)
    ensemble = Ensemble([model])
    choice = Choice(token_ids, [ChosenProjection(model).to(token_ids)])
    found, weights, state = ensemble.step_over([memory], choice)(last, memory.state)
    output, expected_weights, expected_state = model.decoder.step(token_ids[last], memory.state, memory)
    logits = ops.convert_to_numpy(ops.cast(model.project(*output), "float32"))[:, token_ids]
    tolerance = 1e-5 if precision == "float32" else 0.05
    np.testing.assert_allclose(found, ops.log_softmax(logits, axis=-1), atol=tolerance)
    np.testing.assert_allclose(weights, expected_weights, atol=tolerance)
    for now, expected in zip(keras.tree.flatten(state), keras.tree.flatten(expected_state), strict=True):
        np.testing.assert_allclose(ops.cast(now, "float32"), ops.cast(expected, "float32"), atol=tolerance)


def test_a_language_model_votes_on_these_tokens(tiny_model: Seq2Seq, tokenizers: Tokenizers) -> None:
    sizes = LanguageModelSizes(cell="gru", embedding_size=8, layers=1, units=8, dropout=0.0)
    language_model = LanguageModel(sizes, tokenizers[1].size, streams=2)
    ensemble = Ensemble([tiny_model, tiny_model], language_model, 0.3)
    token_ids = np.array([0, 1, 2, 3, 7, 11, 20], np.int32)
    memories = ensemble.remember([np.array([[5, 6, END_ID]])] * 2)
    choice = Choice(token_ids, [ChosenProjection(tiny_model).to(token_ids)] * 2)
    last = np.array([4], np.int32)
    found, _, _ = ensemble.step_over(memories, choice)(last, ensemble.first_state(memories))
    logits = tiny_model.project(*tiny_model.decoder.step(token_ids[last], memories[0].state, memories[0])[0])
    prior, _, _ = language_model.step(token_ids[last], language_model.first_state(1))
    expected = ops.log_softmax(ops.take(logits, token_ids, axis=1), axis=-1) + 0.3 * ops.take(prior, token_ids, axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.fixture
def table(tiny_corpus: Path, tokenizers: Tokenizers) -> TranslationTable:
    """Learned from the tiny corpus."""
    corpus = PreparedCorpus(tiny_corpus / "prepared" / "tiny")
    return learn_translation_table(corpus.tokens("train"), *(one.size for one in tokenizers), corpus.fingerprint)


def translator_among(
    model: Seq2Seq, tokenizers: Tokenizers, table: TranslationTable | None, **decoding: Any
) -> Translator:
    config = DecodingConfig(max_length=5, **decoding)
    translator = Translator(model, *tokenizers, config, table=table)
    translator.searcher.run_eagerly = translator.replayer.run_eagerly = True
    return translator


@pytest.mark.parametrize("decoding", [{"beam_size": 3, "n_best": 2}, {"beam_size": 1}])
def test_translations_have_no_other_tokens(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, table: TranslationTable, decoding: dict[str, Any]
) -> None:
    translator = translator_among(tiny_model, tokenizers, table, shortlist=16, **decoding)
    sentences = translator.read([Line(text.encode(), i) for i, text in enumerate(TEXTS)])
    among = set(chosen(table, translator.source_ids(sentences)[0].tolist(), 16))
    found = {token for of in translator.search(sentences) for one in of for token in one.token_ids}
    assert found
    assert found <= among
    everywhere = translator_among(tiny_model, tokenizers, None, **decoding)
    assert not {token for of in everywhere.search(sentences) for one in of for token in one.token_ids} <= among


def test_a_list_of_all_tokens_change_nothing(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, table: TranslationTable
) -> None:
    every = translator_among(tiny_model, tokenizers, table, beam_size=3, shortlist=tokenizers[1].size)
    plain = translator_among(tiny_model, tokenizers, None, beam_size=3)
    for sentence in every.read([Line(text.encode()) for text in TEXTS]):
        assert every.search([sentence]) == plain.search([sentence])


def test_a_prefix_may_have_any_token(tiny_model: Seq2Seq, tokenizers: Tokenizers, table: TranslationTable) -> None:
    few = translator_among(tiny_model, tokenizers, table, beam_size=2, shortlist=16)
    plain = make_translator(tiny_model, tokenizers)
    texts = [text.encode() for text in TEXTS]
    assert list(few.translate(texts, prefixes=["null"] * 3)) == list(plain.translate(texts, prefixes=["null"] * 3))


# Run folders


@pytest.fixture
def run(tiny_model: Seq2Seq, tiny_config: Any, tokenizers: Tokenizers, corpus_folder: Path) -> Path:
    """A run that was trained on the tiny corpus, in the current directory."""
    folder = RunFolder(Path("runs/tiny"))
    folder.create(tiny_config(model={"attention": "general"}), PreparedCorpus(corpus_folder).fingerprint, tokenizers)
    folder.save_weights(tiny_model, TrainingState(step=1))
    return folder.folder


def test_the_command_learns_what_translation_takes(run: Path, tokenizers: Tokenizers) -> None:
    model = load_trained_model(run)
    with pytest.raises(DataError, match="run nmt shortlist runs/tiny"):
        model.translate(TEXTS, shortlist=16)
    result = CliRunner().invoke(app, ["shortlist", str(run)])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "runs/tiny/translation_table.safetensors")
    table = read_translation_table(run)
    assert len(table.frequencies) == tokenizers[1].size
    decoding = DecodingConfig(beam_size=2, max_length=5, shortlist=16)
    first = [one.text for one in load_translator(run, decoding=decoding).translate(text.encode() for text in TEXTS)]
    assert [one.text for one in model.translate(TEXTS, beam_size=2, max_length=5, shortlist=16)] == first


def test_a_table_of_another_corpus_is_refused(
    tiny_model: Seq2Seq, tiny_config: Any, tokenizers: Tokenizers, table: TranslationTable, tmp_path: Path
) -> None:
    run = save_run(tmp_path / "run", tiny_model, tiny_config(), tokenizers)
    table.write(run)
    assert table_for(RunFolder(run), DecodingConfig()) is None
    with pytest.raises(DataError, match="expected a translation table of the corpus ffffffffffff"):
        table_for(RunFolder(run), DecodingConfig(shortlist=16))


def test_the_command_without_its_corpus(run: Path, corpus_folder: Path) -> None:
    corpus_folder.rename(corpus_folder.with_name("away"))
    result = CliRunner().invoke(app, ["shortlist", str(run)])
    assert result.exit_code == 1
    assert "looked for the corpus that it was trained on" in result.stderr
    assert not (run / "translation_table.safetensors").exists()


@pytest.mark.parametrize(
    ("decoding", "fault"),
    [
        ({"shortlist": 5}, "at least 16, received 5"),
        ({"shortlist": 64, "banned_words": ["a"]}, "banned word"),
        ({"shortlist": 64, "samples": 2}, "depend on the lines"),
    ],
)
def test_shortlists_that_make_no_sense(decoding: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        DecodingConfig(**decoding)


def test_a_beam_wider_than_the_list(tiny_model: Seq2Seq, tokenizers: Tokenizers, table: TranslationTable) -> None:
    with pytest.raises(DataError, match="at most the 14 tokens that"):
        translator_among(tiny_model, tokenizers, table, beam_size=15, shortlist=16)


def test_a_table_that_does_not_fit(tiny_model: Seq2Seq, tokenizers: Tokenizers, table: TranslationTable) -> None:
    with pytest.raises(DataError, match="expected a translation table, received none"):
        translator_among(tiny_model, tokenizers, None, shortlist=16)
    with pytest.raises(DataError, match="received one of 8 and 12"):
        translator_among(tiny_model, tokenizers, table_of({}), shortlist=16)


def test_another_table_is_another_translator(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, table: TranslationTable
) -> None:
    """A translation that goes on must not go on with another table."""
    other = replace(table, frequencies=table.frequencies[::-1])
    descriptions = [
        translator_among(tiny_model, tokenizers, one, shortlist=16).description for one in (table, table, other)
    ]
    assert descriptions[0] == descriptions[1] != descriptions[2]


def test_scores_ask_all_tokens(run: Path) -> None:
    """A run whose configuration asks for a shortlist, but which has no table yet."""
    folder = RunFolder(run)
    decoding = DecodingConfig(beam_size=2, max_length=5, shortlist=16)
    plain = load_trained_model(run).score(TEXTS, TEXTS)
    folder.write_config(folder.config().model_copy(update={"decoding": decoding}))
    assert load_trained_model(run).score(TEXTS, TEXTS) == plain
    source = run / "source.txt"
    source.write_text("".join(f"{text}\n" for text in TEXTS))
    result = CliRunner().invoke(app, ["score", str(run), "--source", str(source), "--target", str(source)])
    assert result.exit_code == 0, result.stderr
    np.testing.assert_allclose(
        [float(line) for line in result.stdout.split()], [one.log_prob for one in plain], atol=1e-4
    )
