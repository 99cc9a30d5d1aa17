"""How many exercises does each model get right?

    python benchmarks/exercises.py FOLDER exercises.json [--only dates ...] [--seeds 1 2 3] [--jobs 2]

runs `nmt prepare`, `nmt train` and `nmt evaluate` in FOLDER for every configuration of configs/exercises and every
seed of the training, several of them at a time with one thread each. Prints the exact match on the test part as a
Markdown table. Reports are written to the JSON file after each training, and what fails holds up no other. Run again,
every training goes on where it was, and one whose report stands in the file is skipped. Exit status 1 where a command
fails or a median misses its goal: each of plain, reversed, and reversed and peeky addition 5 points above the one
before, addition with attention 99 %, dates 99.5 %.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import pairwise, product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXERCISES = {path.stem: path for path in sorted((ROOT / "configs" / "exercises").glob("*.yaml"))}
LADDER = ("addition_plain", "addition_reversed", "addition_peeky")
GAP = 5.0  # points from one of them to the next
GOALS = {"addition_attention": 99.0, "dates": 99.5}  # percent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

Reports = dict[int, dict[str, Any]]  # report.json of each seed


class CommandError(Exception):
    """A command ended with an exit status other than 0."""


def main() -> int:
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="where corpora and runs are made")
    parser.add_argument("json", type=Path, help="reports; trainings that stand there are skipped")
    parser.add_argument("--only", nargs="+", choices=list(EXERCISES), default=list(EXERCISES), metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the trainings (default: 1 2 3)")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time (default: 2)")
    arguments = parser.parse_args()

    arguments.folder.mkdir(parents=True, exist_ok=True)
    measured = read_reports(arguments.json)
    trainings = [pair for pair in product(arguments.only, arguments.seeds) if pair[1] not in measured.get(pair[0], {})]
    failed = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        pending = {pool.submit(measure, arguments.folder, *training): training for training in trainings}
        for done in as_completed(pending):
            name, seed = pending[done]
            try:
                measured.setdefault(name, {})[seed] = done.result()
            except CommandError as error:
                print(error, file=sys.stderr, flush=True)
                failed += 1
                continue
            write_reports(arguments.json, measured)
    return summarize(chosen(measured, arguments.only, arguments.seeds), arguments.seeds) or int(failed > 0)


def chosen(measured: dict[str, Reports], names: list[str], seeds: list[int]) -> dict[str, Reports]:
    """The reports that were asked for, without exercises that have none."""
    found = {name: {seed: measured[name][seed] for seed in seeds if seed in measured[name]} for name in measured}
    return {name: found[name] for name in names if found.get(name)}


def summarize(measured: dict[str, Reports], seeds: list[int]) -> int:
    """Prints the table and the goals that were missed; returns 1 if there are any."""
    print(table(measured, seeds))
    failures = missed_goals({name: median(reports) for name, reports in measured.items()})
    print("\n".join(failures), file=sys.stderr, end="\n" if failures else "")
    return int(bool(failures))


def measure(folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Prepares, trains and evaluates one model; returns its report.

    Raises:
        CommandError: one of the commands failed.
    """
    run = f"{name}-seed{seed}"
    settings = (str(EXERCISES[name]), "--set", f"name={run}", "--set", f"training.seed={seed}")
    for command in (("prepare", *settings), ("train", *settings), ("evaluate", f"runs/{run}")):
        nmt(folder, folder / f"{run}.log", *command)
    report: dict[str, Any] = json.loads((folder / "runs" / run / "report.json").read_text(encoding="utf-8"))
    print(f"{run}: {score(report):.2f} %", file=sys.stderr, flush=True)
    return report


def nmt(folder: Path, log: Path, *arguments: str) -> None:
    """Runs a command in a folder; what it writes goes to the end of the log."""
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nmt", *arguments]
    with log.open("ab") as file:
        status = subprocess.run(command, cwd=folder, env=environment, stdout=file, stderr=file).returncode
    if status:
        raise CommandError(f"nmt {' '.join(arguments)} ended with status {status}; see {log}")


def read_reports(path: Path) -> dict[str, Reports]:
    """What was measured before; nothing where there is no file yet."""
    values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: {int(seed): report for seed, report in reports.items()} for name, reports in values.items()}


def write_reports(path: Path, measured: dict[str, Reports]) -> None:
    """Writes aside and renames, so that a kill leaves the reports of before; in order, whichever came first."""
    aside = path.with_name(f"{path.name}.tmp")
    ordered = {name: dict(sorted(reports.items())) for name, reports in sorted(measured.items())}
    aside.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)


def score(report: dict[str, Any]) -> float:
    """Exact match in percent."""
    return float(report["exact_match"]["score"])


def median(reports: Reports) -> float:
    """The median of the exact match over the seeds, in percent."""
    return statistics.median(map(score, reports.values()))


def table(measured: dict[str, Reports], seeds: list[int]) -> str:
    """A Markdown table of the exact match in percent, an exercise a line; a seed that failed has a dash."""
    header = ["exercise", *(f"seed {seed}" for seed in seeds), "median"]
    rows = [header, ["---"] * len(header)]
    for name, reports in measured.items():
        scores = [f"{score(reports[seed]):.1f}" if seed in reports else "-" for seed in seeds]
        rows.append([f"`{name}`", *scores, f"{median(reports):.1f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def missed_goals(medians: dict[str, float]) -> list[str]:
    """A line for each goal that was measured and missed."""
    lines = [
        f"{name}: expected at least {goal} %, received {medians[name]:.2f} %"
        for name, goal in GOALS.items()
        if medians.get(name, goal) < goal
    ]
    for lower, higher in pairwise(name for name in LADDER if name in medians):
        if (gap := medians[higher] - medians[lower]) < GAP:
            lines.append(f"{higher}: expected at least {GAP:g} points more than {lower}, received {gap:.2f}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
