"""The picture: a panel a figure, a line a run. matplotlib's objects without pyplot, so no display is needed."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from nmt.errors import DataError
from nmt.plots.reading import RunLog, Values

Dash = Literal["-", "--", "-.", ":"]

# Okabe & Ito (2008), "Color Universal Design", without the yellow that white paper swallows; with four dashes for seven
# colours, 28 runs look different.
COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00"
DASHES: tuple[Dash, ...] = ("-", "--", "-.", ":")
COLUMNS = 2
LEGEND_COLUMNS = 3
NAME_LENGTH = 40  # characters of a run's name in the legend
SMOOTHED_SHARE = 20  # the running mean is over the twentieth part of a curve
MARKED_POINTS = 30  # so few points are marked
SVG_METADATA = "Creator", "Date", "Format", "Type"  # left out
SETTINGS: dict[Any, Any] = {  # matplotlib's type names all keys there are
    "axes.grid": True,
    "font.size": 9.0,
    "grid.alpha": 0.3,
    "svg.fonttype": "path",
    "svg.hashsalt": "keras-nmt",
}


@dataclass(frozen=True)
class Panel:
    """One figure of all runs.

    Attributes:
        event: of `metrics.jsonl`.
        key: the figure's.
        label: what the vertical axis says, with the unit.
        smoothed: draw a running mean over the pale values.
        factor: what values are multiplied by, for the unit.
        logarithmic: whether the vertical axis is.
    """

    event: str
    key: str
    label: str
    smoothed: bool = False
    factor: float = 1.0
    logarithmic: bool = False

    def curve(self, run: RunLog) -> tuple[Values, Values]:
        """A run's steps and values; empty where none can be drawn."""
        steps, values = run.curve(self.event, self.key)
        if self.logarithmic:
            values = np.where(values > 0.0, values, np.nan)
        known = bool(np.isfinite(values).any())
        return (steps, values * self.factor) if known else (steps[:0], values[:0])


PANELS = (
    Panel("steps", "loss", "training loss (nats a token)", smoothed=True),
    Panel("validation", "loss", "validation loss (nats a token)"),
    Panel("validation", "bleu", "validation BLEU (%)"),
    Panel("validation", "chrf", "validation chrF (%)"),
    Panel("validation", "bits_per_character", "validation bits per character"),
    Panel("steps", "learning_rate", "learning rate"),
    Panel("steps", "tokens_per_second", "speed (target tokens/s)", smoothed=True),
    Panel("steps", "gradient_norm", "gradient norm before clipping", smoothed=True, logarithmic=True),
    Panel("steps", "clipped_share", "clipped steps (%)", smoothed=True, factor=100.0),
)


def draw(runs: Sequence[RunLog]) -> Figure:
    """Draws the panels that any run has figures for.

    Raises:
        DataError: there is none.
    """
    panels = [panel for panel in PANELS if any(panel.curve(run)[0].size for run in runs)]
    if not panels:
        raise DataError(f"{runs[0].name}: expected a finite figure in metrics.jsonl, found none; train on, then draw")
    rows = -(-len(panels) // COLUMNS)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(11.0, 2.6 * rows + 0.6), layout="constrained")
        grid = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
        for axes, panel in zip(grid, panels, strict=False):
            _draw_panel(axes, panel, runs)
        for axes in grid[len(panels) :]:
            axes.remove()
        _add_legend(figure, runs)
    return figure


def png(figure: Figure) -> bytes:
    """The picture's PNG file."""
    return _render(figure, format="png", dpi=130)


def svg(figure: Figure) -> str:
    """The picture as an SVG element, letters as outlines: it looks the same whatever fonts there are."""
    text = _render(figure, format="svg", metadata=dict.fromkeys(SVG_METADATA)).decode()
    return text[text.index("<svg") :]


def colour(index: int) -> str:
    """The colour of the run at this place."""
    return COLOURS[index % len(COLOURS)]


def running_mean(values: Values) -> Values:
    """Mean of the finite values in a window around each place, cut off at the ends; NaN stays where it is."""
    half = len(values) // (2 * SMOOTHED_SHARE)
    known = np.isfinite(values)
    sums, counts = (
        np.concatenate([[0.0], np.cumsum(numbers)]) for numbers in (np.where(known, values, 0.0), known.astype(float))
    )
    places = np.arange(len(values))
    starts, ends = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    means = (sums[ends] - sums[starts]) / np.maximum(counts[ends] - counts[starts], 1.0)
    return np.where(known, means, np.nan)


def _draw_panel(axes: Axes, panel: Panel, runs: Sequence[RunLog]) -> None:
    for index, run in enumerate(runs):
        steps, values = panel.curve(run)
        if panel.smoothed:
            axes.plot(steps, values, color=colour(index), alpha=0.25, linewidth=0.8)
            values = running_mean(values)
        marker = "o" if steps.size <= MARKED_POINTS else None
        axes.plot(steps, values, color=colour(index), linestyle=_dashes(index), marker=marker, markersize=3.0)
    if panel.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.set_ylabel(panel.label)
    axes.set_xlabel("training steps")
    axes.set_xlim(left=0.0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _add_legend(figure: Figure, runs: Sequence[RunLog]) -> None:
    """One legend for all panels, above them."""
    lines = [Line2D([], [], color=colour(index), linestyle=_dashes(index)) for index in range(len(runs))]
    columns = min(LEGEND_COLUMNS, len(runs))
    legend = figure.legend(lines, [str(index) for index in range(len(runs))], loc="outside upper center", ncols=columns)
    for text, run in zip(legend.get_texts(), runs, strict=True):
        text.set_parse_math(False)  # a name is no formula, whatever it holds
        text.set_text(run.name if len(run.name) <= NAME_LENGTH else f"{run.name[: NAME_LENGTH - 1]}…")


def _dashes(index: int) -> Dash:
    return DASHES[index % len(DASHES)]


def _render(figure: Figure, **options: Any) -> bytes:
    file = io.BytesIO()
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box in a name is no harm: the tables have it
        figure.savefig(file, **options)
    return file.getvalue()
