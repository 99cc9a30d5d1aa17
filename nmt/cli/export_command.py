"""`nmt export`: a run folder to a SavedModel, and the check of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nmt.cli.settings import (
    BeamSize,
    Checkpoint,
    DecodingOverrides,
    Ensemble,
    LanguageModelRun,
    LanguageModelWeight,
    LengthPenalty,
    Which,
    quiet_start,
)

NBest = Annotated[
    int | None, typer.Option(min=1, help="Translations that the signature nbest gives; unless told, the whole beam.")
]


def export(
    run: Annotated[Path | None, typer.Argument(metavar="[RUN]", help="Run folder, such as runs/quickstart.")] = None,
    target: Annotated[
        Path | None, typer.Argument(metavar="[TARGET]", help="Where to, such as saved_models/quickstart.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Check an export instead: one version, or the highest of a folder."),
    ] = None,
    checkpoint: Checkpoint = None,
    beam_size: BeamSize = None,
    n_best: NBest = None,
    length_penalty: LengthPenalty = None,
    ensemble: Ensemble = None,
    language_model: LanguageModelRun = None,
    language_model_weight: LanguageModelWeight = None,
    overrides: DecodingOverrides = None,
    ids: Annotated[
        bool, typer.Option("--ids", help="Token ids instead of strings, for a runtime without TF Text.")
    ] = False,
) -> None:
    """Write a SavedModel for TensorFlow Serving, strings in and strings out, under the next version number."""
    asked = (checkpoint, beam_size, n_best, length_penalty, ensemble, language_model, language_model_weight, overrides)
    if check and (ids or any(option is not None for option in asked)):
        raise typer.BadParameter(
            "how an export searches was chosen when it was written; leave out what stands beside --check"
        )
    if (check is None) == (run is None or target is None) or (check and run):
        raise typer.BadParameter("name a run folder and a target, or an export with --check")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # it alone writes a SavedModel; a checkpoint belongs to no backend
    if check is not None:
        with quiet_start():
            from nmt.saved_model.check import check as check_export
        typer.echo(str(check_export(check)))
        return
    assert run is not None and target is not None
    changes = {
        "beam_size": beam_size,
        "n_best": n_best,
        "length_penalty": length_penalty,
        "ensemble": ensemble,
        "language_model": language_model,
        "language_model_weight": language_model_weight,
    }
    with quiet_start():
        from nmt.export import export as export_run
    written = export_run(run, target, (checkpoint or Which.best).value, changes, overrides or (), with_text=not ids)
    typer.echo(str(written))
