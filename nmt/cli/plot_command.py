"""`nmt plot`: learning curves of one or several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders, such as runs/quickstart.")],
    output: Annotated[Path | None, typer.Option(help="Folder of the pictures; else the first run's.")] = None,
) -> None:
    """Draw the learning curves of runs into one picture: curves.png and curves.html."""
    from nmt.plots import plot as plot_runs

    for path in plot_runs(runs, output or runs[0], warn=lambda text: typer.echo(f"nmt: warning: {text}", err=True)):
        typer.echo(str(path))
