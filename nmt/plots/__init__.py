"""Learning curves of one or several runs: `curves.png`, and `curves.html` that needs neither network nor other files.

`reading` takes a run folder's `metrics.jsonl` and `config.json`, `figure` draws, `page` puts the tables beside it.
Knows neither models nor backends: it imports no Keras, and matplotlib draws without a display.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nmt.files import write_file
from nmt.plots.figure import draw, png, svg
from nmt.plots.page import page
from nmt.plots.reading import read_runs

__all__ = ["plot"]


def plot(folders: Sequence[Path], output: Path, warn: Callable[[str], None]) -> list[Path]:
    """Draws the learning curves of runs.

    Args:
        folders: run folders.
        output: folder of the pictures; created where it is missing.
        warn: called with a line of text for what was left out.

    Returns:
        The files written.

    Raises:
        DataError: a folder is missing or holds no figures.
        CorruptFileError: a line of `metrics.jsonl` is damaged; the last one is left out with a warning instead.
        StorageError: the disk is full or cannot be written.
    """
    runs = read_runs(folders, warn)
    figure = draw(runs)
    files = {output / "curves.png": png(figure), output / "curves.html": page(runs, svg(figure)).encode()}
    for path, data in files.items():
        write_file(path, data)
    return list(files)
