"""Ensembles: the mean of what the models say, whatever each of them reads. The weights are random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from small_translators import Tokenizers, character_tokenizer, log_probs_of, make_translator, save_run, unknown_ones

from nmt.config import DecodingConfig, LanguageModelSizes
from nmt.decoder import Memory
from nmt.errors import DataError
from nmt.language_model import LanguageModel
from nmt.seq2seq import Seq2Seq
from nmt.tokenizer import END_ID, START_ID, Tokenizer
from nmt.translation import fusion
from nmt.translation.ensemble import load_members
from nmt.translation.lines import Line

TEXTS = [b"one two", b"nine", b"six five four"]


@pytest.fixture(scope="module")
def character_source() -> Tokenizer:
    """Reads characters, small letters alone; the tiny corpus' own reads pieces."""
    return character_tokenizer(["one two three four five six seven eight nine zero"])


@pytest.fixture(scope="module")
def other_model(tiny_config: Any, character_source: Tokenizer, tokenizers: Tokenizers) -> Seq2Seq:
    """Another cell and no attention, from characters to the same pieces."""
    keras.utils.set_random_seed(5)
    config = tiny_config(model={"attention": "none", "cell": "lstm", "decoder_units": 10})
    return Seq2Seq(config.model, character_source.size, tokenizers[1].size)


