"""Learning curves: what a log says is what the picture and the page show, gaps and strange names included."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from nmt.config import Config
from nmt.errors import CorruptFileError, DataError
from nmt.files import sealed
from nmt.plots import plot
from nmt.plots.figure import draw, running_mean, svg
from nmt.plots.page import page
from nmt.plots.reading import RunLog, read_runs

ROOT = Path(__file__).parents[2]
PICTURE = "<svg></svg>"
OLD_PANELS = [
    "training loss (nats a token)",
    "validation loss (nats a token)",
    "validation BLEU (%)",
    "learning rate",
    "speed (target tokens/s)",
]


def steps(step: int, **figures: Any) -> dict[str, Any]:
    known = {"total_steps": 100, "epoch": 1, "loss": 2.0, "tokens_per_second": 1000.0, "learning_rate": 0.001}
    return {"event": "steps", "step": step, **known, "seconds_left": 1.0, **figures}


def validation(step: int, **figures: Any) -> dict[str, Any]:
    known = {"epoch": 1, "loss": 1.5, "perplexity": 4.48, "bleu": 30.0, "is_best": True, "seconds": 1.0}
    return {"event": "validation", "step": step, **known, **figures}


OLD_LINES = [steps(50), steps(100, loss=1.0, tokens_per_second=3000.0), validation(100)]


def write_run(folder: Path, lines: list[dict[str, Any]], config: Config | None = None, end: str = "") -> Path:
    folder.mkdir(parents=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + end, encoding="utf-8")
    if config:
        (folder / "config.json").write_bytes(sealed(config.model_dump(mode="json")))
    return folder


def run(*lines: dict[str, Any], name: str = "run") -> RunLog:
    return RunLog(name, lines, {})


def ignore(text: str) -> None:
    """No test of warnings."""


def labels(figure: Figure) -> list[str]:
    return [axes.get_ylabel() for axes in figure.axes]


def test_running_mean_is_cut_off_at_the_ends_and_keeps_gaps() -> None:
    values = np.arange(40.0)  # a twentieth: one neighbour on each side
    values[5] = math.nan
    means = running_mean(values)
    assert means[[0, 10, 39]].tolist() == [0.5, 10.0, 38.5]
    assert means[[4, 6]].tolist() == [3.5, 6.5] and math.isnan(means[5])


def test_a_curve_has_gaps_where_a_figure_is_not_finite() -> None:
    log = run(steps(50, loss=math.nan), steps(100, loss=None), steps(150, loss=1e400), steps(200, loss=3.0))
    at, values = log.curve("steps", "loss")
    assert at.tolist() == [50.0, 100.0, 150.0, 200.0]
    assert np.isnan(values[:3]).all() and values[3] == 3.0


def test_old_logs_have_the_curves_that_they_have_figures_for() -> None:
    assert labels(draw([run(*OLD_LINES)])) == OLD_PANELS
    new = run(steps(50, gradient_norm=0.7, clipped_share=0.25), validation(100, chrf=55.0))
    more = ["validation chrF (%)", "gradient norm before clipping", "clipped steps (%)"]
    assert sorted(labels(draw([run(*OLD_LINES), new]))) == sorted(OLD_PANELS + more)


def test_a_share_is_drawn_in_percent() -> None:
    figure = draw([run(steps(50, clipped_share=0.25), steps(100, clipped_share=0.5))])
    axes = figure.axes[labels(figure).index("clipped steps (%)")]
    assert list(axes.lines[0].get_ydata()) == [25.0, 50.0]


def test_runs_differ_in_colour_and_dashes_and_stand_in_one_legend() -> None:
    names = ["_first", "$second$", "third" * 20]
    figure = draw([run(*OLD_LINES, name=name) for name in names])
    lines = figure.axes[1].lines
    assert len({line.get_color() for line in lines}) == len({line.get_linestyle() for line in lines}) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["_first", "$second$", ("third" * 20)[:39] + "…"]


def test_what_cannot_be_drawn_is_left_out_in_silence() -> None:
    log = run(steps(50, gradient_norm=0.0, loss=math.nan), name="한국어")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw([log])
        svg(figure)
    assert labels(figure) == ["learning rate", "speed (target tokens/s)"]


def test_a_log_without_any_finite_figure_is_refused() -> None:
    with pytest.raises(DataError, match="finite figure"):
        draw([run({"event": "steps", "step": 50, "loss": math.nan})])


def test_files_are_written_and_the_page_needs_nothing_else(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", OLD_LINES)
    picture, html = plot([folder], tmp_path / "new" / "folder", ignore)
    assert picture.read_bytes().startswith(b"\x89PNG") and html.name == "curves.html"
    assert sorted(path.name for path in html.parent.iterdir()) == ["curves.html", "curves.png"]
    text = html.read_text(encoding="utf-8")
    assert set(re.findall(r'https?://[^"\s]*', text)) == {"http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg"}
    assert not re.search(r"<(script|link|img|iframe)|url\((?!#)", text)
    ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])


def test_the_same_log_gives_the_same_picture() -> None:
    runs = [run(validation(100))]
    assert svg(draw(runs)) == svg(draw(runs))


def test_the_page_names_final_and_best_figures() -> None:
    first = run(*OLD_LINES, validation(200, bleu=20.0, loss=1.25, is_best=False, epoch=2), name="first")
    runs = [first, run(steps(50, skipped=3), name="second")]
    text = page(runs, PICTURE)
    for name, cells in {
        "steps": ("100", "50"),
        "epochs": ("2", "–"),
        "best checkpoint: step": ("100", "–"),
        "best checkpoint: BLEU": ("30.00", "–"),
        "last validation: BLEU": ("20.00", "–"),
        "last validation: loss": ("1.250", "–"),
        "last training loss": ("1.000", "2.000"),
        "skipped steps": ("–", "3"),
        "target tokens a second, median": ("2,000", "1,000"),
    }.items():
        assert f"<tr><th>{name}</th><td>{cells[0]}</td><td>{cells[1]}</td></tr>" in text
    assert "chrF" not in text


def test_the_page_names_the_settings_that_differ(tmp_path: Path, tiny_config: Callable[..., Config]) -> None:
    configs = [tiny_config(name="a"), tiny_config(name="b", training={"epochs": 7, "minutes": 1.5})]
    folders = [write_run(tmp_path / config.name, OLD_LINES, config) for config in configs]
    folders.append(write_run(tmp_path / "unknown", OLD_LINES))
    said: list[str] = []
    runs = read_runs(folders, said.append)
    text = page(runs, PICTURE)
    rows = re.findall(r"<tr><th>(\w+\.[\w.]+)</th>(.*?)</tr>", text)
    assert rows == [
        ("training.epochs", "<td>2</td><td>7</td><td>–</td>"),
        ("training.minutes", "<td>–</td><td>1.5</td><td>–</td>"),
    ]
    assert len(said) == 1 and "unknown/config.json: expected a JSON object: " in said[0]


def test_one_run_differs_from_nothing(tmp_path: Path, tiny_config: Callable[..., Config]) -> None:
    runs = read_runs([write_run(tmp_path / "run", OLD_LINES, tiny_config())], ignore)
    assert "differ" not in page(runs, PICTURE)


def test_names_are_text() -> None:
    runs = [run(validation(100), name="<script>alert('1')</script>--><b>")]
    text = page(runs, svg(draw(runs)))
    assert "<script" not in text and "<b>" not in text
    assert text.count("&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;--&gt;&lt;b&gt;") == 3  # title, heading, table


def test_runs_of_one_name_are_told_apart_and_no_run_is_drawn_twice(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / place / "run", OLD_LINES) for place in ("a", "b")]
    runs = read_runs([*folders, folders[0], write_run(tmp_path / "c", OLD_LINES)], ignore)
    assert [log.name for log in runs] == [str(folders[0]), str(folders[1]), "c"]


@pytest.mark.parametrize("line", ['{"event": "steps", "st', "[1, 2]", '{"event": "steps"}', "\udcff\udcfe"])
def test_a_damaged_line_is_refused_unless_it_is_the_last(tmp_path: Path, line: str) -> None:
    said: list[str] = []
    folder = write_run(tmp_path / "run", OLD_LINES)
    path = folder / "metrics.jsonl"
    whole = path.read_bytes()
    damaged = line.encode(errors="surrogateescape")
    path.write_bytes(whole + damaged)
    assert len(read_runs([folder], said.append)[0].lines) == 3
    assert said[0].endswith("metrics.jsonl: line 4, the last one, is damaged and left out")
    path.write_bytes(damaged + b"\n" + whole)
    with pytest.raises(CorruptFileError, match=r"line 1: expected a JSON object with event and step, received"):
        read_runs([folder], said.append)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, message in {"missing": "found nothing", "file": "found a file", "empty": "run nmt train first"}.items():
        with pytest.raises(DataError, match=f"{name}.*{message}"):
            read_runs([tmp_path / name], ignore)
    with pytest.raises(DataError, match="none yet"):
        read_runs([write_run(tmp_path / "begun", [])], ignore)


@pytest.mark.thorough
def test_the_command_prints_the_paths_and_needs_neither_keras_nor_a_display(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", OLD_LINES, end='{"event"')
    show = "print(sorted(set(sys.modules) & {'keras', 'tensorflow', 'matplotlib.pyplot'}))"
    code = f"import atexit, sys, typer; from nmt.cli.plot_command import plot; atexit.register(lambda: {show}); "
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "MPLBACKEND")}
    result = subprocess.run(
        [sys.executable, "-c", f"{code} typer.run(plot)", str(folder)],
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert result.stdout.splitlines() == [str(folder / "curves.png"), str(folder / "curves.html"), "[]"], result.stderr
    assert result.stderr.count("nmt: warning: ") == 2  # the damaged line, and no configuration
