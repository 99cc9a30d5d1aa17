"""What a training wrote down: the figures of `metrics.jsonl` and the settings of `config.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmt.config import parse_config, parse_language_model_config
from nmt.errors import ConfigError, CorruptFileError, DataError
from nmt.files import unsealed

EVENTS = "steps", "validation"
EXCERPT = 60  # characters of a damaged line that the error shows

Line = Mapping[str, Any]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class RunLog:
    """The figures of one run.

    Attributes:
        name: tells it from the other runs of the picture.
        lines: the objects of `metrics.jsonl`, in their order.
        settings: the resolved configuration, by keys such as `model.cell`, without those that are null; empty where
            it cannot be read.
    """

    name: str
    lines: Sequence[Line]
    settings: Mapping[str, Any]

    def curve(self, event: str, key: str) -> tuple[Values, Values]:
        """Steps and values of a figure; both empty where it was not logged, NaN where it is not a finite number."""
        lines = [line for line in self.lines if line["event"] == event and key in line]
        steps, values = ([number(line, name) for line in lines] for name in ("step", key))
        return np.array(steps, np.float64), np.array(values, np.float64)

    def last(self, event: str) -> Line:
        """The last line of an event; empty where there is none."""
        return next((line for line in reversed(self.lines) if line["event"] == event), {})

    def best(self) -> Line:
        """The validation of the best checkpoint; empty before the first one."""
        return next((line for line in reversed(self.lines) if line.get("is_best") is True), {})


def number(line: Line, key: str) -> float:
    """A figure of a line; NaN where it is missing or not a finite number."""
    try:
        value = float(line.get(key, math.nan))
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return value if math.isfinite(value) else math.nan


def read_runs(folders: Sequence[Path], warn: Callable[[str], None]) -> list[RunLog]:
    """Reads run folders, each one once; those of the same name are told apart by their paths.

    Raises:
        DataError: a folder is missing or holds no figures.
        CorruptFileError: a line of `metrics.jsonl` is damaged and not the last one.
    """
    places = {folder.resolve(): folder for folder in folders}
    names = [place.name for place in places]
    return [
        RunLog(
            name=place.name if names.count(place.name) == 1 else str(folder),
            lines=_read_lines(folder, warn),
            settings=_read_settings(folder / "config.json", warn),
        )
        for place, folder in places.items()
    ]


def _read_lines(folder: Path, warn: Callable[[str], None]) -> list[Line]:
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise DataError(f"{folder}: expected a run folder such as runs/quickstart, found {found}")
    path = folder / "metrics.jsonl"
    if not path.is_file():
        raise DataError(f"{path}: expected the figures of a training, found nothing; run nmt train first")
    lines = []
    texts = path.read_bytes().splitlines()
    for place, text in enumerate(texts, start=1):
        try:
            lines.append(_parse(text))
        except ValueError:
            if place < len(texts):
                raise CorruptFileError(
                    f"{path}: line {place}: expected a JSON object with event and step, received "
                    f"{text[:EXCERPT].decode(errors='replace')!r}; remove the line to draw the others"
                ) from None
            warn(f"{path}: line {place}, the last one, is damaged and left out")
    lines = [line for line in lines if line["event"] in EVENTS]
    if not lines:
        raise DataError(f"{path}: expected the figures of a training, found none yet; wait for its first steps")
    return lines


def _parse(text: bytes) -> Line:
    """One line; ValueError where it is damaged."""
    line = json.loads(text)
    if not isinstance(line, dict) or not isinstance(line.get("event"), str) or math.isnan(number(line, "step")):
        raise ValueError
    return line


def _read_settings(path: Path, warn: Callable[[str], None]) -> dict[str, Any]:
    """The configuration, with the defaults of keys that an older one lacks."""
    try:
        values = unsealed(path)
        parse = parse_language_model_config if "text" in values else parse_config
        return _flat(parse(values, origin=str(path)).model_dump(mode="json"))
    except (ConfigError, CorruptFileError) as error:
        reason = str(error).partition("\n")[0]
        warn(f"{reason}; the table of settings leaves this run out")
        return {}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[f"{prefix}{key}"] = value
    return flat
