from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from data_prep.engine import DuckDBEngine
from data_prep.stages import Stage, labelled, part_rows, stage_counts, stages_of
from nmt.config import CorpusConfig, Filters, Split, TextFiles
from nmt.errors import DataError

FILES: dict[str, Any] = {part: TextFiles(tsv=part) for part in ("train", "validation", "test")}
NUMBERS = {"train": 0, "validation": 1, "test": 2}
ROWS = [
    ("train", 1, "good", "gut"),
    ("train", 2, "tab\tbed", "schlecht"),
    ("train", 3, "", "\0"),  # both empty and a control character: counted once, by the first stage
    ("train", 4, " ", "leer"),
    ("train", 5, "x" * 31, "lang"),
    ("train", 6, "x", "y" * 20),
    ("train", 7, "same", "same"),
    ("train", 8, "good", "gut"),
    ("train", 9, "kept for the test", "für den Test"),
    ("train", 10, "good", "fein"),
    ("validation", 1, "", ""),
    ("validation", 2, "same", "same"),
    ("test", 1, "kept for the test", "für den Test"),
]


def table(rows: list[tuple[str, int, str, str]]) -> pa.Table:
    origins, lines, sources, targets = map(list, zip(*rows, strict=True))
    corpora = pa.array([NUMBERS[origin] for origin in origins], pa.int32())
    return pa.table({"origin": origins, "corpus": corpora, "line": lines, "source": sources, "target": targets})


def run(folder: Path, rows: list[tuple[str, int, str, str]], corpus: CorpusConfig) -> tuple[list[Stage], dict]:
    """Runs the stages over rows; returns the stages and the lines of each part."""
    folder.mkdir(exist_ok=True)
    pyarrow.parquet.write_table(table(rows), folder / "raw.parquet", row_group_size=1_000)
    with DuckDBEngine(folder / "spill") as engine:
        engine.write(labelled(engine.read(folder / "raw.parquet"), corpus), folder / "labelled.parquet")
        labels = engine.read(folder / "labelled.parquet")
        stages = stages_of(engine.rows(stage_counts(labels)), corpus)
        parts = ("train", "validation", "test")
        lines = {part: [row["line"] for row in engine.rows(part_rows(labels, part))] for part in parts}
    return stages, lines


def test_every_stage_is_counted_once(tmp_path: Path) -> None:
    corpus = CorpusConfig(**FILES, filters=Filters(max_characters=30, max_length_ratio=9.0))
    stages, lines = run(tmp_path, ROWS, corpus)
    assert stages == [
        Stage("read", 10, 0),
        Stage("control_characters", 8, 2),
        Stage("empty", 7, 1),
        Stage("max_characters", 6, 1),
        Stage("max_length_ratio", 5, 1),
        Stage("identical", 4, 1),
        Stage("duplicates", 3, 1),
        Stage("held_out", 2, 1),
    ]
    assert lines == {"train": [1, 10], "validation": [1, 2], "test": [1]}


def test_the_split_takes_clean_rows(tmp_path: Path) -> None:
    rows = [("train", line, f"sentence {line}" if line % 2 else "", "x" * 9) for line in range(1, 401)]
    corpus = CorpusConfig(train=TextFiles(tsv="t"), split=Split(validation=0.2, test=0.2))
    stages, lines = run(tmp_path, rows, corpus)
    assert stages[2] == Stage("empty", 200, 200)
    set_aside = len(lines["validation"]) + len(lines["test"])
    assert stages[-1] == Stage("split", 200 - set_aside, set_aside)
    assert sorted(lines["train"] + lines["validation"] + lines["test"]) == list(range(1, 401, 2))
    assert min(len(lines["validation"]), len(lines["test"])) > 20


def test_order_is_that_of_the_lines_for_any_order_of_rows(tmp_path: Path) -> None:
    rows = [("train", line, f"{line % 9_000}", f"number {line % 9_000}") for line in range(1, 30_001)]
    corpus = CorpusConfig(**FILES)
    stages, lines = run(tmp_path / "a", rows, corpus)
    assert stages[-2] == Stage("duplicates", 9_000, 21_000)
    assert lines["train"] == list(range(1, 9_001))
    random.Random(1).shuffle(rows)
    assert run(tmp_path / "b", rows, corpus) == (stages, lines)
    outputs = [(tmp_path / folder / "labelled.parquet") for folder in "ab"]
    assert pyarrow.parquet.read_table(outputs[0]).equals(pyarrow.parquet.read_table(outputs[1]))


def test_a_path_is_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "it's [a] *"
    stages, _ = run(folder, ROWS, CorpusConfig(**FILES))
    assert stages[0] == Stage("read", 10, 0)


def test_what_duckdb_cannot_do_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "raw.parquet").write_bytes(b"no parquet")
    with DuckDBEngine(tmp_path / "spill") as engine, pytest.raises(DataError, match="DuckDB cannot run") as raised:
        engine.read(tmp_path / "raw.parquet")
    assert "\n" not in str(raised.value)
