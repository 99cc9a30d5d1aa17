"""Prepared running text and a side of a prepared translation corpus, read as one stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from data_prep.running_text import prepare_text
from nmt.cli import app
from nmt.config import LanguageModelConfig, parse_language_model_config
from nmt.corpus import PreparedCorpus
from nmt.errors import CorruptFileError, DataError
from nmt.prepared_text import PreparedText, open_text
from nmt.tokenizer import END_ID


def config(**text: Any) -> LanguageModelConfig:
    return parse_language_model_config({"name": "letters", "text": text, "subword": {"model": "char"}})


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LanguageModelConfig:
    """The text `ab`, an empty line, `b`, prepared in `prepared/letters`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("ab\n\nb\n")
    settings = config(train=["text"], validation=["text"], test=["text"])
    prepare_text(settings, report=lambda line: None)
    return settings


def test_a_stream_is_the_lines_with_their_ends(letters: LanguageModelConfig) -> None:
    text = open_text(letters)
    a, b = text.tokenizer().encode("ab")
    stream = text.stream("train")
    assert stream.tolist() == [a, b, END_ID, END_ID, b, END_ID]
    assert stream.dtype == np.int32
    assert text.characters("train") == 6
    assert text.settings["text"]["train"] == ["text"]


def test_a_stream_is_mapped_and_not_read(letters: LanguageModelConfig) -> None:
    stream = open_text(letters).stream("train")
    assert not stream.flags.owndata and not stream.flags.writeable


@pytest.mark.parametrize("side", ["source", "target"])
def test_the_sentences_of_one_side(corpus_folder: Path, side: str) -> None:
    text = open_text(config(prepared=str(corpus_folder), side=side))
    corpus = PreparedCorpus(corpus_folder)
    sentences = corpus.text("validation")[side == "target"]
    tokenizer = corpus.tokenizers()[side == "target"]
    assert text.stream("validation").tolist() == [
        token for sentence in sentences for token in [*tokenizer.encode(sentence), END_ID]
    ]
    assert text.stream("validation").dtype == np.int32
    assert text.characters("validation") == len("".join(f"{sentence}\n" for sentence in sentences))
    assert text.tokenizer().model == tokenizer.model
    assert text.settings.keys() == {"corpus", "subword"}


def test_each_side_is_a_text_of_its_own(corpus_folder: Path, letters: LanguageModelConfig) -> None:
    texts = [PreparedText.of_side(corpus_folder, side) for side in ("source", "target")]
    whole = PreparedCorpus(corpus_folder).fingerprint
    assert len({whole, *(text.fingerprint for text in texts)}) == 3
    assert texts[0].fingerprint == PreparedText.of_side(corpus_folder, "source").fingerprint
    assert open_text(letters).fingerprint == PreparedCorpus(Path("prepared/letters")).fingerprint


def test_the_other_kind_is_refused(corpus_folder: Path, letters: LanguageModelConfig) -> None:
    with pytest.raises(DataError, match=r"tiny: expected running text, received a translation corpus; take another"):
        PreparedText(corpus_folder)
    with pytest.raises(DataError, match=r"letters: expected a translation corpus, received running text"):
        PreparedText.of_side(Path("prepared/letters"), "target")


def test_a_text_that_is_not_there_or_damaged(letters: LanguageModelConfig) -> None:
    with pytest.raises(DataError, match=r"elsewhere: expected a prepared corpus, found no manifest\.json"):
        open_text(config(prepared="elsewhere"))
    Path("prepared/letters/test.arrow").write_bytes(b"")
    with pytest.raises(CorruptFileError, match=r"test\.arrow: expected SHA-256"):
        open_text(letters)


def nmt(*arguments: str) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(app, arguments)


def test_the_command_prepares_a_text_and_finds_it_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text("name: small\ntext: {synthetic: {characters: 500}}\nsubword: {model: char}\n")
    result = nmt("prepare", "small.yaml", "--set", "text.synthetic.held_out_characters=90")
    assert (result.exit_code, result.stderr) == (0, "training the char subword model\nencoding\n")
    assert result.stdout.endswith("\nprepared/small\n") and "12 pieces" in result.stdout
    again = nmt("prepare", "small.yaml", "--set", "text.synthetic.held_out_characters=90")
    assert (again.stdout, again.stderr) == ("prepared/small\n", "prepared/small: up to date\n")
