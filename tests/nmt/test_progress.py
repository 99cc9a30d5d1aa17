"""Figures against a clock that a test turns, and the lines of `metrics.jsonl`."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from nmt.errors import StorageError
from nmt.progress import FirstMinute, Meter, MetricsLog, Progress, Round, duration


class Clock:
    """A clock that stands still until somebody turns it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("nmt.progress.time.monotonic", clock)
    return clock


def progress(step: int, epoch: int = 1, **changed: Any) -> Progress:
    values = {"loss": 4.5, "tokens_per_second": 100.0, "learning_rate": 0.001, "gradient_norm": 1.5}
    rest = {"clipped_share": 0.5, "skipped": 0, "seconds_left": 10.0}
    return Progress(step=step, total_steps=100, epoch=epoch, **{**values, **rest, **changed})


def validation(step: int, epoch: int) -> Round:
    return Round(step=step, epoch=epoch, loss=2.0, perplexity=7.4, bleu=20.0, chrf=40.0, is_best=True, seconds=3.0)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_meter_weights_the_loss_by_tokens(clock: Clock) -> None:
    """(1 · 2.0 + 3 · 6.0) / 4 tokens = 5.0; 4 tokens and 2 steps in 8 seconds."""
    meter = Meter()
    meter.add(1, 2.0)
    meter.add(3, 6.0)
    clock.now += 8.0
    assert meter.read() == (5.0, 0.5, 4.0)


def test_meter_begins_anew_after_each_reading(clock: Clock) -> None:
    meter = Meter()
    meter.add(10, 9.0)
    clock.now += 1.0
    meter.read()
    meter.add(6, 2.0)
    clock.now += 3.0
    assert meter.read() == (2.0, 2.0, 3.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_counts_as_work_alone(clock: Clock, bad: float) -> None:
    meter = Meter()
    meter.add(5, bad)
    meter.add(5, 3.0)
    clock.now += 2.0
    assert meter.read() == (3.0, 5.0, 1.0)
    meter.add(5, bad)
    clock.now += 1.0
    assert math.isnan(meter.read()[0])


def test_the_first_minute_is_told_once(clock: Clock) -> None:
    first_minute = FirstMinute()
    told = []
    for _ in range(9):
        told.append(first_minute.read(16.0))
    assert told == [None, None, None, 16.0, None, None, None, None, None]  # 64 seconds over 4 steps


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (59.9, "59 s"),
        (60.0, "1 min 00 s"),
        (200.0, "3 min 20 s"),
        (3_599.9, "59 min 59 s"),
        (3_600.0, "1 h 00 min"),
        (3_900.0, "1 h 05 min"),
        (360_000.0, "100 h 00 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_each_line_has_its_event_and_every_figure(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl", 0, 0)
    log.write("steps", progress(50, loss=4.25))
    log.write("validation", validation(60, 1))
    first, second = lines(tmp_path / "metrics.jsonl")
    assert (first["event"], first["step"], first["loss"]) == ("steps", 50, 4.25)
    assert (second["event"], second["epoch"], second["chrf"], second["is_best"]) == ("validation", 1, 40.0, True)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_figures_that_are_not_finite_are_null(tmp_path: Path, bad: float) -> None:
    MetricsLog(tmp_path / "metrics.jsonl", 0, 0).write("steps", progress(50, loss=bad, gradient_norm=bad))
    (line,) = lines(tmp_path / "metrics.jsonl")
    assert (line["loss"], line["gradient_norm"], line["clipped_share"]) == (None, None, 0.5)


def test_figures_that_there_are_none_of_are_left_out(tmp_path: Path) -> None:
    """A language model has no BLEU; what is not finite is another thing, and stays as null."""
    known: dict[str, Any] = {"step": 60, "epoch": 1, "bits_per_character": 1.5, "is_best": True, "seconds": 3.0}
    result = Round(loss=math.nan, perplexity=math.nan, **known)
    MetricsLog(tmp_path / "metrics.jsonl", 0, 0).write("validation", result)
    (line,) = lines(tmp_path / "metrics.jsonl")
    assert line == {"event": "validation", "loss": None, "perplexity": None, **known}


def test_lines_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    """The checkpoint is of step 60, whose round was not saved: its validation comes again."""
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, 0, 0)
    for event, figures in (
        ("steps", progress(30)),
        ("validation", validation(30, 1)),
        ("steps", progress(60, epoch=2)),
        ("validation", validation(60, 2)),
        ("steps", progress(90, epoch=3)),
    ):
        log.write(event, figures)
    MetricsLog(path, 60, 30)
    assert [(line["event"], line["step"]) for line in lines(path)] == [("steps", 30), ("validation", 30), ("steps", 60)]


@pytest.mark.parametrize(
    "text", ['{"event": "steps", "st', "null", "3", "[]", "{}", '{"step": "1", "epoch": 1}', "\udcff"]
)
def test_what_a_kill_left_is_dropped(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.jsonl"
    MetricsLog(path, 0, 0).write("steps", progress(10))
    whole = path.read_bytes()
    path.write_bytes(whole + text.encode(errors="surrogateescape"))
    MetricsLog(path, 10, 1)
    assert path.read_bytes() == whole


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    log = MetricsLog(tmp_path / "metrics.jsonl", 0, 0)
    monkeypatch.setattr(Path, "open", disk_full)
    with pytest.raises(StorageError, match=r"metrics\.jsonl: cannot be written \(No space left on device\)"):
        log.write("steps", progress(10))