@pytest.fixture(scope="module")
def other_run(
    other_model: Seq2Seq,
    tiny_config: Any,
    character_source: Tokenizer,
    tokenizers: Tokenizers,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Its run folder."""
    config = tiny_config(model={"attention": "none", "cell": "lstm", "decoder_units": 10})
    folder = tmp_path_factory.mktemp("runs") / "other"
    return str(save_run(folder, other_model, config, (character_source, tokenizers[1])))


@pytest.fixture
def language_model(tokenizers: Tokenizers, monkeypatch: pytest.MonkeyPatch) -> LanguageModel:
    """What every name of a language model's run folder stands for."""
    keras.utils.set_random_seed(4)
    sizes = LanguageModelSizes(cell="gru", embedding_size=8, layers=1, units=8, dropout=0.0)
    model = LanguageModel(sizes, tokenizers[1].size, streams=2)
    monkeypatch.setattr(fusion, "load_language_model", lambda *_, **__: (model, tokenizers[1], None))
    return model


def log_mean(models: list[tuple[Seq2Seq, list[int]]], target: list[int]) -> np.ndarray:
    """Logarithms of the mean probability of each token and the end, from the models' own calls."""
    probs = [np.exp(log_probs_of(model, source, target)) for model, source in models]
    return np.asarray(np.log(np.mean(probs, axis=0)))


@pytest.mark.parametrize(
    "decoding",
    [{"beam_size": 2}, *(pytest.param(d, marks=pytest.mark.thorough) for d in ({"beam_size": 1}, {"samples": 2}))],
)
def test_log_probability_is_that_of_the_mean(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, other_model: Seq2Seq, other_run: str, decoding: dict[str, Any]
) -> None:
    """Each model reads the line in its own tokens."""
    translator = make_translator(tiny_model, tokenizers, ensemble=[other_run], **decoding)
    read = translator.read([Line(text) for text in TEXTS])
    for sentence, found in zip(read, translator.search(read), strict=True):
        assert [len(ids) for ids in sentence.sources] == [len(sentence.text.split()), len(sentence.text) + 1]
        models = list(zip((tiny_model, other_model), sentence.sources, strict=True))
        for one in found:
            expected = log_mean(models, one.token_ids)
            assert one.log_prob == pytest.approx(expected.sum(), abs=1e-4)
            assert abs(one.log_prob - log_probs_of(*models[0], one.token_ids).sum()) > 0.01  # the other has a vote


def test_in_bfloat16_every_model_is_rounded_and_probabilities_are_not(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, other_run: str
) -> None:
    exact, rough = (
        make_translator(tiny_model, tokenizers, ensemble=[other_run], precision=precision)
        for precision in ("float32", "bfloat16")
    )
    assert exact.ensemble.models[0] is tiny_model
    assert {variable.dtype for model in rough.ensemble.models for variable in model.trainable_variables} == {"bfloat16"}
    read = exact.read([Line(text) for text in TEXTS])
    for ours, theirs in zip(rough.search(read), exact.search(read), strict=True):
        assert ours[0].log_prob == pytest.approx(theirs[0].log_prob, abs=0.1)
        assert ours[0].log_prob != theirs[0].log_prob


@pytest.mark.thorough
def test_three_models_have_equal_votes(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, other_model: Seq2Seq, other_run: str
) -> None:
    translator = make_translator(tiny_model, tokenizers, ensemble=[other_run, other_run], beam_size=1)
    (sentence,) = translator.read([Line(b"one two")])
    ((found,),) = translator.search([sentence])
    first, second, third = sentence.sources
    models = [(tiny_model, first), (other_model, second), (other_model, third)]
    assert found.log_prob == pytest.approx(log_mean(models, found.token_ids).sum(), abs=1e-4)


@pytest.mark.thorough
def test_attention_and_copies_are_the_first_models(tiny_model: Seq2Seq, tokenizers: Tokenizers, other_run: str) -> None:
    """The member has none."""
    settings: dict[str, Any] = {"with_attention": True, "copy_unknown": True, "ban_unknown": True, "beam_size": 1}
    translator = make_translator(tiny_model, tokenizers, ensemble=[other_run], **settings)
    found = unknown_ones(translator, "one ❄", "☃")
    assert "❄" in found.pieces and found.source_pieces[0] == "▁one"
    assert found.attention is not None
    assert found.attention.shape == (len(found.pieces) + 1, len(found.source_pieces) + 1)


def test_lines_are_cut_where_one_of_the_models_cuts_them(
    tiny_model: Seq2Seq, tokenizers: Tokenizers, other_run: str
) -> None:
    """Seven characters and a space before them are eight tokens for the member; for the first model two pieces."""
    for limit, cut in ((8, False), (7, True)):
        translator = make_translator(tiny_model, tokenizers, ensemble=[other_run], beam_size=1, max_source_tokens=limit)
        (sentence,) = translator.read([Line(b"one two")])
        assert sentence.cut is cut and [len(ids) for ids in sentence.sources] == [2, limit]


@pytest.mark.thorough
def test_batches_do_not_matter(tiny_model: Seq2Seq, tokenizers: Tokenizers, other_run: str) -> None:
    translator = make_translator(tiny_model, tokenizers, ensemble=[other_run])
    lines = [*TEXTS, b"", b"seven zero one two three"]
    together = list(translator.translate(lines))
    for line, one in zip(lines, together, strict=True):
        (alone,) = translator.translate([line])
        assert alone.text == one.text and alone.log_prob == pytest.approx(one.log_prob, abs=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("coverage_penalty", [0.0, 0.5])
def test_rows_that_go_on_keep_their_memories_prefixes_and_states(
    tiny_model: Seq2Seq,
    tokenizers: Tokenizers,
    other_run: str,
    language_model: LanguageModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    coverage_penalty: float,
) -> None:
    """Six lines of different limits go on row by row, each with the translation that it gets alone."""
    sizes = []
    take = Memory.take
    monkeypatch.setattr(Memory, "take", lambda memory, rows: sizes.append(int(rows.shape[0])) or take(memory, rows))
    monkeypatch.setattr("nmt.search.narrowing.MULTIPLE", 1)
    translator = make_translator(
        tiny_model,
        tokenizers,
        ensemble=[other_run],
        language_model=str(tmp_path),
        language_model_weight=0.3,
        coverage_penalty=coverage_penalty,
        max_length=30,
        max_length_ratio=1.0,
    )
    lines = [*TEXTS, b"zero", b"seven zero one two three", b"two two two two two two two"]
    prefixes = ["", "drei", "eins zwei", "", "zwei zwei zwei zwei", "vier"]
    together = list(translator.translate(lines, prefixes=prefixes))
    assert set(sizes) >= {6, 4, 3} and min(sizes) == 1
    for line, prefix, one in zip(lines, prefixes, together, strict=True):
        (alone,) = translator.translate([line], prefixes=[prefix])
        assert alone.text == one.text and alone.log_prob == pytest.approx(one.log_prob, abs=1e-4)


@pytest.mark.thorough
def test_a_language_model_votes_beside_an_ensemble(
    tiny_model: Seq2Seq,
    tokenizers: Tokenizers,
    other_model: Seq2Seq,
    other_run: str,
    language_model: LanguageModel,
    tmp_path: Path,
) -> None:
    """Log-probabilities: that of the translation models' mean, plus the language model's times its weight."""
    translator = make_translator(
        tiny_model, tokenizers, ensemble=[other_run], language_model=str(tmp_path), language_model_weight=0.5
    )
    (sentence,) = translator.read([Line(b"one two")])
    ((found,),) = translator.search([sentence])
    models = list(zip((tiny_model, other_model), sentence.sources, strict=True))
    logits, _ = language_model.read(np.array([[END_ID, *found.token_ids]]), language_model.first_state(1))
    table = keras.ops.convert_to_numpy(keras.ops.log_softmax(logits, axis=-1))[0]
    prior = table[np.arange(len(found.token_ids) + 1), [*found.token_ids, END_ID]]
    expected = log_mean(models, found.token_ids).sum() + 0.5 * prior.sum()
    assert found.log_prob == pytest.approx(expected, abs=1e-4)


def test_another_target_is_refused(
    tiny_model: Seq2Seq, tiny_config: Any, tokenizers: Tokenizers, character_source: Tokenizer, tmp_path: Path
) -> None:
    config = tiny_config(model={"attention": "general"})
    model = Seq2Seq(config.model, tokenizers[0].size, character_source.size)
    stranger = save_run(tmp_path / "stranger", model, config, (tokenizers[0], character_source))
    with pytest.raises(DataError) as error:
        make_translator(tiny_model, tokenizers, ensemble=[str(stranger)])
    assert str(error.value) == (
        f"decoding.ensemble: expected runs with the same target subword model, received another one in {stranger} "
        f"({character_source.size:,} pieces, not the same 44); take runs that were trained on one prepared corpus "
        f"(corpus.prepared)"
    )


def test_a_member_that_is_not_there(tokenizers: Tokenizers, tmp_path: Path) -> None:
    decoding = DecodingConfig(ensemble=[str(tmp_path / "none")])
    with pytest.raises(DataError, match=r"decoding\.ensemble: expected a run folder, found none at .*none; name"):
        load_members(decoding, tokenizers[1])


def test_tokens_of_the_target_are_shared(tokenizers: Tokenizers, other_run: str) -> None:
    (member,) = load_members(DecodingConfig(ensemble=[other_run]), tokenizers[1])
    assert member.target_tokenizer.size == 44 != member.source_tokenizer.size
    inputs = {"source_ids": np.array([[5, END_ID]]), "target_ids": np.array([[START_ID]])}
    assert member.model.logits(inputs).shape == (1, 1, 44)
