"""Check the Korean morphology functions against phrases judged by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.synthetic import korean

TABLE = Path(__file__).parent / "korean_phrases.tsv"
HEADER = ["function", "arguments", "expected"]
FUNCTIONS = {"attach", "sino", "native", "native_modifier", "count", "date", "clock", "price"}
PARTICLES = {"은/는", "이/가", "을/를", "으로/로", "과/와", "이나/나"}


def read_rows() -> list[tuple[str, str, str]]:
    """Read the (function, arguments, expected) rows of the table."""
    header, *lines = TABLE.read_text(encoding="utf-8").splitlines()
    if header.split("\t") != HEADER:
        raise ValueError(f"unexpected header in {TABLE}: {header!r}")
    rows = []
    for line in lines:
        function, arguments, expected = line.split("\t")
        rows.append((function, arguments, expected))
    return rows


def parse_arguments(function: str, arguments: str) -> list[str | int]:
    """Split the arguments; the numeral functions take their digits as integers."""
    parts = arguments.split("|")
    if function == "attach":
        return list(parts)
    return [int(part) if part.isdigit() else part for part in parts]


ROWS = read_rows()


@pytest.mark.parametrize(("function", "arguments", "expected"), ROWS, ids=[row[2] for row in ROWS])
def test_phrase(function: str, arguments: str, expected: str) -> None:
    """Each function yields the phrase a Korean reader expects."""
    assert getattr(korean, function)(*parse_arguments(function, arguments)) == expected


def test_table_is_complete() -> None:
    """The table is large, free of duplicates, and covers every function and particle."""
    assert len(ROWS) >= 200
    calls = [(function, arguments) for function, arguments, _ in ROWS]
    assert len(set(calls)) == len(calls)
    assert {function for function, _, _ in ROWS} == FUNCTIONS
    assert {arguments.split("|")[1] for function, arguments, _ in ROWS if function == "attach"} == PARTICLES


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("attach", ("ABC", "은/는")),
        ("attach", ("학생", "에게")),
        ("native", (0,)),
        ("native", (100,)),
        ("sino", (0,)),
        ("sino", (100_000_000,)),
        ("count", (3, "zzz")),
        ("date", (13, 1)),
        ("date", (2, 30)),
        ("clock", (13, 0)),
        ("clock", (3, 60)),
    ],
)
def test_invalid_arguments(function: str, arguments: tuple[str | int, ...]) -> None:
    """Arguments outside the documented range raise ValueError."""
    with pytest.raises(ValueError):
        getattr(korean, function)(*arguments)
