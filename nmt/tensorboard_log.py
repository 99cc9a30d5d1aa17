"""The curves of a training for TensorBoard: the figures of `metrics.jsonl` as event files, without TensorFlow.

`metrics.jsonl` stays the truth. At its start the log is written anew from it, so a resumed training shows no step twice
in any reader, and a log that was switched on late or damaged is whole again. Knows neither models nor terminals.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nmt.progress import Progress, Round

GROUPS = {"steps": "training", "validation": "validation"}  # event of metrics.jsonl -> first part of a tag
LEFT_OUT = {"event", "step", "total_steps", "is_best"}  # the axis itself, and what makes no curve
EVENT_FILES = "events.out.tfevents."  # the beginning of the names that TensorBoard looks for


class TensorBoardLog:
    """Event files in `tensorboard/` of a run folder.

    A log is no reason to lose a training: where the disk is full or cannot be written, it says so once and is silent
    from then on, also when it is closed. Whatever is missing is written at the next start.

    tensorboardX' `SummaryWriter` is not used: its thread dies of a full disk, and the training would wait for it for
    ever. Its record writer works in this thread, and what was written is on the disk when it returns.

    Args:
        run_folder: holds `metrics.jsonl`, already cut to the step where the training goes on (see `MetricsLog`).
        warn: called once with a line of text, if the log cannot be written.
    """

    def __init__(self, run_folder: Path, warn: Callable[[str], None]) -> None:
        self._folder = run_folder / "tensorboard"
        self._warn = warn
        self._records: Any = None  # tensorboardX has no types
        with self._giving_up():
            self._begin(run_folder / "metrics.jsonl")

    def write(self, event: str, figures: Progress | Round) -> None:
        """Adds the figures of a step, as `MetricsLog.write` does."""
        if self._records is not None:
            with self._giving_up():
                self._add(event, asdict(figures))
                self._records.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._records is not None:
            with self._giving_up():
                self._records.close()
            self._records = None

    def _begin(self, metrics: Path) -> None:
        """Replaces older files by one with the figures so far; a TensorBoard that looks on forgets what it has read."""
        from tensorboardX import RecordWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob(f"{EVENT_FILES}*"):
            path.unlink()
        self._records = RecordWriter(str(self._folder / f"{EVENT_FILES}{time.time_ns()}"))
        self._append(Event(file_version="brain.Event:2"))
        self._append(Event(session_log=SessionLog(status=SessionLog.START)))
        for line in _lines(metrics):
            self._add(line["event"], line)
        self._records.flush()

    def _add(self, event: str, values: Mapping[str, Any]) -> None:
        """Adds one event with a scalar for each figure, such as `training/loss`."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        scalars = [
            Summary.Value(tag=f"{GROUPS.get(event, event)}/{key}", simple_value=value)
            for key, value in values.items()
            if key not in LEFT_OUT and isinstance(value, int | float) and math.isfinite(value)
        ]
        self._append(Event(step=values["step"], summary=Summary(value=scalars)))

    def _append(self, event: Any) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Ends the log at the first error of the disk."""
        try:
            yield
        except OSError as error:
            self._warn(f"{self._folder}: the TensorBoard log ends here ({error.strerror}); the training goes on")
            if self._records is not None:
                with suppress(OSError):  # closing tries to write once more
                    self._records.close()
            self._records = None


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a `metrics.jsonl` that is whole; none where there is no file."""
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)
