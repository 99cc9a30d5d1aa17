"""What does each preset of configs/systems learn in ten minutes?

    nmt prepare configs/multi30k-en-de.yaml
    python benchmarks/systems.py FOLDER prepared/multi30k-en-de systems.json [--only gnmt2016 ...] [--minutes 10]

works in FOLDER, through the command line alone. It trains every preset on the prepared corpus in two halves, of which
the second resumes the first, so that a slow one is validated twice too; evaluates it on the test part; exports it; and
translates the first test lines with the run folder and with the SavedModel. Figures are written to the JSON file after
each preset, and a preset that stands there is skipped. Prints a table, below it the loss of a unigram model; exit
status 1 where a command fails, a loss does not fall below the unigram model's, or one of the checks fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nmt.corpus import PreparedCorpus
from nmt.tokenizer import END_ID

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = {path.stem: path for path in sorted((ROOT / "configs" / "systems").glob("*.yaml"))}
LINES = 100  # of the test part, translated with run folder and SavedModel
HEADER = (
    "system",
    "parameters",
    "target tokens/s",
    "validation loss, first",
    "last",
    "BLEU",
    "resumes",
    "SavedModel = run folder",
)


class CommandError(Exception):
    """A command ended with an exit status other than 0."""


@dataclass(frozen=True)
class Figures:
    """What was measured of one preset.

    Attributes:
        minutes: of training, validations included.
        parameters: of the model.
        tokens_per_second: target tokens, the median of the reports in metrics.jsonl.
        first_loss: cross-entropy a target token of the first validation.
        last_loss: of the last one.
        bleu: of the test part, best checkpoint, in percent.
        resumed: whether the second half began at the step where the first one ended, and went on.
        equal_lines: lines that run folder and SavedModel translate alike ...
        lines: ... of so many.
    """

    minutes: float
    parameters: int
    tokens_per_second: float
    first_loss: float
    last_loss: float
    bleu: float
    resumed: bool
    equal_lines: int
    lines: int

    def is_good(self, unigram: float) -> bool:
        """Whether everything is as it should be."""
        learned = self.last_loss < self.first_loss and self.last_loss < unigram
        return learned and self.resumed and self.equal_lines == self.lines


def main() -> int:
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="where runs and SavedModels are made")
    parser.add_argument("prepared", type=Path, help="prepared corpus, such as prepared/multi30k-en-de")
    parser.add_argument("json", type=Path, help="figures; presets that stand there are skipped")
    parser.add_argument("--only", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), metavar="NAME")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each training (default: 10)")
    arguments = parser.parse_args()

    corpus = PreparedCorpus(arguments.prepared.resolve())
    arguments.folder.mkdir(parents=True, exist_ok=True)
    measured = read_figures(arguments.json)
    failed = []
    for name in arguments.only:
        if name in measured:
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            measured[name] = measure(name, arguments.folder, corpus, arguments.minutes)
        except CommandError as error:
            print(error, file=sys.stderr, flush=True)
            failed.append(name)
            continue
        write_figures(arguments.json, measured)

    unigram = unigram_loss(corpus)
    chosen = {name: figures for name, figures in measured.items() if name in arguments.only}
    print(table(chosen))
    print(f"\nunigram model: validation loss {unigram:.3f}")
    return int(bool(failed) or not all(figures.is_good(unigram) for figures in chosen.values()))


def measure(name: str, folder: Path, corpus: PreparedCorpus, minutes: float) -> Figures:
    """Trains, evaluates, exports and translates one preset.

    Raises:
        CommandError: one of the commands failed.
    """
    run, log = folder / "runs" / name, folder / f"{name}.log"
    train(name, folder, corpus, minutes / 2)
    half = validations(run)[-1]["step"]
    train(name, folder, corpus, minutes)
    nmt(folder, log, "evaluate", f"runs/{name}")
    equal, lines = compare(name, folder, corpus)
    steps, rounds, said = events(run, "steps"), validations(run), log.read_text(encoding="utf-8")
    if not steps:
        raise CommandError(
            f"{name}: expected reports of its speed in {run / 'metrics.jsonl'}, found none; raise --minutes"
        )
    return Figures(
        minutes=minutes,
        parameters=int(re.findall(r"([\d,]+) parameters", said)[-1].replace(",", "")),
        tokens_per_second=statistics.median(step["tokens_per_second"] for step in steps),
        first_loss=rounds[0]["loss"],
        last_loss=rounds[-1]["loss"],
        bleu=json.loads((run / "report.json").read_text(encoding="utf-8"))["bleu"]["score"],
        resumed=f"resumes at step {half:,}\n" in said and rounds[-1]["step"] > half,
        equal_lines=equal,
        lines=lines,
    )


def train(name: str, folder: Path, corpus: PreparedCorpus, minutes: float) -> None:
    """Trains until so many minutes are over, those of earlier trainings in the same run folder included."""
    settings = f"corpus.prepared={corpus.folder}", f"training.minutes={minutes}"
    overrides = [argument for setting in settings for argument in ("--set", setting)]
    nmt(folder, folder / f"{name}.log", "train", str(SYSTEMS[name]), *overrides)


def compare(name: str, folder: Path, corpus: PreparedCorpus) -> tuple[int, int]:
    """Exports and translates the first lines of the test part twice; the lines that are equal, and all."""
    sources = [" ".join(source.splitlines()) for source in corpus.text("test")[0][:LINES]]
    text, log = folder / "lines.txt", folder / f"{name}.log"
    text.write_text("".join(source + "\n" for source in sources), encoding="utf-8")
    nmt(folder, log, "export", f"runs/{name}", f"saved_models/{name}")
    ours, theirs = (
        nmt(folder, log, "translate", f"{place}/{name}", "--input", text.name).split("\n")[:-1]
        for place in ("runs", "saved_models")
    )
    if not len(ours) == len(theirs) == len(sources):
        raise CommandError(f"{name}: expected {len(sources)} translations, received {len(ours)} and {len(theirs)}")
    return sum(one == other for one, other in zip(ours, theirs, strict=True)), len(sources)


def nmt(folder: Path, log: Path, *arguments: str) -> str:
    """Runs a command in a folder and returns what it wrote to stdout; the rest goes to the end of the log."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nmt", *arguments]
    with log.open("ab") as file:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=file, text=True)
    if done.returncode:
        last = log.read_text(encoding="utf-8").strip().rpartition("\n")[2]
        raise CommandError(f"nmt {' '.join(arguments)} ended with status {done.returncode}: {last} (see {log})")
    return done.stdout


