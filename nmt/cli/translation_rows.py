"""Translations as rows of text, of JSON or of tab-separated values."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nmt.translation.lines import Hypothesis, Translation

DIGITS = 6  # of scores and log-probabilities


class Format(StrEnum):
    """What `nmt translate` writes."""

    text = "text"
    jsonl = "jsonl"
    tsv = "tsv"


Rows = Callable[[int, "Translation"], str]


def rows_of(format: Format) -> Rows:
    """The function that gives the rows of a line, of its number from 0 and its translation."""
    return {Format.text: _text, Format.jsonl: _json, Format.tsv: _tab_separated}[format]


def line_of_tsv(row: bytes, number: int) -> int:
    """The line of the input, from 0, that a row of tab-separated values belongs to."""
    first = row.partition(b"\t")[0]
    return int(first) - 1 if first.isdigit() else -1


def row_of(*fields: str) -> str:
    """Tab-separated values; a space stands for each tab and line break inside of them."""
    return "\t".join(" ".join(field.replace("\t", " ").splitlines()) for field in fields) + "\n"


def _text(number: int, translation: Translation) -> str:
    """The translation alone."""
    return f"{translation.line}\n"


def _json(number: int, translation: Translation) -> str:
    """One object a line: the chosen hypothesis, and where there are more, all of them under `n_best`."""
    record: dict[str, Any] = {"line": number + 1, **_record(translation.best), "cut": translation.cut}
    if len(translation.hypotheses) > 1:
        record["n_best"] = [_record(hypothesis) for hypothesis in translation.hypotheses]
    return json.dumps(record, ensure_ascii=False) + "\n"


def _record(hypothesis: Hypothesis) -> dict[str, Any]:
    record: dict[str, Any] = {
        "translation": hypothesis.text,
        "score": round(hypothesis.score, DIGITS),
        "log_prob": round(hypothesis.log_prob, DIGITS),
    }
    if hypothesis.attention is not None:
        record["alignment"] = str(hypothesis.alignment)
    if hypothesis.pieces:
        record["pieces"] = list(hypothesis.pieces)
    return record


def _tab_separated(number: int, translation: Translation) -> str:
    """A row a hypothesis: line, rank, score, log-probability, translation, alignment, pieces; both from 1."""
    rows = [
        row_of(
            str(number + 1),
            str(rank),
            f"{hypothesis.score:.{DIGITS}f}",
            f"{hypothesis.log_prob:.{DIGITS}f}",
            hypothesis.text,
            str(hypothesis.alignment),
            " ".join(hypothesis.pieces),
        )
        for rank, hypothesis in enumerate(translation.hypotheses, start=1)
    ]
    return "".join(rows)
