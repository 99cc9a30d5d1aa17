"""The commands that take a configuration or a run folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmt.cli.settings import (
    BatchSize,
    BeamSize,
    Checkpoint,
    ConfigPath,
    DecodingOverrides,
    Ensemble,
    LanguageModelRun,
    LanguageModelWeight,
    LengthPenalty,
    MinimumBayesRisk,
    NBest,
    Overrides,
    RunPath,
    Samples,
    SamplingSeed,
    Which,
    quiet_start,
    training_reporter,
)

if TYPE_CHECKING:
    from data_prep.preparation import Preparation
    from nmt.evaluation import TextPairs


class Split(StrEnum):
    """A part of the prepared corpus."""

    train = "train"
    validation = "validation"
    test = "test"


def prepare(config: ConfigPath, overrides: Overrides = None) -> None:
    """Make the prepared corpus of a configuration, a translation's or a language model's, from its text files."""
    from nmt.config import Config, load_any_config

    settings = load_any_config(config, overrides or ())

    from rich.console import Console

    from data_prep.pipeline import prepare as prepare_corpus
    from data_prep.report import preparation_table
    from data_prep.running_text import prepare_text

    def report(text: str) -> None:
        typer.echo(text, err=True)

    if isinstance(settings, Config):
        preparation: Preparation = prepare_corpus(settings, report=report)
    else:
        preparation = prepare_text(settings, report=report)
    if preparation.fresh:
        Console(highlight=False).print(preparation_table(preparation))
    typer.echo(str(preparation.folder))


def train(config: ConfigPath, overrides: Overrides = None) -> None:
    """Train a model on its prepared corpus; run again, it resumes."""
    from nmt.config import load_config

    settings = load_config(config, overrides or ())
    with quiet_start():
        from nmt.training import train as train_model
    with training_reporter() as reporter:
        run = train_model(settings, reporter)
    typer.echo(str(run.folder))


def evaluate(
    run: RunPath,
    split: Annotated[Split | None, typer.Option(help="Part of the prepared corpus; test unless told.")] = None,
    source: Annotated[Path | None, typer.Option(help="Translate this file instead.")] = None,
    reference: Annotated[
        list[Path] | None, typer.Option(help="Translations of --source, line by line; repeatable: all are right.")
    ] = None,
    checkpoint: Checkpoint = None,
    beam_size: BeamSize = None,
    n_best: NBest = None,
    length_penalty: LengthPenalty = None,
    batch_size: BatchSize = None,
    samples: Samples = None,
    seed: SamplingSeed = None,
    minimum_bayes_risk: MinimumBayesRisk = None,
    ensemble: Ensemble = None,
    language_model: LanguageModelRun = None,
    language_model_weight: LanguageModelWeight = None,
    overrides: DecodingOverrides = None,
) -> None:
    """Score a model: BLEU, chrF, TER, exact match and character error rate; writes RUN/report.json."""
    if split is not None and (source or reference):
        raise typer.BadParameter("expected either --split, or --source and --reference; received both")
    if (source is None) != (not reference):
        raise typer.BadParameter("expected both --source and --reference, or neither; received one of them")
    from nmt.config import changed_decoding

    with quiet_start():
        from nmt.evaluation import evaluate as evaluate_run
        from nmt.evaluation import read_split
        from nmt.run_folder import RunFolder
    from rich.console import Console

    from nmt.terminal import LineProgress, report_table

    folder = RunFolder(run)
    changes = {
        "beam_size": beam_size,
        "n_best": n_best,
        "length_penalty": length_penalty,
        "batch_size": batch_size,
        "samples": samples,
        "seed": seed,
        "minimum_bayes_risk": minimum_bayes_risk,
        "ensemble": ensemble,
        "language_model": language_model,
        "language_model_weight": language_model_weight,
    }
    decoding = changed_decoding(folder.config(), changes, overrides or ())
    text = _read_files(source, reference) if source and reference else read_split(folder, (split or Split.test).value)
    with LineProgress(total=len(text.sources)) as progress:
        report = evaluate_run(run, text, (checkpoint or Which.best).value, decoding, progress.advance)
    Console(highlight=False).print(report_table(report))
    typer.echo(str(report.write(run)))


def _read_files(source: Path, references: list[Path]) -> TextPairs:
    from data_prep.readers import read_parallel
    from nmt.evaluation import TextPairs

    advice = "name an existing text file with --source and --reference"
    pairs = [list(read_parallel(source, reference, advice)) for reference in references]
    files = {"source": str(source), "references": [str(reference) for reference in references]}
    return TextPairs(source.name, [line for line, _ in pairs[0]], [[line for _, line in of] for of in pairs], files)
