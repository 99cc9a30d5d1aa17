"""Raw files to a prepared corpus: the whole way, stage by stage.

Run again, it does nothing unless a setting, an input or an output has changed, and then it says which. Knows no model.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet

from data_prep.encode import PartCounts, encode_part
from data_prep.engine import DuckDBEngine
from data_prep.manifest import MANIFEST, FileEntries, write_manifest
from data_prep.preparation import Preparation, Report
from data_prep.readers import input_names, named_files, read_corpus
from data_prep.split import split_shares
from data_prep.stages import Stage, labelled, part_rows, stage_counts, stages_of
from data_prep.subword import SIDES, measure_all, train_subwords
from nmt.config import Config, CorpusConfig
from nmt.corpus import PARTS
from nmt.errors import DataError
from nmt.tokenizer import Tokenizer

SMALL_PART = 100  # pairs
CORPUS_FILES = {MANIFEST, *(f"{side}.model" for side in SIDES)} | {
    f"{part}.{ending}" for part in PARTS for ending in ("arrow", "parquet")
}


@dataclass(frozen=True)
class CorpusPreparation(Preparation):
    """A prepared corpus of sentence pairs, and what this call did for it."""

    @property
    def stages(self) -> list[Stage]:
        """What each stage left of the training part, in their order."""
        return [Stage(stage["stage"], stage["kept"], stage["dropped"]) for stage in self.manifest["stages"]]

    @property
    def coverage(self) -> dict[str, dict[str, float]]:
        """Share of the characters that each subword model covers, as `{side: {part: share}}`."""
        return dict(self.manifest["coverage"])


def prepare(config: Config, folder: Path | None = None, report: Report = print) -> CorpusPreparation:
    """Makes the prepared corpus of a configuration, or finds it up to date.

    Args:
        config: says where the text lies and how it is cleaned and cut into subwords.
        folder: where the corpus goes; by default `prepared/NAME`. An older corpus there is replaced once the new one is
            complete, and stays as it is on any error.
        report: called with a line of text for each step.

    Raises:
        DataError: the text cannot be used; the message says what to do.
    """
    return CorpusPreparation.make(config, folder, CORPUS_FILES, partial(_build, config, report), report)


def _build(config: Config, report: Report, building: Path, inputs: FileEntries) -> dict[str, Any]:
    work = building / "work"
    work.mkdir()
    lines = read_corpus(config.corpus, work / "raw.parquet")
    report(f"read {', '.join(f'{count:,} {key}' for key, count in lines.items())} pairs")
    stages, texts = _clean(config.corpus, work)
    report(f"training the {config.subword.model} subword model on {stages[-1].kept:,} pairs")
    tokenizers = train_subwords(texts["train"], config.subword, config.corpus.filters.max_characters)
    for side, tokenizer in zip(SIDES, tokenizers, strict=True):
        (building / f"{side}.model").write_bytes(tokenizer.model)
    coverage = measure_all(tokenizers, texts, config.subword.minimum_coverage)
    report("encoding")
    parts = _encode(texts, building, tokenizers, config.corpus, work)
    stages.append(Stage("max_tokens", parts["train"].pairs, parts["train"].dropped))
    _refuse_empty(stages)
    _warn_of_small_parts(parts, config.corpus, report)
    mixture = _mixture(config.corpus, parts["train"])
    _warn_of_empty_corpora(mixture, report)
    shutil.rmtree(work)
    contents = {
        "inputs": _with_lines(inputs, config.corpus, lines),
        "stages": [{"stage": stage.name, "kept": stage.kept, "dropped": stage.dropped} for stage in stages],
        "vocabulary": {side: tokenizer.size for side, tokenizer in zip(SIDES, tokenizers, strict=True)},
        "coverage": coverage,
        "parts": {part: counts.for_manifest() for part, counts in parts.items()},
        "mixture": mixture,
    }
    return write_manifest(building, config, contents)


def _clean(corpus: CorpusConfig, work: Path) -> tuple[list[Stage], dict[str, Path]]:
    """Runs all stages in one expression; the text of each part goes into a file of its own."""
    texts = {part: work / f"{part}.parquet" for part in PARTS}
    with DuckDBEngine(work / "spill") as engine:
        engine.write(labelled(engine.read(work / "raw.parquet"), corpus), work / "labelled.parquet")
        rows = engine.read(work / "labelled.parquet")
        stages = stages_of(engine.rows(stage_counts(rows)), corpus)
        _refuse_empty(stages)
        for part, path in texts.items():
            engine.write(part_rows(rows, part), path)
            if part != "train":
                _refuse_empty_split(path, part)
    return stages, texts


def _encode(
    texts: dict[str, Path], building: Path, tokenizers: tuple[Tokenizer, Tokenizer], corpus: CorpusConfig, work: Path
) -> dict[str, PartCounts]:
    limits = {"train": corpus.filters.max_tokens}
    return {part: encode_part(texts[part], building / part, tokenizers, limits.get(part), work) for part in PARTS}


def _with_lines(inputs: FileEntries, corpus: CorpusConfig, lines: dict[str, int]) -> FileEntries:
    """Adds the number of lines to each input file; a generator's code has none that matter."""
    entries = {name: dict(entry) for name, entry in inputs.items()}
    for key, files in named_files(corpus).items():
        for name in input_names(files):
            entries[name]["lines"] = lines[key]
    return entries


def _mixture(corpus: CorpusConfig, train: PartCounts) -> list[dict[str, Any]]:
    """The pairs of each corpus of a mixture in the order of the rows; empty where there is none."""
    return [{"name": name, "pairs": train.corpora[number]} for number, name in enumerate(corpus.mixture or ())]


def _refuse_empty(stages: list[Stage]) -> None:
    if stages[-1].kept == 0:
        greediest = max(stages, key=lambda stage: stage.dropped)
        raise DataError(
            f"expected training pairs, but none of {stages[0].kept:,} is left; '{greediest.name}' dropped the most "
            f"({greediest.dropped:,}); check the training files and corpus.filters"
        )


def _refuse_empty_split(text: Path, part: str) -> None:
    if pyarrow.parquet.read_metadata(text).num_rows == 0:
        raise DataError(f"the {part} part has no pairs; raise corpus.split.{part}, or name its files in corpus.{part}")


def _warn_of_small_parts(parts: dict[str, PartCounts], corpus: CorpusConfig, report: Report) -> None:
    """Says where the split left too little to measure with; whoever names files has chosen so."""
    for part, share in split_shares(corpus).items():
        if share > 0.0 and parts[part].pairs < SMALL_PART:
            report(
                f"warning: the {part} part has {parts[part].pairs:,} pairs, fewer than {SMALL_PART}: scores on it will "
                f"be noise; raise corpus.split.{part}, or name its files in corpus.{part}"
            )


def _warn_of_empty_corpora(mixture: list[dict[str, Any]], report: Report) -> None:
    for corpus in mixture:
        if corpus["pairs"] == 0:
            report(
                f"warning: corpus.mixture.{corpus['name']}: no pair is left; see corpus.filters, and whether an "
                f"earlier corpus holds the same pairs"
            )
