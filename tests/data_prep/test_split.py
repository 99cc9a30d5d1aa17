from __future__ import annotations

import hashlib

import ibis
import pytest

from data_prep.split import split_shares, split_side
from nmt.config import CorpusConfig, Split, Synthetic, TextFiles

SOURCES = [f"sentence {number}" for number in range(2_000)]


def corpus(validation: float, test: float, test_files: TextFiles | None = None) -> CorpusConfig:
    shares = Split(validation=validation, test=test)
    return CorpusConfig(train=TextFiles(tsv="t"), test=test_files, split=shares)


def sides(sources: list[str], config: CorpusConfig) -> dict[str, str]:
    rows = ibis.memtable({"source": sources})
    table = ibis.duckdb.connect().to_pyarrow(rows.mutate(side=split_side(rows.source, config)))
    return dict(zip(table.column("source").to_pylist(), table.column("side").to_pylist(), strict=True))


def test_a_side_is_read_from_the_hash_alone() -> None:
    found = sides(SOURCES, corpus(0.25, 0.125))
    for source, side in found.items():
        first_byte = hashlib.md5(source.encode()).digest()[0]
        expected = "test" if first_byte < 32 else "validation" if first_byte >= 192 else "train"
        assert side == expected
    counts = {side: list(found.values()).count(side) for side in ("validation", "test")}
    assert counts == {"validation": pytest.approx(500, abs=75), "test": pytest.approx(250, abs=60)}


def test_a_side_does_not_hang_on_the_other_pairs() -> None:
    whole = sides(SOURCES, corpus(0.1, 0.1))
    alone = sides(SOURCES[::-7], corpus(0.1, 0.1))
    assert alone == {source: whole[source] for source in alone}


def test_a_larger_share_takes_from_the_training_part_alone() -> None:
    before, after = sides(SOURCES, corpus(0.1, 0.1)), sides(SOURCES, corpus(0.1, 0.3))
    moves = {(before[source], after[source]) for source in SOURCES if before[source] != after[source]}
    assert moves == {("train", "test")}


def test_a_part_with_files_gets_nothing() -> None:
    config = corpus(0.2, 0.2, TextFiles(tsv="x"))
    assert set(sides(SOURCES, config).values()) == {"train", "validation"}
    assert split_shares(config) == {"validation": 0.2, "test": 0.0}
    assert split_shares(CorpusConfig(synthetic=Synthetic())) == {"validation": 0.0, "test": 0.0}


def test_shares_must_leave_a_training_part() -> None:
    with pytest.raises(ValueError, match=r"expected shares that leave something for training"):
        corpus(0.5, 0.5)
