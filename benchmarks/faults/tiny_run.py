"""A corpus of number words, a model of a few hundred weights, and `nmt` as a process that somebody may kill.

What all scripts of this folder share. The process that imports this module never computes anything with Keras: it
imports everything once and forks, so that a training starts without the seconds that the imports take.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from safetensors.numpy import load_file

from nmt.cli import app
from nmt.cli.settings import quiet_start

with quiet_start():  # before the first fork, and nothing of it computes
    import nmt.terminal
    import nmt.training
    import nmt.translation.lines  # noqa: F401

NAME = "tiny"
CONFIGURATION = f"{NAME}.yaml"
RUN_FOLDER = Path("runs") / NAME
PREPARED_FOLDER = Path("prepared") / NAME
ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GERMAN = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
LINES = ("one two three", "nine", "four four", "zero seven eight", "six five")  # to translate
CLOCK_WORDS = ("seconds", "minutes", "time", "clock")  # in the names of a state's fields: differ from run to run
FORK = multiprocessing.get_context("fork")


def settings(everything: bool = False) -> dict[str, Any]:
    """The configuration: 200 steps in ten rounds, a checkpoint every five steps.

    Args:
        everything: with subword sampling, word dropout, accumulation, averaging and two corpora.
    """
    train = {"train": {"tsv": "train.tsv"}}
    values: dict[str, Any] = {
        "name": NAME,
        "corpus": {**train, "validation": {"tsv": "validation.tsv"}, "test": {"tsv": "test.tsv"}},
        "subword": {"model": "unigram", "vocabulary_size": 44},
        "model": {
            "cell": "gru",
            "embedding_size": 8,
            "encoder_layers": 1,
            "encoder_units": 8,
            "bidirectional": False,
            "decoder_layers": 1,
            "decoder_units": 8,
            "dropout": 0.1,
        },
        "training": {
            "epochs": 10,
            "batch_tokens": 97,  # 20 batches in a round
            "learning_rate": 0.01,
            "warmup_steps": 10,
            "keep_best": "loss",
            "patience": 10,
            "save_every_steps": 5,
            "keep_last": 3,
        },
        "decoding": {"beam_size": 2, "max_length": 12, "batch_size": 8},
    }
    return _with_everything(values) if everything else values


def _with_everything(values: dict[str, Any]) -> dict[str, Any]:
    corpus = {key: value for key, value in values["corpus"].items() if key != "train"}
    corpus["mixture"] = {"first": {"tsv": "first.tsv"}, "second": {"tsv": "second.tsv"}}
    switched_on = {
        "weights": {"first": 1.5, "second": 0.5},
        "subword_sampling": 0.2,
        "source_word_dropout": 0.1,
        "target_word_dropout": 0.1,
        "accumulate_batches": 2,
        "average_decay": 0.99,
        "batch_tokens": 46,  # 39 batches in a round, of which two make a step
    }
    return {**values, "corpus": corpus, "training": {**values["training"], **switched_on}}


def prepare(folder: Path, values: dict[str, Any]) -> None:
    """Writes text and configuration into a folder and runs `nmt prepare` there."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_text(folder)
    write_configuration(folder, values)
    result = run_command(folder, "prepare", CONFIGURATION)
    if result.status:
        raise SystemExit(f"nmt prepare failed in {folder}:\n{result.output}")


def write_configuration(folder: Path, values: dict[str, Any]) -> None:
    """Writes the configuration as `tiny.yaml`; JSON is YAML."""
    (folder / CONFIGURATION).write_text(json.dumps(values, indent=2, ensure_ascii=False), encoding="utf-8")


def _write_text(folder: Path) -> None:
    """Numbers of one to three digits, read digit by digit, no pair twice."""
    numbers = [digits for length in (1, 2, 3) for digits in itertools.product(range(10), repeat=length)]
    short, long = numbers[:10], numbers[10:]
    random.Random(1).shuffle(long)
    train, validation, test = short + long[:270], long[270:278], long[278:286]
    parts = {"train": train, "first": train[:140], "second": train[140:], "validation": validation, "test": test}
    for part, rows in parts.items():
        lines = (f"{' '.join(ENGLISH[i] for i in row)}\t{' '.join(GERMAN[i] for i in row)}\n" for row in rows)
        (folder / f"{part}.tsv").write_text("".join(lines), encoding="utf-8")


