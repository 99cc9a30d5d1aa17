from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from data_prep import encode
from data_prep.encode import TEXT_SCHEMA, PartCounts, encode_part
from data_prep.subword import train_subwords
from nmt.config import SubwordConfig
from nmt.errors import DataError
from nmt.tokenizer import Tokenizer

CLEAN_SCHEMA = pa.schema([("corpus", pa.int32()), *TEXT_SCHEMA])
Rows = list[tuple[int, str, str]]
Tokenizers = tuple[Tokenizer, Tokenizer]


@pytest.fixture
def tokenizers(tmp_path: Path) -> Tokenizers:
    """Character models of `ab `; each word has one more token than letters, for the space before it."""
    pyarrow.parquet.write_table(pa.table({"source": ["a b"], "target": ["b a"]}), tmp_path / "letters.parquet")
    return train_subwords(tmp_path / "letters.parquet", SubwordConfig(model="char", vocabulary_size=8), 100)


def encoded(
    folder: Path, rows: Rows, tokenizers: Tokenizers, max_tokens: int | None, corpora: list[int] | None = None
) -> PartCounts:
    columns = [corpora or [0] * len(rows), *(list(column) for column in zip(*rows, strict=True))]
    pyarrow.parquet.write_table(pa.table(columns, schema=CLEAN_SCHEMA), folder / "text.parquet")
    spool = folder / "spool"
    spool.mkdir(exist_ok=True)
    return encode_part(folder / "text.parquet", folder / "part", tokenizers, max_tokens, spool)


def token_ids(folder: Path) -> list[tuple[list[int], list[int]]]:
    with pa.memory_map(str(folder / "part.arrow")) as file:
        reader = pa.ipc.open_file(file)
        assert reader.num_record_batches == 1
        assert reader.schema == pa.schema([("source", pa.list_(pa.int32())), ("target", pa.list_(pa.int32()))])
        return [(row["source"], row["target"]) for row in reader.read_all().to_pylist()]


def test_long_and_tokenless_pairs_are_dropped_and_counted(
    tmp_path: Path, tokenizers: Tokenizers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "ROWS_PER_CHUNK", 2)
    rows = [(1, "ab", "b"), (3, "abab", "b"), (4, "a", "baba"), (7, "aba", "xb"), (9, "\u200b", "a"), (10, "b", "a")]
    counts = encoded(tmp_path, rows, tokenizers, max_tokens=4)
    assert counts.for_manifest() == {
        "pairs": 3,
        "source_tokens": 3 + 4 + 2,
        "source_unknown": 0,
        "source_longest": 4,
        "target_tokens": 2 + 3 + 2,
        "target_unknown": 1,
        "target_longest": 3,
    }
    assert counts.dropped == 3
    kept = pyarrow.parquet.read_table(tmp_path / "part.parquet").to_pylist()
    assert [row["line"] for row in kept] == [1, 7, 10]
    source, target = tokenizers
    assert token_ids(tmp_path) == [(source.encode(row["source"]), target.encode(row["target"])) for row in kept]


def test_pairs_of_each_corpus_are_counted_after_the_long_ones_are_dropped(
    tmp_path: Path, tokenizers: Tokenizers
) -> None:
    rows = [(1, "ab", "b"), (2, "abab", "b"), (1, "abab", "a"), (1, "b", "a"), (2, "a", "a")]
    counts = encoded(tmp_path, rows, tokenizers, max_tokens=4, corpora=[0, 0, 1, 2, 2])
    assert [counts.corpora[number] for number in range(3)] == [1, 0, 2]
    assert (counts.pairs, counts.dropped) == (3, 2)
    assert pyarrow.parquet.read_schema(tmp_path / "part.parquet").equals(TEXT_SCHEMA)


def test_without_a_limit_every_row_stays_even_an_empty_one(tmp_path: Path, tokenizers: Tokenizers) -> None:
    rows = [(1, "", ""), (2, "ab" * 300, "a\0b\u2028"), (3, "한글 👩", "\r")]
    counts = encoded(tmp_path, rows, tokenizers, max_tokens=None)
    assert (counts.pairs, counts.dropped) == (3, 0)
    ids = token_ids(tmp_path)
    assert ids[0] == ([], []) and len(ids[1][0]) == 601
    kept = pyarrow.parquet.read_table(tmp_path / "part.parquet").to_pylist()
    assert [tuple(row.values()) for row in kept] == rows


@pytest.mark.parametrize("rows", [[(1, "", "")], [(1, "abab", "a")]])
def test_a_part_may_hold_no_token(tmp_path: Path, tokenizers: Tokenizers, rows: Rows) -> None:
    limit = 2 if rows[0][1] else None
    counts = encoded(tmp_path, rows, tokenizers, limit)
    assert counts.source.tokens == 0
    assert token_ids(tmp_path) == ([([], [])] if limit is None else [])


def test_more_tokens_than_the_format_holds_are_refused(
    tmp_path: Path, tokenizers: Tokenizers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "MAX_PART_TOKENS", 5)
    encoded(tmp_path, [(1, "abab", "a")], tokenizers, None)
    with pytest.raises(DataError, match="more than 5 tokens on one side"):
        encoded(tmp_path, [(1, "ababa", "a")], tokenizers, None)
