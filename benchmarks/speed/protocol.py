"""What the driver and the systems' workers say to each other: a job as JSON in, figures as a line of JSON out.

Standard library alone, because it is imported in every system's own environment. Knows no system and no corpus.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

STATUS = Path("/proc/self/status")


class Finished(Exception):
    """Everything is measured: raised inside of a training to leave it."""


@dataclass(frozen=True)
class Sizes:
    """The model that every system trains.

    Attributes:
        embedding: units of both embeddings.
        encoder: units of the encoder's LSTM layer, per direction.
        decoder: units of the decoder's LSTM layer.
        vocabulary: pieces of the joint subword model, the special ones included.
    """

    embedding: int = 256
    encoder: int = 256
    decoder: int = 512
    vocabulary: int = 8_000

    def widened(self, factor: int) -> Sizes:
        """The same with so many times the units; the vocabulary stays."""
        return Sizes(self.embedding * factor, self.encoder * factor, self.decoder * factor, self.vocabulary)


@dataclass(frozen=True)
class Recipe:
    """How every system trains it: by Adam at a constant learning rate, clipped at a global norm."""

    dropout: float = 0.2
    label_smoothing: float = 0.1
    learning_rate: float = 0.001
    clip_norm: float = 1.0
    seed: int = 1


class Search(NamedTuple):
    """How this toolkit translates.

    Attributes:
        precision: of the models.
        shortlist: tokens that it searches among; 0: all.
        lookahead: of beam search; 0: the exact stop.
    """

    precision: str = "float32"
    shortlist: int = 0
    lookahead: int = 0

    def __str__(self) -> str:
        shortlist = f" among {self.shortlist:,}" if self.shortlist else ""
        lookahead = f", lookahead {self.lookahead}" if self.lookahead else ""
        return f"searched in {self.precision}{shortlist}{lookahead}"


@dataclass(frozen=True)
class Job:
    """What a worker is asked to do.

    Attributes:
        task: `train` measures steps, `learn` trains and keeps the model, `translate` and `latency` ask it.
        corpus: folder that `corpus.py` wrote.
        fingerprint: of what stands there.
        folder: where the model is kept.
        scratch: an empty folder for what nobody needs afterwards.
        output: where hypotheses are written, a line each.
        precision: `float32` or `mixed_bfloat16`, of the training steps.
        sentences: of a batch, in training and in translation.
        beam_size: of `translate`; `latency` is greedy.
        search: how this toolkit translates.
        warm_up_steps: of a training, before anything is counted.
        seconds: of the steps that are counted, at least.
        epochs: of `learn`.
        steps_per_epoch: batches of so many sentences in the training part.
        warm_up_lines: lines that are translated before anything is counted.
        latency_lines: lines whose latency is taken.
        max_length: tokens of a translation, at most.
        length_penalty: exponent of GNMT's length penalty (Wu et al. 2016, eq. 14).
    """

    task: str
    corpus: str
    fingerprint: str
    folder: str
    scratch: str
    output: str
    precision: str = "float32"
    sentences: int = 64
    beam_size: int = 5
    warm_up_steps: int = 10
    seconds: float = 30.0
    epochs: int = 1
    steps_per_epoch: int = 1
    warm_up_lines: int = 256
    latency_lines: int = 50
    max_length: int = 100
    length_penalty: float = 0.6
    search: Search = field(default_factory=Search)
    sizes: Sizes = field(default_factory=Sizes)
    recipe: Recipe = field(default_factory=Recipe)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Undoes `to_json`."""
        values = json.loads(text)
        parts = {
            "sizes": Sizes(**values["sizes"]),
            "recipe": Recipe(**values["recipe"]),
            "search": Search(*values["search"]),
        }
        return cls(**(values | parts))

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self), indent=2)


