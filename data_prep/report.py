"""The table that `nmt prepare` prints. Knows nothing of how a corpus is made."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from data_prep.pipeline import CorpusPreparation
from data_prep.preparation import Preparation
from nmt.corpus import PARTS


def preparation_table(preparation: Preparation) -> Table:
    """What was prepared.

    Of pairs: what each stage kept and dropped, what the parts hold, and what share of the text the subword models
    cover. Of running text: what the parts hold, and what share of the tokens is unknown.
    """
    return _corpus_table(preparation) if isinstance(preparation, CorpusPreparation) else _text_table(preparation)


def _corpus_table(preparation: CorpusPreparation) -> Table:
    tables = Table.grid()
    tables.add_row(_stage_table(preparation))
    if mixture := preparation.manifest.get("mixture"):
        tables.add_row(_mixture_table(mixture))
    tables.add_row(_part_table(preparation))
    return tables


def _text_table(preparation: Preparation) -> Table:
    table = Table("part", title=f"Running text in {preparation.manifest['vocabulary']['text']:,} pieces")
    for heading in ("lines", "characters", "tokens", "unknown"):
        table.add_column(heading, justify="right")
    for part in PARTS:
        counts = preparation.manifest["parts"][part]
        numbers = (f"{counts[key]:,}" for key in ("lines", "characters", "tokens"))
        table.add_row(part, *numbers, f"{counts['unknown'] / counts['tokens']:.2%}")
    return table


def _stage_table(preparation: CorpusPreparation) -> Table:
    table = Table("training part", title="Pairs after each stage")
    table.add_column("kept", justify="right")
    table.add_column("dropped", justify="right")
    for stage in preparation.stages:
        table.add_row(stage.name.replace("_", " "), f"{stage.kept:,}", f"{stage.dropped:,}" if stage.dropped else "-")
    return table


def _mixture_table(mixture: list[dict[str, Any]]) -> Table:
    table = Table("corpus", title="Pairs of each corpus")
    table.add_column("pairs", justify="right")
    table.add_column("share", justify="right")
    total = sum(corpus["pairs"] for corpus in mixture)
    for corpus in mixture:
        table.add_row(corpus["name"], f"{corpus['pairs']:,}", f"{corpus['pairs'] / total:.2%}")
    return table


def _part_table(preparation: CorpusPreparation) -> Table:
    table = Table("part", "side", title="Characters covered by the subword models")
    for heading in ("pairs", "tokens", "pieces", "covered"):
        table.add_column(heading, justify="right")
    for part in PARTS:
        counts = preparation.manifest["parts"][part]
        for side, pieces in preparation.manifest["vocabulary"].items():
            covered = preparation.coverage[side][part]
            table.add_row(
                part, side, f"{counts['pairs']:,}", f"{counts[f'{side}_tokens']:,}", f"{pieces:,}", f"{covered:.2%}"
            )
    return table
