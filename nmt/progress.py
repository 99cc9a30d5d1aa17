"""What a training says while it runs: figures of the last steps, of each validation, and `metrics.jsonl`.

Knows neither models nor terminals.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from nmt.files import not_written, write_file

FIRST_MINUTE = 60.0  # seconds


@dataclass(frozen=True)
class Progress:
    """Figures of the last steps.

    Attributes:
        step: steps done since the beginning.
        total_steps: of all epochs.
        epoch: the running one, from 1.
        loss: mean training loss a target token since the last report.
        tokens_per_second: target tokens since the last report, padding not counted.
        learning_rate: of the last step.
        gradient_norm: mean global norm of the gradients since the last report, before clipping.
        clipped_share: share of those steps whose gradient was scaled down.
        skipped: steps whose loss or gradient was not finite, since the beginning.
        seconds_left: to the end of all epochs at this speed, validation apart.
    """

    step: int
    total_steps: int
    epoch: int
    loss: float
    tokens_per_second: float
    learning_rate: float
    gradient_norm: float
    clipped_share: float
    skipped: int
    seconds_left: float


@dataclass(frozen=True, kw_only=True)
class Round:
    """A validation after an epoch; None stands for a figure that this kind of model does not have.

    Attributes:
        step: steps done since the beginning.
        epoch: epochs done.
        loss: cross-entropy a target token, natural logarithm, without smoothing.
        perplexity: its exponential.
        bleu: of greedy translations, in percent.
        chrf: likewise.
        bits_per_character: cross-entropy a character of the text, logarithm to the base 2.
        is_best: whether this is the best checkpoint so far.
        seconds: what validation and saving took.
    """

    step: int
    epoch: int
    loss: float
    perplexity: float
    bleu: float | None = None
    chrf: float | None = None
    bits_per_character: float | None = None
    is_best: bool
    seconds: float


class Reporter(Protocol):
    """Where a training says what it does."""

    def start(self, text: str) -> None:
        """Says once what is about to happen."""

    def note(self, text: str) -> None:
        """Says something by the way: a forecast, a damaged checkpoint that was passed over."""

    def steps(self, progress: Progress) -> None:
        """Reports the last steps."""

    def round(self, result: Round) -> None:
        """Reports a validation."""

    def end(self, text: str) -> None:
        """Says how the training ended."""


class Meter:
    """Counts steps, tokens and their loss against the clock between two reports."""

    def __init__(self) -> None:
        self._restart()

    def add(self, tokens: int, loss: float) -> None:
        """Counts one step by its target tokens and its mean loss; a loss that is not finite is left out."""
        self._steps += 1
        self._tokens += tokens
        if math.isfinite(loss):
            self._loss += loss * tokens
            self._tokens_of_loss += tokens

    def read(self) -> tuple[float, float, float]:
        """Mean loss a token, tokens a second and seconds a step since the last reading."""
        seconds = max(1e-9, time.monotonic() - self._started)
        loss = self._loss / self._tokens_of_loss if self._tokens_of_loss else math.nan
        figures = loss, self._tokens / seconds, seconds / max(1, self._steps)
        self._restart()
        return figures

    def _restart(self) -> None:
        self._started, self._steps, self._tokens = time.monotonic(), 0, 0
        self._loss, self._tokens_of_loss = 0.0, 0


class FirstMinute:
    """The speed of a training's first minute, which is told once."""

    def __init__(self) -> None:
        self._seconds, self._steps, self._told = 0.0, 0, False

    def read(self, seconds: float) -> float | None:
        """Counts a step that took so long; the seconds a step once the minute is over, and None at all other times."""
        self._steps += 1
        self._seconds += seconds
        if self._told or self._seconds < FIRST_MINUTE:
            return None
        self._told = True
        return self._seconds / self._steps


class MetricsLog:
    """`metrics.jsonl`: one JSON object a line, each with its step.

    Args:
        path: the file.
        step: steps that the training has done; later lines, left by a run that was killed, are dropped.
        validated_step: step of its last validation, likewise.
    """

    def __init__(self, path: Path, step: int, validated_step: int) -> None:
        self._path = path
        lines = _whole_lines(path)
        kept = [line for line in lines if line["step"] <= (step if _is_step(line) else validated_step)]
        write_file(path, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def write(self, event: str, figures: Progress | Round) -> None:
        """Appends one line, without the figures that there are none of.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        values = {key: _plain(value) for key, value in asdict(figures).items() if value is not None}
        line = json.dumps({"event": event, **values}) + "\n"
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise not_written(self._path, len(line), error) from None


def duration(seconds: float) -> str:
    """Seconds as a person says them: `1 h 05 min`, `3 min 20 s`, `12 s`."""
    minutes = int(seconds) // 60
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {int(seconds) % 60:02} s" if minutes else f"{int(seconds)} s"


def _plain(value: Any) -> Any:
    """JSON knows no numbers that are not finite: null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_step(line: dict[str, Any]) -> bool:
    return line.get("event") == "steps"


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            lines.append(dict(json.loads(text)))
        except (ValueError, TypeError):
            continue  # the last line of a run that was killed
    return [line for line in lines if isinstance(line.get("step"), int) and isinstance(line.get("event"), str)]
