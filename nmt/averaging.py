"""The mean of several checkpoints' weights, as a run folder of its own.

Averaged weights often translate better than each of those that went in (checkpoint averaging: Vaswani et al. 2017,
section 6.1; over a longer stretch of training: Izmailov et al. 2018). Knows no corpus and no optimizer: nobody can
train on, but a new training may start from the average.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from keras import ops

from nmt.checkpoints import SEED_SUFFIX, TrainingState, load_weights
from nmt.errors import DataError
from nmt.files import ASIDE, flush, json_bytes, write_file
from nmt.run_folder import RunFolder
from nmt.seq2seq import Seq2Seq
from nmt.translation_table import TABLE_FILE

OTHER_WAY = {"best": "the newest ones with --last", "last": "the best ones with --best"}
KEEPING_KEY = {"best": "training.keep_best_checkpoints", "last": "training.keep_last"}


def average(run: Path, which: Literal["best", "last"], count: int | None, target: Path) -> Path:
    """Averages the weights of checkpoints into a new run folder, which translates, is scored and exports like any.

    Args:
        run: the run folder.
        which: its `best` or its `last` checkpoints.
        count: how many of them, at least 2; None takes all that are there.
        target: the folder to make; it appears when it is whole. Its `average.json` says what it was made of.

    Returns:
        The target.

    Raises:
        DataError: there is no such run, it has too few checkpoints, or the target is not empty.
        CorruptFileError: a checkpoint does not match its checksums.
        StorageError: the disk is full or cannot be written.
    """
    origin = RunFolder(run)
    steps = choose_steps(origin, which, count)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise DataError(f"{target}: expected a new or an empty folder, found files; remove it or name another place")
    aside = target.with_name(f"{ASIDE}{target.name}")
    shutil.rmtree(aside, ignore_errors=True)  # left by a kill
    try:
        _write(origin, which, steps, aside)
        aside.replace(target)
        flush(target.parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def choose_steps(run: RunFolder, which: Literal["best", "last"], count: int | None) -> list[int]:
    """Steps of the checkpoints to average, oldest first.

    Raises:
        DataError: the folder is no run folder, or there are fewer than `count` or than two.
    """
    run.config()  # says so where there is no run
    there = run.best_steps() if which == "best" else run.steps()[::-1]
    chosen, expected = there[:count], max(2, count or 2)  # the mean of one is that one
    if len(chosen) < expected:
        raise DataError(
            f"{run.folder}: expected {expected} {which} checkpoints to average, found {len(chosen)}; average "
            f"{OTHER_WAY[which]}, or train with {KEEPING_KEY[which]}: {expected} or more"
        )
    return sorted(chosen)


def mean_weights(run: RunFolder, steps: Sequence[int]) -> Seq2Seq:
    """A float32 model with the mean of checkpoints' weights, the moving averages where there are any.

    The sums are made in float64 and from the oldest on, so that the order of `steps` does not matter. Dropout seeds,
    which nothing reads but a resumed training, are 0: the same checkpoints give the same file.
    """
    source, target = run.tokenizers()
    model = Seq2Seq(run.config().model, source.size, target.size, random_weights=False)
    totals = [np.zeros(variable.shape, np.float64) for variable in model.variables]
    for step in sorted(steps):
        load_weights(run.checkpoint_at(step), model)
        for total, variable in zip(totals, model.variables, strict=True):
            if not variable.path.endswith(SEED_SUFFIX):
                total += ops.convert_to_numpy(variable)
    for total, variable in zip(totals, model.variables, strict=True):
        variable.assign((total / len(steps)).astype(variable.dtype))
    return model


def _write(origin: RunFolder, which: str, steps: Sequence[int], folder: Path) -> None:
    """Writes the new run folder; its one checkpoint bears the newest step."""
    average_run = RunFolder(folder)
    average_run.create(origin.config(), origin.corpus_fingerprint(), origin.tokenizers(), origin.corpus_pairs())
    write_file(folder / "average.json", json_bytes({"run": str(origin.folder), "which": which, "steps": steps}))
    if (table := origin.folder / TABLE_FILE).exists():
        write_file(folder / TABLE_FILE, table.read_bytes())
    average_run.save_weights(mean_weights(origin, steps), TrainingState(step=steps[-1]))
