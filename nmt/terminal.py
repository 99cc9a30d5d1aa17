"""What a person sees while the work runs: one live line on a terminal, plain lines elsewhere, tables of results.

Progress goes to stderr, so that stdout holds results alone. Knows no models.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.table import Table

from nmt.progress import Progress as Figures
from nmt.progress import Round, duration

if TYPE_CHECKING:
    from nmt.evaluation import Report

SECONDS_BETWEEN_LINES = 10.0
BAR_NEEDS_WIDTH = 100
ROUND_FIGURES = {
    "bleu": "BLEU {:.2f}",
    "chrf": "chrF {:.2f}",
    "bits_per_character": "{:.3f} bits per character",
}
SCORES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "ter": "TER ↓",
    "exact_match": "exact match",
    "character_error_rate": "character error rate ↓",
}


class LiveLine:
    """One line that changes, on a terminal; as a context manager it leaves the terminal whole after any error.

    Args:
        console: where to; by default stderr.
        columns: what follows the figures and the bar, after Rich.
    """

    def __init__(self, console: Console | None, *columns: ProgressColumn) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        bar = [BarColumn(bar_width=20)] if self.console.width >= BAR_NEEDS_WIDTH else []
        figures = TextColumn("{task.fields[figures]}", markup=False)
        self._bar = Progress(figures, *bar, *columns, console=self.console, transient=True, redirect_stdout=False)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def say(self, text: str) -> None:
        """Prints a line above the live one."""
        self.console.print(text, markup=False, emoji=False)

    def stop(self) -> None:
        """Removes the live line, if there is one."""
        if self._task is not None:
            self._bar.stop()

    def _show(self, **fields: Any) -> None:
        """Draws the live line, and starts it at the first call."""
        if self._task is None:
            self._task = self._bar.add_task("", **fields)
            self._bar.start()
        else:
            self._bar.update(self._task, **fields)


class TerminalReporter(LiveLine):
    """Reports a training (see `nmt.progress.Reporter`)."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console)
        self._next_line = 0.0

    def start(self, text: str) -> None:
        """Says once what is about to happen."""
        self.say(text)

    def note(self, text: str) -> None:
        """Says something by the way."""
        self.say(text)

    def steps(self, progress: Figures) -> None:
        """Draws the figures of the last steps; where there is no terminal, prints them every ten seconds."""
        figures = _step_line(progress)
        if self.console.is_terminal:
            self._show(figures=figures, completed=progress.step, total=progress.total_steps)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            self.say(figures)

    def round(self, result: Round) -> None:
        """Prints a validation."""
        self.say(_round_line(result))

    def end(self, text: str) -> None:
        """Says how the training ended."""
        self.stop()
        self.say(text)


class LineProgress(LiveLine):
    """Counts translated lines: live on a terminal, elsewhere a plain line every ten seconds.

    Args:
        total: lines in all; None where nobody knows.
        live: draw the count on a terminal; not where the translations go to the same one.
        console: where to; by default stderr.
        done: lines that were done before.
    """

    def __init__(
        self, total: int | None = None, live: bool = True, console: Console | None = None, done: int = 0
    ) -> None:
        super().__init__(console, MofNCompleteColumn())
        self._total, self._live, self._started = total, live, time.monotonic()
        self._before = self._done = done
        self._next_line = self._started + SECONDS_BETWEEN_LINES

    def advance(self, lines: int) -> None:
        """Counts lines."""
        self._done += lines
        now = time.monotonic()
        figures = self._figures(now)
        if not self.console.is_terminal:
            if now >= self._next_line:
                self._next_line = now + SECONDS_BETWEEN_LINES
                total = f"/{self._total:,}" if self._total is not None else ""
                self.say(f"{self._done:,}{total} lines  {figures}")
        elif self._live:
            self._show(figures=figures, completed=self._done, total=self._total)

    def warn(self, text: str) -> None:
        """Prints a warning."""
        self.say(f"nmt: warning: {text}")

    def _figures(self, now: float) -> str:
        """Lines per second, and where the total is known the time that is left."""
        rate = (self._done - self._before) / max(1e-9, now - self._started)
        if self._total is None or not rate:
            return f"{rate:,.0f} lines/s"
        return f"{rate:,.0f} lines/s  {duration((self._total - self._done) / rate)} left"


def report_table(report: Report) -> Group:
    """How the scores were made, and the scores with their signatures."""
    table = Table(f"{report.text.name} ({len(report.hypotheses):,})")
    table.add_column("score", justify="right")
    table.add_column("signature (↓ lower is better)", overflow="fold")
    for key, heading in SCORES.items():
        score = getattr(report.scores, key)
        table.add_row(heading, f"{score.score:.2f}", score.signature or "")
    return Group(report.title, table)


def _step_line(figures: Figures) -> str:
    skipped = f"{figures.skipped:,} skipped  " if figures.skipped else ""
    return (
        f"epoch {figures.epoch:3}  step {figures.step:,}/{figures.total_steps:,}  loss {figures.loss:.3f}  "
        f"{figures.tokens_per_second:,.0f} tokens/s  {skipped}{duration(figures.seconds_left)} left"
    )


def _round_line(result: Round) -> str:
    scores = [text.format(value) for key, text in ROUND_FIGURES.items() if (value := getattr(result, key)) is not None]
    validation = f"validation loss {result.loss:.3f}", f"perplexity {result.perplexity:,.2f}"
    best = ["best so far"] if result.is_best else []
    return "  ".join([f"epoch {result.epoch:3}", f"step {result.step:,}", *validation, *scores, *best])
