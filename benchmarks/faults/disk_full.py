"""What does a training do when the disk is full?

    python benchmarks/faults/disk_full.py [--count 20] [--folder FOLDER]

mounts a small tmpfs as the `runs` folder of a tiny training, at 20 sizes from one that is too small for the run folder
itself to one that misses its fourth checkpoint. Each training must end with exit status 1 and one line that names the
file and the bytes; a checkpoint that was there before must still translate; and with more room the same command must go
on to the uninterrupted training's checksum. Mounting needs root: elsewhere the script says so and ends with exit status
0. Exit status 1 if one size ends otherwise.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tiny_run
from tiny_run import RUN_FOLDER

PAGE = 4_096  # what a tmpfs counts in
ENOUGH = 64 * 2**20
KEPT_CHECKPOINTS = 3  # the save of one more needs room for all of them
SHARE_BEFORE_CHECKPOINTS = 0.3  # of the sizes are too small for the first checkpoint
ERROR_LINE = re.compile(r"^nmt: error: .*\bruns/.*\d[\d,.]* bytes", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What a training did on a disk of one size.

    Attributes:
        size: of the disk, in bytes.
        step: of the newest checkpoint when it failed; 0 where there is none.
        message: its last line.
        faults: what is not as it should be.
    """

    size: int
    step: int
    message: str
    faults: list[str]


def main() -> int:
    """Trains at each size and reports."""
    arguments = tiny_run.arguments_of(__doc__, 20, "sizes").parse_args()
    with tiny_run.scratch(arguments.folder) as folder:
        if reason := why_no_mount(folder):
            print(f"skipped: a tmpfs cannot be mounted here ({reason}); run it as root")
            return 0
        whole = folder / "whole"
        tiny_run.prepare(whole, tiny_run.settings())
        if (result := tiny_run.train(whole)).status:
            raise SystemExit(f"the undisturbed training failed:\n{result.output}")
        outcomes = [trial(whole, size) for size in sizes(whole / RUN_FOLDER, arguments.count or 20)]
    return report(outcomes)


def sizes(run: Path, count: int) -> list[int]:
    """Sizes of disks, from a page to just too small for the save of the fourth checkpoint."""
    checkpoint = pages_of(tiny_run.checkpoint_folder(run, tiny_run.newest_step(run)))
    rest = pages_of(run) - pages_of(run / "checkpoints")
    few = round(SHARE_BEFORE_CHECKPOINTS * count)
    many, room = count - few, KEPT_CHECKPOINTS * checkpoint + checkpoint // 2
    below = [1 + i * (rest - 1) // max(1, few) for i in range(few)]
    return [PAGE * pages for pages in below + [rest + i * room // max(1, many - 1) for i in range(many)]]


def pages_of(folder: Path) -> int:
    """Pages that the files of a folder fill."""
    return sum(-(-path.stat().st_size // PAGE) for path in folder.rglob("*") if path.is_file())


def trial(whole: Path, size: int) -> Outcome:
    """Trains on a disk of one size until it is full, translates, and goes on with more room."""
    folder = tiny_run.beside(whole, f"disk-{size}")
    run = folder / RUN_FOLDER
    with mounted(folder / "runs", size):
        result = tiny_run.train(folder)
        step = max(0, tiny_run.newest_step(run))
        faults = faults_of(result)
        if step:
            (folder / "lines.txt").write_text("\n".join(tiny_run.LINES) + "\n", encoding="utf-8")
            faults += faults_of_translation(folder, tiny_run.run_command(folder, *translate_command(folder)))
        mount("remount", folder / "runs", ENOUGH)
        again = tiny_run.train(folder)
        if again.status or tiny_run.checksum(run) != tiny_run.checksum(whole / RUN_FOLDER):
            faults.append(f"with more room it does not end as it should: {again.output}")
    message = (result.output.splitlines() or ["nothing"])[-1]
    print(f"{size:9,} bytes, checkpoint {step or 'none':>4}: {'; '.join(faults) or message}", flush=True)
    return Outcome(size, step, message, faults)


def faults_of(result: tiny_run.Result) -> list[str]:
    """What is wrong with the end of a training that ran out of disk."""
    errors = [line for line in result.output.splitlines() if line.startswith("nmt: error:")]
    faults = []
    if result.status != 1:
        faults.append(f"expected exit status 1, received {result.status}")
    if len(errors) != 1 or "Traceback" in result.output or not result.output.endswith(f"{errors[0]}\n"):
        faults.append(f"expected one line of error at the end, received:\n{result.output}")
    elif not ERROR_LINE.match(errors[0]):
        faults.append(f"expected the file and the bytes, received: {errors[0]}")
    return faults


def translate_command(folder: Path) -> list[str]:
    """Translates from the newest checkpoint, into a file outside the full disk."""
    files = ("--input", str(folder / "lines.txt"), "--output", str(folder / "translations.txt"))
    return ["translate", str(RUN_FOLDER), "--checkpoint", "last", *files]


def faults_of_translation(folder: Path, result: tiny_run.Result) -> list[str]:
    """What is wrong with the translations from the checkpoint before."""
    if result.status:
        return [f"the checkpoint before does not translate: {result.output}"]
    received = len((folder / "translations.txt").read_text(encoding="utf-8").splitlines())
    expected = len(tiny_run.LINES)
    return [] if received == expected else [f"expected {expected} translations, received {received}"]


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[None]:
    """A tmpfs of a size for as long as the block runs."""
    folder.mkdir(exist_ok=True)
    mount("rw", folder, size)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def mount(options: str, folder: Path, size: int) -> None:
    """Mounts a tmpfs, or gives the one that is mounted another size."""
    command = ["mount", "-t", "tmpfs", "-o", f"{options},size={size}", "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def why_no_mount(folder: Path) -> str | None:
    """Why no tmpfs can be mounted here; None where it can."""
    try:
        with mounted(folder / "try", PAGE):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return " ".join(str(getattr(error, "stderr", None) or error).split())


def report(outcomes: list[Outcome]) -> int:
    """Prints the counts; the exit status."""
    count, good = len(outcomes), sum(not outcome.faults for outcome in outcomes)
    rows = [
        ("sizes", f"{count}, from {outcomes[0].size:,} to {outcomes[-1].size:,} bytes"),
        ("  with a checkpoint before", str(sum(outcome.step > 0 for outcome in outcomes))),
        ("failed, restored and resumed as described", f"{good} of {count}"),
    ]
    tiny_run.print_rows(rows)
    return int(good < count)


if __name__ == "__main__":
    sys.exit(main())
