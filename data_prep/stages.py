"""All stages as one Ibis expression: each row labelled with the first stage that drops it and the part it ends in.

Filters first, then duplicates, then the split: what is set aside has been cleaned too, since no file of the user's is
the validation or test set then. Rows of validation and test files pass untouched. (corpus, line) is the key of every
row, and the corpora of a mixture are one training part. Knows nothing of the engine or of tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from data_prep.deduplicate import duplicate_conditions
from data_prep.filters import filter_conditions
from data_prep.split import split_shares, split_side
from nmt.config import CorpusConfig


@dataclass(frozen=True)
class Stage:
    """What one stage left of the training part."""

    name: str
    kept: int
    dropped: int


def labelled(rows: ir.Table, corpus: CorpusConfig) -> ir.Table:
    """Adds `stage`, the first stage that drops the row (or null), and `part`, where it ends (or null)."""
    conditions = _conditions(rows, corpus)
    in_training = rows.origin == "train"
    stage = ibis.cases(*((in_training & dropped, name) for name, dropped in conditions.items()))
    rows = rows.mutate(stage=stage)
    part = ibis.cases(
        (rows.origin != "train", rows.origin),
        (rows.stage.isnull(), split_side(rows.source, corpus)),
    )
    return rows.mutate(part=part).order_by("corpus", "line")


def part_rows(rows: ir.Table, part: str) -> ir.Table:
    """The pairs of one part, corpus by corpus in the order of their lines."""
    return rows.filter(rows.part == part).select("corpus", "line", "source", "target").order_by("corpus", "line")


def stage_counts(rows: ir.Table) -> ir.Table:
    """How many rows of the training part carry each label."""
    return rows.filter(rows.origin == "train").group_by("stage", "part").agg(rows=lambda group: group.count())


def stages_of(labels: list[dict[str, Any]], corpus: CorpusConfig) -> list[Stage]:
    """The stages in their order, from the rows of `stage_counts`; `split` drops what it sets aside."""
    kept = sum(label["rows"] for label in labels)
    stages = [Stage("read", kept, 0)]
    dropped_by = {label["stage"]: label["rows"] for label in labels if label["stage"] is not None}
    set_aside = sum(label["rows"] for label in labels if label["part"] in ("validation", "test"))
    for name in _stage_names(corpus):
        dropped = set_aside if name == "split" else dropped_by.get(name, 0)
        kept -= dropped
        stages.append(Stage(name, kept, dropped))
    return stages


def _conditions(rows: ir.Table, corpus: CorpusConfig) -> dict[str, ir.BooleanValue]:
    return filter_conditions(rows, corpus.filters) | duplicate_conditions(rows, corpus.filters)


def _stage_names(corpus: CorpusConfig) -> list[str]:
    columns = {"origin": "string", "corpus": "int32", "line": "int64", "source": "string", "target": "string"}
    rows = ibis.table(columns, name="rows")
    splits = any(share > 0.0 for share in split_shares(corpus).values())
    return [*_conditions(rows, corpus), *(["split"] if splits else [])]
