"""What several commands share: the global `--debug`, common arguments and options, and a quiet start of TensorFlow."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmt.errors import NmtError

if TYPE_CHECKING:
    from nmt.config import Config, DecodingConfig
    from nmt.terminal import TerminalReporter

DEBUG: ContextVar[bool] = ContextVar("debug", default=False)

# What TensorFlow's C++ writes at import whatever TF_CPP_MIN_LOG_LEVEL says: informational lines and their preamble.
CHATTER = re.compile(rb"I0000 |WARNING: All log messages before absl::InitializeLog")


class Which(StrEnum):
    """A checkpoint of a run folder."""

    best = "best"
    last = "last"


ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="Configuration, such as configs/quickstart.yaml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a value of the configuration; repeatable."),
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, such as runs/quickstart.")]
Checkpoint = Annotated[Which | None, typer.Option(help="Checkpoint of the run folder; best unless told.")]
BeamSize = Annotated[int | None, typer.Option(min=1, help="Hypotheses kept alive; 1 is greedy search.")]
LengthPenalty = Annotated[float | None, typer.Option(min=0.0, help="Exponent of the length penalty.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Lines translated together.")]
LanguageModelRun = Annotated[
    str | None, typer.Option("--language-model", metavar="RUN", help="Let the language model of this run folder vote.")
]
LanguageModelWeight = Annotated[float | None, typer.Option(min=0.0, help="Weight of its vote; 0 searches without it.")]


def decoding_of(config: Config, **changes: float | str | None) -> DecodingConfig:
    """A run's way to search, with what the command line changes; None changes nothing."""
    from nmt.config import parse_config

    values = config.model_dump(mode="json")
    values["decoding"] |= {key: value for key, value in changes.items() if value is not None}
    return parse_config(values, origin="command line").decoding


@contextmanager
def training_reporter() -> Iterator[TerminalReporter]:
    """Shows a training on the terminal; Ctrl-C outside of its steps, or a second signal, becomes one line."""
    from nmt.terminal import TerminalReporter

    try:
        with TerminalReporter() as reporter:
            yield reporter
    except KeyboardInterrupt:
        raise NmtError("interrupted; run the same command again to go on from the last checkpoint") from None


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keeps what TensorFlow writes about itself at its first import off the terminal, unless `--debug` is given.

    Its C++ writes to the file descriptor, so that is where it is caught; what is not chatter is passed on.
    """
    if DEBUG.get() or "tensorflow" in sys.modules:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            caught.seek(0)
            for line in caught:
                if not CHATTER.match(line):
                    os.write(2, line)
