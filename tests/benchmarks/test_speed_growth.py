"""Growth: joined sentences and slopes; and the picture of a comparison."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "speed"))

from corpus import FILES, SIDES
from figures import Range
from growth import join_sentences, rows_of
from plots import draw


def test_sentences_are_joined_pair_by_pair(tmp_path: Path) -> None:
    for stem in FILES.values():
        for language in SIDES.values():
            with gzip.open(tmp_path / f"{stem}.{language}.gz", "wt", encoding="utf-8") as file:
                file.writelines(f"{stem} {language} {i}\n" for i in range(3))
    folder = join_sentences(tmp_path, tmp_path / "joined", 2)
    with gzip.open(folder / "train.de.gz", "rt", encoding="utf-8") as file:
        assert file.read() == "train de 0 train de 1\ntrain de 2\n"
    assert len(list(folder.iterdir())) == 6


def test_the_exponent_is_the_slope_on_logarithmic_axes() -> None:
    """Twice the size and a quarter of the speed: -2; from there twice the size and the same speed: 0."""
    speeds = {1: Range(800.0, 700.0, 900.0), 2: Range(200.0, 200.0, 200.0), 4: Range(200.0, 200.0, 200.0)}
    assert [row[2] for row in rows_of(speeds)] == ["", "-2.00", "0.00"]
    assert rows_of(speeds)[0][:2] == ("1", "800.0 (700.0 to 900.0)")


def test_the_picture_has_a_panel_for_each_figure_its_memory_and_the_learning() -> None:
    systems = {
        name: {"figure": [3.0, 2.0, 5.0], "peak_memory": 2e6}
        for name in ("keras_nmt, float32, 64", "joey_nmt, float32, 64")
    }
    epochs = {
        "epochs": [{"seconds": 90.0, "tokens": 180, "bleu": 10.0}, {"seconds": 180.0, "tokens": 360, "bleu": 20.0}]
    }
    results: dict[str, Any] = {"summary": {"train": systems}, "learned": dict.fromkeys(systems, epochs)}
    panels = {axes.get_title(): axes for axes in draw(results).axes}
    assert list(panels) == ["Training", "Training: memory", "Learning"]
    assert [bar.get_width() for bar in panels["Training"].patches] == [3.0, 3.0]
    assert [bar.get_width() for bar in panels["Training: memory"].patches] == [2.0, 2.0]
    (line, _) = panels["Learning"].lines
    assert [*line.get_xdata(), *line.get_ydata()] == [1.0, 2.0, 10.0, 20.0]  # at three tokens a second
    (line, _) = draw({"summary": {}, "learned": results["learned"]}).axes[0].lines
    assert list(line.get_xdata()) == [1.5, 3.0]  # as they were
    colours = [bar.get_facecolor() for bar in panels["Training"].patches]
    assert colours[0] != colours[1]
