"""What a training says while it runs: figures of the last steps, of each validation, and `metrics.jsonl`.

Knows neither models nor terminals.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol


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
        seconds_left: to the end of all epochs at this speed, validation apart.
    """

    step: int
    total_steps: int
    epoch: int
    loss: float
    tokens_per_second: float
    learning_rate: float
    seconds_left: float


@dataclass(frozen=True)
class Round:
    """A validation after an epoch.

    Attributes:
        step: steps done since the beginning.
        epoch: the one that ended, from 1.
        loss: cross-entropy a target token, natural logarithm, without smoothing.
        perplexity: its exponential.
        bleu: of greedy translations, in percent.
        is_best: whether this is the best checkpoint so far.
        seconds: what validation and saving took.
    """

    step: int
    epoch: int
    loss: float
    perplexity: float
    bleu: float
    is_best: bool
    seconds: float


class Reporter(Protocol):
    """Where a training says what it does."""

    def start(self, text: str) -> None:
        """Says once what is about to happen."""

    def steps(self, progress: Progress) -> None:
        """Reports the last steps."""

    def round(self, result: Round) -> None:
        """Reports a validation."""

    def end(self, text: str) -> None:
        """Says how the training ended."""


class Meter:
    """Counts steps and tokens against the clock between two reports."""

    def __init__(self) -> None:
        self._restart()

    def add(self, tokens: int) -> None:
        """Counts one step."""
        self._steps += 1
        self._tokens += tokens

    def read(self) -> tuple[float, float]:
        """Tokens a second and seconds a step since the last reading."""
        seconds = max(1e-9, time.monotonic() - self._started)
        rates = self._tokens / seconds, seconds / max(1, self._steps)
        self._restart()
        return rates

    def _restart(self) -> None:
        self._started, self._steps, self._tokens = time.monotonic(), 0, 0


class MetricsLog:
    """`metrics.jsonl`: one JSON object a line, each with its step.

    Args:
        path: the file.
        step: steps that the training has done; later lines, left by a run that was killed, are dropped.
        epochs: epochs that it has validated, likewise.
    """

    def __init__(self, path: Path, step: int, epochs: int) -> None:
        self._path = path
        lines = _whole_lines(path)
        kept = [line for line in lines if line["step"] <= step and (_is_step(line) or line["epoch"] <= epochs)]
        aside = path.with_name(f".tmp-{path.name}")
        aside.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        aside.replace(path)

    def write(self, event: str, figures: Progress | Round) -> None:
        """Appends one line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **asdict(figures)}) + "\n")


def _is_step(line: dict[str, Any]) -> bool:
    return line.get("event") == "steps"


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            lines.append(dict(json.loads(text)))
        except ValueError:
            continue  # the last line of a run that was killed
    return [line for line in lines if isinstance(line.get("step"), int) and isinstance(line.get("epoch"), int)]
