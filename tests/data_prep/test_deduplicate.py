from __future__ import annotations

import ibis

from data_prep.deduplicate import duplicate_conditions
from nmt.config import Filters

COLUMNS = ("origin", "corpus", "line", "source", "target")
Row = tuple[str, int, int, str, str]
ROWS: list[Row] = [
    ("train", 0, 1, "a", "A"),
    ("train", 0, 2, "b", "B"),
    ("train", 0, 3, "a", "A"),
    ("train", 0, 4, "a", "other"),
    ("train", 0, 5, "a", "A"),
    ("train", 0, 6, "c", "C"),
    ("validation", 1, 1, "b", "B"),
    ("test", 2, 1, "c", "not C"),
    ("test", 2, 2, "d", "D"),
    ("test", 2, 3, "d", "D"),
]
MIXTURE: list[Row] = [
    ("train", 0, 9, "a", "A"),
    ("train", 1, 1, "a", "A"),
    ("train", 1, 2, "b", "B"),
    ("train", 1, 3, "b", "B"),
    ("train", 2, 1, "b", "B"),
    ("train", 2, 2, "c", "C"),
    ("train", 0, 8, "c", "C"),
    ("test", 3, 1, "b", "B"),
]


def dropped_rows(rows: list[Row], **filters: bool) -> dict[str, list[tuple[int, int]]]:
    """For each stage, the (corpus, line) of the rows of the training part that it drops."""
    table = ibis.memtable([dict(zip(COLUMNS, row, strict=True)) for row in rows])
    conditions = duplicate_conditions(table, Filters(**filters))
    table = table.mutate(**conditions).filter(table.origin == "train").order_by("corpus", "line")
    found = ibis.duckdb.connect().to_pyarrow(table).to_pylist()
    return {name: [(row["corpus"], row["line"]) for row in found if row[name]] for name in conditions}


def dropped_lines(**filters: bool) -> dict[str, list[int]]:
    """For each stage, the lines of the training part that it drops."""
    return {name: [line for _, line in places] for name, places in dropped_rows(ROWS, **filters).items()}


def test_the_first_of_equal_pairs_stays() -> None:
    assert dropped_lines()["duplicates"] == [3, 5]


def test_pairs_of_the_validation_and_test_part_are_held_out() -> None:
    assert dropped_lines()["held_out"] == [2]


def test_the_earliest_corpus_of_a_mixture_keeps_the_pair() -> None:
    """Whatever its line: line 9 of the first corpus comes before line 1 of the second."""
    assert dropped_rows(MIXTURE) == {
        "duplicates": [(1, 1), (1, 3), (2, 1), (2, 2)],
        "held_out": [(1, 2), (1, 3), (2, 1)],
    }


def test_both_can_be_switched_off() -> None:
    assert list(dropped_lines(duplicates=False)) == ["held_out"]
    assert list(dropped_lines(held_out=False)) == ["duplicates"]
