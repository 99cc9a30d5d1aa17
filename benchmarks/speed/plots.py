"""Draws what a comparison measured.

    python benchmarks/speed/plots.py benchmarks/results/speed.json [MORE.json ...] docs/speed.svg

writes one picture: a panel of bars for each task, another for the memory of each, and validation BLEU against minutes
of training where the systems learned. Of several results, the tasks stand side by side, and of a system that has
several figures for a task the last one counts. Where the speed of training was measured in rounds, the minutes are
those that the tokens take at its median: the learning itself is not in turns, and may have met a slower hour.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from contenders import OURS
from install_peers import INSTALLS
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from report import TITLES, UNITS

from nmt.plots.figure import COLOURS, SETTINGS, svg

COLUMNS = 2
MEGABYTE = 1e6
SYSTEMS = (OURS, *INSTALLS)


def main() -> int:
    """Reads, draws and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("results", type=Path, nargs="+", help="what compare.py wrote")
    parser.add_argument("picture", type=Path, help="an SVG file")
    arguments = parser.parse_args()
    results: dict[str, Any] = {"summary": {}, "learned": {}}
    for path in arguments.results:
        read = json.loads(path.read_text(encoding="utf-8"))
        results["learned"].update(read["learned"])
        for task, summary in read["summary"].items():
            results["summary"].setdefault(task, {}).update(summary)
    arguments.picture.write_text(svg(draw(results)) + "\n", encoding="utf-8")
    return 0


def draw(results: dict[str, Any]) -> Figure:
    """A panel for each thing that was measured.

    Args:
        results: as `Report.write` wrote them.
    """
    panels = [(task, quantity) for task in results["summary"] for quantity in ("figure", "peak_memory")]
    panels += [("learn", "bleu")] if results["learned"] else []
    rows = -(-len(panels) // COLUMNS)
    bars = max(map(len, results["summary"].values()), default=0)
    with rc_context(SETTINGS):
        figure = Figure(figsize=(14.0, max(2.4, 0.5 * bars + 0.8) * rows + 0.3), layout="constrained")
        grid = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
        for axes, (task, quantity) in zip(grid, panels, strict=False):
            if task == "learn":
                _draw_learning(axes, results["learned"], results["summary"].get("train", {}))
            else:
                _draw_bars(axes, task, quantity, results["summary"][task])
        for axes in grid[len(panels) :]:
            axes.remove()
    return figure


def _draw_bars(axes: Axes, task: str, quantity: str, summary: dict[str, Any]) -> None:
    """A bar for each contender; of a figure its median, and a line from the least to the greatest."""
    names = list(summary)
    labels = [name.replace(", searched", "\nsearched") for name in names]
    colours = [_colour(name) for name in names]
    if quantity == "figure":
        middle, low, high = zip(*(summary[name]["figure"] for name in names), strict=True)
        below, above = np.subtract(middle, low), np.subtract(high, middle)
        axes.barh(labels, middle, xerr=[below, above], color=colours)
        axes.set_xlabel(UNITS[task])
    else:
        axes.barh(labels, [summary[name]["peak_memory"] / MEGABYTE for name in names], color=colours)
        axes.set_xlabel("peak memory (MB)")
    axes.set_title(TITLES[task] if quantity == "figure" else f"{TITLES[task]}: memory")
    axes.invert_yaxis()  # the first one above


def _draw_learning(axes: Axes, learned: dict[str, Any], trained: dict[str, Any]) -> None:
    """Validation BLEU after each epoch against the minutes of training until then, by the rounds' speed if there is."""
    for name, of in learned.items():
        speed = trained[name]["figure"][0] if name in trained else None
        minutes = [(epoch["tokens"] / speed if speed else epoch["seconds"]) / 60.0 for epoch in of["epochs"]]
        scores = [epoch["bleu"] for epoch in of["epochs"]]
        axes.plot(minutes, scores, marker="o", label=name.rpartition(",")[0], color=_colour(name))
    axes.set_title("Learning")
    axes.set_xlabel("minutes of training, validations left out")
    axes.set_ylabel("validation BLEU, greedy")
    axes.legend()


def _colour(name: str) -> str:
    """One for each system, whatever its precision and batch."""
    return COLOURS[SYSTEMS.index(name.partition(",")[0])]


if __name__ == "__main__":
    sys.exit(main())
