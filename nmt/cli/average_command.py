"""`nmt average`: one model out of several checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nmt.cli.settings import RunPath, quiet_start


def average(
    run: RunPath,
    last: Annotated[int | None, typer.Option(min=2, metavar="N", help="Average the N newest checkpoints.")] = None,
    best: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Average the N best; all that are kept unless told.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Run folder to make; RUN-average unless told.")] = None,
) -> None:
    """Average the weights of a run's checkpoints into a new run folder, which often translates better."""
    if last is not None and best is not None:
        raise typer.BadParameter("expected --last or --best; received both")
    with quiet_start():
        from nmt.averaging import average as average_run

    place = run if run.name else run.absolute()  # the current folder has no name to add to
    target = output or place.with_name(f"{place.name}-average")
    typer.echo(str(average_run(run, "last" if last else "best", last or best, target)))
