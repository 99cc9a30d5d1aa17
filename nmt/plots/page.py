"""The page: the picture inside, a table of figures, and a table of the settings in which the runs differ."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from nmt.plots.figure import SMOOTHED_SHARE, colour
from nmt.plots.reading import Line, RunLog, number

NOTHING = "–"
VALIDATION = {
    "step": ("step", ",.0f"),
    "loss": ("loss", ".3f"),
    "perplexity": ("perplexity", ",.2f"),
    "bleu": ("BLEU", ".2f"),
    "chrf": ("chrF", ".2f"),
    "bits_per_character": ("bits per character", ".3f"),
}
# Whatever a name holds, the browser runs nothing and fetches nothing.
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }}
h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
svg {{ width: 100%; height: auto; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 0.25rem 0.9rem; text-align: right; font-variant-numeric: tabular-nums; }}
thead th {{ border-bottom: 2px solid #555; white-space: nowrap; }}
tbody th {{ text-align: left; font-weight: normal; white-space: nowrap; }}
tbody tr:nth-child(even) {{ background: #f3f3f3; }}
i {{ display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.4em; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def page(runs: Sequence[RunLog], picture: str) -> str:
    """The page of a picture, whole in itself.

    Args:
        runs: those that the picture shows, in its order.
        picture: their curves, as an SVG element.
    """
    names = ", ".join(run.name for run in runs)
    note = f"Pale: as logged. Strong: running mean over one {SMOOTHED_SHARE}th of the curve."
    parts = [picture, f"<p>{note}</p>", "<h2>Figures</h2>", _table(runs, _figures(runs))]
    if settings := _differing_settings(runs):
        parts += ["<h2>Settings in which the runs differ</h2>", _table(runs, settings)]
    return PAGE.format(title=escape(f"Learning curves: {names}"), body="\n".join(parts))


def _figures(runs: Sequence[RunLog]) -> dict[str, list[str]]:
    """Final and best figures: name -> a cell a run; without those that no run has."""
    columns = [_figures_of(run) for run in runs]
    rows = {name: [column[name] for column in columns] for name in columns[0]}
    return {name: cells for name, cells in rows.items() if set(cells) != {NOTHING}}


def _figures_of(run: RunLog) -> dict[str, str]:
    best, last, steps = run.best(), run.last("validation"), run.last("steps")
    speeds = run.curve("steps", "tokens_per_second")[1]
    speed = float(np.median(speeds[np.isfinite(speeds)])) if np.isfinite(speeds).any() else math.nan
    return {
        "steps": _cell(steps, "step", ",.0f"),
        "epochs": _cell(last, "epoch", ",.0f"),
        **{f"best checkpoint: {name}": _cell(best, key, form) for key, (name, form) in VALIDATION.items()},
        **{f"last validation: {name}": _cell(last, key, form) for key, (name, form) in VALIDATION.items()},
        "last training loss": _cell(steps, "loss", ".3f"),
        "skipped steps": _cell(steps, "skipped", ",.0f"),
        "target tokens a second, median": NOTHING if math.isnan(speed) else f"{speed:,.0f}",
    }


def _cell(line: Line, key: str, form: str) -> str:
    value = number(line, key)
    return NOTHING if math.isnan(value) else format(value, form)


def _differing_settings(runs: Sequence[RunLog]) -> dict[str, list[str]]:
    """The keys of the configuration with more than one value: key -> a cell a run."""
    known = [run.settings for run in runs if run.settings]
    keys = dict.fromkeys(key for settings in known for key in settings if key != "name")
    differing = [key for key in keys if len({_setting(settings, key) for settings in known}) > 1]
    return {key: [_setting(run.settings, key) for run in runs] for key in differing}


def _setting(settings: Mapping[str, Any], key: str) -> str:
    """A value as the configuration file writes it."""
    if key not in settings:
        return NOTHING
    value = settings[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(runs: Sequence[RunLog], rows: Mapping[str, Sequence[str]]) -> str:
    """A column a run."""
    heads = "".join(
        f'<th><i style="background:{colour(index)}"></i>{escape(run.name)}</th>' for index, run in enumerate(runs)
    )
    body = "\n".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, cells in rows.items()
    )
    table = f"<table>\n<thead><tr><th></th>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    return f'<div class="wide">{table}</div>'