class Stopwatch:
    """Times the steps of a training from a stamp after the warm-up to the last one.

    A step lasts from the beginning of one to the beginning of the next, so waiting for data counts.

    Args:
        warm_up_steps: steps before the clock starts.
        seconds: after which it may stop.
        clock: in seconds.
    """

    def __init__(
        self, warm_up_steps: int = 0, seconds: float = 0.0, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._warm_up_steps = warm_up_steps
        self._seconds = seconds
        self._clock = clock
        self._excluded = 0.0
        self._stamps: list[tuple[float, int, int]] = []

    def stamp(self, steps: int, tokens: int) -> None:
        """Notes that so many steps on so many target tokens are done since the beginning of the training."""
        self._stamps.append((self._clock() - self._excluded, steps, tokens))

    def exclude_since_last_stamp(self) -> None:
        """Leaves out what was done since the last stamp: a validation, for example."""
        self._excluded = self._clock() - self._stamps[-1][0]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out what is done inside."""
        started = self._clock()
        try:
            yield
        finally:
            self._excluded += self._clock() - started

    @property
    def is_done(self) -> bool:
        """Whether enough was measured."""
        measured = self._measured
        return len(measured) > 1 and measured[-1][0] - measured[0][0] >= self._seconds

    @property
    def so_far(self) -> dict[str, float]:
        """Seconds, steps and tokens from the first stamp on, warm-up included, up to this moment."""
        _, steps, tokens = self._stamps[-1]
        return {"seconds": self._clock() - self._excluded - self._stamps[0][0], "steps": steps, "tokens": tokens}

    def figures(self) -> dict[str, float]:
        """Seconds, steps and target tokens of what was measured.

        Raises:
            ValueError: there are not two stamps after the warm-up, or too few seconds between them.
        """
        measured = self._measured
        if len(measured) < 2:
            raise ValueError(
                f"expected two stamps after {self._warm_up_steps} steps of warm-up, received {len(measured)}; "
                f"train longer"
            )
        (begin, first_step, first_token), (end, last_step, last_token) = measured[0], measured[-1]
        if end - begin < self._seconds:
            raise ValueError(f"expected {self._seconds} seconds of steps, received {end - begin:.1f}; train longer")
        return {"seconds": end - begin, "steps": last_step - first_step, "tokens": last_token - first_token}

    @property
    def _measured(self) -> list[tuple[float, int, int]]:
        return [stamp for stamp in self._stamps if stamp[1] >= self._warm_up_steps]


def read_lines(path: Path) -> list[str]:
    """The lines of a file, split at newlines alone."""
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def write_lines(path: Path, lines: list[str]) -> None:
    """One line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def spread(lines: list[str], count: int) -> list[str]:
    """So many lines from everywhere in the text, so that all lengths occur."""
    return lines[:: max(1, len(lines) // max(1, count))][:count]


def times_of(call: Callable[[str], object], lines: list[str], warm_up: int = 10) -> list[float]:
    """Seconds that a call takes for each line, after some that are not counted."""
    for line in lines[:warm_up]:
        call(line)
    seconds = []
    for line in lines:
        started = time.perf_counter()
        call(line)
        seconds.append(time.perf_counter() - started)
    return seconds


def peak_memory() -> int:
    """The most memory that this process had at any moment (VmHWM of Linux), in bytes."""
    found = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())
    if found is None:
        raise OSError(f"{STATUS}: expected a line VmHWM, found none")
    return int(found[1]) * 1024


def work(tasks: dict[str, Callable[[Job], dict[str, Any]]], packages: tuple[str, ...]) -> None:
    """Does the job that the command line names and prints its figures as the last line.

    Args:
        tasks: what does each kind of job and returns its figures.
        packages: whose versions belong to the figures.
    """
    job = Job.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    figures = tasks[job.task](job)
    versions = {name: metadata.version(name) for name in packages}
    print("\n" + json.dumps({**figures, "peak_memory": peak_memory(), "versions": versions}), flush=True)
