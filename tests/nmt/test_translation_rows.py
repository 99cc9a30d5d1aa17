"""Translations as rows: one line each, and read back they say the same."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from nmt.cli.translation_rows import Format, line_of_tsv, row_of, rows_of
from nmt.translation.lines import Hypothesis, Translation

BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
EYE = np.eye(3, dtype=np.float32)[[1, 0, 2]]  # the first piece attends to the second of the source, and so on
BEST = Hypothesis("b a", -1.25, -0.5, ("▁b", "▁a"), EYE, ("▁A", "▁B"))
SECOND = Hypothesis("a", -2.0, -0.7512345678, ("▁a",), EYE[:2], ("▁A", "▁B"))
TWO = Translation((BEST, SECOND))
ALONE = Translation((Hypothesis("x", -1.0, -1.0),), cut=True)  # as a SavedModel gives it


def rows(format: Format, number: int, translation: Translation) -> str:
    return rows_of(format)(number, translation)


def test_text_is_the_best_one_alone() -> None:
    assert rows(Format.text, 4, TWO) == "b a\n"


def test_json_has_all_of_the_best_and_the_others() -> None:
    record = json.loads(rows(Format.jsonl, 4, TWO))
    best = {"translation": "b a", "score": -0.5, "log_prob": -1.25, "alignment": "1-0 0-1", "pieces": ["▁b", "▁a"]}
    second = {"translation": "a", "score": -0.751235, "log_prob": -2.0, "alignment": "1-0", "pieces": ["▁a"]}
    assert record == {"line": 5, **best, "cut": False, "n_best": [best, second]}


def test_json_leaves_out_what_nobody_knows() -> None:
    record = json.loads(rows(Format.jsonl, 0, ALONE))
    assert record == {"line": 1, "translation": "x", "score": -1.0, "log_prob": -1.0, "cut": True}


def test_tab_separated_values_have_a_row_for_each_hypothesis() -> None:
    assert rows(Format.tsv, 4, TWO) == (
        "5\t1\t-0.500000\t-1.250000\tb a\t1-0 0-1\t▁b ▁a\n5\t2\t-0.751235\t-2.000000\ta\t1-0\t▁a\n"
    )
    assert rows(Format.tsv, 0, ALONE) == "1\t1\t-1.000000\t-1.000000\tx\t\t\n"


@pytest.mark.parametrize("character", [*BREAKS, "\t", '"', "\\"])
def test_no_character_breaks_a_row(character: str) -> None:
    text = f"a{character}b"
    translation = Translation((Hypothesis(text, -1.0, -1.0, (f"▁a{character}", character, "b")),))
    (line,) = io.StringIO(rows(Format.text, 0, translation), newline=None).readlines()
    assert len(line.splitlines()) == 1
    (record,) = map(json.loads, io.StringIO(rows(Format.jsonl, 0, translation), newline=None))
    assert record["translation"] == text
    table = rows(Format.tsv, 0, translation)
    assert len(table.splitlines()) == 1
    (fields,) = csv.reader(io.StringIO(table, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    expected = text.replace(character, " ") if character in BREAKS + "\t" else text
    assert (len(fields), fields[4]) == (7, expected)


def test_fields_are_cleaned_one_by_one() -> None:
    assert row_of("a\tb", "", "c\r\nd") == "a b\t\tc d\n"


@pytest.mark.parametrize(
    ("row", "line"), [(b"1\t1\tx", 0), (b"2049\t3\t7", 2048), (b"x\t1", -1), (b"", -1), (b"\xd9\xa1\tx", -1)]
)
def test_the_line_of_a_row(row: bytes, line: int) -> None:
    assert line_of_tsv(row, 99) == line
