"""Does a training that is killed and run again end with the uninterrupted one's weights, bit for bit?

    python benchmarks/faults/kills.py [--everything] [--count 50] [--seed 1] [--folder FOLDER]

trains a tiny model for 200 steps, once without a disturbance and then 50 times with a SIGKILL at a random moment; half
of the kills aim at a save. Each killed training is run again to its end. Compared are the checksum of the last
checkpoint (model, optimizer, average, state) and the names of all files in the run folder. `--everything` does it 10
times with subword sampling, word dropout, accumulation, averaging and two weighted corpora. Exit status 1 if one run
ends otherwise, leaves litter, or if fewer than 3 of 10 kills fell inside a save.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import statistics
import sys
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import tiny_run
from tiny_run import RUN_FOLDER

SHARE_INSIDE = 0.3  # of the kills must fall inside a save: 15 of 50
SHARE_AIMED = 0.5  # aim at one
ATTEMPTS = 5  # to kill a training before it ends by itself, and inside a save where that was the aim


@dataclass(frozen=True)
class Timeline:
    """What an uninterrupted training did when, as somebody sees it who looks at its folder.

    Attributes:
        checkpoints: (seconds, step) of each new checkpoint, after (seconds, 0) of the new run folder.
        end: seconds at its end.
        save: seconds of a save, in the median.
    """

    checkpoints: list[tuple[float, int]]
    end: float
    save: float

    @property
    def first_step(self) -> float:
        """About when the first step was taken: as long before the first checkpoint as the second came after it."""
        (begin, _), (first, _), (second, _) = self.checkpoints[:3]
        return max(begin, 2 * first - second)


@dataclass(frozen=True)
class Kill:
    """When to kill: `seconds` after the checkpoint of `step`, or after the beginning of the save that follows it."""

    step: int
    seconds: float
    in_save: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a training that was killed and run again.

    Attributes:
        step: of the newest checkpoint when it was killed.
        inside: whether the kill left an unfinished save.
        same: whether it ended with the expected checksum.
        litter: files that only it or only the uninterrupted training has.
        output: what the second start wrote.
    """

    step: int
    inside: bool
    same: bool
    litter: list[str]
    output: str


def main() -> int:
    """Trains, kills, compares and reports."""
    parser = tiny_run.arguments_of(__doc__, 50, "kills; 10 with --everything")
    parser.add_argument("--everything", action="store_true", help="switch on what draws random numbers or adds state")
    arguments = parser.parse_args()
    count = arguments.count or (10 if arguments.everything else 50)
    generator = random.Random(arguments.seed)
    with tiny_run.scratch(arguments.folder) as folder:
        whole = folder / "whole"
        tiny_run.prepare(whole, tiny_run.settings(arguments.everything))
        timeline = watch(whole)
        expected = tiny_run.checksum(whole / RUN_FOLDER)
        steps = timeline.checkpoints[-1][1]
        print(f"{steps} steps, checksum {expected[:16]}, a save takes {1000 * timeline.save:.1f} ms")
        aimed = set(generator.sample(range(count), math.ceil(SHARE_AIMED * count)))
        outcomes = [trial(whole, expected, timeline, generator, number in aimed, number) for number in range(count)]
    return report(outcomes)


def watch(folder: Path) -> Timeline:
    """Runs the uninterrupted training and notes when its checkpoints appear."""
    run, started = folder / RUN_FOLDER, time.monotonic()
    process = tiny_run.start(folder, "train", tiny_run.CONFIGURATION)
    checkpoints: list[tuple[float, int]] = []
    saves: list[float] = []
    save_began: float | None = None
    while process.is_alive():
        now, newest, saving = time.monotonic() - started, tiny_run.newest_step(run), unfinished_save(run)
        if newest >= 0 and (not checkpoints or newest > checkpoints[-1][1]):
            checkpoints.append((now, newest))
        if save_began is not None and not saving:
            saves.append(now - save_began)
        save_began = (save_began or now) if saving else None
        time.sleep(0.0002)
    if process.exitcode or len(checkpoints) < 3 or not saves:
        raise SystemExit(f"the uninterrupted training failed:\n{(folder / 'output.log').read_text()}")
    return Timeline(checkpoints, time.monotonic() - started, statistics.median(saves))


