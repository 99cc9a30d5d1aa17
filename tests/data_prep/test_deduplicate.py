from __future__ import annotations

import ibis

from data_prep.deduplicate import duplicate_conditions
from nmt.config import Filters

ROWS = [
    ("train", 1, "a", "A"),
    ("train", 2, "b", "B"),
    ("train", 3, "a", "A"),
    ("train", 4, "a", "other"),
    ("train", 5, "a", "A"),
    ("train", 6, "c", "C"),
    ("validation", 1, "b", "B"),
    ("test", 1, "c", "not C"),
    ("test", 2, "d", "D"),
    ("test", 3, "d", "D"),
]


def dropped_lines(**filters: bool) -> dict[str, list[int]]:
    """For each stage, the lines of the training part that it drops."""
    rows = ibis.memtable([dict(zip(("corpus", "line", "source", "target"), row, strict=True)) for row in ROWS])
    conditions = duplicate_conditions(rows, Filters(**filters))
    table = rows.mutate(**conditions).filter(rows.corpus == "train").order_by("line")
    found = ibis.duckdb.connect().to_pyarrow(table).to_pylist()
    return {name: [row["line"] for row in found if row[name]] for name in conditions}


def test_the_first_of_equal_pairs_stays() -> None:
    assert dropped_lines()["duplicates"] == [3, 5]


def test_pairs_of_the_validation_and_test_part_are_held_out() -> None:
    assert dropped_lines()["held_out"] == [2]


def test_both_can_be_switched_off() -> None:
    assert list(dropped_lines(duplicates=False)) == ["held_out"]
    assert list(dropped_lines(held_out=False)) == ["duplicates"]
