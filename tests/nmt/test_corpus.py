"""Reading a prepared corpus: token lists against Python lists, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import nmt.corpus
from nmt.corpus import PreparedCorpus, _token_lists, read_manifest
from nmt.errors import CorruptFileError, DataError

LISTS = [[5, 6], [], [7], [8, 9, 10], [11]]
TYPE = pa.list_(pa.int32())


def columns() -> dict[str, tuple[pa.ChunkedArray, list[list[int]]]]:
    """The same kind of column in the ways in which Arrow may hold it, each with the rows that it means."""
    whole = pa.array(LISTS, TYPE)
    return {
        "one chunk": (pa.chunked_array([whole]), LISTS),
        "sliced at its beginning": (pa.chunked_array([whole.slice(2)]), LISTS[2:]),
        "sliced at its end": (pa.chunked_array([whole.slice(0, 3)]), LISTS[:3]),
        "two chunks": (pa.chunked_array([whole.slice(0, 2), whole.slice(2)]), LISTS),
        "an empty chunk between": (pa.chunked_array([whole, whole.slice(0, 0), whole]), LISTS + LISTS),
        "slices of slices": (pa.chunked_array([whole.slice(1).slice(2, 1), whole.slice(4)]), [LISTS[3], LISTS[4]]),
        "no row": (pa.chunked_array([], TYPE), []),
    }


@pytest.mark.parametrize("kind", columns())
def test_token_lists_equal_python_lists(kind: str) -> None:
    column, expected = columns()[kind]
    lists = _token_lists(column)
    assert len(lists) == len(expected)
    assert [lists[row].tolist() for row in range(len(lists))] == expected
    assert lists.lengths.tolist() == [len(ids) for ids in expected]


def test_tokens_of_a_file_with_several_record_batches(corpus_folder: Path) -> None:
    corpus = PreparedCorpus(corpus_folder)
    schema = pa.schema([("source", TYPE), ("target", TYPE)])
    with pa.ipc.new_file(corpus_folder / "train.arrow", schema) as writer:
        for rows in (LISTS[:2], LISTS[2:]):
            writer.write_batch(pa.record_batch([pa.array(rows, TYPE), pa.array(rows[::-1], TYPE)], schema=schema))
    pairs = corpus.tokens("train")
    assert [pairs.source[row].tolist() for row in range(len(pairs))] == LISTS
    assert [pairs.target[row].tolist() for row in range(len(pairs))] == [[], [5, 6], [11], [8, 9, 10], [7]]


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_tokens_are_those_of_the_text(tiny_corpus: Path, part: str) -> None:
    corpus = PreparedCorpus(tiny_corpus / "prepared" / "tiny")
    source, target = corpus.tokenizers()
    sources, targets = corpus.text(part)
    pairs = corpus.tokens(part)
    assert len(pairs) == len(sources) == len(targets) > 0
    assert [pairs.source[row].tolist() for row in range(len(pairs))] == source.encode_all(sources)
    assert [pairs.target[row].tolist() for row in range(len(pairs))] == target.encode_all(targets)
    assert pairs.source.values.dtype == np.int32


def test_count_adds_up_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nmt.corpus, "ROWS_PER_CHUNK", 2)
    lists = _token_lists(pa.chunked_array([pa.array(LISTS, TYPE)]))
    assert lists.count(np.array([3, 0, 1, 3, 4], np.uint32)) == 3 + 2 + 0 + 3 + 1
    assert lists.count(np.array([], np.uint32)) == 0


def test_mixture_has_the_order_of_the_manifest(corpus_folder: Path) -> None:
    assert PreparedCorpus(corpus_folder).mixture == {}
    path = corpus_folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["mixture"] = [{"name": "web", "pairs": 40}, {"name": "news", "pairs": 20}]
    path.write_text(json.dumps(manifest))
    assert list(PreparedCorpus(corpus_folder).mixture.items()) == [("web", 40), ("news", 20)]


def test_a_corpus_without_the_key_is_no_mixture(corpus_folder: Path) -> None:
    path = corpus_folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["mixture"]
    path.write_text(json.dumps(manifest))
    assert PreparedCorpus(corpus_folder).mixture == {}


def test_missing_corpus(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: expected a prepared corpus, found no manifest\.json; run nmt"):
        PreparedCorpus(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {}}'])
def test_manifest_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json: expected a manifest in JSON .*run nmt prepare again"):
        read_manifest(tmp_path)


def test_foreign_format(corpus_folder: Path) -> None:
    path = corpus_folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(DataError, match="expected corpus format 1, received 99; run nmt prepare again"):
        PreparedCorpus(corpus_folder)


@pytest.mark.parametrize("name", ["train.arrow", "validation.parquet", "source.model"])
def test_damaged_file(corpus_folder: Path, name: str) -> None:
    data = bytearray((corpus_folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (corpus_folder / name).write_bytes(data)
    with pytest.raises(
        CorruptFileError, match=rf"{name}: expected SHA-256 \w+\.\.\., received .*run nmt prepare again"
    ):
        PreparedCorpus(corpus_folder)


def test_missing_file(corpus_folder: Path) -> None:
    (corpus_folder / "test.arrow").unlink()
    with pytest.raises(CorruptFileError, match=r"test\.arrow: No such file or directory; run nmt prepare again"):
        PreparedCorpus(corpus_folder)
