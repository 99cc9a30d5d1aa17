"""The command line with a translator that needs no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from typer.testing import CliRunner, Result

from nmt.cli import app
from nmt.errors import DataError
from nmt.translation.lines import Hypothesis, Translation


def nmt(*arguments: str | Path, text: bytes | None = None) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)


@dataclass
class Shouter:
    """Translates into capitals, behind the prefix; cuts after ten bytes; fails at `boom`, is stopped at `stop`."""

    seen: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    max_source_bytes: int = 2**20
    description: dict[str, str] = field(default_factory=lambda: {"model": "shouter"})

    def translate(
        self,
        lines: Iterable[bytes],
        progress: Callable[[int], None] = lambda lines: None,
        prefixes: Iterable[str] | None = None,
        first_line: int = 0,
    ) -> Iterator[Translation]:
        self.numbers.append(first_line)
        for line, prefix in zip(lines, repeat("") if prefixes is None else prefixes, strict=False):
            if line == b"boom":
                raise DataError("it went boom")
            if line == b"stop":
                raise KeyboardInterrupt
            self.seen.append(line)
            progress(1)
            text = prefix + line[:10].decode(errors="replace").upper()
            yield Translation((Hypothesis(text.replace("|", "\n"), -1.0, -0.5),), len(line) > 10)

    def check_prefix(self, number: int, prefix: str) -> None:
        if len(prefix) > 5:
            raise DataError(f"line {number + 1}: expected a shorter prefix")
