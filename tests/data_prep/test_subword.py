from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import sentencepiece

from data_prep import subword
from data_prep.subword import measure_all, measure_coverage, read_sentences, train_subwords, train_text_subwords
from nmt.config import SubwordConfig, TextSubwordConfig
from nmt.errors import DataError, Interrupted

Pairs = list[tuple[str, str]]


def text_file(path: Path, pairs: Pairs) -> Path:
    sources, targets = ([pair[side] for pair in pairs] for side in (0, 1))
    pyarrow.parquet.write_table(pa.table({"source": sources, "target": targets}), path)
    return path


@pytest.fixture
def text(tmp_path: Path, animals: Pairs) -> Path:
    return text_file(tmp_path / "text.parquet", animals)


@pytest.mark.parametrize(
    ("model", "size", "shared"),
    [("unigram", 45, True), ("bpe", 60, True), ("bpe", 60, False), ("char", 60, False)],
)
def test_models_give_the_text_back(text: Path, animals: Pairs, model: Any, size: int, shared: bool) -> None:
    settings = SubwordConfig(model=model, vocabulary_size=size, shared=shared)
    tokenizers = train_subwords(text, settings, 1_000)
    assert (tokenizers[0].model == tokenizers[1].model) is shared
    for pair in animals:
        for tokenizer, sentence in zip(tokenizers, pair, strict=True):
            assert tokenizer.decode(tokenizer.encode(sentence)) == sentence


def test_a_character_model_has_the_special_pieces_the_space_and_the_characters(tmp_path: Path) -> None:
    text = text_file(tmp_path / "text.parquet", [("한글 👩", "ab")])
    source, target = train_subwords(text, SubwordConfig(model="char", vocabulary_size=50, shared=False), 1_000)
    assert (source.size, target.size) == (4 + 1 + 3, 4 + 1 + 2)
    assert source.encode("글한👩") != source.encode("한글👩")
    assert len(source.encode("글한 👩")) == 5  # the leading space is a piece too


def test_each_side_has_its_own_normalization(text: Path) -> None:
    settings = SubwordConfig(model="char", shared=False, source_normalization="nmt_nfkc_cf")
    source, target = train_subwords(text, settings, 1_000)
    assert source.decode(source.encode("THE dog")) == "the dog"
    assert target.decode(target.encode("Hund")) == "Hund"


def test_training_twice_gives_the_same_bytes(text: Path) -> None:
    for model in ("unigram", "bpe"):
        settings = SubwordConfig(model=model, vocabulary_size=45)
        assert train_subwords(text, settings, 1_000)[0].model == train_subwords(text, settings, 1_000)[0].model


def test_a_sample_is_the_same_every_time(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SubwordConfig(model="unigram", vocabulary_size=45)
    whole = train_subwords(text, settings, 1_000)[0].model
    monkeypatch.setattr(subword, "MAX_TRAINING_SENTENCES", 101)
    first, second = (train_subwords(text, settings, 1_000)[0].model for _ in range(2))
    assert first == second != whole


def test_long_sentences_are_not_left_out(tmp_path: Path) -> None:
    text = text_file(tmp_path / "text.parquet", [("한" * 3_000, "a")])
    source, _ = train_subwords(text, SubwordConfig(model="char", shared=False), 3_000)
    assert source.encode("한")[-1] > 3


@pytest.mark.parametrize("model", ["unigram", "bpe"])
@pytest.mark.parametrize("asked", [8, 5_000])
def test_an_impossible_size_names_the_possible_one(text: Path, model: Any, asked: int) -> None:
    with pytest.raises(DataError, match=rf"subword\.vocabulary_size: .* received {asked}") as raised:
        train_subwords(text, SubwordConfig(model=model, vocabulary_size=asked), 1_000)
    possible = int(re.search(r"(?:at most|at least) (\d+) pieces", str(raised.value))[1])  # type: ignore[index]
    assert train_subwords(text, SubwordConfig(model=model, vocabulary_size=possible), 1_000)[0].size == possible
    beyond = possible + 1 if asked == 5_000 else possible - 1
    with pytest.raises(DataError, match=r"subword\.vocabulary_size"):
        train_subwords(text, SubwordConfig(model=model, vocabulary_size=beyond), 1_000)


@pytest.mark.parametrize("model", ["unigram", "bpe", "char"])
def test_a_text_without_characters(tmp_path: Path, model: Any) -> None:
    text = text_file(tmp_path / "text.parquet", [("", ""), ("", "")])
    with pytest.raises(DataError, match=r"^the shared subword model has nothing to learn from: expected a line with a"):
        train_subwords(text, SubwordConfig(model=model), 1_000)


def test_what_reading_the_text_raises_is_raised_as_it_is() -> None:
    stop = Interrupted("stopped")

    def lines() -> Iterator[str]:
        yield "the dog"
        raise stop

    with pytest.raises(Interrupted) as error:
        train_text_subwords(lines(), TextSubwordConfig(model="char"))
    assert error.value is stop


def test_sentences_of_both_sides_alternate(tmp_path: Path) -> None:
    text = text_file(tmp_path / "text.parquet", [("a", "A"), ("b", "B")])
    assert list(read_sentences(text, "source", "target")) == ["a", "A", "b", "B"]
    assert list(read_sentences(text, "target")) == ["A", "B"]


def test_coverage_counts_characters_without_spaces(text: Path) -> None:
    source, _ = train_subwords(text, SubwordConfig(model="char", shared=False), 1_000)
    covered = measure_coverage(source, ["the dog 漢字", "漢 x"])
    assert covered.share == pytest.approx(6 / 10)  # the, dog; 漢字漢x are unknown
    assert covered.missing[0] == "漢" and set(covered.missing) == {"漢", "字", "x"}
    assert measure_coverage(source, ["", "  "]).share == 1.0


@pytest.mark.parametrize("model", ["unigram", "bpe", "char"])
def test_coverage_agrees_with_the_unknown_pieces(text: Path, model: Any) -> None:
    settings = SubwordConfig(model=model, vocabulary_size=43, character_coverage=0.98)
    tokenizer, _ = train_subwords(text, settings, 1_000)
    sentences = ["the grün horse", "Katze frisst Vögel", "xyz mouse"]
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    unknown = total = 0
    for sentence in sentences:
        for piece in processor.encode(sentence, out_type=str):
            letters = len(piece.replace("▁", ""))
            total += letters
            unknown += letters if processor.piece_to_id(piece) == 1 else 0
    assert 0 < unknown < total
    assert measure_coverage(tokenizer, sentences).share == pytest.approx(1 - unknown / total)


def test_too_little_coverage_of_the_validation_part_is_refused(tmp_path: Path, text: Path) -> None:
    tokenizers = train_subwords(text, SubwordConfig(model="char", shared=False), 1_000)
    foreign = text_file(tmp_path / "foreign.parquet", [("the dog", "Hund 漢漢漢字")])
    parts = {"train": text, "validation": foreign, "test": text}
    with pytest.raises(DataError, match=r"the target's subword model covers 50\.00% .* at least 90\.00%.*'漢' '字'"):
        measure_all(tokenizers, parts, 0.9)
    coverage = measure_all(tokenizers, parts, 0.5)
    assert coverage["source"] == {"train": 1.0, "validation": 1.0, "test": 1.0}
    assert coverage["target"] == {"train": 1.0, "validation": 0.5, "test": 1.0}
