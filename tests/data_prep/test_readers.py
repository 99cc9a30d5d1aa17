from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow.parquet
import pytest

from data_prep import readers
from data_prep.readers import chunks, input_files, read_corpus, read_lines, read_parallel, read_tsv
from nmt.config import CorpusConfig, Synthetic, TextFiles
from nmt.errors import DataError


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\ntwo\r\r\n", ["one", "two\r"]),
        (b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n", ["one", "\ufefftwo"]),
        ("a\u2028b\x85c\x0bd\x1ce\n".encode(), ["a\u2028b\x85c\x0bd\x1ce"]),
        (b"nul\0byte\n", ["nul\0byte"]),
        ("한글 👩‍👩‍👧\n".encode(), ["한글 👩‍👩‍👧"]),
        (b"\n\n", ["", ""]),
        (b" spaces \n", [" spaces "]),
    ],
)
def test_lines_end_at_line_feeds_alone(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    assert list(read_lines(written(tmp_path / "text", content))) == lines
    assert list(read_lines(written(tmp_path / "packed", gzip.compress(content)))) == lines


def test_gzip_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    assert list(read_lines(written(tmp_path / "plain.gz", b"plain\n"))) == ["plain"]
    assert list(read_lines(written(tmp_path / "packed.txt", gzip.compress(b"packed\n")))) == ["packed"]
    two_members = gzip.compress(b"one\n") + gzip.compress(b"two\n")
    assert list(read_lines(written(tmp_path / "two.gz", two_members))) == ["one", "two"]


def test_missing_file_names_path_and_root(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.txt: no such file; correct its name or corpus\.root"):
        list(read_lines(tmp_path / "absent.txt"))
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        list(read_lines(tmp_path))
    with pytest.raises(DataError, match=r"absent\.txt: no such file; look again$"):
        list(read_parallel(tmp_path / "absent.txt", tmp_path, "look again"))


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"nothing: expected at least one line, received an empty file"):
        list(read_lines(written(tmp_path / "nothing", content)))


def test_other_encodings_are_refused_with_the_line(tmp_path: Path) -> None:
    path = written(tmp_path / "latin", b"fine\nna\xefve\n")
    with pytest.raises(DataError, match=r"latin: line 2: expected UTF-8, received the byte 0xef"):
        list(read_lines(path))


def test_a_gzip_cut_short_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b"line %d\n" % number for number in range(5_000)))
    path = written(tmp_path / "short.gz", packed[:-20])
    with pytest.raises(DataError, match=r"short\.gz: expected a whole gzip file, but it is cut short"):
        list(read_lines(path))


@pytest.mark.parametrize("place", [20, -6])
def test_a_damaged_gzip_is_refused(tmp_path: Path, place: int) -> None:
    packed = bytearray(gzip.compress(b"".join(b"line %d\n" % number for number in range(5_000))))
    packed[place] ^= 0xFF
    with pytest.raises(DataError, match=r"damaged\.gz: expected a sound gzip file"):
        list(read_lines(written(tmp_path / "damaged.gz", bytes(packed))))


def test_an_endless_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_LINE_BYTES", 8)
    assert list(read_lines(written(tmp_path / "text", b"1234567\nb\n"))) == ["1234567", "b"]
    with pytest.raises(DataError, match=r"text: line 2: expected text, received over 8 bytes"):
        list(read_lines(written(tmp_path / "text", b"a\n123456789\n")))


def test_sides_of_different_length_are_refused_with_both_counts(tmp_path: Path) -> None:
    source = written(tmp_path / "a.en", b"1\n2\n3\n")
    target = written(tmp_path / "a.de", b"1\n2\n3\n4\n5\n")
    with pytest.raises(DataError, match=r"as many lines in .*a\.en as in .*a\.de; received 3 and 5"):
        list(read_parallel(source, target))
    with pytest.raises(DataError, match=r"received 5 and 3"):
        list(read_parallel(target, source))


@pytest.mark.parametrize(("line", "fields"), [(b"alone", "1 field;"), (b"a\tb\tc", "3 fields;"), (b"", "1 field;")])
def test_tsv_wants_two_fields(tmp_path: Path, line: bytes, fields: str) -> None:
    path = written(tmp_path / "pairs.tsv", b"a\tb\n" + line + b"\n")
    with pytest.raises(DataError, match=rf"pairs\.tsv: line 2: expected source, one tab, target; received {fields}"):
        list(read_tsv(path))


def test_tsv_fields_may_be_empty(tmp_path: Path) -> None:
    assert list(read_tsv(written(tmp_path / "pairs.tsv", b"a\tb\r\n\tc\n"))) == [("a", "b"), ("", "c")]


def test_corpus_becomes_one_table_with_line_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "ROWS_PER_CHUNK", 2)
    written(tmp_path / "train.en", b"a\nb\nc\n")
    written(tmp_path / "train.de", b"A\nB\nC\n")
    written(tmp_path / "test.tsv", b"x\tX\n")
    corpus = CorpusConfig(
        root=str(tmp_path), train=TextFiles(source="train.en", target="train.de"), test=TextFiles(tsv="test.tsv")
    )
    assert read_corpus(corpus, tmp_path / "raw.parquet") == {"train": 3, "test": 1}
    rows = pyarrow.parquet.read_table(tmp_path / "raw.parquet").to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("train", 0, 1, "a", "A"),
        ("train", 0, 2, "b", "B"),
        ("train", 0, 3, "c", "C"),
        ("test", 1, 1, "x", "X"),
    ]


def test_corpora_of_a_mixture_are_numbered_in_their_order(tmp_path: Path) -> None:
    """Not alphabetical, and a name that is a part's makes no difference."""
    written(tmp_path / "a.tsv", b"a\tA\n")
    written(tmp_path / "b.tsv", b"b\tB\nc\tC\n")
    mixture = {"web": TextFiles(tsv="b.tsv"), "test": TextFiles(tsv="a.tsv"), "more": TextFiles(tsv="b.tsv")}
    corpus = CorpusConfig(root=str(tmp_path), mixture=mixture, test=TextFiles(tsv="a.tsv"))
    counts = read_corpus(corpus, tmp_path / "raw.parquet")
    assert counts == {"mixture.web": 2, "mixture.test": 1, "mixture.more": 2, "test": 1}
    rows = pyarrow.parquet.read_table(tmp_path / "raw.parquet").to_pylist()
    assert [tuple(row.values())[:4] for row in rows] == [
        ("train", 0, 1, "b"),
        ("train", 0, 2, "c"),
        ("train", 1, 1, "a"),
        ("train", 2, 1, "b"),
        ("train", 2, 2, "c"),
        ("test", 3, 1, "a"),
    ]
    assert list(input_files(corpus)) == ["b.tsv", "a.tsv"]


def test_a_generated_corpus_has_all_parts(tmp_path: Path) -> None:
    corpus = CorpusConfig(synthetic=Synthetic(train=30, validation=5, test=4))
    assert read_corpus(corpus, tmp_path / "raw.parquet") == {"train": 30, "validation": 5, "test": 4}


def test_more_pairs_than_the_grammar_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_prep.synthetic.PATIENCE", 0)
    corpus = CorpusConfig(synthetic=Synthetic(train=30, validation=5, test=4))
    with pytest.raises(
        DataError, match=r"received train=30, .* lower corpus\.synthetic\.train, or corpus\.synthetic\.v"
    ):
        read_corpus(corpus, tmp_path / "raw.parquet")


def test_chunks_are_full_but_for_the_last() -> None:
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([], 2)) == []