def trial(
    whole: Path, expected: str, timeline: Timeline, generator: random.Random, in_save: bool, number: int
) -> Outcome:
    """Kills one training, runs it again and compares; its folder stays only where something is wrong."""
    folder = tiny_run.beside(whole, f"killed-{number:02d}")
    run = folder / RUN_FOLDER
    for _ in range(ATTEMPTS):
        shutil.rmtree(run, ignore_errors=True)
        killed = strike(folder, draw(timeline, generator, in_save))
        inside = unfinished_save(run) or half_removed(run)
        if killed and (inside or not in_save):
            break
    if not killed:
        raise SystemExit(f"{folder}: the training ended before it could be killed, {ATTEMPTS} times")
    step = tiny_run.newest_step(run)
    result = tiny_run.train(folder)
    same = result.status == 0 and tiny_run.checksum(run) == expected
    litter = sorted(tiny_run.files_of(run) ^ tiny_run.files_of(whole / RUN_FOLDER))
    outcome = Outcome(step, inside, same, litter, result.output)
    if same and not litter:
        shutil.rmtree(folder)
    print(f"kill {number + 1:2} at step {step:3}{' inside a save' if inside else ''}: {describe(outcome)}", flush=True)
    return outcome


def draw(timeline: Timeline, generator: random.Random, in_save: bool) -> Kill:
    """A random moment of the training or of one of its saves.

    It is told by the checkpoint before it, since the start of a process takes longer in one trial than in another.
    """
    if in_save:
        _, step = generator.choice(timeline.checkpoints[:-1])
        return Kill(step, 0.8 * timeline.save * generator.random(), in_save=True)
    moment = generator.uniform(timeline.first_step, timeline.end)
    seconds, step = max(checkpoint for checkpoint in timeline.checkpoints if checkpoint[0] <= moment)
    return Kill(step, moment - seconds, in_save=False)


def strike(folder: Path, kill: Kill) -> bool:
    """Starts a training and kills it; False if it ended before."""
    run = folder / RUN_FOLDER
    process = tiny_run.start(folder, "train", tiny_run.CONFIGURATION)
    while tiny_run.newest_step(run) < kill.step and process.is_alive():
        time.sleep(0.0005)
    if kill.in_save:
        while not unfinished_save(run) and process.is_alive():
            pass  # a save takes milliseconds: nobody sleeps here
    time.sleep(kill.seconds)
    return destroy(process)


def destroy(process: BaseProcess) -> bool:
    """SIGKILL; False if the process had ended before."""
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def unfinished_save(run: Path) -> bool:
    """Whether a checkpoint is being written, or was when its process died."""
    try:
        with os.scandir(run / "checkpoints") as entries:
            return any(entry.name.startswith(".tmp-") for entry in entries)
    except FileNotFoundError:
        return False


def half_removed(run: Path) -> bool:
    """Whether the save died while it removed an older checkpoint."""
    folders = [path for path in run.glob("checkpoints/*") if path.is_dir()]
    return any(path.name.startswith(".old-") or not (path / "SHA256SUMS").exists() for path in folders)


def describe(outcome: Outcome) -> str:
    """One line, or more where something is wrong."""
    faults = []
    if not outcome.same:
        faults.append(f"ended otherwise; its second start wrote:\n{outcome.output}")
    if outcome.litter:
        faults.append(f"files that only one of the two has: {', '.join(outcome.litter)}")
    return "; ".join(faults) or "same checksum, no litter"


def report(outcomes: list[Outcome]) -> int:
    """Prints the counts; the exit status."""
    count, needed = len(outcomes), math.ceil(SHARE_INSIDE * len(outcomes))
    inside, same = sum(outcome.inside for outcome in outcomes), sum(outcome.same for outcome in outcomes)
    clean = sum(not outcome.litter for outcome in outcomes)
    rows = [
        ("kills", str(count)),
        ("  inside a save", f"{inside} (at least {needed} expected)"),
        ("the uninterrupted training's checksum", f"{same} of {count}"),
        ("no litter", f"{clean} of {count}"),
    ]
    tiny_run.print_rows(rows)
    return int(not (same == clean == count and inside >= needed))


if __name__ == "__main__":
    sys.exit(main())
