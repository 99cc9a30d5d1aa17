from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from data_prep.pipeline import prepare
from data_prep.preparation import Preparation
from data_prep.report import preparation_table
from data_prep.running_text import BLOCK_LINES, TEXT_FILES, part_lines, prepare_text
from nmt.config import Config, LanguageModelConfig, TextConfig, parse_config, parse_language_model_config
from nmt.corpus import PARTS
from nmt.errors import CorruptFileError, DataError
from nmt.prepared_text import PreparedText
from nmt.tokenizer import END_ID

FILES = {part: [f"{part}.txt"] for part in PARTS}

CUT_SHORT = gzip.compress(b"good\n" * 9, mtime=0)[:-4]  # it names a test, so it must not tell the time


@pytest.fixture(autouse=True)
def text_files(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("the cat sat\n\n  the  dog\nran\n", encoding="utf-8")
    (tmp_path / "validation.txt").write_text("the rat\n", encoding="utf-8")
    (tmp_path / "test.txt").write_bytes(gzip.compress("zoë\r\n".encode()))


def config(root: Path, subword: dict[str, Any] | None = None, **text: Any) -> LanguageModelConfig:
    values = {"root": str(root), **(text or FILES)}
    return parse_language_model_config({"name": "small", "text": values, "subword": subword or {"model": "char"}})


def run(settings: LanguageModelConfig, folder: Path) -> tuple[Preparation, list[str]]:
    lines: list[str] = []
    return prepare_text(settings, folder, lines.append), lines


def numbered(folder: Path, count: int, name: str = "train.txt") -> None:
    (folder / name).write_text("".join(f"line {number}\n" for number in range(count)), encoding="utf-8")


def test_a_character_is_a_token_and_a_newline_the_end_of_sentence(tmp_path: Path) -> None:
    preparation, _ = run(config(tmp_path), tmp_path / "text")
    assert preparation.fresh
    text = PreparedText(tmp_path / "text")
    tokenizer = text.tokenizer()
    stream = text.stream("train").tolist()
    assert len(stream) == text.characters("train") == len("the cat sat\n\n  the  dog\nran\n")
    assert [place for place, token in enumerate(stream) if token == END_ID] == [11, 12, 23, 27]
    assert tokenizer.decode(stream[13:23]) == "  the  dog"
    parts = text._corpus.manifest["parts"]
    assert parts["train"] == {"lines": 4, "tokens": 28, "unknown": 0, "characters": 28}
    assert parts["test"] == {"lines": 1, "tokens": 4, "unknown": 2, "characters": 4}  # z and ë are not in training
    assert set(os.listdir(tmp_path / "text")) == TEXT_FILES


def test_other_normalizations_are_those_of_a_translation(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("The  CAT ﬁts\n" * 30, encoding="utf-8")
    run(config(tmp_path, {"model": "char", "normalization": "nmt_nfkc_cf"}), tmp_path / "text")
    text = PreparedText(tmp_path / "text")
    line = text.stream("train")[: text.stream("train").tolist().index(END_ID)]
    assert text.tokenizer().decode(line.tolist()) == "the cat fits"
    assert text.characters("train") == 13 * 30


@pytest.mark.parametrize("model", ["unigram", "bpe"])
def test_subwords_give_the_text_back(tmp_path: Path, model: str) -> None:
    lines = [f"  the cat{number % 7}  sat on\tthe {number % 5} mats" for number in range(60)]
    (tmp_path / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    run(config(tmp_path, {"model": model, "vocabulary_size": 25}), tmp_path / "text")
    text = PreparedText(tmp_path / "text")
    tokenizer, stream = text.tokenizer(), text.stream("train").tolist()
    found = []
    while stream:
        end = stream.index(END_ID)
        found.append(tokenizer.decode(stream[:end]))
        stream = stream[end + 1 :]
    assert found == lines


def test_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    numbered(tmp_path, 2, "b.txt")
    numbered(tmp_path, 1, "a.txt")
    settings = config(tmp_path, train=["b.txt", "a.txt"], validation=["a.txt", "a.txt"])
    assert list(part_lines(settings.text, "train")) + list(part_lines(settings.text, "test")) == [
        *("line 0", "line 1", "line 0")
    ]
    assert list(part_lines(settings.text, "validation")) == ["line 0", "line 0"]


def test_a_split_is_of_whole_blocks_and_moves_none(tmp_path: Path) -> None:
    numbered(tmp_path, 100 * BLOCK_LINES)
    text = config(tmp_path, train=["train.txt"], split={"validation": 0.2, "test": 0.3}).text
    parts = {part: list(part_lines(text, part)) for part in PARTS}
    assert sorted(line for lines in parts.values() for line in lines) == sorted(
        f"line {number}" for number in range(100 * BLOCK_LINES)
    )
    for part, share in (("train", 0.5), ("validation", 0.2), ("test", 0.3)):
        blocks = {int(line.removeprefix("line ")) // BLOCK_LINES for line in parts[part]}
        assert len(parts[part]) == len(blocks) * BLOCK_LINES
        assert len(blocks) == pytest.approx(100 * share, abs=15)
    numbered(tmp_path, 120 * BLOCK_LINES)
    for part, lines in parts.items():
        assert list(part_lines(text, part))[: len(lines)] == lines


def test_a_part_with_files_takes_nothing_from_the_training_files(tmp_path: Path) -> None:
    numbered(tmp_path, 100 * BLOCK_LINES)
    both = TextConfig(root=str(tmp_path), train=["train.txt"], validation=["validation.txt"], test=["test.txt"])
    assert len(list(part_lines(both, "train"))) == 100 * BLOCK_LINES
    one = both.model_copy(update={"test": None})
    assert 0 < len(list(part_lines(one, "test"))) == 100 * BLOCK_LINES - len(list(part_lines(one, "train")))


def test_a_split_that_leaves_little(tmp_path: Path) -> None:
    numbered(tmp_path, 10 * BLOCK_LINES)
    split: dict[str, Any] = {"train": ["train.txt"], "split": {"validation": 0.3, "test": 0.3}}
    _, lines = run(config(tmp_path, **split), tmp_path / "text")
    assert [line.partition(" part has ")[0] for line in lines[-2:]] == ["warning: the validation", "warning: the test"]
    assert lines[-1].endswith("noise; raise text.split.test, or name its files in text.test")


@pytest.mark.parametrize(
    ("part", "split", "files", "advice"),
    [
        ("train", {"validation": 0.99, "test": 0.005}, "text.validation and text.test", "lower the shares of text."),
        ("validation", {}, "text.validation and text.test", "raise text.split.validation"),
        ("test", {}, "text.test", "raise text.split.test"),
    ],
)
def test_a_text_too_short_to_be_split(
    tmp_path: Path, part: str, split: dict[str, float], files: str, advice: str
) -> None:
    numbered(tmp_path, BLOCK_LINES + 3)
    named: dict[str, Any] = {"validation": ["validation.txt"]} if part == "test" else {}
    settings = config(tmp_path, train=["train.txt"], split=split, **named)
    lines: list[str] = []
    with pytest.raises(DataError) as error:
        prepare_text(settings, tmp_path / "text", lines.append)
    assert str(error.value).startswith(
        f"the {part} part has no lines: text.train is split in blocks of 20 lines, and has 2 of them (lines in all: 23)"
        f"; name files in {files}, break long lines, or {advice}"
    )
    assert lines == []  # no subword model was trained


def test_a_text_of_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n  \n\t\n")
    with pytest.raises(DataError, match=r"^the training part has blank lines alone; expected .*text\.train names$"):
        run(config(tmp_path), tmp_path / "text")
    (tmp_path / "train.txt").write_text("\n  \n\ta\n")
    assert run(config(tmp_path), tmp_path / "text")[0].fresh


def test_generated_brackets(tmp_path: Path) -> None:
    settings = config(tmp_path, synthetic={"characters": 2_000, "held_out_characters": 200})
    preparation, _ = run(settings, tmp_path / "text")
    assert preparation.manifest["vocabulary"] == {"text": 4 + 8}
    assert list(preparation.manifest["inputs"]) == ["data_prep/brackets.py"]
    assert 2_000 <= preparation.manifest["parts"]["train"]["tokens"] < 2_065
    assert run(settings, tmp_path / "text")[0].fresh is False


def test_what_has_changed_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "text"
    first, _ = run(config(tmp_path), folder)
    again, lines = run(config(tmp_path), folder)
    assert (again.fresh, again.fingerprint, lines) == (False, first.fingerprint, [f"{folder}: up to date"])
    (tmp_path / "test.txt").write_text("the end\n")
    changed, _ = run(config(tmp_path, {"model": "char", "normalization": "nfkc"}), folder)
    assert changed.changed == ["subword.normalization: identity -> nfkc", "test.txt: its content has changed"]
    (folder / "test.arrow").write_bytes(b"")
    assert run(config(tmp_path, {"model": "char", "normalization": "nfkc"}), folder)[0].changed == [
        f"{folder}/test.arrow: damaged"
    ]


def test_two_runs_are_equal_to_the_byte(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(config(tmp_path), tmp_path / name)
    for name in TEXT_FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"validation\.txt: no such file; correct its name or text\.root"),
        (b"", r"validation\.txt: expected at least one line, received an empty file"),
        (b"good\n\xff\n", r"validation\.txt: line 2: expected UTF-8"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes | None, message: str) -> None:
    (tmp_path / "validation.txt").unlink()
    if content is not None:
        (tmp_path / "validation.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        run(config(tmp_path), tmp_path / "text")
    assert not (tmp_path / "text").exists()


@pytest.mark.parametrize("model", ["char", "unigram"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\n\xff\n", "train.txt: line 2: expected UTF-8, received the byte 0xff; convert the file, for example"),
        (
            gzip.compress(b"good\n" * 9, mtime=0)[:-4],
            "train.txt: expected a whole gzip file, but it is cut short; copy or",
        ),
    ],
)
def test_training_files_that_cannot_be_used(tmp_path: Path, model: str, content: bytes, message: str) -> None:
    (tmp_path / "train.txt").write_bytes(content)
    with pytest.raises(DataError) as error:
        run(config(tmp_path, {"model": model, "vocabulary_size": 9}), tmp_path / "text")
    assert str(error.value).startswith(f"{tmp_path}/{message}")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "text").exists()


def test_no_kind_replaces_the_other(tmp_path: Path) -> None:
    pairs = parse_config({"name": "small", "corpus": {"root": str(tmp_path), "train": {"tsv": "train.tsv"}}})
    run(config(tmp_path), tmp_path / "text")
    with pytest.raises(DataError, match=r"expected a prepared corpus or no folder, found 'text\.model' in it"):
        prepare(pairs, tmp_path / "text")
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "source.model").touch()
    with pytest.raises(DataError, match=r"found 'source\.model' in it"):
        run(config(tmp_path), tmp_path / "pairs")


@pytest.fixture
def pairs_folder(tmp_path: Path, write_tsv: Callable[..., Path], tsv_config: Callable[..., Config]) -> Path:
    """A prepared translation corpus."""
    for part in PARTS:
        write_tsv(f"{part}.tsv", [("ab", "ba"), ("ba", "ab")])
    return prepare(tsv_config(filters={"held_out": False}), tmp_path / "pairs", lambda line: None).folder


def test_a_given_corpus_is_left_as_it_is(tmp_path: Path, pairs_folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in pairs_folder.iterdir()}
    preparation, lines = run(config(tmp_path, prepared=str(pairs_folder)), tmp_path / "nowhere")
    assert (preparation.fresh, preparation.folder) == (False, pairs_folder)
    assert lines == [f"{pairs_folder}: taken as it is; there is nothing to prepare"]
    assert not (tmp_path / "nowhere").exists()
    assert {path.name: path.read_bytes() for path in pairs_folder.iterdir()} == before


def test_a_given_corpus_that_cannot_be_used(tmp_path: Path, pairs_folder: Path) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(DataError) as error:
        run(config(tmp_path, prepared=str(absent)), tmp_path / "nowhere")
    assert str(error.value) == (
        f"text.prepared: expected the folder of a prepared corpus, found no {absent}/manifest.json; run nmt prepare "
        f"with that corpus' own configuration first, or correct the name"
    )
    run(config(tmp_path), tmp_path / "text")
    with pytest.raises(DataError, match=r"text: expected a translation corpus, received running text"):
        run(config(tmp_path, prepared=str(tmp_path / "text")), tmp_path / "nowhere")
    (pairs_folder / "test.arrow").write_bytes(b"")
    with pytest.raises(CorruptFileError, match=r"test\.arrow: expected SHA-256"):
        run(config(tmp_path, prepared=str(pairs_folder)), tmp_path / "nowhere")


def test_the_table_says_what_the_parts_hold(tmp_path: Path) -> None:
    preparation, _ = run(config(tmp_path), tmp_path / "text")
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(preparation_table(preparation))
    rows = [line.split() for line in re.sub("[│┃]", " ", console.export_text()).splitlines()]
    assert ["train", "4", "28", "28", "0.00%"] in rows
    assert ["test", "1", "4", "4", "50.00%"] in rows
