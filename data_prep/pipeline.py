"""Raw files to a prepared corpus: the whole way, stage by stage.

Run again, it does nothing unless a setting, an input or an output has changed, and then it says which. Knows no model.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet

from data_prep.encode import PartCounts, encode_part
from data_prep.engine import DuckDBEngine
from data_prep.manifest import MANIFEST, FileEntries, changes, describe_inputs, write_manifest
from data_prep.readers import input_names, named_files, read_corpus
from data_prep.replacement import replacing, sweep
from data_prep.split import split_shares
from data_prep.stages import Stage, labelled, part_rows, stage_counts, stages_of
from data_prep.subword import SIDES, measure_all, train_subwords
from nmt.config import Config, CorpusConfig
from nmt.corpus import PARTS, read_manifest
from nmt.errors import DataError
from nmt.tokenizer import Tokenizer

SMALL_PART = 100  # pairs
CORPUS_FILES = {MANIFEST, *(f"{side}.model" for side in SIDES)} | {
    f"{part}.{ending}" for part in PARTS for ending in ("arrow", "parquet")
}


@dataclass(frozen=True)
class Preparation:
    """A prepared corpus, and what this call did for it.

    Attributes:
        folder: where it lies.
        fresh: True where this call wrote it, False where it was up to date.
        changed: why an older corpus was replaced, one reason each; empty where there was none.
        manifest: the content of `manifest.json`.
    """

    folder: Path
    fresh: bool
    changed: list[str]
    manifest: dict[str, Any]

    @property
    def stages(self) -> list[Stage]:
        """What each stage left of the training part, in their order."""
        return [Stage(stage["stage"], stage["kept"], stage["dropped"]) for stage in self.manifest["stages"]]

    @property
    def coverage(self) -> dict[str, dict[str, float]]:
        """Share of the characters that each subword model covers, as `{side: {part: share}}`."""
        return dict(self.manifest["coverage"])

    @property
    def fingerprint(self) -> str:
        """One checksum over settings and files."""
        return str(self.manifest["fingerprint"])


def prepare(config: Config, folder: Path | None = None, report: Callable[[str], None] = print) -> Preparation:
    """Makes the prepared corpus of a configuration, or finds it up to date.

    Args:
        config: says where the text lies and how it is cleaned and cut into subwords.
        folder: where the corpus goes; by default `prepared/NAME`. An older corpus there is replaced once the new one is
            complete, and stays as it is on any error.
        report: called with a line of text for each step.

    Raises:
        DataError: the text cannot be used; the message says what to do.
    """
    place = folder or config.prepared_folder
    try:
        return _prepare(config, place, report)
    except OSError as error:
        raise DataError(f"{place}: cannot be written ({error}); free disk space or choose another folder") from None


def _prepare(config: Config, place: Path, report: Callable[[str], None]) -> Preparation:
    folder = place.resolve()  # where a link stands, the folder behind it is replaced
    sweep(folder)
    _refuse_foreign(folder)
    inputs = describe_inputs(config.corpus)
    exists = folder.is_dir() and any(folder.iterdir())
    changed = changes(folder, config, inputs) if exists else []
    if exists and not changed:
        report(f"{place}: up to date")
        return Preparation(place, False, [], read_manifest(folder))
    for change in changed:
        report(f"changed: {change}")
    with replacing(folder) as building:
        manifest = _build(config, inputs, building, report)
    return Preparation(place, True, changed, manifest)


def _build(config: Config, inputs: FileEntries, building: Path, report: Callable[[str], None]) -> dict[str, Any]:
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


def _refuse_foreign(folder: Path) -> None:
    """Keeps a mistyped folder from being replaced."""
    foreign = sorted({path.name for path in folder.iterdir()} - CORPUS_FILES) if folder.exists() else []
    if foreign:
        raise DataError(
            f"{folder}: expected a prepared corpus or no folder, found '{foreign[0]}' in it; choose another folder or "
            f"move what is there"
        )


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


def _warn_of_small_parts(parts: dict[str, PartCounts], corpus: CorpusConfig, report: Callable[[str], None]) -> None:
    """Says where the split left too little to measure with; whoever names files has chosen so."""
    for part, share in split_shares(corpus).items():
        if share > 0.0 and parts[part].pairs < SMALL_PART:
            report(
                f"warning: the {part} part has {parts[part].pairs:,} pairs, fewer than {SMALL_PART}: scores on it will "
                f"be noise; raise corpus.split.{part}, or name its files in corpus.{part}"
            )


def _warn_of_empty_corpora(mixture: list[dict[str, Any]], report: Callable[[str], None]) -> None:
    for corpus in mixture:
        if corpus["pairs"] == 0:
            report(
                f"warning: corpus.mixture.{corpus['name']}: no pair is left; see corpus.filters, and whether an "
                f"earlier corpus holds the same pairs"
            )
