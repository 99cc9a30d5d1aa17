"""What several commands share: the global `--debug`, common arguments and options, and a quiet start of TensorFlow."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nmt.cli.sleeping_threads import let_threads_sleep
from nmt.cli.unused_imports import without_unused_imports
from nmt.errors import NmtError

if TYPE_CHECKING:
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
NBest = Annotated[int | None, typer.Option(min=1, help="Translations of each line to keep; at most the beam size.")]
Ensemble = Annotated[
    list[str] | None,
    typer.Option(
        "--ensemble",
        metavar="RUN",
        help="Let this run folder's model vote too, instead of those of decoding.ensemble; repeatable.",
    ),
]
Samples = Annotated[int | None, typer.Option(min=1, help="Sample so many translations instead of searching the best.")]
SamplingSeed = Annotated[
    int | None, typer.Option("--seed", min=0, help="Seed of the samples: the same seed draws the same ones.")
]
MinimumBayesRisk = Annotated[
    bool | None,
    typer.Option("--mbr", help="Of the samples or the n best, take what is most like the others (chrF)."),
]
DecodingOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="decoding.KEY=VALUE",
        help="Search in another way than the run's configuration says, see docs/configuration.md; repeatable.",
    ),
]
LanguageModelWeight = Annotated[float | None, typer.Option(min=0.0, help="Weight of its vote; 0 searches without it.")]


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
    """Around the first import of TensorFlow and Keras: without what is of no use, without their talk, threads at rest.

    TensorFlow's C++ writes to the file descriptor, so that is where it is caught; what is not chatter is passed on, and
    with `--debug` all of it.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    with without_unused_imports(), nullcontext() if DEBUG.get() else _no_chatter():
        yield
        let_threads_sleep()


@contextmanager
def _no_chatter() -> Iterator[None]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # else it warns of every new shape of a batch
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