def events(run: Path, event: str) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl of one kind."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


def validations(run: Path) -> list[dict[str, Any]]:
    """What was found by the validations so far."""
    return events(run, "validation")


def unigram_loss(corpus: PreparedCorpus) -> float:
    """Cross-entropy a target token of the validation part under the training part's counts, add-one smoothed.

    Natural logarithm, ends of sentence included, as the validation losses of `nmt train`.
    """
    learned, validation = (corpus.tokens(part).target for part in ("train", "validation"))
    counts = 1.0 + np.bincount(learned.values, minlength=corpus.tokenizers()[1].size)
    counts[END_ID] += len(learned)
    log_probs = np.log(counts / counts.sum())
    total = log_probs[validation.values].sum() + log_probs[END_ID] * len(validation)
    return float(-total / (len(validation.values) + len(validation)))


def read_figures(path: Path) -> dict[str, Figures]:
    """What was measured before; nothing where there is no file yet."""
    values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: Figures(**figures) for name, figures in values.items()}


def write_figures(path: Path, measured: dict[str, Figures]) -> None:
    """Writes aside and renames, so that a kill leaves the figures of before."""
    aside = path.with_name(f"{path.name}.tmp")
    text = json.dumps({name: asdict(figures) for name, figures in measured.items()}, indent=2)
    aside.write_text(text + "\n", encoding="utf-8")
    aside.replace(path)


def table(measured: dict[str, Figures]) -> str:
    """A Markdown table, a preset a line."""
    rows = [HEADER, ("---",) * len(HEADER)]
    for name, figures in measured.items():
        values = f"{figures.parameters:,}", f"{figures.tokens_per_second:,.0f}", f"{figures.first_loss:.3f}"
        checks = "yes" if figures.resumed else "NO", f"{figures.equal_lines} of {figures.lines}"
        rows.append((f"`{name}`", *values, f"{figures.last_loss:.3f}", f"{figures.bleu:.1f}", *checks))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
