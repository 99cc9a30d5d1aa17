"""From the rounds' figures to medians, ratios and tables. Knows no system and reads no file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple


class Range(NamedTuple):
    """Median, least and greatest of several figures."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def range_of(values: Sequence[float]) -> Range:
    """Of at least one figure.

    Raises:
        ValueError: there is none.
    """
    if not values:
        raise ValueError("expected figures of at least one round, received none")
    return Range(statistics.median(values), min(values), max(values))


def ratios(ours: Sequence[float], theirs: Sequence[float], less_is_better: bool = False) -> Range:
    """How many times better ours is, round by round: what slows a machine down meets both of a pair.

    Raises:
        ValueError: there are not as many figures of one as of the other, or none.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"expected pairs, received {len(ours)} and {len(theirs)} figures")
    pairs = zip(ours, theirs, strict=True)
    return range_of([their / our if less_is_better else our / their for our, their in pairs])


def last_json(text: str) -> dict[str, Any]:
    """The last line that is a JSON object: what a worker answers after all that its libraries said.

    Raises:
        ValueError: there is none.
    """
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                return dict(json.loads(line))
            except ValueError:
                continue
    raise ValueError(f"expected a line of JSON, received {text.strip().rpartition(chr(10))[2]!r}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