def beside(folder: Path, name: str) -> Path:
    """A new working folder with the same configuration and prepared corpus, and without a run."""
    new = folder.parent / name
    new.mkdir()
    (new / "prepared").symlink_to(folder.resolve() / "prepared")
    (new / CONFIGURATION).write_bytes((folder / CONFIGURATION).read_bytes())
    return new


@dataclass(frozen=True)
class Result:
    """How a command ended.

    Attributes:
        status: its exit status, or minus the signal that killed it.
        output: what it wrote to stdout and stderr.
    """

    status: int
    output: str


def start(folder: Path, *arguments: str, before: Callable[[], None] | None = None) -> BaseProcess:
    """Starts `nmt ARGUMENTS` in a folder; its output goes to `output.log` there.

    Args:
        folder: the working folder.
        arguments: of the command line.
        before: called in the new process before the command.
    """
    process = FORK.Process(target=_nmt, args=(folder, arguments, before), daemon=True)
    process.start()
    return process


def run_command(folder: Path, *arguments: str, before: Callable[[], None] | None = None) -> Result:
    """Runs `nmt ARGUMENTS` in a folder to its end; see `start`."""
    process = start(folder, *arguments, before=before)
    process.join()
    return Result(process.exitcode or 0, (folder / "output.log").read_text(encoding="utf-8", errors="replace"))


def train(folder: Path, before: Callable[[], None] | None = None) -> Result:
    """Runs `nmt train` in a folder to its end; see `start`."""
    return run_command(folder, "train", CONFIGURATION, before=before)


def _nmt(folder: Path, arguments: tuple[str, ...], before: Callable[[], None] | None) -> None:
    """What the forked process does: the same as `python -m nmt ARGUMENTS`, with the allocator as it is."""
    os.chdir(folder)
    redirect_output(Path("output.log"))
    if before is not None:
        before()
    app(list(arguments), prog_name="nmt")


def redirect_output(path: Path) -> None:
    """Sends what this process writes to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)


def newest_step(run: Path) -> int:
    """Step of the newest checkpoint; 0 where there is none, -1 where the run folder is not whole yet."""
    try:
        with os.scandir(run / "checkpoints") as entries:
            return max((int(entry.name) for entry in entries if entry.name.isdigit()), default=0)
    except FileNotFoundError:
        return 0 if (run / "run.json").exists() else -1


def checkpoint_folder(run: Path, step: int) -> Path:
    """Folder of a step's checkpoint."""
    return next(path for path in (run / "checkpoints").iterdir() if path.name.isdigit() and int(path.name) == step)


def checksum(run: Path) -> str:
    """SHA-256 over the newest checkpoint: every tensor in its order, and the state without its clocks.

    Tensors count by their position, since the names of dropout seeds are process-wide counters.
    """
    folder = checkpoint_folder(run, newest_step(run))
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(path.name.encode())
        for _, tensor in sorted(load_file(path).items()):
            digest.update(f"{tensor.dtype}{tensor.shape}".encode() + tensor.tobytes())
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    timeless = {key: value for key, value in state.items() if not any(word in key for word in CLOCK_WORDS)}
    digest.update(json.dumps(timeless, sort_keys=True).encode())
    return digest.hexdigest()


def files_of(run: Path) -> set[str]:
    """Every file and folder of a run folder."""
    return {str(path.relative_to(run)) for path in run.rglob("*")}


def arguments_of(documentation: str | None, count: int, what: str) -> argparse.ArgumentParser:
    """The arguments that every script here has.

    Args:
        documentation: the script's docstring; its first line describes the command.
        count: the default of `--count`.
        what: what is counted.
    """
    parser = argparse.ArgumentParser(description=(documentation or "").split("\n")[0])
    parser.add_argument("--folder", type=Path, help="for the runs, which then stay (default: a temporary folder)")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices (default: 1)")
    parser.add_argument("--count", type=int, help=f"{what} (default: {count})")
    return parser


@contextlib.contextmanager
def scratch(folder: Path | None) -> Iterator[Path]:
    """The folder that was asked for, which must be empty, or a temporary one; SIGTERM, too, leaves it in order."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="nmt-faults-") as temporary:
            yield Path(temporary)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder}: expected an empty folder; remove what is in it, or name another with --folder")
    yield folder.resolve()


def print_rows(rows: list[tuple[str, str]]) -> None:
    """Prints a table of two columns."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")
