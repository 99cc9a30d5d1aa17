"""Does a training survive steps whose loss and gradient are not finite, and stop where nothing else comes?

    python benchmarks/faults/nonfinite.py [--count 10] [--seed 1] [--folder FOLDER]

trains a tiny model twice. First with 10 random steps out of 200 made NaN or infinite: the training must reach its end,
count 10 skipped steps in `metrics.jsonl` and have finite weights. Then with 20 such steps in a row: it must stop with
exit status 1 and a line that advises and names a checkpoint; every checkpoint must be finite, and the same command must
go on from there to the end. Exit status 1 if it does otherwise.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tiny_run
from safetensors.numpy import load_file
from tiny_run import RUN_FOLDER

import nmt.training.loop
import nmt.training.steps

STEPS = 200
IN_A_ROW = 20
ADVICE = ("training.learning_rate", "training.clip_norm", "training.precision")


def main() -> int:
    """Trains twice and reports."""
    arguments = tiny_run.arguments_of(__doc__, 10, "steps that are not finite").parse_args()
    count, generator = arguments.count or 10, random.Random(arguments.seed)
    with tiny_run.scratch(arguments.folder) as folder:
        whole = folder / "whole"
        tiny_run.prepare(whole, tiny_run.settings())
        chosen = generator.sample(range(1, STEPS + 1), count)
        begin = generator.randrange(10, STEPS - IN_A_ROW)
        scattered = train_through(tiny_run.beside(whole, "scattered"), chosen)
        stopped = train_to_the_stop(tiny_run.beside(whole, "in-a-row"), range(begin, begin + IN_A_ROW))
    for name, faults in ((f"{count} random steps", scattered), (f"{IN_A_ROW} steps in a row", stopped)):
        print(f"{name}: {'; '.join(faults) or 'as expected'}")
    return int(bool(scattered or stopped))


def train_through(folder: Path, steps: Sequence[int]) -> list[str]:
    """Trains with some steps that are not finite; what is not as it should be."""
    result = tiny_run.train(folder, before=lambda: poison(steps))
    if result.status:
        return [f"expected the training to reach its end, received exit status {result.status}: {result.output}"]
    skipped = skipped_steps(folder / RUN_FOLDER)
    print(f"steps {', '.join(map(str, sorted(steps)))} were not finite: {skipped} counted as skipped")
    faults = [f"expected {len(steps)} skipped steps, received {skipped}"] if skipped != len(steps) else []
    return faults + spoiled_checkpoints(folder / RUN_FOLDER)


def train_to_the_stop(folder: Path, steps: Sequence[int]) -> list[str]:
    """Trains until so many steps in a row stop it, then on without them; what is not as it should be."""
    run, faults = folder / RUN_FOLDER, []
    result = tiny_run.train(folder, before=lambda: poison(steps))
    line = (result.output.splitlines() or [""])[-1]
    print(f"steps {steps[0]} to {steps[-1]} were not finite: exit status {result.status}, {line}")
    if result.status != 1 or not line.startswith("nmt: error:"):
        faults.append(f"expected exit status 1 and a line, received {result.status}: {result.output}")
    if missing := [setting for setting in ADVICE if setting not in line]:
        faults.append(f"expected advice that names {', '.join(missing)}")
    named = re.search(r"\S*/checkpoints/\d+", line)
    if named is None or not (folder / named[0]).is_dir():
        faults.append("expected the name of a checkpoint that is there")
    faults += spoiled_checkpoints(run)
    again = tiny_run.train(folder)
    if again.status:
        faults.append(f"expected the same command to go on, received {again.output}")
    return faults + spoiled_checkpoints(run)


def poison(steps: Sequence[int]) -> None:
    """Makes loss and gradient of some steps, counted from 1, NaN or infinite; called in the process that trains."""
    take_step, arguments = nmt.training.steps.take_step, nmt.training.steps.arguments
    numbers, bad_values = itertools.count(1), itertools.cycle((math.nan, math.inf))
    factor = 1.0

    def poisoned_step(*values: Any, **named: Any) -> float:
        nonlocal factor
        factor = next(bad_values) if next(numbers) in steps else 1.0
        return take_step(*values, **named)

    def poisoned_arguments(batch: Any, weights: np.ndarray) -> Any:
        with np.errstate(invalid="ignore"):  # infinity times the 0 of padding
            return arguments(batch, (weights * factor).astype(np.float32))

    replaced: dict[str, tuple[Any, Callable[..., Any]]] = {
        "take_step": (nmt.training.loop, poisoned_step),
        "arguments": (nmt.training.steps, poisoned_arguments),
    }
    for name, (module, function) in replaced.items():
        setattr(module, name, function)


def skipped_steps(run: Path) -> int:
    """The number of skipped steps that the last line about steps in `metrics.jsonl` has."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return int([line["skipped"] for line in lines if "skipped" in line][-1])


def spoiled_checkpoints(run: Path) -> list[str]:
    """Checkpoints with a value that is not finite."""
    spoiled = []
    for path in sorted(run.glob("checkpoints/*/*.safetensors")):
        tensors = load_file(path)
        if bad := [name for name, tensor in tensors.items() if not np.isfinite(tensor).all()]:
            spoiled.append(f"{path.relative_to(run)}: {bad[0]} is not finite")
    return spoiled


if __name__ == "__main__":
    sys.exit(main())
